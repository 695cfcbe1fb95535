"""Log of a recording: on the screen, and in a file of its own for each run, `DATABASE.logs/RUN.log`.

The file is written from a thread, since a disk may hang. It is made at the first message, and past a size it is renamed
to `RUN.log.1` and begun anew. A run that makes its log removes those of the oldest runs, but of none still recording.
"""

import copy
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pulsoid_rec.recorder.cli.threaded_stream import ThreadedStream
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.journal_files import journal_folder, lock_path
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.owned_files import require_own_folder
from pulsoid_rec.recorder.disk.lock_file import is_locked
from pulsoid_rec.recorder.pulsoid.known_secrets import redact

if TYPE_CHECKING:
    from rich.console import Console

_MOST_WAITING = 10_000  # messages, while the disk hangs
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
_FLAGS |= getattr(os, "O_NOFOLLOW", 0)  # a link somebody made there could lead to any file

log = logging.getLogger(__name__)


def logs_folder(database: Path) -> Path:
    """Return the folder of a database's logs."""
    return database.with_name(database.name + ".logs")


def log_to_stderr() -> None:
    """Log a command that has no log file to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("pulsoid_rec.recorder").setLevel(logging.INFO)  # of a migration, which may take long, too


@contextmanager
def open_log(database: Path, run_id: str, console: "Console | None", limits: Limits = DEFAULT_LIMITS) -> Iterator[None]:
    """Log the recorder to the console, or to stderr if there is none, and to the run's log, until the block ends.

    A log that cannot be written is reported once, on the screen, and stops nothing.
    """
    file = _LogFile(database, run_id, limits)
    stream = ThreadedStream(file.write_some, encoding="utf-8", errors="backslashreplace", most_waiting=_MOST_WAITING)
    handlers = [_make_screen_handler(console), _make_file_handler(stream)]
    root = logging.getLogger("pulsoid_rec.recorder")
    before, logging.raiseExceptions = logging.raiseExceptions, False  # a fault in logging must not stop a recording
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        if stream.finish():
            file.close()
        for handler in handlers:
            root.removeHandler(handler)
        logging.raiseExceptions = before


def _make_screen_handler(console: "Console | None") -> logging.Handler:
    handler = logging.StreamHandler() if console is None else _ConsoleHandler(console)
    handler.setFormatter(_ScreenFormatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    return handler


def _make_file_handler(stream: ThreadedStream) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter("%(asctime)s %(process)d %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S%z"))
    return handler


class PlainFormatter(logging.Formatter):
    """Formats messages, which may quote what a server sent, without secrets and what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and its traceback if there is one."""
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging calls it
        """Return the line of a record, without its traceback."""
        return plain(super().formatMessage(record))


class _ScreenFormatter(PlainFormatter):
    """Leaves tracebacks to the file."""

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.exc_info = record.exc_text = None
        return super().format(record)


class _ConsoleHandler(logging.Handler):
    """Prints log lines above the status that is drawn in place."""

    def __init__(self, console: "Console") -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "red" if record.levelno >= logging.ERROR else "yellow" if record.levelno >= logging.WARNING else None
        try:
            self._console.print(self.format(record), style=style, markup=False, soft_wrap=True)
        except Exception:  # noqa: BLE001 - whatever a terminal does, who logs must not notice
            self.handleError(record)


class _LogFile:
    """The file of one run, written from one thread."""

    def __init__(self, database: Path, run_id: str, limits: Limits) -> None:
        self._database = database
        self._folder = logs_folder(database)
        self._path = self._folder / f"{run_id}.log"
        self._limits = limits
        self._file: int | None = None
        self._is_failing = False

    def write_some(self, data: bytes) -> int:
        """Write bytes and return how many; the first failure is logged, for the screen."""
        try:
            if self._file is None:
                self._file = self._open()
            elif os.fstat(self._file).st_size >= self._limits.log_bytes:
                self._rotate()
            return os.write(self._file, data)
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                reason = error.strerror or error
                log.warning("Cannot write the log %s: %s. Recording continues without it.", self._path, reason)
            raise

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_own_folder(self._folder)
        file = os.open(self._path, _FLAGS, 0o600)
        with suppress(OSError):
            _remove_oldest(self._database, self._limits.logs_kept)
        return file

    def _rotate(self) -> None:
        self.close()
        with suppress(OSError):  # then the log grows
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._file = os.open(self._path, _FLAGS, 0o600)


def _remove_oldest(database: Path, kept: int) -> None:
    """Remove the logs of the oldest runs but `kept`, except of those that still record."""
    by_run: dict[str, list[Path]] = {}
    for path in logs_folder(database).glob("*.log*"):
        by_run.setdefault(path.name.partition(".")[0], []).append(path)
    for run_id in sorted(by_run)[:-kept]:
        if not is_locked(lock_path(journal_folder(database), run_id)):
            for path in by_run[run_id]:
                path.unlink(missing_ok=True)
