"""`pulsoid-rec export --format fit` and `bids`: a folder as a whole or not at all, and the figures of the report."""

import io
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fitdecode
import pytest
from command import run_here
from recordings import at, make_recording, steady

from pulsoid_rec.analysis.cli.export_folder import FolderExport
from pulsoid_rec.analysis.cli.output import NewFile
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording
from pulsoid_rec.recorder.contract.errors import ExitCode
from pulsoid_rec.recorder.contract.journal_files import journal_folder

FORMATS = ["fit", "bids"]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    readings = [*steady("ann", 100, 0, 60), *steady("ann", 131, 90, 200), *steady("bob", 80, 5, 150)]
    path = make_recording(tmp_path / "data.duckdb", readings)
    with duckdb.connect(path) as connection:
        for label, kind, second in [("one", "phase", 10), ("two", "phase", 95), ("goal", "mark", 100)]:
            connection.execute(
                "INSERT INTO marks VALUES ('r1', NULL, ?, ?, ?, ?, 'cli')", [label, kind, at(second + 0.05), label]
            )
    return path


def export(db: Path, *arguments: str | Path, expected: int = ExitCode.DONE, zone: str = "UTC") -> str:
    ended = run_here("export", "--db", db, *arguments, TZ=zone)
    assert (ended.returncode, ended.stdout) == (expected, ""), ended.stderr
    return ended.stderr


def messages(path: Path, kind: str) -> list[dict[str, Any]]:
    with fitdecode.FitReader(io.BytesIO(path.read_bytes()), check_crc=fitdecode.CrcCheck.RAISE) as reader:
        return [
            {field.name: field.value for field in frame.fields}
            for frame in reader
            if frame.frame_type == fitdecode.FIT_FRAME_DATA and frame.name == kind
        ]


def leftovers(folder: Path) -> Iterator[Path]:
    return folder.glob(".*")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_laps_and_session_of_a_fit_file_are_those_of_the_report(db: Path, tmp_path: Path) -> None:
    told = export(db, "--format", "fit", "-o", tmp_path / "fit", zone="Asia/Kolkata")
    assert told == f"pulsoid-rec: Wrote 2 files, one for each member and session, to {tmp_path / 'fit'}.\n"
    whole, parts = (
        json.loads(run_here("report", "--db", db, "--format", "json", *more).stdout) for more in ([], ["--by-phase"])
    )
    assert len(whole) == 2
    for row in whole:
        file = tmp_path / "fit" / f"r1_0001_{row['name']}.fit"
        (session,) = messages(file, "session")
        assert session["avg_heart_rate"] == round(row["bpm_mean"])
        assert (session["min_heart_rate"], session["max_heart_rate"]) == (row["bpm_min"], row["bpm_max"])
        assert session["start_time"] == instant(row["first_at"])
        assert session["total_elapsed_time"] == pytest.approx(row["span_s"], abs=1)
        assert session["total_timer_time"] == pytest.approx(row["observed_s"], abs=row["gaps"] + 1)
        phases = [part for part in parts if part["name"] == row["name"]]
        laps = messages(file, "lap")
        assert [lap.get("label") for lap in laps] == [part["phase_label"] for part in phases]
        for lap, part in zip(laps, phases, strict=True):
            assert (lap["avg_heart_rate"], lap["max_heart_rate"]) == (round(part["bpm_mean"]), part["bpm_max"])
        (mark,) = (event for event in messages(file, "event") if event["event"] == "user_marker")
        assert (mark["timestamp"], mark["label"]) == (at(100), "goal")
        (activity,) = messages(file, "activity")
        local = activity["local_timestamp"].replace(tzinfo=activity["timestamp"].tzinfo)
        assert local - activity["timestamp"] == timedelta(hours=5, minutes=30)


def test_with_pseudonyms_a_file_gives_away_neither_a_name_nor_a_place(db: Path, tmp_path: Path) -> None:
    export(db, "--format", "fit", "--pseudonyms", "-o", tmp_path / "fit", zone="Asia/Kolkata")
    for file in (tmp_path / "fit").iterdir():
        room, number, member = file.stem.split("_")
        assert (room[0], number, member[0]) == ("R", "0001", "P")
        (activity,) = messages(file, "activity")
        assert activity["local_timestamp"].replace(tzinfo=activity["timestamp"].tzinfo) == activity["timestamp"]
        assert not any(text in file.read_bytes() for text in (b"ann", b"bob", b"goal", b"one"))


@pytest.mark.parametrize("format_", FORMATS)
def test_a_folder_is_its_owners_alone_and_replaced_only_by_one_with_all_its_files(
    db: Path, tmp_path: Path, format_: str
) -> None:
    output = tmp_path / "out"
    export(db, "--format", format_, "-o", output)
    made = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    if sys.platform != "win32":
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (output, *output.rglob("*"))}
        assert modes == {0o600, 0o700}
    told = export(db, "--format", format_, "-o", output, expected=ExitCode.USAGE)
    assert f"{output} is not empty. Choose a new folder with -o, or add --force" in told
    next(iter(made)).write_bytes(b"old")
    export(db, "--format", format_, "-o", output, "--force")
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == made
    (output / "mine.txt").write_bytes(b"mine")
    told = export(db, "--format", format_, "-o", output, "--force", expected=ExitCode.USAGE)
    assert "has other files, such as mine.txt. Choose a new folder with -o" in told
    assert (output / "mine.txt").read_bytes() == b"mine"
    assert list(leftovers(tmp_path)) == []


