"""Finds rows in the journal that are not in the database yet, and so not in a report."""

import time
from typing import NamedTuple

from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.journal_files import journal_folder, segment_name, segment_paths

USUAL_DELAY_S = 5.0
"""A recorder ingests its journal every second or two; younger files are normal."""

_MAX_HEADER_BYTES = 200


class Backlog(NamedTuple):
    """Files of a journal that are not in the database yet."""

    files: int
    size_bytes: int


def find_backlog(recording: Recording, now: float | None = None) -> Backlog:
    """Find what has been in the recording's journal for longer than usual; zeros if there is no journal.

    `now` is in seconds since 1970, by default the present.
    """
    now = time.time() if now is None else now
    backlog: dict[str, int] = {}
    for path in segment_paths(journal_folder(recording.path)):
        try:
            status = path.stat()
            # The first line names the format; a recorder in a silent room has a segment with nothing else.
            holds_rows = status.st_size > _MAX_HEADER_BYTES or path.read_bytes().count(b"\n") > 1
        except OSError:
            continue  # ingested and removed just now
        if now - status.st_mtime > USUAL_DELAY_S and holds_rows:
            backlog[segment_name(path)] = status.st_size
    if backlog:
        known = "SELECT DISTINCT segment FROM ingested_segments WHERE list_contains(?, segment)"
        with recording.connect() as connection:
            for (segment,) in connection.execute(known, [list(backlog)]).fetchall():
                del backlog[segment]
    return Backlog(len(backlog), sum(backlog.values()))
