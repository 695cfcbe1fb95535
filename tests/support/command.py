"""Running `pulsoid-rec` as its user does: as a process, seen from outside."""

import os
import subprocess
import sys
from pathlib import Path

PULSOID_REC = (sys.executable, "-c", "from pulsoid_rec.analysis.cli.app import main; main()")


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


def run_on_terminal(*arguments: str | Path, columns: int = 100, **environment: str) -> tuple[int, bytes, bytes]:
    """Run it with a pseudo-terminal for stdout; return its exit code, what it shows, and what is on stderr."""
    import pty  # noqa: PLC0415 - not on Windows
    import termios  # noqa: PLC0415

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
