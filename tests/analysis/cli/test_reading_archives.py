"""Commands and notebooks read an archive with its database, or alone, as if nothing had been archived."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl
import pytest
from command import run_command, run_here
from contract_archives import archive_days
from recordings import at, make_recording, steady
from version_1 import RECORDING

from pulsoid_rec.analysis import explore
from pulsoid_rec.recorder.contract.errors import ExitCode, UsageError
from pulsoid_rec.recorder.contract.tables import MARKS, TABLES

DAY_S = 86_400
YEAR = timedelta(days=365)


class Made(NamedTuple):
    """A recording as it was, its database after `archive`, and the archive, with which all is read."""

    plain: Path
    db: Path
    archive: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make four days with all that a report tells of, the last of them live."""
    folder = tmp_path_factory.mktemp("made")
    rows = [row for day in range(4) for row in steady("ann", 100 + day, day * DAY_S, day * DAY_S + 200)]
    rows += [row for day in range(4) for row in steady("bob", 150, day * DAY_S + 21_500, day * DAY_S + 21_700)]
    wrong = [row._replace(occurred_at=row.occurred_at + YEAR) for row in steady("cid", 120, DAY_S, DAY_S + 15)]
    rows += [*wrong, *steady("cid", 110, DAY_S + 15, DAY_S + 100), *steady("old", 90, 500, 520, "r2")]
    plain = make_recording(
        folder / "plain.duckdb",
        rows,
        member_events=[
            ["r1", who, "updated", config, at(day * DAY_S), at(day * DAY_S + 0.1), f"c{day}"]
            for day in range(4)
            for who, config in (("ann", f'{{"name": "Ann {day}"}}'), ("quiet", "{}"))
        ],
        room_events=[["r1", '{"name": "Court"}', at(1), at(1.5), "c0"]],
        connection_events=[
            ["r1", f"c{day}", event, at(day * DAY_S + second), None, None]
            for day in range(4)
            for event, second in (("opened", 0.5), ("lost", 150), ("opened", 21_000))[: 1 if day == 1 else 3]
        ],
    )
    with duckdb.connect(plain) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:1' WHERE room_id = 'r2'")
        # Of the second day's connection no end was recorded.
        connection.execute("UPDATE heart_rate SET connection_id = 'c3' WHERE received_at > ?", [at(2 * DAY_S)])
        for second, room in ((30, "r1"), (2 * DAY_S + 9, "r1"), (3 * DAY_S + 9, "r1"), (40, "r3")):
            connection.execute("INSERT INTO rejected_messages VALUES (?, 'c9', ?, 'odd', '{')", [room, at(second)])
    db = Path(shutil.copy(plain, folder / "a.duckdb"))
    done = run_here("archive", folder / "archive", "--db", db, "--before", "2026-03-04")
    assert done.returncode == 0, done.stderr
    return Made(plain, db, folder / "archive")


def run(db: Path | None, *arguments: str | Path) -> tuple[int, str, str]:
    done = run_here(*arguments, *(() if db is None else ("--db", db)), TZ="UTC")
    return done.returncode, done.stdout, done.stderr.replace(str(db), "DB")


@pytest.mark.parametrize(
    "arguments",
    [
        *(("report", *options) for options in ((), ("--session", "all"), ("--session", "2"), ("--session", "5"))),
        ("report", "--since", "2026-03-02T20:00Z", "--until", "2026-03-02T23:59:40Z"),
        ("report", "--session", "all", "--format", "json", "--session-gap", "60", "--max-hold", "15"),
        ("sessions",),
        ("sessions", "--room", "r2", "--max-clock-error", "60"),
    ],
    ids=" ".join,
)
def test_reports_are_the_same_to_the_letter(made: Made, arguments: tuple[str, ...]) -> None:
    expected = run(made.plain, *arguments)
    assert expected[0] == 0
    assert run(made.db, *arguments) == expected


