"""The notebooks hold no outputs, run from end to end on a recording made on the spot, and show what they promise."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import nbclient
import nbformat
import pytest
import vl_convert
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbconvert import HTMLExporter

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
CHART = "application/vnd.vegalite.v5+json"
PICTURE = "image/png"
LARGEST_OUTPUT_BYTES = 3_000_000
LARGEST_PICTURE_BYTES = 200_000
PICTURES = {
    "01_first_look": 3,
    "02_fair_comparison": 2,
    "03_one_member": 2,
    "04_live": 1,
    "05_your_own": 2,
    "06_spark": 0,
    "07_responses": 2,
    "08_together": 2,
}


def make_sample(database: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "make_sample.py", str(database), *options]
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record a few short sessions, as `make notebooks` records longer ones."""
    database = tmp_path_factory.mktemp("sample") / "pulsoid.duckdb"
    done = make_sample(database, "--minutes", "7", "6", "8")
    assert (done.returncode, done.stderr) == (0, "")
    return database


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory, sample: Path) -> Iterator[AsyncKernelManager]:
    """Start one kernel for all notebooks; Jupyter writes to no home, and reaches no network."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(variable, str(folder / variable))
        for variable in ("http_proxy", "https_proxy"):
            patch.setenv(variable, "http://127.0.0.1:9")
        patch.setenv("PULSOID_REC_DB", str(sample))
        manager = AsyncKernelManager()
        run_sync(manager.start_kernel)(cwd=str(FOLDER))
        yield manager
        run_sync(manager.shutdown_kernel)(now=True)


def read_notebook(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # it is annotated only in part
    nbformat.validate(notebook)
    return notebook


def cells_of(path: Path) -> list[Any]:
    return list(read_notebook(path).cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = cells_of(path)
    assert [cell.id for cell in cells] == [f"{path.stem[:2]}-{number:02}" for number in range(len(cells))]
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert cells[0].cell_type == "markdown"
    assert re.match(r"# .+\?\n", cells[0].source), "a notebook begins with its question"


def test_every_notebook_is_listed_with_its_question() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in NOTEBOOKS] == sorted(PICTURES)
    for path in NOTEBOOKS:
        question = cells_of(path)[0].source.partition("\n")[0].removeprefix("# ")
        assert f"({path.name}) | {question}" in listed


AS_IF_NEW = """\
%reset -f
import altair, warnings
altair.renderers.enable('default')
warnings.simplefilter('error')
warnings.filterwarnings('ignore', 'PySpark does not yet fully support pandas')
"""


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_its_pictures(path: Path, kernel: AsyncKernelManager) -> None:
    if path.stem == "06_spark" and shutil.which("java") is None:
        pytest.skip("there is no Java")
    notebook = read_notebook(path)
    notebook.cells[1].source = AS_IF_NEW + notebook.cells[1].source
    for cell in notebook.cells:
        cell.source = cell.source.replace("time.sleep(1)", "time.sleep(0.1)")
    client = nbclient.NotebookClient(notebook, km=kernel, timeout=120)
    client.execute()
    assert client.kc is not None
    client.kc.stop_channels()
    pictures = 0
    for cell in notebook.cells[2:]:
        if cell.cell_type != "code":
            continue
        size = len(json.dumps(cell.outputs))
        assert size < LARGEST_OUTPUT_BYTES
        for output in cell.outputs:
            assert output.get("name") != "stderr", output.get("text")
            data = output.get("data", {})
            texts = {kind: data[kind] for kind in data if kind != PICTURE}
            assert "cdn" not in json.dumps(texts), "nothing is fetched from the network"
            if CHART in data:
                assert_is_drawn(data[CHART])
                assert len(data[PICTURE]) < LARGEST_PICTURE_BYTES
                assert "object at" not in data["text/plain"]
                pictures += 1
            elif "text/html" in data:
                assert "shape: (0," not in data["text/html"], f"{cell.id} shows an empty frame"
        if isinstance(ast.parse(cell.source).body[-1], ast.Expr):
            assert cell.outputs, f"{cell.id} shows nothing"
    assert pictures == PICTURES[path.stem]
    page, _ = HTMLExporter().from_notebook_node(notebook)  # type: ignore[no-untyped-call]  # annotated only in part
    assert len(re.findall(r'<img [^>]*height="\d+" src="data:image/png;base64,[^"]+" width="\d+"', page)) == pictures


def assert_is_drawn(chart: dict[str, Any]) -> None:
    """See that there is something in a chart besides axes and legends: a long line, or some bars or dots."""
    marks = []
    for group in ET.fromstring(vl_convert.vegalite_to_svg(chart)).iter():
        if "role-mark" in group.get("class", ""):
            marks += [mark.get("d", "") for mark in group if "0" not in {mark.get("opacity"), mark.get("fill-opacity")}]
    assert len([mark for mark in marks if mark]) >= 3 or max(map(len, marks), default=0) > 100, marks


@pytest.mark.unmeasured
@pytest.mark.process
def test_sample_is_never_made_over_a_recording_that_is_there(sample: Path) -> None:
    before = sample.read_bytes()
    done = make_sample(sample)
    assert done.returncode == 1
    assert "already exists" in done.stderr
    assert "Traceback" not in done.stderr
    assert sample.read_bytes() == before