def test_a_folder_is_written_as_a_whole_or_not_at_all(db: Path, tmp_path: Path) -> None:
    with duckdb.connect(db) as connection:  # a later session of another room, before FIT has dates
        connection.execute(
            "INSERT INTO heart_rate SELECT 'z', 'old', 80, t, t, 'import:x' FROM"
            " (SELECT make_timestamptz(700000000000000 + i * 1000000) AS t FROM range(20) u(i))"
        )
    told = export(db, "--format", "fit", "-o", tmp_path / "out", expected=ExitCode.USAGE)
    assert "FIT has no dates before July 1998; session 1 is of 1992." in told
    with duckdb.connect(db) as connection:
        connection.execute("UPDATE heart_rate SET occurred_at = occurred_at + INTERVAL 140 YEAR WHERE room_id = 'z'")
        connection.execute("UPDATE heart_rate SET received_at = occurred_at WHERE room_id = 'z'")
    told = export(db, "--format", "fit", "-o", tmp_path / "out", expected=ExitCode.USAGE)
    assert "FIT has no dates after 2125; session 1 is of 2132." in told
    assert not (tmp_path / "out").exists()
    assert list(leftovers(tmp_path)) == []
    export(db, "--format", "fit", "-o", tmp_path / "out", "--room", "r1")
    (tmp_path / "empty").mkdir()
    export(db, "--format", "bids", "-o", tmp_path / "empty")  # an empty one may be there
    assert (tmp_path / "empty" / "participants.tsv").exists()


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_selected_makes_no_folder_and_says_what_there_is(db: Path, tmp_path: Path, format_: str) -> None:
    told = export(db, "--format", format_, "--no-pseudonyms", "--room", "r9", "-o", tmp_path / "out")
    assert "r9" in told
    assert "r1" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "fit", "--max-bpm", "255"), "FIT has no heart rates above 254. Choose --max-bpm 254 or less."),
        (("--format", "bids", "--table", "marks"), "--table marks is for CSV and Parquet. Leave it out with --format"),
        (("--format", "bids", "--excel"), "--excel is for CSV files"),
        (("--format", "fit", "--by-phase"), "--by-phase is for the summary"),
        (("--format", "bids", "--no-pseudonyms", "--shift-times"), "--no-pseudonyms contradicts --shift-times"),
        ((), "The format of out is unknown. Add --format csv, parquet, fit or bids"),
    ],
)
def test_what_does_not_go_together_is_refused(db: Path, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    assert told in export(db, *arguments, "-o", tmp_path / "out", expected=ExitCode.USAGE)


def test_without_the_extra_one_sentence_says_how_to_install_it(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "garmin_fit_sdk", None)
    told = export(db, "--format", "fit", "-o", tmp_path / "out", expected=ExitCode.USAGE)
    assert told == "pulsoid-rec: FIT files need garmin-fit-sdk. Install it with `pip install pulsoid-rec[fit]`.\n"
    export(db, "--format", "bids", "-o", tmp_path / "out")


def test_a_folder_is_never_made_where_it_does_not_belong(db: Path, tmp_path: Path) -> None:
    journal = journal_folder(db)
    journal.mkdir()
    for place, told in {
        db: "is not a folder",
        tmp_path / "none" / "out": "There is no folder",
        journal: "is in the recording's journal",
        journal / "out": "is in the recording's journal",
        tmp_path: "has other files",
    }.items():
        assert told in export(db, "--format", "fit", "--force", "-o", place, expected=ExitCode.USAGE)
    told = export(db, "--format", "fit", "-o", tmp_path / ("x" * 250), expected=ExitCode.STORAGE)
    assert "file name too long. Choose another folder with -o." in told


def test_an_interrupted_replacement_leaves_what_was_there(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, rename = tmp_path / "out", Path.rename
    export(db, "--format", "fit", "-o", output)
    made = {path.name: path.read_bytes() for path in output.iterdir()}

    def interrupted(self: Path, target: Path) -> Path:
        if target == output and self.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        FolderExport("fit", NewFile(path=output, force=True, database=db)).write(
            Recording(db), Filter(), Definitions(), NOBODY, None
        )
    assert {path.name: path.read_bytes() for path in output.iterdir()} == made
    assert list(leftovers(tmp_path)) == []


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be handled")
def test_a_termination_leaves_no_part_of_a_folder(db: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal; from pulsoid_rec.analysis.cli import export_folder, app;"
        "export_folder.write_fit = lambda series, folder, **_: "
        "((folder / 'a.fit').write_bytes(b'a'), os.kill(os.getpid(), signal.SIGTERM));"
        "app.main()"
    )
    arguments: list[str | Path] = ["export", "--db", db, "--format", "fit", "-o", tmp_path / "out"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
    assert [path for path in tmp_path.iterdir() if ".part" in path.name or path.name == "out"] == []