@pytest.mark.parametrize(
    ("table", "options"),
    [
        *((table.name, ()) for table in TABLES if table is not MARKS),
        ("heart_rate", ("--since", "2026-03-02T20:00Z")),
        ("member_events", ("--session", "2")),
        ("summary", ()),
    ],
)
def test_exports_have_the_same_rows(made: Made, tmp_path: Path, table: str, options: tuple[str, ...]) -> None:
    rows = []
    for db in (made.plain, made.db):
        file = tmp_path / f"{db.stem}.csv"
        code, _, err = run(db, "export", "--table", table, "-o", file, *options)
        assert code == 0, err
        rows.append(sorted(file.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == rows[1]


@pytest.mark.parametrize("format_", ["fit", "bids"])
def test_exports_that_are_a_folder_have_the_same_files(made: Made, tmp_path: Path, format_: str) -> None:
    folders = []
    for db in (made.plain, made.db):
        folder = tmp_path / db.stem
        code, _, err = run(db, "export", "--format", format_, "--no-pseudonyms", "-o", folder)
        assert code == 0, err
        folders.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert len(folders[0]) > 8
    assert folders[0] == folders[1]


def test_an_archive_alone_is_a_recording(made: Made, tmp_path: Path) -> None:
    older = Path(shutil.copy(made.db, tmp_path / "b.duckdb"))
    archive = Path(shutil.copytree(made.archive, tmp_path / "archive"))
    with duckdb.connect(older) as connection:
        connection.execute("UPDATE archive_identity SET place = NULL")
    archive_days(older, archive, "rest")
    arguments = ("report", "--session", "all", "--format", "json")
    expected = run(made.plain, *arguments)[1]
    done = run_here(*arguments, "--archive", archive, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, expected)
    named = run_here(*arguments, "--archive", archive, "--db", "named.duckdb", cwd=tmp_path)
    assert named.returncode == ExitCode.STORAGE
    assert "There is no named.duckdb." in named.stderr
    notes = [excerpt.notes() for excerpt in (explore(made.plain), explore(archive=archive))]
    assert notes[0].equals(notes[1])
    assert explore(archive=archive).sql(
        "SELECT count(*) AS n FROM member_events JOIN room_events USING (room_id)"
    ).rows() == [(8,)]


def test_a_notebook_shows_the_same(made: Made, tmp_path: Path) -> None:
    archive = made.archive.rename(made.archive.with_name("moved"))
    try:
        plain, archived = explore(made.plain), explore(made.db, archive=str(archive))
        assert repr(plain).replace("plain", "a") == repr(archived)
        for name in ("rooms", "sessions", "members", "summary", "notes"):
            assert getattr(plain, name)().equals(getattr(archived, name)()), name
        for name in ("readings", "member_events", "room_events", "connection_events"):
            found, expected = (getattr(excerpt, name)().collect() for excerpt in (archived, plain))
            assert found.sort(pl.all()).equals(expected.sort(pl.all())), name
        query = "SELECT event, count(*) FROM heart_rate JOIN member_events USING (profile_id) GROUP BY ALL"
        assert plain.sql(query).equals(archived.sql(query))
    finally:
        archive.rename(made.archive)
    with pytest.raises(UsageError, match="There is nothing to read"):
        explore()


def test_two_recorders_of_a_room_are_one_and_one_may_be_offline_while_the_other_listens(tmp_path: Path) -> None:
    rows = steady("ann", 100, 0, 600)
    heard = [row for row in rows if not at(200) <= row.occurred_at < at(400)]
    events = [("opened", 0), ("lost", 200), ("opened", 400), ("closed", 600)]
    one = make_recording(
        tmp_path / "one.duckdb",
        heard,
        connection_events=[
            ["r1", f"a{number // 2}", event, at(second), None, None] for number, (event, second) in enumerate(events)
        ],
    )
    other = make_recording(
        tmp_path / "other.duckdb",
        [row._replace(received_at=row.received_at + timedelta(seconds=0.5)) for row in rows],
        connection_events=[["r1", "b", "opened", at(0), None, None], ["r1", "b", "closed", at(600), 1000, ""]],
    )
    assert "offline" in " ".join(explore(one).notes()["text"])
    figures = explore(other).summary().drop("duplicates", "untimely")
    for path in (one, other):
        archive_days(path, tmp_path / "archive", "n")
    both = explore(one)
    assert both.summary().drop("duplicates", "untimely").equals(figures)
    assert both.summary()["duplicates"].to_list() == [400]
    assert "offline" not in " ".join(both.notes()["text"])


def test_a_recording_of_version_1_is_read_with_the_archive_of_another(made: Made, tmp_path: Path) -> None:
    old = Path(shutil.copy(RECORDING, tmp_path / "old.duckdb"))
    alone, both = explore(old), explore(old, archive=made.archive)
    assert {"north", "r1"} <= set(both.rooms()["room_id"])
    assert both.only(room="north").summary().equals(alone.only(room="north").summary())
    assert both.only(room="north").member_events().collect().equals(alone.only(room="north").member_events().collect())


def test_no_file_of_an_archive_is_written_over(made: Made) -> None:
    file = next(made.archive.rglob("*.parquet"))
    code, _, err = run(made.plain, "export", "--force", "-o", file)
    assert code == ExitCode.USAGE
    assert f"{file} is a file of an archive, which is never overwritten" in err


@pytest.mark.parametrize("where", ["day=2026-03-01/mine.parquet", "mine.parquet", "day=x/y/mine.parquet"])
def test_nothing_else_is_written_among_the_files_of_an_archive(made: Made, tmp_path: Path, where: str) -> None:
    out = tmp_path / "archive" / "v1" / "heart_rate" / where
    out.parent.mkdir(parents=True)
    code, _, err = run(made.plain, "export", "-o", out)
    assert code == ExitCode.USAGE
    assert f"{out} is in the folder of an archive. " in err
    assert not out.exists()


@pytest.mark.process
def test_a_report_with_an_archive_says_nothing_else(made: Made) -> None:
    """DuckDB would complain of a leak, if polars were given a type of ours."""
    done = run_command("report", "--db", made.db, "--session", "2", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
