"""Work in a child process that is killed at a line of our code.

Whoever uses it must not have opened DuckDB before: it does not survive a fork.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any


def in_child(
    work: Callable[[], object], watched: Collection[str | None], kill_at: int = 0, report_to: Path | None = None
) -> None:
    """Work in a child, which is killed at so many lines of the files watched; 0 for never."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.waitstatus_to_exitcode(status) == 0, f"it failed, to be killed at {kill_at}: {status}"
        return
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in watched:
            return None
        if event == "line":
            lines += 1
            if lines == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    logging.disable()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is to see it
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    sys.settrace(None)
    if report_to is not None:
        report_to.write_text(str(lines))
    os._exit(0)
