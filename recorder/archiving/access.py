"""The database, as a run that archives uses it: no other run beside it, and in turns with recorders and readers."""

import logging
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.errors import DatabaseBusyError, StorageError
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.ingest.database import open_database, stop_engines, translate_errors

_INTERRUPTED = "Query interrupted"
"""What DuckDB raises a `RuntimeError` with when it is interrupted by Ctrl-C."""

log = logging.getLogger(__name__)


@contextmanager
def only_run(database: Path) -> Iterator[None]:
    """Keep other processes from archiving from a database, or rewriting it, until the block ends.

    Sorting a large day needs temporary files. They are in a folder of their own, which is removed at the end.
    """
    database = follow_link(database)
    spill = spill_folder(database)
    with translate_errors(database):
        try:
            lock = LockFile(database.with_name(f"{database.name}.archive.lock"), wait=False)
        except BlockingIOError as error:
            raise StorageError(f"Another run is archiving {database}", "Try again when it has ended.") from error
        try:
            shutil.rmtree(spill, ignore_errors=True)  # of a run that was killed
            spill.mkdir(mode=0o700)
            yield
        finally:
            stop_engines()  # which still use that folder
            shutil.rmtree(spill, ignore_errors=True)
            lock.release()


@contextmanager
def open_when_free(
    database: Path, wal_bytes: int = DEFAULT_LIMITS.wal_bytes, timings: Timings = DEFAULT_TIMINGS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database as `open_database` does; wait while another process has it open, and log that once."""
    begun_at = time.monotonic()
    is_logged = False
    with ExitStack() as stack:
        while True:
            try:
                connection = stack.enter_context(open_database(database, wal_bytes))
                break
            except DatabaseBusyError as error:
                waited_s = time.monotonic() - begun_at
                if waited_s >= timings.archive_timeout_s:
                    raise DatabaseBusyError(error.message, "Try again when that process has ended.") from error
                if waited_s >= timings.report_busy_after_s and not is_logged:
                    log.warning("%s. Waiting until it is released.", error.message)
                    is_logged = True
                time.sleep(random.uniform(0.1, 1) * timings.ingest_retry_s)  # noqa: S311 - so as not to retry in step
        with translate_errors(database):
            spill = str(spill_folder(follow_link(database)).absolute())
            if connection.execute("SELECT current_setting('temp_directory')").fetchall() != [(spill,)]:
                connection.execute("SET temp_directory = ?", [spill])  # once: DuckDB changes none that was used
            try:
                yield connection
            except RuntimeError as error:
                if str(error) == _INTERRUPTED:
                    raise KeyboardInterrupt from error
                raise


def spill_folder(database: Path) -> Path:
    """Return the folder for temporary files, beside a database."""
    return database.with_name(f"{database.name}.archive.tmp")
