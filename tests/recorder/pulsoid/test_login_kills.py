"""Killed at any line, login, refresh and logout lose no token, and leave none where others could read it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from file_keyring import SELECT

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="it forks")]
_SCRIPT = Path(__file__).parents[2] / "support" / "kill_login.py"


@pytest.mark.parametrize("place", [[], ["keyring"]])
def test_killed_at_any_line_no_token_is_lost_or_left_behind(place: list[str], tmp_path: Path) -> None:
    arguments = [sys.executable, str(_SCRIPT), str(tmp_path / "kills"), "3", "3", *place]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=200, check=False, env={**os.environ, **SELECT}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [int(number) for number in done.stdout.partition("]")[0].strip("[").split(",")]
    assert min(lines) > 100, "there were hardly any lines to be killed at"
