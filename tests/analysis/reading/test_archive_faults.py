"""What is wrong with an archive is said in one sentence, and what does not need it is read as ever."""

import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import duckdb
import pytest
from command import run_here
from contract_archives import archive_days, write_file
from recordings import at, make_recording, steady

from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError
from pulsoid_rec.recorder.contract.tables import HEART_RATE

DAY_S = 86_400
FIRST = date(2026, 3, 1)
COLUMNS = [f'"{column.name}"' for column in HEART_RATE.columns]
DAYS = [FIRST + timedelta(days) for days in range(4)]


class Archived(NamedTuple):
    """A recording as it was, the database from which days were archived, and the archive."""

    plain: Path
    db: Path
    folder: Path

    def file(self, day: date, table: str = "heart_rate") -> Path:
        """Return the archive's file of a day."""
        [path] = self.folder.glob(f"v1/{table}/day={day}/*.parquet")
        return path

    def report(self, *options: str) -> tuple[int, str, str]:
        """Report on it: exit code, stdout and stderr."""
        done = run_here("report", "--db", self.db, "--format", "json", *options)
        return done.returncode, done.stdout, done.stderr

    def plain_report(self, *options: str) -> str:
        """Report on the recording as it was, which no test changes."""
        return _report_of(self.plain, options)

    def fails(self, *options: str) -> str:
        """Report, and return the one line that says what is wrong."""
        code, out, err = self.report(*options)
        assert (code, out, err.count("\n")) == (ExitCode.STORAGE, "", 1), err
        return err


@cache
def _report_of(plain: Path, options: tuple[str, ...]) -> str:
    return run_here("report", "--db", plain, "--format", "json", *options).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """Five days of two sessions, the second over midnight; all but the last day are archived."""
    folder = tmp_path_factory.mktemp("made")
    rows = [
        row
        for start in range(0, 5 * DAY_S, DAY_S)
        for row in (*steady("ann", 100, start, start + 60), *steady("bob", 120, start + 21_570, start + 21_630))
    ]
    events = [
        ["r1", "ann", "updated", '{"name": "Ada"}', row.occurred_at, row.received_at, "c1"] for row in rows[::120]
    ]
    plain = make_recording(folder / "plain.duckdb", rows, member_events=events)
    db = Path(shutil.copy(plain, folder / "a.duckdb"))
    archive_days(db, folder / "archive", "b", lambda _, day: day in DAYS)
    return Archived(plain, db, folder / "archive")


@pytest.fixture
def archived(made: Archived, tmp_path: Path) -> Archived:
    """A copy of it, for what damages it."""
    db = Path(shutil.copy(made.db, tmp_path / "a.duckdb"))
    folder = Path(shutil.copytree(made.folder, tmp_path / "archive"))
    with duckdb.connect(db) as connection:
        connection.execute("UPDATE archive_identity SET place = ?", [str(folder)])
    return Archived(made.plain, db, folder)


def test_the_latest_report_and_the_list_of_sessions_open_no_file(archived: Archived) -> None:
    for path in archived.folder.rglob("*.parquet"):
        path.write_bytes(bytes(path.stat().st_size))
    assert archived.report() == (0, archived.plain_report(), "")
    listed = [run_here("sessions", "--db", db, "--format", "json").stdout for db in (archived.plain, archived.db)]
    assert listed[0] == listed[1]
    assert str(archived.file(FIRST)) in archived.fails("--session", "all")


def test_without_its_folder_the_latest_report_needs_no_note(archived: Archived) -> None:
    archived.folder.rename(archived.folder.with_name("moved"))
    assert archived.report() == (0, archived.plain_report(), "")
    assert f"The archive {archived.folder} is not there. " in archived.fails("--session", "1")
    moved = archived.report("--session", "all", "--archive", str(archived.folder.with_name("moved")))
    assert moved == (0, archived.plain_report("--session", "all"), "")
    assert "nowhere is not there" in archived.fails("--archive", str(archived.folder.with_name("nowhere")))


