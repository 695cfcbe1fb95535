"""Documentation that cannot drift: what the pages say of commands, tables, figures, files and code is so."""

import importlib
import re
import shutil
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest
from command import run_here
from contract_archives import archive_days
from generate_docs import DOCS, FIGURES, ROOT, generated_parts, with_part
from generate_pictures import FOLDER, draw_terminal, make_training

from pulsoid_rec.analysis.cli.app import COMMANDS

pytestmark = pytest.mark.process

README = ROOT / "README.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / folder / "README.md" for folder in ("data", "notebooks", "tests")),
    *sorted(DOCS.glob("*.md")),
]
LINK = re.compile(r"\[([^]]+)\]\(([^)\s]+)\)")
LARGEST_PICTURE_BYTES = 400_000

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives a page's headings."""
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the recording of the pictures, where the examples expect one."""
    folder = tmp_path_factory.mktemp("documentation") / "data"
    folder.mkdir()
    return make_training(folder)


@pytest.mark.parametrize("name", generated_parts())
def test_the_generated_part_of_a_page_is_that_of_the_program(name: str) -> None:
    text = read(DOCS / f"{name}.md")
    assert with_part(text, name, generated_parts()[name]()) == text, "run `make docs`"


def test_the_picture_of_the_terminal_shows_what_the_program_prints(training: Path) -> None:
    assert draw_terminal(training) == read(FOLDER / "terminal.svg"), "run `make pictures`"


def test_the_pictures_are_small_and_ask_no_network() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {"live.png", "report.png", "responses.png", "terminal.svg"}
    assert all(path.stat().st_size < LARGEST_PICTURE_BYTES for path in FOLDER.iterdir())
    assert set(re.findall(r"https?://[^\"' ]+|url\([^)#]+\)", read(FOLDER / "terminal.svg"))) == {
        "http://www.w3.org/2000/svg"
    }


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = read(README)
    assert len(text.splitlines()) <= 200
    linked = {target for _, target in LINK.findall(text)}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} | {"CONTRIBUTING.md", "CHANGELOG.md"} <= linked


def test_there_is_a_paragraph_for_every_figure_of_the_summary() -> None:
    prose = read(DOCS / "figures.md").partition("<!-- figures")[0]
    named = set(re.findall(r"`([a-z0-9_]+)`", prose))
    identity = {"room_id", "session", "profile_id", "name", "first_at", "last_at"}
    zones = {f"zone{zone}_s" for zone in range(1, 5)}  # written as `zone0_s` to `zone5_s`
    assert set(FIGURES) - identity - zones <= named


def test_make_targets_that_pages_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"(?:^|`)make ([a-z]+)", read(page), re.MULTILINE)}
    assert {"demo", "docs", "pictures"} <= named
    assert named <= targets


@each_page
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for text, target in LINK.findall(read(page)):
        path, _, anchor = target.partition("#")
        if path.startswith("https:"):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"[{text}]({target})"
        assert not anchor or anchor in anchors(file), f"[{text}]({target})"


@each_page
def test_functions_and_files_that_pages_name_exist(page: Path) -> None:
    for name, target in re.findall(r"\[`([A-Za-z_.]+)`\]\(\.\./([a-z_/]+)\.py\)", read(page)):
        module = importlib.import_module(f"pulsoid_rec.{target.replace('/', '.')}")
        assert callable(attrgetter(name)(module)), f"{name} in {target}.py"
    files = {
        str(file.relative_to(ROOT)) for folder in ("recorder", "analysis") for file in (ROOT / folder).rglob("*.py")
    }
    for name in re.findall(r"`([a-z_/]+\.py)`", read(page)) if page.name == "how-it-works.md" else ():
        assert any(f"/{file}".endswith(f"/{name}") for file in files), name


def test_how_it_works_walks_through_the_code_and_names_every_room() -> None:
    text = read(DOCS / "how-it-works.md")
    assert len(re.findall(r"^\| \d+ \| \[`", text, re.MULTILINE)) >= 20
    begin_in = text.partition("## Where to change what")[2]
    assert len(re.findall(r"^\| (?:a|to|other|what|when|how) .*? \| \[[a-z_/]+\.py\]", begin_in, re.MULTILINE)) >= 10
    rooms = {file.parent for folder in ("recorder", "analysis") for file in (ROOT / folder).glob("*/__init__.py")}
    linked = {(DOCS / target).resolve() for _, target in LINK.findall(text)}
    assert rooms <= linked


def test_each_command_takes_one_line_of_help_on_80_columns() -> None:
    shown = run_here("--help", COLUMNS="80").stdout
    for command in COMMANDS:
        summary = (command.__doc__ or "").splitlines()[0].replace("`", "")
        assert f" {summary} " in shown


@each_page
def test_commands_in_examples_have_the_options_they_are_given(page: Path) -> None:
    sections = dict(
        re.findall(r"^### pulsoid-rec (\w+)\n(.*?)(?=^##|\Z)", read(DOCS / "commands.md"), re.DOTALL | re.MULTILINE)
    )
    assert list(sections) == [command.__name__ for command in COMMANDS]
    for line in re.findall(r"pulsoid-rec ([a-z].*)", "\n".join(blocks(page, "sh"))):
        command, *words = line.partition("#")[0].split()
        options = [word for word in words if word.startswith("-") and len(word) > 1]
        assert command in sections, line
        assert all(f" {option} " in sections[command] for option in options), line


def test_examples_in_python_run(training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(training.parents[1])
    archive_days(Path(shutil.copy(training, "archived.duckdb")), Path("data/archive"), "b")
    ran = 0
    for page in PAGES:
        names: dict[str, object] = {}
        for code in blocks(page, "python"):
            exec(compile(code, page.name, "exec"), names)
            ran += 1
    assert ran >= 7


def test_what_the_examples_need_is_installed_with_the_program() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = {name for text in pyproject["project"]["dependencies"] for name in re.findall(r"^[\w-]+", text)}
    assert {"duckdb", "polars", "pyarrow", "pytz"} <= installed  # DuckDB wants the last two for frames and instants
