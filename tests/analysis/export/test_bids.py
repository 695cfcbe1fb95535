"""A BIDS dataset: the standard's own validator finds nothing wrong, and its numbers are those of the report."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from command import run_here
from recordings import at, make_recording, reading, steady

from pulsoid_rec.analysis.export.series import NO_READING, read_series
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.recording import NOBODY, Recording

pytestmark = pytest.mark.process  # the validator is a program

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
LABEL = 'a "quoted"\tlabel\nof two lines, \u00fc'


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record gaps, zeros, sessions and rooms, and mark them with labels that a table could break on."""
    readings = [
        *steady("ann/1", 100, 0, 60),
        *steady("ann/1", 120, 90, 200),
        *steady("bob", 80, 5, 150),
        reading(160, 900, "bob"),
        *steady("bob", 81, 161, 180),
        *steady("zero", 0, 0, 50),
        *steady("ann/1", 70, 5000, 5100),
        *steady("ann/1", 70, 10, 100, room="r/2"),
    ]
    path = make_recording(tmp_path_factory.mktemp("bids") / "a.duckdb", readings)
    (path.parent / "members.toml").write_text(
        '["ann/1"]\nname = "P 01"\nbirth_year = 1930\nsex = "female"\n["bob"]\nname = "p-01"\n', encoding="utf-8"
    )
    with duckdb.connect(path) as connection:
        for who, label, kind, second in [
            (None, "one", "phase", 10),
            (None, LABEL, "phase", 95.5),
            ("ann/1", "goal", "mark", 100.25),
            ("ann/1", "\u200b", "mark", 120),
            ("bob", "goal", "mark", 150),
        ]:
            row = [who, label, kind, at(second + 0.05), f"m{second}"]
            connection.execute("INSERT INTO marks VALUES ('r1', ?, ?, ?, ?, ?, 'cli')", row)
    return path


def export(db: Path, output: Path, *options: str) -> str:
    ended = run_here("export", "--db", db, "--format", "bids", "-o", output, *options, TZ="Asia/Tokyo")
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.fixture(scope="module")
def dataset(db: Path) -> Path:
    """Export all of it, with no option."""
    export(db, db.parent / "dataset")
    return db.parent / "dataset"


def validate(folder: Path) -> dict[str, Any]:
    """Run the validator, which is not to reach any network, and return what it says."""
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_COLOR": "1"}
    command = [str(VALIDATOR), "--format", "json", "--max-rows", "-1", str(folder)]
    ended = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def read_tsv(path: Path) -> list[dict[str, str | None]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not any("" in line.split("\t") for line in lines)  # the standard allows no empty value
    return pl.read_csv(path, separator="\t", null_values="n/a", infer_schema=False).to_dicts()


def read_gz(path: Path) -> list[dict[str, str]]:
    """Read a table without its header, which is in the file beside it."""
    columns = json.loads(path.with_name(path.name.replace(".tsv.gz", ".json")).read_bytes())["Columns"]
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]


