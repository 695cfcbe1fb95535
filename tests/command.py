"""Running `pulsoid-rec` as its user does: as a process, seen from outside."""

import os
import subprocess
import sys
from pathlib import Path

PULSOID_REC = (sys.executable, "-c", "from recorder.cli.app import main; main()")


def run_command(
    *arguments: str | Path, cwd: Path | None = None, timeout_s: float = 60, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; variables of None are taken away."""
    variables: dict[str, str] = {key: value for key, value in os.environ.items() if not key.startswith("PULSOID")}
    variables |= {"COLUMNS": "100", "PYTHONUTF8": "1"}
    for key, value in environment.items():
        if value is None:
            variables.pop(key, None)
        else:
            variables[key] = value
    return subprocess.run(
        [*PULSOID_REC, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=variables,
        timeout=timeout_s,
        check=False,
    )
