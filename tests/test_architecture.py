"""What may load what: shown on a running interpreter, beside the import contracts that `make lint` checks."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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


def test_the_import_contracts_name_every_module_of_the_recorder() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    modules = {f"recorder.{path.stem}" for path in (ROOT / "recorder").glob("[!_]*") if path.stem not in ("cli", "py")}
    command_line, recorder, analysis = contracts
    assert set(command_line["source_modules"]) == modules | {"analysis"}
    assert set(recorder["source_modules"]) == modules
    assert set(analysis["forbidden_modules"]) == modules - {"recorder.errors", "recorder.tables"}
