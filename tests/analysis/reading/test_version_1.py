"""A recording of version 1 is read as it is: with the results it has once it is migrated, and not a byte changed."""

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest
from command import run_here
from recordings import make_recording
from version_1 import RECORDING, make_version_1

from pulsoid_rec.analysis import explore
from pulsoid_rec.analysis.reading.config_names import read_config_names
from pulsoid_rec.analysis.reading.database import open_database, read_frame
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError
from pulsoid_rec.recorder.contract.tables import SCHEMA_VERSION, TABLES
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.rows import MemberEventRow


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copy(RECORDING, tmp_path_factory.mktemp("migrated") / "a.duckdb"))
    recover(path)
    return path


@pytest.fixture(params=["a", 'it\'s "so"', "temp", "select"])
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The recording, under a name that SQL might not take for one, in a folder where nothing can be written."""
    path = Path(shutil.copy(RECORDING, tmp_path / f"{request.param}.duckdb"))
    path.chmod(0o400)
    return path


def test_every_table_reads_as_today(old: Path, migrated: Path) -> None:
    for table in TABLES:
        with open_database(old) as before, open_database(migrated) as after:
            found, expected = (read_frame(c, f"FROM {table.name}") for c in (before, after))
        assert found.equals(expected), table.name
        assert found.columns == [column.name for column in table.columns]


@pytest.mark.parametrize("old", ['it\'s "so"'], indirect=True)
def test_a_notebook_shows_the_same(old: Path, migrated: Path) -> None:
    before, after = explore(old), explore(migrated)
    for name in ("rooms", "sessions", "members", "summary", "notes"):
        found, expected = (pl.DataFrame(getattr(excerpt, name)()) for excerpt in (before, after))
        assert found.equals(expected), name
        assert not found.is_empty()
    for name in ("readings", "member_events", "room_events", "connection_events"):
        found, expected = (getattr(excerpt, name)().collect() for excerpt in (before, after))
        assert found.equals(expected), name
    query = "SELECT count(DISTINCT name) FROM member_events JOIN marks USING (room_id)"
    assert before.sql(query).equals(after.sql(query))


def test_names_and_connections_are_found(old: Path) -> None:
    recording = Recording(old)
    assert recording.room_names() == {"north": "North Court"}
    assert sorted(recording.config_names().filter(room_id="north")["config_name"]) == [
        "Ada Sample",
        "B\u00f6 \U0001f600",
        'a "quote",\na line and a \0',
        "\u4e2d" * 63 + " ",
    ]
    assert recording.last_received()["connection_id"].to_list() == ["south-connection-2"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--session", "all", "--format", "json"),
        ("report", "--session", "all"),
        ("sessions", "--format", "json"),
        *(("export", "--table", name, "-o", "out.csv") for name in (*(table.name for table in TABLES), "summary")),
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_commands_give_the_same(migrated: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    outputs = list[tuple[str, str, bytes]]()
    for source in (RECORDING, migrated):
        folder = tmp_path / str(len(outputs))
        folder.mkdir()
        shutil.copy(source, folder / "a.duckdb")
        before = (folder / "a.duckdb").read_bytes()
        done = run_here(*arguments, "--db", "a.duckdb", cwd=folder)
        assert done.returncode == 0, done.stderr
        written = folder / "out.csv"
        outputs.append((done.stdout, done.stderr, written.read_bytes() if written.exists() else b""))
        assert (folder / "a.duckdb").read_bytes() == before
        assert {path.name for path in folder.iterdir()} <= {"a.duckdb", "out.csv"}
    assert outputs[0] == outputs[1]
    assert any(outputs[0])


def test_a_newer_version_is_refused_with_one_line(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb", version=SCHEMA_VERSION + 1)
    with pytest.raises(StorageError, match="was written by a newer pulsoid-rec") as caught, open_database(path):
        pass
    assert caught.value.exit_code is ExitCode.STORAGE
    assert "\n" not in str(caught.value)


def test_nothing_can_be_written_through_the_views(old: Path) -> None:
    with open_database(old) as connection, pytest.raises(duckdb.Error):
        connection.execute("INSERT INTO marks SELECT 'r', NULL, 'x', 'mark', now(), 'm', 'cli'")


def test_names_in_large_configs_are_found_part_by_part(tmp_path: Path) -> None:
    configs = [f'{{"name":"n{number}","more":"{"x" * 60_000}"}}' for number in range(150)]
    events = [MemberEventRow("r", "c", f"p{n:03}", "updated", None, text, n, n, "") for n, text in enumerate(configs)]
    path = make_version_1(tmp_path / "a.duckdb", events)
    with open_database(path) as connection:
        connection.execute("SET memory_limit = '256MB'")  # two parts at a time; all names at once take more
        names = read_config_names(connection).sort("profile_id")["config_name"].to_list()
        order = read_frame(connection, "SELECT profile_id FROM member_events")["profile_id"].to_list()
    assert names == [f"n{number}" for number in range(150)]
    assert order == [f"p{number:03}" for number in range(150)], "in the order of the rows"


def test_a_lack_of_memory_is_an_error_of_storage(migrated: Path) -> None:
    message = r"There is not enough memory for .*\. Close other programs"
    with pytest.raises(StorageError, match=message), open_database(migrated) as connection:
        connection.execute("SET memory_limit = '10MB'; SELECT list(x) FROM range(10_000_000) t(x)")
