"""Killed at any line, all rows of others are there once, and the next run finishes it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="it forks")]
_SCRIPT = Path(__file__).parents[2] / "support" / "kill_forget.py"


def test_killed_at_any_line_nothing_of_others_is_lost_and_the_next_run_finishes_it(tmp_path: Path) -> None:
    arguments = [sys.executable, str(_SCRIPT), str(tmp_path / "kills"), "3", "3"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 300, "there were hardly any lines to be killed at"
