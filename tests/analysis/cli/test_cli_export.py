"""`pulsoid-rec export`: what is written is what was recorded, whoever reads it."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest
from command import PULSOID_REC, run_here
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import Reading, append_readings, at, make_recording, reading, readings_frame, steady

from pulsoid_rec.analysis.cli.export import export as export_command
from pulsoid_rec.analysis.export.write import Export, write_export
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import TABLES as ALL_TABLES

AWKWARD = 'a "q", b;\r\n=SUM(1+1) \u00fc\U0001f493'
TABLES = {table.name: table for table in ALL_TABLES}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    readings = [
        *steady("ann", 120, 0, 60),
        reading(0.5, 0, AWKWARD),
        reading(1.5, 900, AWKWARD),
        reading(1.5, 900, AWKWARD),
        *steady("ann", 130, 5000, 5030),
        *steady("ann", 70, 0, 20, room="it's"),
    ]
    config = json.dumps({"name": AWKWARD, "color": None})
    events: list[list[Any]] = [
        ["r1", "ann", "updated", config, at(-1), at(-1), "c1"],
        ["r1", "ann", "removed", None, at(70), at(70), "c1"],
        ["r1", "ann", "updated", "{}", at(4990), at(4990), "c1"],
        ["it's", "ann", "updated", '{"name": "Ann of it"}', at(0), at(0), "c2"],
    ]
    connections = [["r1", "c1", "opened", at(-2), None, None], ["r1", "c1", "closed", at(6000), 1000, ""]]
    rooms = [["r1", config, at(-1), at(-1), "c1"]]
    path = make_recording(
        tmp_path / "a.duckdb", readings, member_events=events, room_events=rooms, connection_events=connections
    )
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO rejected_messages VALUES ('r1', 'c1', ?, 'not JSON', ?)", [at(3), AWKWARD])
        connection.execute("INSERT INTO marks VALUES ('r1', 'ann', ?, 'mark', ?, 'm1', 'cli')", [AWKWARD, at(4)])
        connection.execute("INSERT INTO marks VALUES ('r1', NULL, 'half-time', 'phase', ?, 'm2', 'cli')", [at(5)])
    return path


def export(db: Path, output: Path, **options: Any) -> None:
    """Run the command, in this process."""
    export_command(db=db, output=output, **options)


def recorded(db: Path, table: str) -> pl.DataFrame:
    """Read a table as it is exported, but without the members' names."""
    with Recording(db).open_() as connection:
        columns = ", ".join(
            f'"{c.name}"::VARCHAR AS "{c.name}"' if c.type == "JSON" else f'"{c.name}"' for c in TABLES[table].columns
        )
        frame: pl.DataFrame = connection.sql(f"SELECT {columns} FROM {table}").pl()
        return without_names(frame)