@pytest.mark.parametrize("options", [("--shift-times",), ("--no-pseudonyms", "--session", "1")])
def test_the_validator_finds_no_error(db: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    export(db, tmp_path / "out", *options)
    found = validate(tmp_path / "out")
    errors = [issue for issue in found["issues"]["issues"] if issue["severity"] == "error"]
    assert errors == []
    # What is recommended and only the owner of the data can tell.
    assert {issue["code"] for issue in found["issues"]["issues"]} <= {
        "JSON_KEY_RECOMMENDED",
        "NO_AUTHORS",
        "SIDECAR_KEY_RECOMMENDED",
        "TOO_FEW_AUTHORS",
    }
    assert (found["summary"]["dataTypes"], found["summary"]["tasks"]) == (["beh"], ["room"])
    assert len(found["summary"]["subjects"]) == 2


def test_the_validator_would_find_an_error(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "out")
    physio = next((tmp_path / "out").rglob("*_physio.json"))
    physio.write_text(json.dumps({"Columns": ["timestamp", "heart_rate"], "StartTime": 0}), encoding="utf-8")
    found = [issue for issue in validate(tmp_path / "out")["issues"]["issues"] if issue["severity"] == "error"]
    assert [issue["subCode"] for issue in found] == ["SamplingFrequency"]


def test_every_second_gap_event_and_figure_is_that_of_the_recording(db: Path, dataset: Path) -> None:
    output = dataset
    key = Pseudonyms(bytes.fromhex((db.parent / "pseudonyms.key").read_text(encoding="utf-8")))
    recording, seen = Recording(db, pseudonyms=key), 0
    for series in read_series(recording, Filter(), Definitions(), NOBODY):
        member, session = f"sub-{series.profile_id}", f"ses-{series.room_id}{series.session:04}"
        stem = output / member / session / "beh" / f"{member}_{session}_task-room"
        if not series.bpm.size:
            assert not (output / member).exists()
            continue
        seen += 1
        bpm = ["n/a" if value == NO_READING else str(value) for value in series.bpm.tolist()]
        rows = read_gz(stem.with_name(f"{stem.name}_physio.tsv.gz"))
        assert [row["heart_rate"] for row in rows] == bpm
        assert [float(row["timestamp"]) for row in rows] == [float(i) for i in range(series.first_s, series.end_s)]
        about = json.loads(stem.with_name(f"{stem.name}_physio.json").read_bytes())
        assert (about["SamplingFrequency"], about["StartTime"]) == (1, series.first_s)
        assert about["Coverage"] == series.figures["coverage"]
        for name in ("readings", "duplicates", "implausible", "untimely", "gaps"):
            assert about[name.capitalize()] == series.figures[name]
        events_path = stem.with_name(f"{stem.name}_physioevents.tsv.gz")
        gaps = read_gz(events_path) if events_path.exists() else []
        missing = {i for row in gaps for i in range(int(row["onset"]), int(row["onset"]) + int(row["duration"]))}
        assert missing == {series.first_s + i for i, value in enumerate(bpm) if value == "n/a"}
        assert bool(gaps) == ("n/a" in bpm)
    assert seen == 4
    (first,) = read_tsv(
        output / f"sub-{key.make('profile', ['bob'])[0]}" / f"sub-{key.make('profile', ['bob'])[0]}_sessions.tsv"
    )
    assert (first["session"], first["implausible"]) == ("1", "1")
    assert "acq_time" not in first  # only where times are moved, or names are kept


def test_names_ages_and_labels_are_in_the_right_place(db: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    export(db, output, "--no-pseudonyms")
    people = {row["participant_id"]: row for row in read_tsv(output / "participants.tsv")}
    assert set(people) == {"sub-P01", "sub-p01x2"}  # alike where upper and lower case are the same
    assert (people["sub-P01"]["age"], people["sub-P01"]["sex"]) == ("89", "female")
    assert (people["sub-p01x2"]["age"], people["sub-p01x2"]["sex"]) == (None, None)
    sessions = read_tsv(output / "sub-P01" / "sub-P01_sessions.tsv")
    assert [row["session_id"] for row in sessions] == ["ses-r20001", "ses-r10001", "ses-r10002"]
    assert sessions[1]["acq_time"] == "2026-03-01T18:00:00Z"
    events = read_tsv(next((output / "sub-P01" / "ses-r10001" / "beh").glob("*_events.tsv")))
    assert [(row["onset"], row["duration"], row["trial_type"], row["kind"]) for row in events] == [
        ("10.0", "85.5", "one", "phase"),
        ("95.5", "103.5", 'a "quoted"\ufffdlabel\ufffdof two lines, \u00fc', "phase"),
        ("100.25", "0", "goal", "mark"),
        ("120.0", "0", None, "mark"),  # a label that draws nothing: n/a, as no value is empty
    ]
    described = json.loads((output / "dataset_description.json").read_bytes())
    assert (described["DatasetType"], described["GeneratedBy"][0]["Name"]) == ("raw", "pulsoid-rec")


def test_moved_dates_are_of_another_century_and_keep_their_distances(db: Path, tmp_path: Path) -> None:
    export(db, tmp_path / "out", "--shift-times")
    starts = dict[str, datetime]()
    for path in (tmp_path / "out").rglob("*_sessions.tsv"):
        for row in read_tsv(path):
            start = datetime.fromisoformat(str(row["acq_time"]))
            starts[str(row["session_id"])] = min(start, starts.get(str(row["session_id"]), start))
    assert len(starts) == 3
    assert all(start.year <= 1925 for start in starts.values())
    weekly = [(start - at(0)) % timedelta(weeks=1) for start in starts.values()]  # same day of the week and time
    assert sorted(weekly) == [timedelta(0), timedelta(seconds=10), timedelta(seconds=5000)]
    (first,) = (id_ for id_ in starts if id_.endswith("0001") and f"{id_[:-1]}2" in starts)
    assert starts[f"{first[:-1]}2"] - starts[first] == timedelta(seconds=5000)


def test_the_same_recording_gives_the_same_bytes(db: Path, dataset: Path, tmp_path: Path) -> None:
    export(db, tmp_path / "again")
    files = [path.relative_to(dataset) for path in dataset.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert all((dataset / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)
