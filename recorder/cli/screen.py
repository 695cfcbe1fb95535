"""The screen, as a recording has it: whoever stops it does not stop the recording.

A terminal stands still after Ctrl-S, or while somebody marks text in a console of Windows, and a pipe when nobody reads
it; writing to it then waits, for hours if need be. So a thread of its own writes, and what comes meanwhile waits in a
short queue. What does not fit is dropped: the log has it, and the status is drawn anew each second.
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
"""Texts that may wait for the screen."""
FLUSH_TIMEOUT_S = 1.0
"""How long the end waits for the screen."""


class Screen(io.TextIOBase):
    """Writes to a stream from a thread of its own.

    Parameters
    ----------
    stream
        The stream.
    raw
        What is written to: its unbuffered one, since Python aborts if it ends while a thread is inside a buffered one.
    """

    def __init__(self, stream: TextIO, raw: io.RawIOBase) -> None:
        self._stream = stream
        self._raw = raw
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._has_given_up = False
        self._thread = threading.Thread(target=self._write, name="screen", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override] # IO's could be set; this is the stream's for good
        """The encoding of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Have a text written as soon as the stream takes it. Never waits, never fails."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(text.encode(self.encoding, "backslashreplace"))
        return len(text)

    def finish(self) -> None:
        """Write what waits, within a second or two; what the stream does not take by then is not said."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=FLUSH_TIMEOUT_S)
        self._thread.join(FLUSH_TIMEOUT_S)
        self._has_given_up = True

    def _write(self) -> None:
        while (data := self._waiting.get()) is not None and not self._has_given_up:
            with contextlib.suppress(OSError):  # it is gone: the recording is not
                while data and not self._has_given_up:
                    data = data[self._raw.write(data) or 0 :]


@contextmanager
def open_screen() -> Iterator[None]:
    """Have all that is said on stderr meanwhile said by a `Screen`."""
    before = sys.stderr
    buffer = getattr(before, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with `python -u` there is no buffer
    if not isinstance(raw, io.RawIOBase):  # it is no file, and makes nobody wait
        yield
        return
    before.flush()
    screen = Screen(before, raw)
    sys.stderr = screen
    try:
        yield
    finally:
        sys.stderr = before
        screen.finish()