def without_names(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("name", strict=False) if "profile_id" in frame.columns else frame


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


@pytest.mark.slow
def test_progress_of_an_export_is_reported(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute(
            "INSERT INTO heart_rate SELECT 'r1', 'ann', 60 + i % 90, make_timestamptz(i * 1000000),"
            " make_timestamptz(i * 1000000), 'c1' FROM range(1_000_000) t(i)"
        )
    told = list[float]()
    asked = Export(table="heart_rate", wanted=Filter(), definitions=Definitions(), members=pl.DataFrame(schema=MEMBERS))
    assert write_export(Recording(path), asked, tmp_path / "a.csv", "csv", told.append) == 1_000_000
    assert len(told) > 2
    assert told == sorted(told)
    assert 0 < told[-1] <= 1


@pytest.mark.parametrize("table", TABLES)
def test_parquet_gives_the_table_back_to_polars_duckdb_and_pandas(db: Path, tmp_path: Path, table: str) -> None:
    output = tmp_path / "out.parquet"
    export(db, output, table=table)
    expected = recorded(db, table)
    frame = pl.read_parquet(output)
    assert without_names(frame).equals(expected)
    assert without_names(frame).schema == expected.schema
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        again: pl.DataFrame = connection.sql(f"SELECT * FROM read_parquet('{output}')").pl()
    assert again.equals(frame)
    assert pl.from_pandas(pd.read_parquet(output)).equals(
        frame.cast({"code": pl.Float64}, strict=False) if table == "connection_events" else frame
    )


@pytest.mark.parametrize("table", TABLES)
def test_csv_gives_the_table_back_to_polars_duckdb_and_pandas(db: Path, tmp_path: Path, table: str) -> None:
    output = tmp_path / "out.csv"
    export(db, output, table=table)
    expected = recorded(db, table)
    instants = [column.name for column in TABLES[table].columns if column.type == "TIMESTAMPTZ"]
    frame = pl.read_csv(output, schema_overrides=dict.fromkeys(instants, pl.String)).with_columns(
        pl.col(instants).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_zone="UTC")
    )
    assert without_names(frame).cast(expected.schema).equals(expected)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        options = f"types = {dict.fromkeys(instants, 'TIMESTAMPTZ')}, allow_quoted_nulls = false"
        again: pl.DataFrame = connection.sql(f"SELECT * FROM read_csv('{output}', {options})").pl()
    assert without_names(again).cast(expected.schema).equals(expected)
    pandas = pd.read_csv(output, parse_dates=instants, keep_default_na=False, na_values={"code": [""], "config": [""]})
    assert pandas[instants[0]].tolist() == expected[instants[0]].to_list()
    assert pandas["room_id"].tolist() == expected["room_id"].to_list()


def test_csv_is_as_rfc_4180_has_it(db: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    export(db, output)
    text = output.read_bytes().decode()
    assert text.startswith("room_id,profile_id,name,bpm,occurred_at,received_at,connection_id\r\nr1,ann,")
    assert text.endswith("\r\n")
    assert '"a ""q"", b;\r\n=SUM(1+1) ü💓"' in text
    assert "\n" not in text.replace("\r\n", "")
    assert read_csv(output)[0]["occurred_at"] == "2026-03-01T18:00:00.000000Z"


@pytest.mark.parametrize("table", ["heart_rate", "rejected_messages", "summary"])
def test_csv_for_excel_has_a_mark_times_it_takes_and_no_formula(db: Path, tmp_path: Path, table: str) -> None:
    (db.parent / "members.toml").write_text('[ann]\nname = "@SUM(1)"', encoding="utf-8")
    with duckdb.connect(db) as connection:
        connection.execute("UPDATE rejected_messages SET raw = chr(9) || '=cmd', reason = '-1'")
        connection.execute("UPDATE heart_rate SET bpm = -5 WHERE bpm = 900")
    export(db, tmp_path / "plain.csv", table=table)
    export(db, tmp_path / "out.csv", table=table, excel=True)
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfroom_id,")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))

    def for_excel(column: str, value: str) -> str:
        if column.endswith("_at"):
            return value[:-4].replace("T", " ")  # to the millisecond
        return f"'{value}" if value in {"@SUM(1)", "\t=cmd", "-1"} else value

    plain = read_csv(tmp_path / "plain.csv")
    assert rows == [{column: for_excel(column, value) for column, value in row.items()} for row in plain]
    assert "'" in {value[:1] for row in rows for value in row.values()}
    assert table != "heart_rate" or "-5" in {row["bpm"] for row in rows}


def test_parquet_is_not_for_excel(db: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--excel is for CSV files"):
        export(db, tmp_path / "out.parquet", excel=True)


def test_whatever_was_rejected_comes_back_from_csv(db: Path, tmp_path: Path) -> None:
    raws = [f"{chr(code)}{beside}" for code in (*range(256), 0x2028, 0xFEFF) for beside in ("", "x", '"', "\r\n,")]
    with duckdb.connect(db) as connection:
        connection.execute("DELETE FROM rejected_messages")
        connection.execute("INSERT INTO rejected_messages SELECT NULL, NULL, now(), 'why', unnest(?)", [raws])
    export(db, tmp_path / "out.csv", table="rejected_messages")
    assert [row["raw"] for row in read_csv(tmp_path / "out.csv")] == raws


def test_names_stand_beside_ids_and_may_differ_by_room(db: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    export(db, output)
    assert {(row["room_id"], row["profile_id"], row["name"]) for row in read_csv(output)} == {
        ("r1", "ann", AWKWARD),
        ("r1", AWKWARD, AWKWARD[:8]),
        ("it's", "ann", "Ann of it"),
    }
    (db.parent / "members.toml").write_text('[ann]\nname = "Ann"', encoding="utf-8")
    export(db, output, force=True)
    assert {row["name"] for row in read_csv(output)} == {"Ann", AWKWARD[:8]}


def test_rows_keep_their_order_beside_the_names_of_many_members(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "a.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute(
            "INSERT INTO heart_rate SELECT if(i % 50 = 0, 'r1', 'r2'), i * 7919 % 20_011, i % 200,"
            " make_timestamptz(i), make_timestamptz(i), 'c1' FROM range(60_000) t(i)"
        )
    for rooms in ([], ["r1"]):
        export(path, tmp_path / "out.parquet", room=rooms, force=True)
        frame = pl.read_parquet(tmp_path / "out.parquet")
        assert frame.height == (1_200 if rooms else 60_000)
        assert frame["occurred_at"].is_sorted()
        assert frame["name"].equals(frame["profile_id"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 113),
        ({"room": ["it's"]}, 20),
        ({"room": ["it's", "r1"]}, 113),
        ({"session": "1"}, 83),
        ({"session": "1", "room": ["r1"]}, 63),
        ({"session": "latest"}, 50),
        ({"since": "2026-03-01T18:00:30Z", "until": "2026-03-01T18:00:40Z"}, 10),
        ({"session": "2", "until": "2026-03-01T19:23:25Z"}, 5),
        ({"room": ["r9"]}, 0),
        ({"session": "9"}, 0),
    ],
)
def test_filters_are_those_of_the_report(
    db: Path, tmp_path: Path, options: dict[str, Any], expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.csv"
    export(db, output, **options)
    assert len(read_csv(output)) == expected
    said = capsys.readouterr()
    assert f"Wrote {expected:,} rows" in said.err
    assert said.out == ""
    assert ("No readings " in said.err or "There is no room" in said.err) == (expected == 0)


@pytest.mark.parametrize(("session", "expected"), [("1", [-1, 70]), ("2", [4990]), ("all", [-1, 70, 4990])])
def test_event_between_sessions_belongs_to_the_nearer_one(
    db: Path, tmp_path: Path, session: str, expected: list[int]
) -> None:
    output = tmp_path / "out.parquet"
    export(db, output, table="member_events", room=["r1"], session=session)
    assert pl.read_parquet(output)["occurred_at"].to_list() == [at(second) for second in expected]


def test_summary_comes_back_as_it_was(db: Path, tmp_path: Path) -> None:
    (db.parent / "members.toml").write_text("[ann]\nhr_max = 150", encoding="utf-8")
    export(db, tmp_path / "out.parquet", table="summary", min_bpm=75)
    frame = pl.read_parquet(tmp_path / "out.parquet")
    assert frame.schema == SCHEMA
    members = pl.DataFrame([("ann", None, None, None, 150.0, None)], schema=MEMBERS, orient="row")
    assert frame.equals(Recording(db).summary(Filter(), Definitions(min_bpm=75), members))
    export(db, tmp_path / "out.csv", table="summary")
    rows = read_csv(tmp_path / "out.csv")
    assert list(rows[0]) == list(SCHEMA)
    assert [row["readings"] for row in rows] == ["20", "0", "60", "30"]
    assert {row["first_at"] for row in rows} >= {"", "2026-03-01T18:00:00.000000Z"}


def test_parquet_holds_the_meaning_of_its_columns(db: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    export(db, output, table="summary", max_hold=4.0)
    file = pyarrow.parquet.ParquetFile(output)
    metadata = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    assert list(json.loads(metadata["pulsoid_rec.columns"])) == list(SCHEMA)
    assert json.loads(metadata["pulsoid_rec.definitions"])["max_hold_s"] == 4
    assert metadata["pulsoid_rec.source"] == "a.duckdb"
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    export(db, output, force=True, room=["it's"])
    metadata = pyarrow.parquet.read_metadata(output).metadata
    assert list(json.loads(metadata[b"pulsoid_rec.columns"])) == pl.read_parquet(output).columns
    assert metadata[b"pulsoid_rec.filter"].decode() == "room it's"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["-o", "out.xlsx"], 2, "The format of out.xlsx is unknown"),
        (["-o", "there.csv"], 2, "there.csv already exists"),
        (["-o", "."], 2, "is a folder"),
        (["-o", "no/out.csv"], 2, "There is no folder"),
        ([], 2, "-o"),
        (["-o", "out.csv", "--table", "readings"], 2, "readings"),
        (["-o", "out.csv", "--session", "x"], 2, "--session"),
        (["-o", "out.csv", "--db", "none.duckdb"], 4, "There is no none.duckdb"),
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(
    db: Path, tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    if options == ["-o", "out.xlsx"]:
        done = run_here("export", "--db", db, *options, cwd=tmp_path)
    else:
        done = run_here("export", "--db", db, "--format", "csv", *options, cwd=tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "mine"


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signal to one process")
def test_interrupted_export_leaves_no_file(tmp_path: Path) -> None:
    attempts = (interrupted_export(tmp_path / str(rows), rows) for rows in (2_000_000, 8_000_000, 32_000_000))
    done = next(filter(None, attempts), None)  # one that was done before the signal came shows nothing
    assert done is not None, "no export took long enough to be interrupted"
    assert "Traceback" not in done.stderr


def interrupted_export(folder: Path, rows: int) -> "subprocess.CompletedProcess[str] | None":
    """Export, and interrupt it while it writes; None if it was done before."""
    folder.mkdir()
    path = make_recording(folder / "a.duckdb", [reading(0, 80)])
    with duckdb.connect(path) as connection:
        connection.execute(
            "INSERT INTO heart_rate SELECT 'r1', 'ann', 80, now() + to_seconds(i), now(), 'c' FROM range(?) t(i)",
            [rows],
        )
    command = [*PULSOID_REC, "export", "--db", str(path), "-o", str(folder / "out.csv")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not is_being_written(folder):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    if process.returncode == 0 and (folder / "out.csv").exists():
        return None
    assert process.returncode != 0
    assert [file.name for file in folder.iterdir()] == ["a.duckdb"]
    return subprocess.CompletedProcess(command, process.returncode, None, errors)


def is_being_written(folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):  # one that got its name meanwhile
        return any(file.suffix == ".part" and file.stat().st_size for file in folder.iterdir())
    return False


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_folder_that_is_read_only_is_a_fault_of_storage(db: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    done = run_here("export", "--db", db, "-o", folder / "out.csv")
    assert done.returncode == 4
    assert "Cannot write" in done.stderr


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("export") / "scratch.duckdb")


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(
        st.builds(
            Reading,
            TEXT,
            TEXT,
            st.integers(-(2**31), 2**31 - 1),
            st.integers(-(10**15), 10**15).map(lambda us: at(0) + timedelta(microseconds=us)),
            st.integers(0, 10**6).map(lambda us: at(0) + timedelta(microseconds=us)),
        ),
        max_size=20,
    )
)
def test_whatever_was_recorded_comes_back(scratch: Path, rows: list[Reading]) -> None:
    with duckdb.connect(scratch) as connection:
        connection.execute("DELETE FROM heart_rate")
        append_readings(connection, rows)
    output = scratch.with_suffix(".parquet")
    everything = Export(
        table="heart_rate", wanted=Filter(), definitions=Definitions(), members=pl.DataFrame(schema=MEMBERS)
    )
    assert write_export(Recording(scratch), everything, output, "parquet") == len(rows)
    frame = pl.read_parquet(output)
    assert frame.drop("name", "connection_id").equals(readings_frame(rows))
    assert frame["name"].to_list() == [row.profile_id[:8] for row in rows]
    text = scratch.with_suffix(".csv")
    write_export(Recording(scratch), everything, text, "csv")
    again = [(row["room_id"], row["profile_id"], int(row["bpm"])) for row in read_csv(text)]
    assert again == [row[:3] for row in rows]
