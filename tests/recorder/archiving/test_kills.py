"""Killed at any line, no row is lost, and none is twice. `make torture` does it far more often."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="it forks")]
_SCRIPT = Path(__file__).parents[2] / "support" / "kill_archive.py"


@pytest.mark.parametrize("what", ["archive", "compact"])
def test_killed_at_any_line_each_row_is_in_the_database_or_the_archive_once(tmp_path: Path, what: str) -> None:
    arguments = [sys.executable, str(_SCRIPT), str(tmp_path / "kills"), "3", "3"]
    done = subprocess.run(
        arguments + (["compact"] if what == "compact" else []), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 100, "there were hardly any lines to be killed at"
