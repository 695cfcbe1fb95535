"""Who was there, and when nobody listened, in words."""

from collections.abc import Iterable
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import MATCHES
from recordings import at as recorded_at
from recordings import make_recording
from recordings import steady as steady_recorded
from report_samples import CONNECTION_EVENTS, LAST_RECEIVED, START, at, readings_of, report_of

from pulsoid_rec.analysis.findings.note import Note
from pulsoid_rec.analysis.findings.offline import offline_times
from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.report_data import ReportData, read_report
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.reading.recording import Recording


def steady(begin: int, end: int, *, without: Iterable[tuple[int, int]] = ()) -> list[tuple[float, int]]:
    """Give a reading a second, none strictly within the spans to be without."""
    return [(s, 80 + s % 7) for s in range(begin, end + 1) if not any(a < s < b for a, b in without)]


def notes_of(report: ReportData, zone: tzinfo = UTC) -> list[Note]:
    return [note for view in session_views(report, zone) for note in presence_notes(view)]


def texts(report: ReportData) -> list[str]:
    return [note.text for note in notes_of(report)]


def report_of_match(match: str) -> ReportData:
    rows = pl.read_csv(MATCHES[match])
    series = {
        member: rows.filter(pl.col("member") == member).select("time_s", "bpm").rows()
        for member in rows["member"].unique().sort()
    }
    return report_of(readings_of(series))


def test_nothing_is_remarked_when_all_were_there_throughout() -> None:
    assert texts(report_of(readings_of({"a": steady(0, 300), "b": steady(20, 290)}))) == []


def test_a_report_of_nothing_has_no_notes() -> None:
    assert texts(report_of(readings_of({}))) == []


def test_a_latecomer_is_named_with_how_late() -> None:
    report = report_of(readings_of({"p0": steady(0, 600), "p1": steady(241, 600), "p2": steady(3, 600)}))
    assert texts(report) == ["p1: first reading 4 min 1 s after the others"]


def test_one_who_ended_early_is_named_with_how_early() -> None:
    report = report_of(readings_of({"p0": steady(0, 600), "p1": steady(0, 600), "p2": steady(0, 530)}))
    assert texts(report) == ["p2: last reading 1 min 10 s before the others"]


def test_of_two_the_other_is_one() -> None:
    report = report_of(readings_of({"p0": steady(0, 600), "p1": steady(60, 600)}))
    assert texts(report) == ["p1: first reading 1 min after the other's"]


def test_several_latecomers_are_measured_from_the_first_member() -> None:
    report = report_of(readings_of({"p0": steady(0, 600), "p1": steady(60, 600), "p2": steady(120, 600)}))
    assert texts(report) == [
        "p1: first reading 1 min after the first member's",
        "p2: first reading 2 min after the first member's",
    ]


def test_many_latecomers_share_one_note_with_each_in_its_details() -> None:
    series = {"p0": steady(0, 900)} | {f"p{i}": steady(60 * i, 900) for i in range(1, 8)}
    (note,) = notes_of(report_of(readings_of(series)))
    assert note.text == "7 of 8 members began later than the first"
    assert note.profile_id is None
    assert len(note.details) == 7
    assert note.details[0] == "p1: first reading 1 min after the first member's"


def test_zeros_before_the_first_plausible_reading_make_a_latecomer() -> None:
    late = [(s, 0) for s in range(100)] + steady(100, 600)
    report = report_of(readings_of({"p0": steady(0, 600), "p1": late}))
    assert "p1: first reading 1 min 40 s after the other's" in texts(report)


def test_the_recorder_offline_is_told_from_to() -> None:
    everybody = steady(0, 600, without=[(190, 232)])
    report = report_of(
        readings_of({"p0": everybody, "p1": everybody}),
        connection_events=[("c1", "opened", -2), ("c1", "lost", 190), ("c2", "opened", 232), ("c2", "closed", 700)],
    )
    assert texts(report) == ["the recorder was offline from 13:03:10 to 13:03:52 (42 s)"]


def test_the_clock_is_local_and_names_another_day() -> None:
    everybody = steady(0, 600, without=[(190, 232)])
    report = report_of(
        readings_of({"p0": everybody}),
        connection_events=[("c1", "opened", -2), ("c1", "lost", 190), ("c2", "opened", 232)],
    )
    notes = notes_of(report, timezone(timedelta(hours=10, minutes=56, seconds=30)))
    assert [note.text for note in notes] == [
        "the recorder was offline from 23:59:40 to 2026-03-05 00:00:22 (42 s)",
    ]


