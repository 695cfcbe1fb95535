"""A recording that somebody changed runs no SQL of theirs, whether it is read or recorded into."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from command import run_here
from journal_rows import reading as row
from journal_rows import write_segment
from readings import reading
from recordings import make_recording
from version_1 import RECORDING

from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.tables import BOOKKEEPING, TABLES
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.recover import recover

CHANGES = {
    "DROP TABLE marks; CREATE VIEW marks AS FROM read_text('/etc/hostname')": "`marks` is a view",
    "CREATE SCHEMA s; ALTER TABLE heart_rate RENAME TO h; CREATE VIEW HEART_RATE AS FROM h": "`heart_rate` is a view",
    "DROP TABLE marks": "`marks` is missing",
    "DROP TABLE marks; CREATE MACRO marks() AS TABLE SELECT 1 AS room_id": "`marks` is missing",
    "ALTER TABLE room_events ADD COLUMN more INTEGER": "`room_events` has other columns",
    "ALTER TABLE heart_rate ALTER bpm TYPE DOUBLE": "`heart_rate` has other columns",
    "ALTER TABLE heart_rate ALTER bpm SET DEFAULT 70": "`heart_rate` has other columns",
    "ALTER TABLE archive_identity RENAME place TO places": "`archive_identity` has other columns",
    "DROP TABLE schema_versions; CREATE VIEW schema_versions AS SELECT 2 AS version": "`schema_versions` is a view",
    "ALTER TABLE heart_rate RENAME TO h; CREATE TABLE heart_rate (room_id VARCHAR, profile_id VARCHAR, bpm INTEGER,"
    " occurred_at TIMESTAMPTZ, received_at TIMESTAMPTZ, connection_id VARCHAR AS (getvariable('x')))": "other columns",
    "CREATE TYPE json AS ENUM ('a'); DROP TABLE room_events; CREATE TABLE room_events (room_id VARCHAR, name VARCHAR,"
    " config json, occurred_at TIMESTAMPTZ, received_at TIMESTAMPTZ, connection_id VARCHAR)": "has other columns",
}


def _read(path: Path) -> None:
    Recording(path).sessions()


def _record(path: Path) -> None:
    with open_database(path):
        pass


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return make_recording(tmp_path / "a.duckdb", [reading(0, 70)])


@pytest.mark.parametrize("use", [_read, _record])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_with_other_tables_is_refused_by_a_sentence(
    recording: Path, change: str, use: Callable[[Path], None]
) -> None:
    use(recording)
    with duckdb.connect(recording) as connection:
        connection.execute(change)
    with pytest.raises(StorageError, match=CHANGES[change]):
        use(recording)


@pytest.mark.parametrize("use", [_read, _record])
def test_a_trigger_is_refused(tmp_path: Path, use: Callable[[Path], None]) -> None:
    path = tmp_path / "a.duckdb"
    with duckdb.connect(path) as connection:  # in the format of DuckDB 2, as older ones have none
        for table in (*TABLES, *BOOKKEEPING):
            connection.execute(table.ddl)
        connection.execute("INSERT INTO schema_versions VALUES (2, now(), '')")
    use(path)
    with duckdb.connect(path) as connection:
        insert = "INSERT INTO marks VALUES ('', '', '', '', now(), '', '')"
        connection.execute(f"CREATE TRIGGER t AFTER INSERT ON heart_rate FOR EACH STATEMENT {insert}")
    with pytest.raises(StorageError, match="`heart_rate` has a trigger"):
        use(path)


def test_the_sentence_is_all_that_a_command_says(recording: Path) -> None:
    with duckdb.connect(recording) as connection:
        connection.execute("DROP TABLE marks")
    done = run_here("report", "--db", recording)
    assert done.returncode == ExitCode.STORAGE
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("use", [_read, _record])
def test_a_view_in_place_of_a_table_of_version_1_is_refused(tmp_path: Path, use: Callable[[Path], None]) -> None:
    path = Path(shutil.copy(RECORDING, tmp_path / "a.duckdb"))
    with duckdb.connect(path) as connection:
        connection.execute("ALTER TABLE connection_events RENAME TO c; CREATE VIEW connection_events AS FROM c")
    with pytest.raises(StorageError, match="is a view"):
        use(path)


def test_macros_called_like_functions_of_ours_are_never_called(recording: Path) -> None:
    before = Recording(recording).summary()
    overloads = ", ".join(f"({parameters}) AS CAST('called' AS DATE)" for parameters in ("", "a", "a, b", "a, b, c"))
    with duckdb.connect(recording) as connection:
        for name in (
            "max",
            "min",
            "sum",
            "count",
            "coalesce",
            "+",
            "-",
            "//",
            "||",
            "list_contains",
            "epoch_us",
            "now",
        ):
            connection.execute(f'CREATE MACRO "{name}" {overloads}')
        for name in ("duckdb_tables", "duckdb_views", "unnest", "range"):
            connection.execute(f"CREATE MACRO {name}(a) AS TABLE SELECT CAST('called' AS DATE)")
    assert before.equals(Recording(recording).summary())
    write_segment(journal_folder(recording), "run-0", [row(1)])
    assert recover(recording).ingested.readings == 1
