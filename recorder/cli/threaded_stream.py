"""A text stream that is written from a thread, so that a terminal or a disk that hangs does not stop the recording."""

import contextlib
import io
import queue
import threading
import time
from collections.abc import Callable

FLUSH_TIMEOUT_S = 1.0  # how long the end of the command waits for the stream
_RETRY_S = 0.05


class ThreadedStream(io.TextIOBase):
    """Queues texts, and writes them from its own thread; those that do not fit into the queue are dropped.

    `write_some` writes bytes, returns how many, and may block; an `OSError` drops the text. It must not write to a
    buffered stream: Python aborts if it exits while a thread is inside one.
    """

    def __init__(
        self, write_some: Callable[[bytes], int | None], *, encoding: str, errors: str, most_waiting: int
    ) -> None:
        self._write_some = write_some
        self._encoding, self._errors = encoding, errors
        self._waiting: queue.Queue[bytes | None] = queue.Queue(most_waiting)
        self._is_closed = False
        self._thread = threading.Thread(target=self._write, name=type(self).__name__, daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override] # a constant here, not an attribute that can be set
        """The encoding of the stream."""
        return self._encoding

    def write(self, text: str) -> int:
        """Queue a text to be written. Never waits, never fails."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(text.encode(self._encoding, self._errors))
        return len(text)

    def finish(self) -> bool:
        """Write what is queued; return False if that takes longer than two seconds: the rest is dropped then."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=FLUSH_TIMEOUT_S)
        self._thread.join(FLUSH_TIMEOUT_S)
        self._is_closed = True
        return not self._thread.is_alive()

    def _write(self) -> None:
        while (data := self._waiting.get()) is not None and not self._is_closed:
            with contextlib.suppress(OSError):
                while data and not self._is_closed:
                    written = self._write_some(data)
                    if written is None:  # another program made the terminal non-blocking
                        time.sleep(_RETRY_S)
                    data = data[written or 0 :]