def test_two_recorders_are_offline_only_while_neither_is_connected() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 600, without=[(300, 320)])}),
        connection_events=[
            ("a", "opened", -5),
            ("b", "opened", 100),
            ("a", "lost", 150),
            ("b", "lost", 300),
            ("a2", "opened", 320),
            ("a2", "closed", 601),
        ],
    )
    assert texts(report) == ["the recorder was offline from 13:05:00 to 13:05:20 (20 s)"]


def test_a_killed_recorder_is_told_without_pretending_to_know_when() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 600, without=[(200, 300)])}),
        connection_events=[("a", "opened", -5), ("b", "opened", 300), ("b", "closed", 601)],
        last_received=[("a", 200)],
    )
    assert texts(report) == [
        "the recorder was cut off some time after 13:03:20, the last it received, and was offline until 13:05:00",
    ]


def test_a_recorder_that_still_records_is_not_called_offline() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 600)}), connection_events=[("a", "opened", -5)], last_received=[("a", 600)]
    )
    assert texts(report) == []


def test_quick_reconnects_are_counted_not_listed() -> None:
    events = [("c0", "opened", -5.0)]
    for i in range(3):
        events += [(f"c{i}", "lost", 100.0 * i + 50), (f"c{i + 1}", "opened", 100.0 * i + 52)]
    report = report_of(readings_of({"p0": steady(0, 600)}), connection_events=[*events, ("c3", "closed", 700.0)])
    assert texts(report) == ["the recorder reconnected 3 times, each within 5 s"]


def test_refused_attempts_do_not_count_as_connected() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 600, without=[(100, 200)])}),
        connection_events=[
            ("a", "opened", -5),
            ("a", "closed", 100),
            ("b", "refused", 130),
            ("c", "opened", 200),
            ("c", "closed", 700),
        ],
    )
    assert texts(report) == ["the recorder was offline from 13:01:40 to 13:03:20 (1 min 40 s)"]


def test_a_members_silence_is_told_from_the_recorders_absence() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 900), "p1": steady(0, 900, without=[(300, 420), (600, 700)])}),
        connection_events=[("a", "opened", -5), ("a", "closed", 901)],
    )
    assert texts(report) == [
        "p1: silent 2 times, 3 min 40 s in all, the longest from 13:05:00 to 13:07:00 while the recorder was listening",
    ]


def test_a_silence_that_the_recorder_shares_is_the_recorders() -> None:
    apart = [(300, 420)]
    report = report_of(
        readings_of({"p0": steady(0, 900, without=apart), "p1": steady(0, 900, without=apart)}),
        connection_events=[("a", "opened", -5), ("a", "lost", 310), ("b", "opened", 419), ("b", "closed", 901)],
    )
    assert texts(report) == ["the recorder was offline from 13:05:10 to 13:06:59 (1 min 49 s)"]


def test_of_a_silence_partly_unheard_only_the_heard_part_is_claimed() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 900), "p1": steady(0, 900, without=[(300, 500)])}),
        connection_events=[("a", "opened", -5), ("a", "lost", 310), ("b", "opened", 330), ("b", "closed", 901)],
    )
    assert texts(report)[1] == ("p1: silent from 13:05:00 to 13:08:20, for 3 min of which the recorder was listening")


def test_without_connections_nobody_claims_that_the_recorder_listened() -> None:
    report = report_of(readings_of({"p0": steady(0, 900), "p1": steady(0, 900, without=[(300, 420)])}))
    assert texts(report) == ["p1: silent from 13:05:00 to 13:07:00"]


def test_leaving_the_room_and_coming_back_are_told() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 300, without=[(100, 150)]), "p1": steady(0, 300)}),
        member_events=[("p0", "updated", 0), ("p0", "removed", 101), ("p1", "removed", 300)],
    )
    assert texts(report) == [
        "p0: left the room at 13:01:41, readings again from 13:02:30",
        "p1: left the room at 13:05:00",
    ]


def test_a_member_without_readings_is_told_of() -> None:
    report = report_of(readings_of({"p0": steady(0, 300)}), member_events=[("0123456789", "updated", 20)])
    assert texts(report) == ["01234567: in the room, but sent no reading"]


