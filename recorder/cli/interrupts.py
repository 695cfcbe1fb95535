"""Ctrl-C at any instant of the start: never lost, and never in the midst of loading a module.

Python raises `KeyboardInterrupt` wherever it happens to be. In a callback, and its import system has some, it only says
that it ignored that, and the command would go on as if nobody had asked it to end; in the first steps of a library that
is not written in Python (DuckDB's) it takes the process down. So while modules are loaded a signal waits.
"""

import _thread
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar

_AGAIN_AFTER_S = 0.05
_T = TypeVar("_T")
_came: list[int] = []
"""Signals so far: what of them was not lost has ended the command."""
_waiting: list[threading.Timer] = []


def note_interrupts(number: signal.Signals = signal.SIGINT) -> None:
    """Have a signal raise `KeyboardInterrupt` as soon as no module is being loaded. One that is ignored stays so."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, _interrupt)


def run_in_trio(function: Callable[..., Awaitable[_T]], *arguments: object) -> _T:
    """Run an async function by trio, unless a signal came on the way here.

    Raises
    ------
    KeyboardInterrupt
        One did.
    """
    import trio

    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in place of this alone trio puts its own
    if _came:
        for again in _waiting:
            again.cancel()
        raise KeyboardInterrupt
    return trio.run(function, *arguments)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    if not _is_loading(frame):
        raise KeyboardInterrupt
    again = threading.Timer(_AGAIN_AFTER_S, _thread.interrupt_main, [number])
    again.daemon = True
    _waiting.append(again)
    again.start()


def _is_loading(frame: FrameType | None) -> bool:
    """Tell whether Python's import system is at work, in this frame or around it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
