"""Clocks that differ or are set, and what is no clock: late delivery, imports, replays."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import MATCHES, match_readings
from report_samples import READINGS, at, report_of

from pulsoid_rec.analysis.findings.clock_notes import clock_notes
from pulsoid_rec.analysis.findings.clocks import Clocks
from pulsoid_rec.analysis.findings.leads import compare_clocks, lead_windows
from pulsoid_rec.analysis.findings.presence import presence_notes
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views

HOUR = 3600.0
Time = Callable[[float], float]
Sent = Iterable[tuple[float, float]]
"""Seconds since START of what was stamped, by the member's clock, and received, by the recorder's."""


def sent(
    seconds: Iterable[float], *, ahead: Time = lambda _: 0.0, arrives: Time = lambda s: s + 0.2, lead: float = 0.0
) -> Sent:
    """Send readings at these seconds of the room's clock, which is `lead` ahead of the recorder's."""
    return [(s + ahead(s), arrives(s) - lead) for s in seconds]


def readings_of(members: Mapping[str, Sent], session: int = 1) -> pl.DataFrame:
    rows = [
        ("room", session, id_, id_, at(stamped), at(received), 80 + int(stamped) % 7, True)
        for id_, readings in members.items()
        for stamped, received in readings
    ]
    return pl.DataFrame(rows, READINGS, orient="row").sort("room_id", "session", "profile_id", "occurred_at")


def view_of(members: Mapping[str, Sent], events: Iterable[tuple[str, str, float]] = ()) -> SessionView:
    [view] = session_views(report_of(readings_of(members), connection_events=events), UTC)
    return view


def texts(view: SessionView) -> list[str]:
    return [note.text for note in clock_notes(view) + presence_notes(view)]


def stepping(*steps: tuple[float, float]) -> Time:
    """Give a clock that is set by so much at these seconds."""
    return lambda s: sum(by for since, by in steps if s >= since)


def offline(begin: float, end: float, *, lasts: float = 0.0) -> Time:
    """Give a delivery that waits from `begin` to `end`, and then lasts so many seconds."""

    def arrives(s: float) -> float:
        if not begin <= s:
            return s + 0.2
        return max(s + 0.2, end + lasts * (s - begin) / (end - begin))

    return arrives


WHOLE = range(0, 3600, 5)
ROOM = {"bob": [*sent(WHOLE)], "cy": [*sent(WHOLE)]}


def test_clocks_alike_have_no_note() -> None:
    assert texts(view_of(ROOM)) == []


def test_an_import_of_a_few_seconds_shows_no_clock() -> None:
    at_once = sent(range(20), arrives=lambda _: 400 * 24 * HOUR)
    report = report_of(readings_of({"ann": at_once}))
    [recorded] = session_views(report, UTC)
    assert len(texts(recorded)) == 1
    [imported] = session_views(replace(report, imported={("room", 1)}), UTC)
    assert texts(imported) == []


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (-3600, "ada: the clock went back by 1 h at 13:31"),
        (3600, "ada: the clock went forward by 1 h at 13:31"),
        (-45, "ada: the clock went back by 45 s at 13:31"),
        (86_400 * 365, "ada: the clock went forward by 365 d at 13:31"),
    ],
)
def test_a_clock_that_is_set_is_named_and_its_member_neither_silent_nor_early(by: float, text: str) -> None:
    assert texts(view_of(ROOM | {"ada": sent(WHOLE, ahead=stepping((1860, by)))})) == [text]


def test_a_clock_set_within_a_minute_was_set_in_that_minute() -> None:
    assert texts(view_of(ROOM | {"ada": sent(WHOLE, ahead=stepping((1885, -600)))})) == [
        "ada: the clock went back by 10 min at 13:31"
    ]


def test_a_clock_that_is_set_and_set_right_is_one_note() -> None:
    ada = sent(WHOLE, ahead=stepping((600, -3600), (1200, 3600)))
    assert texts(view_of(ROOM | {"ada": ada})) == ["ada: the clock was set 2 times, first back by 1 h at 13:10"]


@pytest.mark.parametrize(
    ("by", "text"),
    [(-45, "45 s behind the room's"), (45, "45 s ahead of the room's"), (-3600, "1 h behind the room's")],
)
def test_a_clock_that_is_wrong_all_the_time_is_named(by: float, text: str) -> None:
    assert texts(view_of(ROOM | {"ada": sent(WHOLE, ahead=lambda _: by)})) == [f"ada: the clock is {text}"]


def test_a_difference_that_delivery_explains_has_no_note() -> None:
    assert texts(view_of(ROOM | {"ada": sent(WHOLE, ahead=lambda _: -25.0, arrives=lambda s: s + s % 4)})) == []


def test_of_two_members_the_one_further_from_the_recorder_is_wrong() -> None:
    ada = sent(WHOLE, ahead=lambda _: -60.0)
    assert texts(view_of({"ada": ada, "bob": ROOM["bob"]})) == ["ada: the clock is 1 min behind the room's"]


def test_one_member_alone_is_compared_with_the_recorder() -> None:
    assert texts(view_of({"ada": sent(WHOLE, ahead=stepping((1860, 600)))})) == [
        "ada: the clock went forward by 10 min at 13:31"
    ]


@pytest.mark.parametrize(
    "arrives",
    [
        offline(600, 1200),  # all at once
        offline(600, 1200, lasts=20),
        offline(600, 1200, lasts=300),
        offline(600, 1200, lasts=599),  # as slowly as they were taken: late until the end
        lambda s: s + (600 if 600 <= s < 1500 else 0.2),  # a queue that is as long for a while, then flushed
        lambda s: s + (45 if 630 <= s < 1500 else 0.2),
        lambda s: 1200 + (1200 - s) / 20 if 600 <= s < 1200 else s + 0.2,  # the newest first, among those of now
    ],
)
def test_readings_that_come_late_are_no_step(arrives: Time) -> None:
    assert texts(view_of(ROOM | {"ada": sent(WHOLE, arrives=arrives)})) == []


def test_stray_readings_are_no_step() -> None:
    stray = [(5000.0 + s, 1800.0 + s) for s in range(0, 20, 5)]
    view = view_of(ROOM | {"ada": [*sent([*range(0, 1800, 5), *range(1865, 3600, 5)]), *stray]})
    assert clock_notes(view) == []


def test_a_step_of_the_recorders_clock_is_nobodys() -> None:
    members = {id_: sent(WHOLE, arrives=lambda s: s + (600 if s >= 1800 else 0)) for id_ in ("ada", "bob", "cy")}
    assert [note.text for note in clock_notes(view_of(members))] == [
        "the recorder's clock and the room's moved 10 min apart at 13:30"
    ]


def test_an_outage_is_on_the_rooms_clock_and_nobody_is_silent_in_it() -> None:
    heard = [*range(300), *range(405, 600)]
    events = [("a", "opened", 598.0), ("a", "lost", 899.5), ("b", "opened", 1004.5), ("b", "closed", 1300.0)]
    view = view_of({id_: sent(heard, lead=-600) for id_ in ("ada", "bob")}, events)
    assert texts(view) == [
        "the recorder's clock is 10 min ahead of the room's; times here are the room's",
        "the recorder was offline from 13:04:59 to 13:06:44 (1 min 45 s)",
    ]


def test_the_silence_of_a_member_whose_clock_is_wrong_is_on_the_rooms_clock() -> None:
    ada = sent([*range(0, 600, 5), *range(900, 3600, 5)], ahead=lambda _: -3600.0)
    assert texts(view_of(ROOM | {"ada": ada})) == [
        "ada: the clock is 1 h behind the room's",
        "ada: silent from 13:09:55 to 13:15:00",
    ]


def test_a_member_in_a_session_of_its_own_by_a_wrong_clock_is_compared_with_the_others() -> None:
    apart = readings_of({"ada": sent(WHOLE, ahead=lambda _: -20_000.0)}, session=2)
    clocks = compare_clocks(lead_windows(pl.concat([readings_of(ROOM), apart]).lazy()).collect())
    assert clocks["room", 2].offsets == {"ada": timedelta(seconds=-20_000)}
    assert replace(clocks["room", 1], received={}) == Clocks(lead=timedelta(seconds=-0.2), heard={"ada", "bob", "cy"})


def test_an_import_and_a_fast_replay_show_no_clock() -> None:
    at_once = {id_: sent(WHOLE, arrives=lambda s: 9000 + s / 3600) for id_ in "abc"}
    replay = {id_: sent(WHOLE, arrives=lambda s: s / 60) for id_ in "abc"}
    for members in (at_once, replay):
        assert texts(view_of(members)) == []


@pytest.mark.parametrize("match", MATCHES)
def test_a_match_has_no_note_on_clocks(match: str) -> None:
    rows = [
        ("room", 1, r.profile_id, r.profile_id, r.occurred_at, r.received_at, r.bpm, True)
        for r in match_readings(match)
    ]
    windows = lead_windows(pl.DataFrame(rows, READINGS, orient="row").lazy()).collect()
    [clocks] = compare_clocks(windows).values()
    assert abs(clocks.lead) < timedelta(seconds=1)
    assert clocks == Clocks(lead=clocks.lead, heard=clocks.heard)


def test_what_was_received_is_cut_out_of_a_silence_and_nothing_is_known_around_it() -> None:
    minutes = [(at(begin), at(end)) for begin, end in ((10, 20), (50, 60), (200, 210))]
    clocks = Clocks(received={"a": minutes}, offsets={"b": timedelta(seconds=5)})
    assert clocks.unheard("a", at(0), at(300)) == [(at(20), at(50)), (at(60), at(200))]
    assert clocks.unheard("a", at(30), at(40)) == [(at(30), at(40))]
    assert clocks.unheard("a", at(220), at(300)) == []
    assert clocks.unheard("b", at(0), at(300)) == [(at(0), at(300))]


def test_clocks_thousands_of_years_apart_stay_within_the_years_of_a_datetime() -> None:
    for years, edge in ((9000, datetime.max), (-9000, datetime.min)):  # noqa: DTZ901 - compared without a zone
        assert Clocks(lead=timedelta(days=365 * years)).to_room(at(0)).replace(tzinfo=None) == edge


def test_no_readings_have_no_clocks() -> None:
    assert compare_clocks(lead_windows(readings_of({}).lazy()).collect()) == {}


@pytest.mark.parametrize("year", [1, 9999])
def test_the_first_and_the_last_year_have_clocks(year: int) -> None:
    edge = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC) if year == 9999 else datetime(1, 1, 1, tzinfo=UTC)
    rows = [("room", 1, "ada", "ada", edge, at(s), 80, True) for s in range(100)]
    rows += [("room", 2, "bob", "bob", at(s), at(s), 80, True) for s in range(100)]
    events = [("a", "opened", -9.0), ("a", "lost", 30.0), ("b", "opened", 50.0), ("b", "closed", 99.0)]
    report = report_of(pl.DataFrame(rows, READINGS, orient="row"), connection_events=events)
    for view in session_views(report, UTC):
        assert texts(view) is not None


STEPS = st.lists(
    st.tuples(st.integers(0, 1200), st.integers(-4000, 4000).map(float)), max_size=3, unique_by=lambda step: step[0]
)
SILENCES = st.lists(st.tuples(st.integers(0, 1200), st.integers(20, 400)), max_size=2)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(STEPS, SILENCES, st.integers(-100_000, 100_000).map(float), st.integers(3, 19), st.integers(0, 3))
def test_nobody_is_silent_where_readings_were_received(
    steps: list[tuple[float, float]], silences: list[tuple[int, int]], lead: float, pace: int, others: int
) -> None:
    heard = [s for s in range(0, 1200, pace) if not any(a <= s < a + length for a, length in silences)]
    members = {f"m{n}": sent(range(0, 1200, 20), lead=lead) for n in range(others)}
    members["ada"] = sent(heard, ahead=stepping(*steps), lead=lead)
    view = view_of(members)
    rows = view.readings.filter(pl.col("profile_id") == "ada").sort("occurred_at")["occurred_at"].to_list()
    if others > 1:
        assert abs(view.clocks.lead.total_seconds() - lead) < 1
    received = [at(s + 0.2 - lead) + view.clocks.lead for s in heard]
    for begin, end in pairwise(rows):
        if (end - begin).total_seconds() > 60:
            for silent_from, silent_until in view.clocks.unheard("ada", begin, end):
                margin = timedelta(seconds=30)
                within = [each for each in received if silent_from + margin < each < silent_until - margin]
                assert within == [], (silent_from, silent_until)
