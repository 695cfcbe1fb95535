"""What is installed: `pulsoid_rec` alone, beside modules of anybody's that are called as our folders are."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from zipfile import ZipFile

import pytest

pytestmark = [pytest.mark.process, pytest.mark.unmeasured]

ROOT = Path(__file__).parents[1]
ROOMS = ("recorder", "analysis")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that finds modules in `cwd` first, and none of the checkout; return its output."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PULSOID"))}
    variables["PYTHONPATH"] = str(cwd)
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments: str | Path, cwd: Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(sys.executable, "-m", "pip", *quiet, *arguments, cwd=cwd)


def copy_checkout(folder: Path) -> Path:
    """Copy what is packed: to build there changes nothing here, and finds nothing of earlier builds."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, folder)
    for room in ROOMS:
        copytree(ROOT / room, folder / room, ignore=ignore_patterns("__pycache__"))
    return folder


def make_environment(folder: Path) -> Path:
    """Make an environment with the packages of this one, but without ours; return its Python."""
    venv.create(folder)
    python = folder / SCRIPTS / "python"
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", ".", cwd=checkout)
    (wheel,) = (checkout / "dist").glob("*.whl")
    return wheel


@pytest.fixture
def foreign_folder(tmp_path: Path) -> Path:
    """Make a folder of somebody who has modules called as our folders are."""
    folder = tmp_path / "research"
    (folder / "tests").mkdir(parents=True)
    for module in ("analysis.py", "recorder.py", "tests/__init__.py"):
        (folder / module).write_text("IS_FOREIGN = True\n", encoding="utf-8")
    return folder


def test_every_folder_of_modules_is_a_package_that_is_installed() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {file.parent for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    expected = sorted(".".join(("pulsoid_rec", *folder.relative_to(ROOT).parts)) for folder in folders)
    assert sorted(pyproject["tool"]["setuptools"]["packages"]) == expected


def test_the_wheel_holds_all_of_the_program_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*") if file.is_file()]
    expected = {f"pulsoid_rec/{file.relative_to(ROOT).as_posix()}" for file in files if file.suffix != ".pyc"}
    assert names == expected
    assert any("/templates/" in name for name in names)
    assert "pulsoid_rec/analysis/py.typed" in names


@pytest.mark.slow
def test_the_wheel_works_beside_foreign_modules_of_the_same_names(
    wheel: Path, foreign_folder: Path, tmp_path: Path
) -> None:
    python = make_environment(tmp_path / "environment")
    alone = ("--no-compile", "--no-deps", "--no-index", "--ignore-installed")
    pip("--python", python, "install", *alone, wheel, cwd=tmp_path)
    program = (
        "import analysis, recorder, tests, pulsoid_rec.analysis as pr, pulsoid_rec.recorder\n"
        "assert analysis.IS_FOREIGN and recorder.IS_FOREIGN and tests.IS_FOREIGN\n"
        "print(pr.__file__)"
    )
    found = Path(run(python, "-c", program, cwd=foreign_folder).strip())
    assert found.is_relative_to(tmp_path / "environment")
    run(python.with_name("pulsoid-rec"), "demo", "--folder", "demo", cwd=foreign_folder)
    assert "Bruno" in (foreign_folder / "demo" / "report.html").read_text(encoding="utf-8")


def test_a_file_that_is_added_is_there_without_installing_again(foreign_folder: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "environment")
    (tmp_path / "checkout").mkdir()
    checkout = copy_checkout(tmp_path / "checkout")
    pip("--python", python, "install", "--no-deps", "--no-build-isolation", "--editable", checkout, cwd=tmp_path)
    (checkout / "analysis" / "metrics" / "added.py").write_text("VALUE = 7\n", encoding="utf-8")
    found = run(python, "-c", "from pulsoid_rec.analysis.metrics.added import VALUE; print(VALUE)", cwd=foreign_folder)
    assert found == "7\n"
