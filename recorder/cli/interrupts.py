"""Ctrl-C before trio listens: never lost, wherever in the loading of modules it comes.

Python raises `KeyboardInterrupt` wherever it happens to be. In a callback, and its import system has some, it only says
that it ignored that, and the command would go on as if nobody had asked it to end.
"""

import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar

_T = TypeVar("_T")
_came: list[int] = []
"""Signals so far: what Python did not lose of them has ended the command."""


def note_interrupts(number: signal.Signals = signal.SIGINT) -> None:
    """Raise `KeyboardInterrupt` for a signal, and remember that it came. One that is ignored stays so."""
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, _interrupt)


def run_in_trio(function: Callable[..., Awaitable[_T]], *arguments: object) -> _T:
    """Run an async function by trio, unless a signal was lost on the way here.

    Raises
    ------
    KeyboardInterrupt
        One was.
    """
    import trio

    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in place of this alone trio puts its own
    if _came:
        raise KeyboardInterrupt
    return trio.run(function, *arguments)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _came.append(number)
    raise KeyboardInterrupt
