"""Running `pulsoid-rec` as its user does: as a process, seen from outside; or in this one if that is not the point."""

import contextlib
import functools
import gc
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest import mock

import typer.main

from pulsoid_rec.analysis.cli.app import main

PULSOID_REC = (sys.executable, "-c", "from pulsoid_rec.analysis.cli.app import main; main()")

_get_command = functools.cache(typer.main.get_command)
"""All commands with their options, which Typer puts together anew each time it is called."""


def run_command(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with these variables and none of the caller's that it would heed."""
    return subprocess.run(
        [*PULSOID_REC, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=_variables({"COLUMNS": "100", **environment}),
        timeout=60,
        check=False,
    )


def run_here(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in this process: same arguments, output and exit code, without the second that one takes to start."""
    return run_main_here(main, arguments, cwd, environment)


def run_main_here(
    program: Callable[[], None],
    arguments: Sequence[str | Path],
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program in this process, as `run_here` does."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2)]
    handler, threshold, code = signal.getsignal(signal.SIGINT), gc.get_threshold(), 0
    with contextlib.ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGINT, handler)
        before = os.umask(0o077)  # which a command sets
        stack.callback(os.umask, before)
        stack.callback(gc.set_threshold, *threshold)
        stack.callback(_set_time_zone)  # once the environment is what it was
        stack.enter_context(contextlib.chdir(cwd or Path.cwd()))
        stack.enter_context(
            mock.patch.dict(os.environ, _variables({"COLUMNS": "100", **(environment or {})}), clear=True)
        )
        stack.enter_context(mock.patch.object(typer.main, "get_command", _get_command))
        stack.enter_context(mock.patch.object(sys, "argv", ["pulsoid-rec", *map(str, arguments)]))
        stack.enter_context(contextlib.redirect_stdout(streams[0]))
        stack.enter_context(contextlib.redirect_stderr(streams[1]))
        _set_time_zone()
        try:
            program()
        except SystemExit as ended:
            code = int(ended.code or 0)
    for stream in streams:
        stream.flush()
    stdout, stderr = (stream.buffer.getvalue().decode() for stream in streams)
    return subprocess.CompletedProcess(sys.argv, code, stdout, stderr)


def _set_time_zone() -> None:
    if sys.platform != "win32":  # where TZ is not heeded
        time.tzset()


def run_on_terminal(*arguments: str | Path, columns: int = 100, **environment: str) -> tuple[int, bytes, bytes]:
    """Run it with a pseudo-terminal for stdout; return its exit code, what it shows, and what is on stderr."""
    import pty  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415 - nor this

    terminal, stdout = pty.openpty()
    termios.tcsetwinsize(stdout, (24, columns))
    variables = _variables({"TERM": "xterm", **environment})
    with subprocess.Popen(
        [*PULSOID_REC, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=variables,
    ) as process:
        os.close(stdout)
        shown = b""
        try:
            while data := os.read(terminal, 2**16):
                shown += data
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(terminal)
        _, errors = process.communicate(timeout=60)
    return process.returncode, shown, errors


def _variables(more: dict[str, str]) -> dict[str, str]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PULSOID", "COLUMNS", "LINES"))}
    return variables | {"PYTHONUTF8": "1"} | more
