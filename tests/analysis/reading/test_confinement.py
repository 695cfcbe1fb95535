"""SQL on a recording gets at the recording and its archive alone, and what it spills is its owner's alone."""

import os
import stat
from pathlib import Path

import duckdb
import pytest
import s3fs  # noqa: F401 - one of its libraries leaves a socket unclosed as it is loaded
from command import run_here
from readings import reading
from recordings import make_recording

from pulsoid_rec.analysis.reading.database import open_database
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return make_recording(tmp_path / "a.duckdb", [reading(0, 70)])


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('{0}/secret')",
        "FROM read_csv('{0}/secret')",
        "FROM '{0}/secret.csv'",
        "FROM glob('{0}/*')",
        "COPY heart_rate TO '{0}/out.csv'",
        "ATTACH '{0}/b.duckdb' AS b",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET temp_directory = '{0}'",
        "RESET lock_configuration",
        "LOAD httpfs",
    ],
)
def test_sql_gets_at_no_other_file(tmp_path: Path, recording: Path, sql: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret.csv").write_text("secret")
    before = sorted(tmp_path.iterdir())
    with Recording(recording).open_() as connection:
        with pytest.raises(duckdb.Error, match=r"disabled|locked|Cannot change|configuration"):
            connection.execute(sql.format(tmp_path)).fetchall()
        assert connection.execute("SELECT count(*) FROM heart_rate").fetchall() == [(1,)]
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_writes_its_own_file(tmp_path: Path, recording: Path) -> None:
    done = run_here("export", "--db", recording, "-o", tmp_path / "it's [out].csv")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert (tmp_path / "it's [out].csv").read_text().count("\n") == 2


def test_what_is_spilled_is_its_owners_alone(tmp_path: Path, recording: Path) -> None:
    before = os.umask(0o022)  # as in a notebook
    try:
        with open_database(recording) as connection:
            connection.execute("SET memory_limit = '20MB'; SET threads = 1")
            connection.execute("CREATE TEMP TABLE many AS SELECT md5(i::VARCHAR) AS x FROM range(600_000) t(i)")
            spill = tmp_path / "a.duckdb.tmp"
            assert list(spill.iterdir())
            assert stat.S_IMODE(spill.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert not spill.exists()


def test_nothing_is_spilled_to_a_folder_of_somebody_else(tmp_path: Path, recording: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "a.duckdb.tmp").symlink_to(tmp_path / "theirs")
    with open_database(recording) as connection:
        [(folder,)] = connection.execute("SELECT current_setting('temp_directory')").fetchall()
        assert tmp_path not in Path(folder).resolve().parents
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    assert not Path(folder).exists()


def test_two_readers_in_one_process_see_the_same(recording: Path) -> None:
    with Recording(recording).open_() as one, Recording(recording).open_() as other:
        for connection in (one, other):
            assert connection.execute("SELECT count(*), current_setting('TimeZone') FROM heart_rate").fetchall() == [
                (1, "UTC")
            ]


def _note_place(recording: Path, place: str) -> None:
    with duckdb.connect(recording) as connection:
        connection.execute("INSERT INTO archive_identity VALUES ('0123456789abcdef', ?, now())", [place])
        connection.execute(
            "INSERT INTO archive_batches VALUES ('0123456789abcdef', 'b', 'heart_rate', '2026-01-01', now(), now(), 1,"
            " 1, 'x')"
        )


@pytest.mark.parametrize("place", ["//server/share", "s3://their-bucket/x"])
def test_another_machine_is_asked_only_if_the_user_names_it(
    recording: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # which refuses
    _note_place(recording, place)
    with pytest.raises(StorageError, match=f"only the file names it.*--archive {place}"):
        with Recording(recording).open_():
            pass


def test_an_archive_of_other_recordings_is_read_only_if_the_user_names_it(tmp_path: Path, recording: Path) -> None:
    mine = make_recording(tmp_path / "mine.duckdb", [reading(0, 70, "me")])
    archive = tmp_path / "archive"
    assert run_here("archive", archive, "--db", mine).returncode == ExitCode.DONE
    _note_place(recording, str(archive))
    with pytest.raises(StorageError, match=r"has nothing of this recording.*--archive"):
        with Recording(recording).open_():
            pass
    with pytest.raises(StorageError, match="missing"):
        with Recording(recording, archive=archive).open_():
            pass


def test_an_archive_in_a_folder_with_wildcards_in_its_name_is_read(tmp_path: Path) -> None:
    mine = make_recording(tmp_path / "mine.duckdb", [reading(0, 70, "me")])
    archive = tmp_path / "a[b]*?"
    assert run_here("archive", archive, "--db", mine).returncode == ExitCode.DONE
    assert Recording(mine).summary()["profile_id"].to_list() == ["me"]
    assert Recording(None, archive=archive).summary()["profile_id"].to_list() == ["me"]
