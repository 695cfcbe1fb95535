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
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PULSOID")}
    variables |= {"COLUMNS": "100", "PYTHONUTF8": "1", **environment}
    return subprocess.run(
        [*PULSOID_REC, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=variables,
        timeout=60,
        check=False,
    )
