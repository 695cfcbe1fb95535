"""What a journal holds that the database does not have yet: a report made now would miss it."""

import time
from typing import NamedTuple

from pulsoid_rec.analysis.reading.recording import Recording

USUAL_DELAY_S = 5.0
_LONGER_THAN_A_HEADER = 200  # bytes
"""A recorder brings its journal in every second or so; what is younger than this is no cause for concern."""


class Backlog(NamedTuple):
    """Files of a journal that wait to be brought in."""

    files: int
    size_bytes: int


def find_backlog(recording: Recording, now: float | None = None) -> Backlog:
    """Find what waits in the journal beside a recording for longer than is usual.

    Parameters
    ----------
    recording
        The recording; its journal is the folder beside it, `<database>.journal`.
    now
        The present, in seconds since 1970.

    Returns
    -------
    Number of files and bytes; zeros where there is no journal.
    """
    now = time.time() if now is None else now
    waiting: dict[str, int] = {}
    folder = recording.path.with_name(recording.path.name + ".journal")
    for path in sorted(folder.glob("*.jsonl*")) if folder.is_dir() else ():
        try:
            status = path.stat()
            # The first line names the format; a recorder in a silent room has a segment with nothing else.
            holds_rows = status.st_size > _LONGER_THAN_A_HEADER or path.read_bytes().count(b"\n") > 1
        except OSError:
            continue  # brought in just now, and removed
        if now - status.st_mtime > USUAL_DELAY_S and holds_rows:
            waiting[path.name.removesuffix(".open").removesuffix(".jsonl")] = status.st_size
    if waiting:
        for segment in recording.ingested_segments(list(waiting)):
            del waiting[segment]
    return Backlog(len(waiting), sum(waiting.values()))
