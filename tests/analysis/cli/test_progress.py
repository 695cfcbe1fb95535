"""Progress: a bar on a terminal alone, that moves also while nothing is reported."""

import os
import select
import sys
import time
from contextlib import redirect_stderr
from io import StringIO

import pytest

from pulsoid_rec.analysis.cli import progress
from pulsoid_rec.analysis.cli.progress import open_progress

if sys.platform != "win32":
    import pty


@pytest.mark.skipif(sys.platform == "win32", reason="it needs a pseudo-terminal")
def test_a_terminal_shows_a_bar_that_moves_by_itself_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_DELAY_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    terminal, other = pty.openpty()
    shown = b""

    def wait_for(text: bytes) -> None:
        nonlocal shown
        give_up_at = time.monotonic() + 10
        while text not in shown:
            assert select.select([terminal], [], [], 10)[0]
            assert time.monotonic() < give_up_at, f"no {text!r} in {shown!r}"
            shown += os.read(terminal, 2**16)
        shown = b""

    with os.fdopen(other, "w", encoding="utf-8") as stream, redirect_stderr(stream):
        with open_progress("Measuring") as show:
            assert show is not None
            wait_for(b"Measuring")
            wait_for(b"Measuring")  # drawn again, though nothing was reported
            show(0.25)
            wait_for(b"25%")
        wait_for(b"\x1b[2K")  # the line is erased
    os.close(terminal)


def test_where_there_is_no_terminal_nothing_is_shown() -> None:
    with redirect_stderr(StringIO()) as stream, open_progress("Measuring") as show:
        assert show is None
    assert stream.getvalue() == ""
