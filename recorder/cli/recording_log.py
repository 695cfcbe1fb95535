"""Log of a recording: on the screen, and in a file beside the database."""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LARGEST_LOG_BYTES = 5 * 2**20


@contextmanager
def open_log(database: Path, console: "Console | None") -> Iterator[None]:
    """Log the recorder to the console, or to stderr if there is none, and to `DATABASE.log`, until the block ends."""
    file = database.with_name(database.name + ".log")
    if file.exists() and file.stat().st_size > LARGEST_LOG_BYTES:
        file.replace(file.with_name(file.name + ".1"))
    handlers = [_make_screen_handler(console), _make_file_handler(file)]
    root = logging.getLogger("pulsoid_rec.recorder")
    before, logging.raiseExceptions = logging.raiseExceptions, False  # a full disk must not stop a recording here
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        logging.raiseExceptions = before
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _make_screen_handler(console: "Console | None") -> logging.Handler:
    handler = logging.StreamHandler() if console is None else _ConsoleHandler(console)
    handler.setFormatter(_ScreenFormatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    return handler


def _make_file_handler(path: Path) -> logging.Handler:
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S%z"))
    return handler


class _ScreenFormatter(logging.Formatter):
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
        self._console.print(self.format(record), style=style, markup=False, soft_wrap=True)
