"""Rows of forgotten members in files that were put back into an archive, or are of another database, are not read."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from archives import archive_all
from command import run_here
from forgettable import ADA, NAMES, Recording, bring_in_rows, forget

from pulsoid_rec.recorder.contract.forgotten import key_path

OTHER = "ünïcode-\U0001f600-id"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording and its archive, into which the files were put back that there were before somebody was forgotten."""
    folder = tmp_path_factory.mktemp("made")
    bring_in_rows(folder / "t.duckdb", Recording(2).all())
    archive_all(folder / "t.duckdb", folder / "archive")
    shutil.copytree(folder / "archive", folder / "backup")
    forget(folder / "t.duckdb", OTHER)
    shutil.copytree(folder / "backup", folder / "archive", dirs_exist_ok=True)
    return folder


def members(*options: str | Path) -> set[str]:
    done = run_here("report", "--session", "all", "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    return {row["profile_id"] for row in json.loads(done.stdout)}


def test_a_report_has_all_but_them(made: Path) -> None:
    everybody = members("--archive", made / "backup")
    assert {ADA, OTHER} <= everybody
    assert members("--db", made / "t.duckdb") == everybody - {OTHER}


@pytest.mark.parametrize("table", ["heart_rate", "member_events"])
def test_an_export_has_all_but_them(made: Path, tmp_path: Path, table: str) -> None:
    out = tmp_path / "out.parquet"
    assert run_here("export", "--table", table, "--db", made / "t.duckdb", "-o", out).returncode == 0
    with duckdb.connect() as connection:
        ids = {each for (each,) in connection.execute(f"SELECT DISTINCT profile_id FROM '{out}'").fetchall()}
    assert ids == NAMES.keys() - {OTHER}


def test_without_the_key_a_line_says_so(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "t.duckdb", tmp_path / "t.duckdb")
    done = run_here("sessions", "--db", tmp_path / "t.duckdb", "--archive", made / "archive")
    assert done.returncode == 0
    assert f"{key_path(tmp_path / 't.duckdb')} is missing" in done.stderr