def test_the_list_of_sessions_without_the_archive_leaves_out_what_only_it_counts(tmp_path: Path) -> None:
    rows = [row for start in (0, DAY_S) for row in steady("ann", 100, start, start + 60)]
    rows += [row._replace(occurred_at=row.occurred_at - timedelta(days=9)) for row in steady("bob", 90, 30, 33)]
    db = make_recording(tmp_path / "a.duckdb", rows)
    with duckdb.connect(db) as connection:
        connection.execute("INSERT INTO rejected_messages VALUES ('r1', 'c1', ?, 'it is not JSON', '{')", [at(30)])
    archive_days(db, tmp_path / "archive", "b", lambda _, day: day < DAYS[1])
    options = ("sessions", "--db", db, "--format", "json")
    whole = json.loads(run_here(*options).stdout)
    assert [(row["untimely"], row["rejected"]) for row in whole] == [(3, 1), (0, 0)]
    (tmp_path / "archive").rename(tmp_path / "moved")
    done = run_here(*options)
    assert done.returncode == 0
    assert json.loads(done.stdout) == [row | {"untimely": None, "rejected": None} for row in whole]
    for what in ("untimely readings", "rejected messages"):
        assert f"The {what} are not counted: The archive {tmp_path / 'archive'} is not there. " in done.stderr
    table = run_here("sessions", "--db", db).stdout
    assert "Readings" in table
    assert "Rejected" not in table, "an unknown count is no 0"
    assert json.loads(run_here(*options, "--archive", tmp_path / "moved").stdout) == whole


def remove(path: Path) -> None:
    path.unlink()


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 9)


@pytest.mark.parametrize(("harm", "words"), [(remove, "is missing in"), (cut_off, "bytes, and had")])
def test_what_does_not_touch_a_lost_day_is_read_as_the_error_says(
    archived: Archived, harm: Callable[[Path], None], words: str
) -> None:
    harm(archived.file(DAYS[2]))
    said = archived.fails("--session", "all")
    assert f"v1/heart_rate/day={DAYS[2]}/" in said
    assert words in said
    for option in ("since", "until"):
        [instant] = re.findall(rf"--{option} (\S+?)[ .]", said)
        assert archived.report(f"--{option}", instant) == (0, archived.plain_report(f"--{option}", instant), "")
    for session in ("1", "3", "9", "latest"):  # the fourth goes on to that day
        assert archived.report("--session", session) == (0, archived.plain_report("--session", session), "")
    archived.fails("--session", "4")


def test_a_damaged_page_of_a_noted_file_is_told(archived: Archived) -> None:
    content = bytearray(archived.file(DAYS[1]).read_bytes())
    content[40:200] = bytes(160)
    archived.file(DAYS[1]).write_bytes(content)
    assert f"{archived.file(DAYS[1])} is damaged" in archived.fails("--session", "all")


def test_a_damaged_footer_is_told_of_which_duckdb_says_neither_file_nor_kind(archived: Archived) -> None:
    content = archived.file(DAYS[1]).read_bytes()
    archived.file(DAYS[1]).write_bytes(content[:-20] + bytes([15]) * 10 + content[-10:])
    with pytest.raises(StorageError, match=re.escape(str(archived.file(DAYS[1])))):
        with Recording(archived.db).open_() as opened:
            opened.execute("FROM heart_rate").fetchall()


def damage(content: bytes, random: Random) -> bytes:
    """Change some bits or bytes anywhere, most often in the footer, which is the longer part of these small files."""
    damaged = bytearray(content)
    for _ in range(random.choice((1, 3, 20))):
        place = random.randrange(len(damaged) - 8)
        if random.random() < 0.5:
            damaged[place] ^= 1 << random.randrange(8)
        else:
            damaged[place : place + 40] = random.choice((bytes(40), random.randbytes(40)))[: len(damaged) - 8 - place]
    return bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("is_noted", [True, False], ids=["ours", "another recorder's"])
