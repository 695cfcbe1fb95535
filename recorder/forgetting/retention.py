"""Remove all that is older than a day: whole days of database and archive, and files of journal and logs."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.archiving.notes import read_notes, remove_leaving
from pulsoid_rec.recorder.contract.journal_files import KEPT, journal_folder, lock_path
from pulsoid_rec.recorder.disk.lock_file import is_locked
from pulsoid_rec.recorder.forgetting.archived import remove_file
from pulsoid_rec.recorder.forgetting.database import count_older, remove_older
from pulsoid_rec.recorder.forgetting.files import logs_of
from pulsoid_rec.recorder.forgetting.forget import open_archive
from pulsoid_rec.recorder.ingest.database import translate_errors


def forget_older(database: Path, archive: str | None, before: date, *, dry: bool = False) -> Counter[str]:
    """Remove all rows of days before another one (UTC), of all members; return how many by table, and how many files.

    `only_run` keeps others away. With `dry` it only counts. Killed anywhere, the next run does the rest.
    """
    with open_when_free(database) as connection:
        notes = read_notes(connection)
    store = open_archive(database, notes, archive)
    removed = Counter[str]()
    for file, noted in notes.noted.items():
        if file.day < before:
            removed[file.table] += noted.rows
            removed["files of the archive"] += 1
    with translate_errors(database):
        old = list(_old_files(database, before))
        removed.update({"files of journal and logs": len(old)} if old else {})
        if dry:
            with open_when_free(database) as connection:
                removed.update(count_older(connection, before))
            return +removed
        for path in old:
            path.unlink(missing_ok=True)
        if store is not None:
            with open_when_free(database) as connection:
                remove_leaving(connection, store)
                for file in notes.noted:
                    if file.day < before:
                        remove_file(connection, store, file)
        remove_older(database, before, removed)
    return +removed


def _old_files(database: Path, before: date) -> Iterator[Path]:
    """Yield kept files of days before, and logs last written before, but of recorders that run."""
    for path in (journal_folder(database) / KEPT).glob("*.jsonl.gz"):
        if path.name < before.isoformat():
            yield path
    for path in logs_of(database):
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
        run = path.name.partition(".")[0]
        if written < before and not is_locked(lock_path(journal_folder(database), run)):
            yield path
