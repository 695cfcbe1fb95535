"""Writes to stderr from a thread, so that a terminal that is stopped does not stop the recording.

A write blocks, possibly for hours, after Ctrl-S, while text is selected in a Windows console, or on a pipe that nobody
reads. So texts wait in a short queue. Those that do not fit are dropped: they are in the log, and the status is redrawn
each second.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from pulsoid_rec.recorder.cli.threaded_stream import ThreadedStream
from pulsoid_rec.recorder.contract.display import FIT_ENCODING

MOST_WAITING = 200  # texts that may wait to be written


class Screen(ThreadedStream):
    """Writes to a stream from its own thread; to `raw`, the unbuffered one."""

    def __init__(self, stream: TextIO, raw: io.RawIOBase) -> None:
        super().__init__(raw.write, encoding=stream.encoding, errors=FIT_ENCODING, most_waiting=MOST_WAITING)
        self._stream = stream

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._stream.fileno()


@contextmanager
def open_screen() -> Iterator[None]:
    """Replace stderr by a `Screen` until the block ends."""
    stream = sys.stderr
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with `python -u` there is no buffer
    if not isinstance(raw, io.RawIOBase):  # not a file, so it does not block
        yield
        return
    stream.flush()
    screen = Screen(stream, raw)
    sys.stderr = screen
    try:
        yield
    finally:
        sys.stderr = stream
        screen.finish()