def test_whatever_is_damaged_is_one_sentence_that_names_the_file(archived: Archived, is_noted: bool) -> None:
    if not is_noted:
        with duckdb.connect(archived.db) as connection:
            connection.execute(
                "DELETE FROM archive_batches; DELETE FROM archived_activity; DELETE FROM archive_identity"
            )
    files = sorted(archived.folder.rglob("*.parquet"))
    options = ("--session", "all") if is_noted else ("--session", "all", "--archive", str(archived.folder))
    random, said = Random(7), 0
    for _ in range(25):
        file = random.choice(files)
        content = file.read_bytes()
        file.write_bytes(damage(content, random))
        code, out, err = archived.report(*options)
        assert code in {0, ExitCode.STORAGE}, err
        # What reads as other numbers is only noticed by a checksum, which other recorders' files have none of here.
        assert code or not is_noted or file.parts[-3] != "heart_rate" or file.read_bytes() == content
        if code:
            assert (out, err.count("\n")) == ("", 1)
            assert f"{file.parent.name}/{file.name} " in err
            assert "ut it back from a backup" in err if is_noted else "or move it out of the archive" in err
            said += 1
        file.write_bytes(content)
    assert said > 5, "most damage is noticed"


def rewrite(path: Path, columns: str, rows: str = "heart_rate") -> None:
    """Write a file anew with other columns."""
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; CREATE TABLE heart_rate AS FROM '{path}'")
        write_file(connection, ArchiveFile("heart_rate", DAYS[1], "cc", "b"), rows, path, columns=columns)


def without(column: str, value: str) -> str:
    """Return the columns with another value in one of them."""
    return ", ".join(f"{value} AS {name}" if name == f'"{column}"' else name for name in COLUMNS)


def write_other(path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (FROM read_parquet('{path}', hive_partitioning = false)) TO '{path}.new' (FORMAT parquet)"
        )
    Path(f"{path}.new").replace(path)


def test_another_recorders_file_is_read(archived: Archived) -> None:
    as_of_another(archived)
    assert archived.report("--session", "all") == (0, archived.plain_report("--session", "all"), "")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut_off, "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: rewrite(path, ", ".join(COLUMNS[:-1])), "lacks the column connection_id VARCHAR"),
        (lambda path: rewrite(path, ", ".join([*COLUMNS, "1 AS more"])), "has a column more INTEGER"),
        (
            lambda path: rewrite(path, ", ".join(COLUMNS).replace('"bpm"', "bpm::BIGINT AS bpm")),
            "has a column bpm BIGINT",
        ),
        (
            lambda path: rewrite(
                path, ", ".join(COLUMNS).replace('"occurred_at"', "occurred_at + INTERVAL 1 DAY AS occurred_at")
            ),
            "has rows of 2026-03-03",
        ),
        (
            lambda path: path.rename(path.parents[1] / f"day={FIRST}" / path.name),
            "is of the day 2026-03-02, by its metadata",
        ),
        (write_other, "has no table in its metadata"),
        (lambda path: rewrite(path, without("room_id", "NULL::VARCHAR")), "has rows without a value of room_id"),
        (lambda path: rewrite(path, without("received_at", "'infinity'::TIMESTAMPTZ")), "has infinity as a value of"),
    ],
    ids=[
        "cut off",
        "empty",
        "column missing",
        "column more",
        "column wider",
        "rows of other day",
        "other day",
        "not ours",
        "no room",
        "received never",
    ],
)
def test_another_recorders_file_is_checked(archived: Archived, harm: Callable[[Path], None], words: str) -> None:
    other = as_of_another(archived)
    harm(other)
    said = archived.fails()
    assert words in said
    assert "cc-b.parquet" in said


