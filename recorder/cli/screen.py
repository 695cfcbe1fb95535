"""Writes to stderr from a thread, so that a terminal that is stopped does not stop the recording.

A write blocks, possibly for hours, after Ctrl-S, while text is selected in a Windows console, or on a pipe that nobody
reads. So texts wait in a short queue. Those that do not fit are dropped: they are in the log, and the status is redrawn
each second.
"""

import contextlib
import io
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

MOST_WAITING = 200
"""Texts that may wait to be written."""
FLUSH_TIMEOUT_S = 1.0
"""How long the end of the command waits for the stream."""


class Screen(io.TextIOBase):
    """Writes to a stream from its own thread.

    It writes to `raw`, the unbuffered one: Python aborts if it exits while a thread is inside a buffered stream.
    """

    def __init__(self, stream: TextIO, raw: io.RawIOBase) -> None:
        self._stream = stream
        self._raw = raw
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._is_closed = False
        self._thread = threading.Thread(target=self._write, name="screen", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override] # a constant here, not an attribute that can be set
        """The encoding of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Queue a text to be written. Never waits, never fails."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(text.encode(self.encoding, "backslashreplace"))
        return len(text)

    def finish(self) -> None:
        """Write what is queued; what cannot be written within two seconds is dropped."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=FLUSH_TIMEOUT_S)
        self._thread.join(FLUSH_TIMEOUT_S)
        self._is_closed = True

    def _write(self) -> None:
        while (data := self._waiting.get()) is not None and not self._is_closed:
            with contextlib.suppress(OSError):  # the terminal was closed, but the recording continues
                while data and not self._is_closed:
                    data = data[self._raw.write(data) or 0 :]


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
