"""Names of a journal's folder and files.

A segment is called `RUN-NUMBER.jsonl.open` while it is written, and `RUN-NUMBER.jsonl` once it is closed. A recorder
holds `RUN.lock` while it runs, and writes how it is doing to `RUN.status`.
"""

from pathlib import Path

from pulsoid_rec.recorder.contract.paths import follow_link

CLOSED_SUFFIX = ".jsonl"
OPEN_SUFFIX = ".jsonl.open"
LOCK_SUFFIX = ".lock"
STATUS_SUFFIX = ".status"
KEPT = "kept"
"""The folder, in the journal's, of segments that are kept after they were ingested."""


def journal_folder(database: Path) -> Path:
    """Return the folder of a database's journal: beside the file itself, by whatever link it is named."""
    database = follow_link(database)
    return database.with_name(database.name + ".journal")


def segment_paths(folder: Path) -> list[Path]:
    """List the segments in a journal's folder, open and closed, by name; none if there is no such folder.

    Only files: opening a pipe would block for ever, and a link may lead anywhere.
    """
    names = (CLOSED_SUFFIX, OPEN_SUFFIX)
    try:
        found = sorted(path for path in folder.iterdir() if path.name.endswith(names))
        return [path for path in found if path.is_file() and not path.is_symlink()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def segment_name(path: Path) -> str:
    """Return the name of a segment, `RUN-NUMBER`, as in `ingested_segments`, whether it is closed or not."""
    return path.name.removesuffix(".open").removesuffix(CLOSED_SUFFIX)


def run_id_of(path: Path) -> str:
    """Return the id of the run that wrote a segment."""
    return segment_name(path).rpartition("-")[0]


def lock_path(folder: Path, run_id: str) -> Path:
    """Return the lock file of a recorder's run."""
    return folder / (run_id + LOCK_SUFFIX)


def status_path(folder: Path, run_id: str) -> Path:
    """Return the status file of a recorder's run."""
    return folder / (run_id + STATUS_SUFFIX)


def open_path(folder: Path, name: str) -> Path:
    """Return the file of a segment that is being written."""
    return folder / (name + OPEN_SUFFIX)


def closed_path(folder: Path, name: str) -> Path:
    """Return the file of a segment that is complete."""
    return folder / (name + CLOSED_SUFFIX)