def test_what_is_no_json_in_another_recorders_file_is_told(archived: Archived) -> None:
    path = archived.file(DAYS[1], "member_events")
    with duckdb.connect(archived.db) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("DELETE FROM archive_batches WHERE table_name = 'member_events' AND day = ?", [DAYS[1]])
        connection.execute(f"CREATE TABLE odd AS SELECT * REPLACE ('{{' AS config) FROM '{path}'")
        other = path.with_name("cc-b.parquet")
        write_file(connection, ArchiveFile("member_events", DAYS[1], "cc", "b"), "odd", other)
        connection.execute("DROP TABLE odd")
    path.unlink()
    done = run_here("export", "--db", archived.db, "--table", "member_events", "-o", archived.db.with_suffix(".csv"))
    assert done.returncode == ExitCode.STORAGE
    assert f"{other} is damaged: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_columns_of_a_later_program_that_may_be_empty_are_left_out(archived: Archived) -> None:
    rewrite(as_of_another(archived), ", ".join([*COLUMNS, "if(bpm > 500, 1, NULL) AS later"]))
    assert archived.report("--session", "all") == (0, archived.plain_report("--session", "all"), "")


def test_a_file_in_another_tables_folder_is_told_by_those_that_need_it(archived: Archived) -> None:
    other = as_of_another(archived)
    path = archived.folder / "v1" / "marks" / other.parent.name / other.name
    path.parent.mkdir(parents=True)
    shutil.copy(other, path)
    assert archived.report("--session", "all") == (0, archived.plain_report("--session", "all"), "")
    done = run_here("export", "--db", archived.db, "--table", "marks", "-o", archived.db.with_suffix(".csv"))
    assert done.returncode == ExitCode.STORAGE
    assert f"{path} has a column bpm INTEGER, unlike the table marks. " in done.stderr


def as_of_another(archived: Archived) -> Path:
    """Make a file one of another recorder, which this database has no note of."""
    path = archived.file(DAYS[1])
    with duckdb.connect(archived.db) as connection:
        connection.execute("DELETE FROM archive_batches WHERE table_name = 'heart_rate' AND day = ?", [DAYS[1]])
        connection.execute("DELETE FROM archived_activity WHERE first_at::DATE = ?", [DAYS[1]])
    return path.rename(path.with_name("cc-b.parquet"))


def test_an_archive_of_a_newer_version_is_told(archived: Archived) -> None:
    (archived.folder / "v2").mkdir()
    assert archived.report() == (0, archived.plain_report(), "")
    assert "was written by a newer pulsoid-rec (it has version 2" in archived.fails("--session", "1")
    assert "was written by a newer pulsoid-rec" in archived.fails("--archive", str(archived.folder))


def test_a_file_that_is_only_intended_is_not_read(archived: Archived) -> None:
    with duckdb.connect(archived.db) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        day, recorder = DAYS[-1] + timedelta(1), archived.file(FIRST).name.split("-")[0]
        file = ArchiveFile("heart_rate", day, recorder, "intended")
        connection.execute(
            "INSERT INTO archive_batches (recorder, batch, table_name, day, begun_at) VALUES (?, ?, ?, ?, now())",
            [recorder, file.batch, file.table, day],
        )
        write_file(connection, file, f"heart_rate WHERE occurred_at::DATE = '{day}'", archived.folder / file.path)
    assert archived.report("--session", "all") == (0, archived.plain_report("--session", "all"), "")


def test_what_a_copy_does_not_know_of_is_read_and_said(archived: Archived, tmp_path: Path) -> None:
    older = Path(shutil.copy(archived.plain, tmp_path / "older.duckdb"))
    recorder = archived.file(FIRST).name.split("-")[0]
    with duckdb.connect(older) as connection:
        connection.execute("INSERT INTO archive_identity VALUES (?, ?, now())", [recorder, str(archived.folder)])
    code, out, err = archived._replace(db=older).report("--session", "1")
    assert code == 0
    assert out == archived.plain_report("--session", "1").replace('"duplicates": 0', '"duplicates": 60')
    assert err == (
        f"pulsoid-rec: 8 files of the archive {archived.folder} are under this database's name, but not noted in it:"
        " the database is a copy, or an older state. Their rows are included.\n"
    )
