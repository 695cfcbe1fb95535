"""Whose readings are expected: those whom the members file describes, and who have not withdrawn their consent."""

import logging
from contextlib import suppress

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.members_file import WITHDRAWN, find_members_file, read_members_file
from pulsoid_rec.recorder.recorder import Recorder

log = logging.getLogger(__name__)


class ExpectedMembers:
    """The members of the file, by profile id, with their names in it."""

    def __init__(self, recorder: Recorder) -> None:
        self._options, self._consent = recorder.options, recorder.consent
        self._described: dict[str, str | None] = {}
        self._seen: tuple[int, int] | None = None

    @property
    def names(self) -> dict[str, str | None]:
        """Who is expected, by profile id, with the name in the file; where consent is needed, only who gave it."""
        consented = None if self._consent is None else self._consent.members
        return {id_: name for id_, name in self._described.items() if consented is None or id_ in consented}

    def update(self) -> None:
        """Read the file again if it has changed. It waits for the disk. A file with a mistake changes nothing."""
        path = self._options.consent_file or find_members_file(self._options.database, self._options.members_file)
        seen = None
        if path is not None:
            with suppress(OSError):
                found = path.stat()
                seen = (found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            members = {} if path is None or seen is None else read_members_file(path)
        except UsageError as error:
            log.warning("%s Until then, whose readings are expected does not change.", error)
            return
        self._described = {id_: each.name for id_, each in members.items() if each.consent != WITHDRAWN}
