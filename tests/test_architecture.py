"""What may load what: shown on a running interpreter, beside the import contracts that `make lint` checks."""

import subprocess
import sys

import pytest


def _modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter; return the names of all modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_record_loads_no_polars_nor_anything_else_that_only_reports_need() -> None:
    loaded = _modules_after("import recorder.record, recorder.cli.app, recorder.cli.live_status")
    assert "recorder.record" in loaded
    assert not loaded & {"polars", "altair", "jinja2", "pyarrow", "pandas", "vl_convert"}
    assert not [name for name in loaded if name.partition(".")[0] == "analysis"]


@pytest.mark.parametrize("module", ["analysis.summary", "analysis.recording", "analysis.report_data"])
def test_analysis_loads_no_trio_and_of_the_recorder_only_the_contract(module: str) -> None:
    loaded = _modules_after(f"import {module}")
    assert module in loaded
    assert not loaded & {"trio", "trio_websocket", "typer"}
    recorder = {name for name in loaded if name.partition(".")[0] == "recorder"}
    assert recorder <= {"recorder", "recorder.errors", "recorder.tables"}


def test_help_loads_nothing_heavy() -> None:
    loaded = _modules_after("import recorder.cli.app")
    assert not loaded & {"trio", "duckdb", "polars", "altair", "msgspec", "pyarrow"}
