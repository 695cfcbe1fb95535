"""FIT files, read back by a reader of somebody else's: records, laps, events and figures are those of the series."""

import io
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fitdecode
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.analysis.export.fit import encode_activity, write_fit
from pulsoid_rec.analysis.export.series import NO_READING, Mark, Phase, Series
from pulsoid_rec.recorder.contract.errors import UsageError

ZERO = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIGURES: Mapping[str, Any] = {"bpm_mean": 99.6, "bpm_max": 180, "bpm_min": 60}


def make_series(bpm: list[int], first_s: int = 0, **more: Any) -> Series:
    whole: dict[str, Any] = {
        "room_id": "r1",
        "room_name": "r1",
        "session": 1,
        "profile_id": "ann",
        "name": "Ann",
        "zero_at": ZERO,
        "figures": FIGURES,
        "phases": (Phase(None, -0.3, math.inf if not bpm else first_s + len(bpm) + 0.5, FIGURES),),
        "marks": (),
    }
    return Series(first_s=first_s, bpm=np.array(bpm, np.int16), **(whole | more))


def decode(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Read a file, with all checksums, as names and values of its messages."""
    with fitdecode.FitReader(io.BytesIO(data), check_crc=fitdecode.CrcCheck.RAISE) as reader:
        return [
            (frame.name, {field.name: field.value for field in frame.fields if field.value is not None})
            for frame in reader
            if frame.frame_type == fitdecode.FIT_FRAME_DATA
        ]


def of_kind(messages: list[tuple[str, dict[str, Any]]], name: str) -> list[dict[str, Any]]:
    return [fields for kind, fields in messages if kind == name]


@st.composite
def some_series(draw: st.DrawFn) -> Series:
    """Make series with gaps, phases (some before, after or shorter than a second) and marks."""
    bpm = draw(st.lists(st.sampled_from([NO_READING, NO_READING, 0, 60, 61, 254]), min_size=1, max_size=40))
    bpm[0], bpm[-1] = 70, 71
    first_s = draw(st.integers(0, 5))
    times = st.floats(-3, 50, allow_nan=False).map(lambda second: round(second, 6))
    cuts = [-0.5, *sorted(draw(st.lists(times, max_size=5))), 60.0]
    labels = [None, *draw(st.lists(st.text(max_size=300), min_size=len(cuts) - 2, max_size=len(cuts) - 2))]
    figures = st.sampled_from([FIGURES, {}, {"bpm_mean": None, "bpm_max": 71, "bpm_min": 70}])
    phases = tuple(
        Phase(label, start, end, draw(figures)) for label, start, end in zip(labels, cuts[:-1], cuts[1:], strict=True)
    )
    at_last = st.just(first_s + len(bpm) - 0.25)
    marks = sorted(draw(st.lists(st.tuples(st.one_of(times, at_last), st.text(max_size=9)), max_size=5)))
    return make_series(bpm, first_s, phases=phases, marks=tuple(Mark(label, when) for when, label in marks))


def as_fit_text(label: str | None) -> str | None:
    """Say what is left of a label: no NUL, 254 bytes at most."""
    return (label or "").replace("\0", "").encode("utf-8", "ignore")[:254].decode("utf-8", "ignore") or None


@settings(max_examples=25)
@given(some_series())
def test_records_timer_laps_and_marks_are_those_of_the_series(series: Series) -> None:
    messages = decode(encode_activity(series))
    start, end = ZERO + series.first_s * SECOND, ZERO + series.end_s * SECOND
    observed = {start + i * SECOND: bpm for i, bpm in enumerate(series.bpm.tolist()) if bpm != NO_READING}
    records = of_kind(messages, "record")
    assert [(record["timestamp"], record["heart_rate"]) for record in records] == list(observed.items())

    timer = [event for event in of_kind(messages, "event") if event["event"] == "timer"]
    starts, stops = timer[::2], timer[1::2]
    assert {event["event_type"] for event in starts} == {"start"}
    assert [event["event_type"] for event in stops] == ["stop"] * (len(stops) - 1) + ["stop_all"]
    running = {
        one["timestamp"] + i * SECOND
        for one, other in zip(starts, stops, strict=True)
        for i in range((other["timestamp"] - one["timestamp"]) // SECOND)
    }
    assert running == set(observed)

    laps = of_kind(messages, "lap")
    assert [lap["message_index"] for lap in laps] == list(range(len(laps)))
    ends = [lap["start_time"] + timedelta(seconds=lap["total_elapsed_time"]) for lap in laps]
    assert [start, *ends] == [*(lap["start_time"] for lap in laps), end]  # without a hole, and none overlaps
    assert [lap["lap_trigger"] for lap in laps] == ["manual"] * (len(laps) - 1) + ["session_end"]
    for lap, until in zip(laps, ends, strict=True):
        assert lap["total_timer_time"] == sum(lap["start_time"] <= when < until for when in observed)
        (phase,) = (
            one for one in series.phases if start <= until and _covers(one, (lap["start_time"] - ZERO).total_seconds())
        )
        assert lap.get("label") == as_fit_text(phase.label)
        for field, figure in (("avg_heart_rate", "bpm_mean"), ("max_heart_rate", "bpm_max")):
            value = phase.figures.get(figure)
            assert lap.get(field) == (None if value is None else round(value))

    marks = [event for event in of_kind(messages, "event") if event["event"] == "user_marker"]
    within = [mark for mark in series.marks if series.first_s <= mark.at_s < series.end_s]
    assert [mark.get("label") for mark in marks] == [as_fit_text(mark.label) for mark in within]
    for mark, made in zip(marks, within, strict=True):
        nearest = 0.5 if made.at_s < series.end_s - 1 else 1
        assert abs((mark["timestamp"] - ZERO).total_seconds() - made.at_s) <= nearest
        assert start <= mark["timestamp"] < end

    (whole,), (activity,) = of_kind(messages, "session"), of_kind(messages, "activity")
    assert (whole["start_time"], whole["total_elapsed_time"]) == (start, (end - start).total_seconds())
    assert whole["total_timer_time"] == activity["total_timer_time"] == len(observed)
    assert (whole["avg_heart_rate"], whole["max_heart_rate"], whole["min_heart_rate"]) == (100, 180, 60)
    assert (whole["num_laps"], activity["num_sessions"]) == (len(laps), 1)
    times = [fields["timestamp"] for _, fields in messages if "timestamp" in fields]
    assert times == sorted(times)


def _covers(phase: Phase, second: float) -> bool:
    return math.ceil(phase.start_s) <= second < math.ceil(phase.end_s)


def test_a_file_begins_and_ends_as_an_activity_does(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = decode(encode_activity(make_series([60, 61, NO_READING, 62]), local_time=False))
    names = [name for name, _ in messages]
    run = ["event", "record", "record", "event", "event", "record", "event"]
    assert names == ["file_id", "device_info", *run, "lap", "session", "activity"]
    (head,) = of_kind(messages, "file_id")
    assert (head["type"], head["manufacturer"], head["time_created"]) == ("activity", "development", ZERO)
    (session,) = of_kind(messages, "session")
    assert (session["sport"], session["sub_sport"], session["trigger"]) == ("training", "generic", "activity_end")
    (activity,) = of_kind(messages, "activity")
    assert activity["local_timestamp"].replace(tzinfo=UTC) == activity["timestamp"]


def test_files_have_names_for_every_system_and_none_is_written_twice(tmp_path: Path) -> None:
    names = ["a/b", "a:b", "A:B", "\U0001f493", "con", "J\u00f6rg\t..", "x" * 300, "\u0905\u0928\u0940"]
    series = [make_series([70, 71], name=name, room_name="r/1", profile_id=f"id {i}") for i, name in enumerate(names)]
    empty = make_series([], name="nobody")
    assert write_fit([*series, empty], tmp_path) == (8, 1)
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == sorted(
        [
            "r-1_0001_a-b.fit",
            "r-1_0001_a-b-2.fit",
            "r-1_0001_A-B-3.fit",
            "r-1_0001_id-3.fit",
            "r-1_0001_con.fit",
            "r-1_0001_J\u00f6rg.fit",
            f"r-1_0001_{'x' * 80}.fit",
            "r-1_0001_\u0905\u0928\u0940.fit",
        ]
    )
    data = {(tmp_path / name).read_bytes() for name in files}
    assert len(data) == 8  # the serial number differs
    assert encode_activity(series[0]) == encode_activity(series[0])
    assert b"ann" not in encode_activity(series[0])


def test_times_before_fit_has_dates_are_refused() -> None:
    with pytest.raises(UsageError, match=r"FIT has no dates before July 1998; session 1 is of 1995\. Choose"):
        encode_activity(make_series([70, 71], zero_at=datetime(1995, 1, 1, tzinfo=UTC)))
