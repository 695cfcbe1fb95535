"""What may load what: shown on a running interpreter, beside the import contracts that `make lint` checks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = [pytest.mark.process, pytest.mark.unmeasured]

ROOT = Path(__file__).parents[1]
CONTRACT = "pulsoid_rec.recorder.contract"


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter; return the names of all modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def below(package: str, modules: set[str]) -> set[str]:
    """Return the modules of a package, and itself."""
    return {name for name in modules if name == package or name.startswith(f"{package}.")}


def modules_of(room: str) -> str:
    """Return code that imports every module of a room."""
    modules = sorted((ROOT / room).rglob("[!_]*.py"))
    return "import " + ", ".join(
        ".".join(("pulsoid_rec", *path.relative_to(ROOT).with_suffix("").parts)) for path in modules
    )


def test_record_loads_no_polars_nor_anything_else_that_only_reports_need() -> None:
    loaded = loaded_by(
        "import pulsoid_rec.recorder.recorder, pulsoid_rec.analysis.cli.app, pulsoid_rec.recorder.cli.live_status"
    )
    assert "pulsoid_rec.recorder.recorder" in loaded
    assert not loaded & {"polars", "altair", "jinja2", "pyarrow", "pandas", "vl_convert", "python_socks"}
    command_line = below("pulsoid_rec.analysis.cli", loaded)
    options = {"pulsoid_rec.analysis.metrics", "pulsoid_rec.analysis.metrics.definitions"}  # their defaults are shown
    assert below("pulsoid_rec.analysis", loaded) == {"pulsoid_rec.analysis"} | command_line | options
    assert not below("pulsoid_rec.recorder.simulator", loaded)


def test_only_record_with_a_live_page_loads_what_that_needs() -> None:
    libraries = {"starlette", "hypercorn", "prometheus_client", "anyio"}
    code = (
        "import os, sys; os.environ['PULSOID_TOKEN'] = 'token-of-a-test'; sys.argv = ['pulsoid-rec', 'record', 'room',"
    )
    code += " '--db', {0!r}, '--server', 'ws://127.0.0.1:9', '--duration', '0.1', {1}]\n"
    code += "import pulsoid_rec.analysis.cli.app as app\ntry: app.main()\nexcept SystemExit: pass"
    with TemporaryDirectory() as folder:
        database = str(Path(folder, "a.duckdb"))
        without = loaded_by(code.format(database, "'--kinds', 'heart_rate'"))
        with_page = loaded_by(code.format(database, "'--live', '0'"))
    assert "pulsoid_rec.recorder.recorder" in without
    assert not without & libraries
    assert not below("pulsoid_rec.recorder.live", without)
    assert libraries <= with_page
    assert not with_page & {"polars", "pyarrow", "altair", "jinja2", "rich", "pandas"}


@pytest.mark.parametrize(
    ("room", "never"),
    [
        ("analysis/metrics", ("trio", "trio_websocket", "typer", "rich", "altair", "duckdb")),
        ("analysis/reading", ("trio", "trio_websocket", "typer", "rich", "altair")),
        ("analysis/findings", ("trio", "trio_websocket", "typer", "rich", "altair")),
        ("analysis/group", ("trio", "trio_websocket", "typer", "rich", "altair")),
        ("analysis/notebook", ("trio", "trio_websocket", "typer", "rich")),
    ],
)
def test_a_room_of_the_analysis_loads_of_the_recorder_only_the_contract(room: str, never: tuple[str, ...]) -> None:
    loaded = loaded_by(modules_of(room))
    assert below(f"pulsoid_rec.{room.replace('/', '.')}", loaded)
    assert not loaded & set(never)
    assert below("pulsoid_rec.recorder", loaded) == {"pulsoid_rec.recorder"} | below(CONTRACT, loaded)


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by("import pulsoid_rec.analysis.cli.app")
    assert not loaded & {"trio", "duckdb", "polars", "altair", "msgspec", "pyarrow"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the product to where it may be changed."""
    folder = tmp_path_factory.mktemp("architecture")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("recorder", "analysis"):
        shutil.copytree(ROOT / name, folder / "pulsoid_rec" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def check_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts on the copy."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contracts_are_kept(copy: Path) -> None:
    done = check_imports(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "imports"),
    [
        ("recorder/journal/upward.py", "recorder.room"),
        ("recorder/cli/sideways.py", "analysis.metrics.zones"),
        ("recorder/simulator/thief.py", "recorder.pulsoid.messages"),
        ("recorder/nowhere.py", None),
        ("analysis/metrics/upward.py", "analysis.reading.database"),
        ("analysis/report/sideways.py", "analysis.notebook.explore"),
        ("analysis/charts/command.py", "analysis.cli.app"),
        ("analysis/reading/too_curious.py", "recorder.journal.rows"),
        ("analysis/nowhere.py", None),
    ],
)
def test_a_module_where_it_does_not_belong_breaks_a_contract(copy: Path, module: str, imports: str | None) -> None:
    path = copy / "pulsoid_rec" / module
    path.write_text(f"import pulsoid_rec.{imports}\n" if imports else "", encoding="utf-8")
    try:
        done = check_imports(copy)
    finally:
        path.unlink()
    assert done.returncode == 1, done.stdout
    assert path.stem in done.stdout
