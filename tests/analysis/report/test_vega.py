"""The scripts of a page: the same whoever puts them together, and never missing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pulsoid_rec.analysis.report import vega

pytestmark = pytest.mark.process


def scripts_given(setting: str = "") -> str:
    """Ask for the scripts in a fresh interpreter, after this code."""
    code = (
        "import sys\nfrom pulsoid_rec.analysis.report.vega import prepare_scripts, vega_scripts\n"
        f"{setting}\nprepare_scripts()\nassert vega_scripts() is vega_scripts()\n"
        "sys.stdout.buffer.write(vega_scripts().encode())\n"
        "print(*(name for name in sys.modules if name == 'vl_convert'), end='', file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    here = "" if not setting else "vl_convert"
    assert done.stderr.decode() == here, "who put them together?"
    return done.stdout.decode()


@pytest.mark.slow
def test_the_scripts_are_the_same_with_another_process_without_one_and_with_one_that_fails() -> None:
    scripts = scripts_given()
    assert "vegaEmbed" in scripts
    assert scripts_given("sys.executable = 'no such file'") == scripts
    fails = "from pulsoid_rec.analysis.report import vega; vega._CODE = 'raise SystemExit(1)'"
    assert scripts_given(fails) == scripts


@pytest.mark.parametrize("interpreter", ["", "no such file"])
def test_without_an_interpreter_there_is_no_other_process(monkeypatch: pytest.MonkeyPatch, interpreter: str) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    assert vega.prepare_scripts.__wrapped__() is None


def test_the_other_process_gets_no_secret_in_its_environment(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    worker = f"import json, os, pathlib; pathlib.Path({str(seen)!r}).write_text(json.dumps(dict(os.environ)))"
    code = f"from pulsoid_rec.analysis.report import vega\nvega._CODE = {worker!r}; vega.prepare_scripts().wait()"
    secrets = ("PULSOID_TOKEN", "PULSOID_CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "https_proxy")
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **dict.fromkeys(secrets, "s3cret")})
    passed = json.loads(seen.read_text())
    assert passed
    assert "s3cret" not in passed.values()


def test_a_report_that_fails_leaves_no_process_behind(tmp_path: Path) -> None:
    beats = tmp_path / "beats"
    worker = f"import time\nfile = open({str(beats)!r}, 'ab', 0)\nwhile file.write(b'.'):\n    time.sleep(0.01)"
    code = (
        "import pathlib, time; from pulsoid_rec.analysis.report import vega\n"
        f"vega._CODE = {worker!r}; vega.prepare_scripts()\n"
        f"while not pathlib.Path({str(beats)!r}).is_file():\n    time.sleep(0.01)\n"
        "raise SystemExit(2)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == 2
    size = beats.stat().st_size
    time.sleep(0.5)
    assert beats.stat().st_size == size
