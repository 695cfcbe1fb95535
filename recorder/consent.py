"""Records only who consented: by the members file, which is read anew while recording.

A member's messages are dropped before anything of them reaches the disk; what is kept is how many they were.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import trio

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.contract.members_file import Member, read_members_file
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.withheld import withheld_reason
from pulsoid_rec.recorder.contract.wording import format_count
from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow, MessageRow, RejectedMessageRow, reject
from pulsoid_rec.recorder.status import RoomStatus

Signature = tuple[int, int, int]

log = logging.getLogger(__name__)


def _today() -> date:
    return datetime.now().astimezone().date()


class Consent:
    """Who has consented, by a members file. Nobody has while there is no such file.

    Consent is given from its day on, by this computer's clock and time zone. Raises `UsageError` if the file cannot be
    read; later the last state counts then, which is logged once.
    """

    def __init__(self, path: Path, timings: Timings, today: Callable[[], date] = _today) -> None:
        self._path = path
        self._interval_s = timings.consent_interval_s
        self._today = today
        self._members: dict[str, Member] = {}
        self._seen = self._read_from = self._look()
        self._is_failing = False
        if self._seen is not None:
            self._members = read_members_file(path)
        self._consented = self._select()

    def __str__(self) -> str:
        """Who is recorded, as a sentence."""
        if self._consented:
            members = format_count(len(self._consented), "member")
            return f"Recorded are only those who consented: {members} of {self._path}."
        why = "has the consent of nobody" if self._seen else "is not there"
        return f'{self._path} {why}: no member is recorded until one has a line such as "consent = 2026-03-01" in it.'

    @property
    def is_given(self) -> bool:
        """Whether anybody has consented."""
        return bool(self._consented)

    @property
    def members(self) -> frozenset[str]:
        """The profile ids of those who have consented."""
        return self._consented

    def allows(self, row: MessageRow) -> bool:
        """Return whether a message may be recorded: it is of nobody, or of somebody who consented."""
        return not isinstance(row, HeartRateRow | MemberEventRow) or row.profile_id in self._consented

    async def run(self) -> None:
        """Read the file at each change, until cancelled."""
        while True:
            await trio.sleep(self._interval_s)
            await trio.to_thread.run_sync(self.update, abandon_on_cancel=True)

    def update(self) -> None:
        """Read the file if it has changed, and has not changed since the last look: it may be half written."""
        seen, self._seen = self._seen, self._look()
        if self._seen == seen and seen != self._read_from:
            try:
                self._members = read_members_file(self._path)
            except UsageError as error:
                self._report(error)
            else:
                self._read_from, self._is_failing = seen, False
        before, self._consented = self._consented, self._select()
        if self._consented != before:
            log.info("%s", self)

    def _report(self, error: UsageError) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.warning("%s Until then, who had consented before is recorded.", _without_ids(self._path, error))

    def _look(self) -> Signature | None:
        """Return what is different once the file was written again; None if it is not there."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _select(self) -> frozenset[str]:
        today = self._today()
        return frozenset(
            id_ for id_, member in self._members.items() if isinstance(member.consent, date) and member.consent <= today
        )


def _without_ids(path: Path, error: UsageError) -> str:
    """Return an error for the log, where the id and the name of a member who has not consented must not be."""
    return str(error) if error.__cause__ is not None else f"{path} has an invalid line. Correct the file."


class ConsentGate:
    """Lets through what may be recorded of one room, and counts the rest; without `consent` everything may be."""

    def __init__(self, consent: Consent | None, status: RoomStatus, timings: Timings, limits: Limits) -> None:
        self._consent = consent
        self._status = status
        self._interval_us = round(timings.withheld_interval_s * 1e6)
        self._most_members = limits.members
        self._messages = 0  # since the last row that counts them
        self._members: set[str] = set()
        self._due_at = 0
        self.raw_bytes = limits.raw_bytes if consent is None else 0
        """How much may be kept of a message that cannot be parsed: it may hold anybody's id."""

    def drops(self, row: MessageRow) -> bool:
        """Return whether a message is not to be recorded; it is then counted."""
        if self._consent is None or self._consent.allows(row):
            return False
        assert isinstance(row, HeartRateRow | MemberEventRow)
        if not self._status.withheld:
            log.info("%s: there are members without consent, of whom nothing is recorded.", self._status.room_id)
        self._status.withhold(row.profile_id)
        self._messages += 1
        if len(self._members) < self._most_members:
            self._members.add(row.profile_id)
        return True

    def take_count(self, connection_id: str, at: int, *, is_last: bool = False) -> RejectedMessageRow | None:
        """Return the row, received at `at`, that counts what was dropped since the one before.

        None if nothing was, or the one before is more recent than `Timings.withheld_interval_s` and more may come. So
        the first message is counted at once, and a recorder that is killed loses the count of the last few seconds.
        """
        if not self._messages or (at < self._due_at and not is_last):
            return None
        reason = withheld_reason(self._messages, len(self._members))
        self._messages, self._due_at = 0, at + self._interval_us
        self._members.clear()
        self._status.withheld_rows += 1
        return reject(self._status.room_id, connection_id, at, reason, "")