@pytest.mark.parametrize(
    ("config", "name"),
    [('{"name": "Kim"}', "Kim"), ('{"name": " "}', "01234567"), ('{"name": 5}', "01234567"), ("[]", "01234567")],
)
def test_a_member_without_readings_goes_by_the_name_in_its_config(config: str, name: str, tmp_path: Path) -> None:
    event = ["r1", "0123456789", "updated", config, recorded_at(20), recorded_at(20), "c1"]
    path = make_recording(tmp_path / "a.duckdb", steady_recorded("p0", 80, 0, 100), member_events=[event])
    nobody = pl.DataFrame(schema=MEMBERS)
    report = read_report(Recording(path), Filter(), nobody, Definitions(), at_most=1000)
    assert texts(report) == [f"{name}: in the room, but sent no reading"]


def test_a_member_who_left_without_a_reading_goes_by_the_name_in_its_config() -> None:
    report = report_of(
        readings_of({"p0": steady(0, 300)}),
        member_events=[("0123456789", "removed", 20)],
        known_names={"0123456789": "Kim"},
    )
    assert texts(report) == ["Kim: left the room at 13:00:20"]


def test_what_lies_outside_of_the_readings_asked_for_is_not_told() -> None:
    everybody = steady(0, 600, without=[(190, 232)])
    full = report_of(
        readings_of({"p0": everybody}),
        connection_events=[("c1", "opened", -2), ("c1", "lost", 190), ("c2", "opened", 232), ("c2", "closed", 700)],
        member_events=[("p9", "updated", 100)],
    )
    later = report_of(full.readings.filter(pl.col("occurred_at") > at(300)))
    asked = {name: getattr(full, name) for name in full.__dataclass_fields__}
    asked |= {"readings": later.readings, "checks": later.checks, "summary": later.summary}
    assert texts(ReportData(**asked)) == []


PRESENCE_IN_MATCHES = {
    "decimal_times": [],
    "early_end": ["player_2: last reading 1 min 30 s before the others"],
    "gaps": ["player_0: silent from 13:05:00 to 13:06:30"],
    "late_and_zeros": ["player_1: first reading 3 min 20 s after the others"],
    "match_13": ["player_2: last reading 1 min 10 s before the others"],
    "match_18": ["player_1: first reading 4 min 1 s after the others"],
}


@pytest.mark.parametrize("match", sorted(PRESENCE_IN_MATCHES.keys() & MATCHES.keys()))
def test_members_late_early_and_silent_in_a_match_are_the_only_ones_named(match: str) -> None:
    assert texts(report_of_match(match)) == PRESENCE_IN_MATCHES[match]


SECONDS = st.integers(0, 60)
CONNECTION = st.tuples(SECONDS, st.one_of(st.none(), SECONDS), st.one_of(st.none(), SECONDS))


@given(st.lists(CONNECTION, max_size=6))
def test_offline_is_where_no_connection_covers(connections: list[tuple[int, int | None, int | None]]) -> None:
    events, received, spans = [], [], []
    for number, (begin, length, heard) in enumerate(connections):
        id_ = f"c{number}"
        events.append(("room", id_, "opened", at(begin), None, None))
        if length is not None:
            events.append(("room", id_, "lost", at(begin + length), None, None))
        elif heard is not None:
            received.append(("room", id_, at(begin + heard)))
        spans.append((begin, begin + (length if length is not None else heard or 0)))
    found = offline_times(
        pl.DataFrame(events[::-1], schema=CONNECTION_EVENTS, orient="row"),
        pl.DataFrame(received, schema=LAST_RECEIVED, orient="row"),
    )
    offline = {
        second
        for time in found
        for second in range(
            (time.begins_at - START) // timedelta(seconds=1), (time.ends_at - START) // timedelta(seconds=1)
        )
    }
    # A second [s, s + 1) is offline if it lies before a later connection's start, and no connection covers it.
    last_start = max((begin for begin, _ in spans), default=0)
    first_start = min((begin for begin, _ in spans), default=0)
    expected = {s for s in range(first_start, last_start) if not any(a <= s < b for a, b in spans)}
    assert offline == expected
    for time in found:
        ends = {begin for begin, _, _ in connections}
        assert (time.ends_at - START).total_seconds() in ends
