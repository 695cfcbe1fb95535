"""Ctrl-C while a command starts: it is never lost, and never raised while a module is being loaded.

Python raises `KeyboardInterrupt` wherever it happens to be. In a callback, and its import system has some, it prints
that the exception was ignored and continues, so that the command would not end. In the initialization of an extension
module (DuckDB's) the exception crashes the process. So a signal is delayed while modules are being loaded.
"""

import _thread
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar

_RETRY_AFTER_S = 0.05
_T = TypeVar("_T")
_received: list[int] = []  # signals received; if there is one when trio starts, Python ignored its exception
_retries: list[threading.Timer] = []


def note_interrupts(number: signal.Signals = signal.SIGINT) -> None:
    """Let a signal raise `KeyboardInterrupt` as soon as no module is being loaded, unless the signal is ignored."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, _interrupt)


def run_in_trio(function: Callable[..., Awaitable[_T]], *arguments: object) -> _T:
    """Run an async function in trio; raise `KeyboardInterrupt` instead if a signal was received before."""
    import trio

    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # trio replaces only this handler
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # which trio delivers safely
    if _received:
        for retry in _retries:
            retry.cancel()
        raise KeyboardInterrupt
    return trio.run(function, *arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if not _is_importing(frame):
        raise KeyboardInterrupt
    retry = threading.Timer(_RETRY_AFTER_S, _thread.interrupt_main, [number])
    retry.daemon = True
    _retries.append(retry)
    retry.start()


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether this frame, or one of its callers, belongs to Python's import system."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
