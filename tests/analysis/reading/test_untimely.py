"""A clock that is wrong by more than a day makes no session; its readings are counted, and named in a note."""

from datetime import timedelta
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import oracle
import polars as pl
import pytest
from hypothesis import given
from recordings import Reading, at, make_recording, reading, readings_frame, steady

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.sessions import list_sessions, number_stretches
from pulsoid_rec.analysis.metrics.untimely import receipt_ranges
from pulsoid_rec.analysis.notebook.explore import Excerpt, explore
from pulsoid_rec.analysis.reading.recording import Recording

YEAR = timedelta(days=365)
DAY_S = 86_400


def wrong(rows: list[Reading], error: timedelta) -> list[Reading]:
    return [row._replace(occurred_at=row.occurred_at + error) for row in rows]


def excerpt_of(tmp_path: Path, rows: list[Reading]) -> Excerpt:
    return explore(make_recording(tmp_path / "a.duckdb", rows))


@pytest.fixture(scope="module")
def a_year_ahead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two days; on the first one the clock of cid is a year ahead, at first."""
    rows = [*steady("ann", 100, 0, 60), *wrong(steady("cid", 120, 0, 15), YEAR), *steady("cid", 120, 15, 60)]
    rows += [*steady("ann", 100, DAY_S, DAY_S + 60), *wrong([reading(DAY_S + 30, 90, "dan")], -YEAR)]
    return make_recording(tmp_path_factory.mktemp("ahead") / "a.duckdb", rows)


def test_a_clock_a_year_ahead_makes_no_session_and_is_never_the_latest(a_year_ahead: Path) -> None:
    excerpt = explore(a_year_ahead)
    assert excerpt.sessions().select("session", "started_at", "readings").rows() == [
        (1, at(0), 105),
        (2, at(DAY_S), 60),
    ]
    latest = excerpt.only(session="latest").summary()
    assert latest.select("session", "profile_id", "readings", "untimely").rows() == [
        (2, "ann", 60, 0),
        (2, "dan", 0, 1),
    ]
    assert excerpt.readings().collect().height == 165
    assert excerpt.sql("SELECT count(*) FROM heart_rate").item() == 181


def test_what_is_left_out_is_counted_and_noted_where_it_was_received(a_year_ahead: Path) -> None:
    excerpt = explore(a_year_ahead)
    assert excerpt.summary().select("profile_id", "readings", "untimely").rows() == [
        *(("ann", 60, 0), ("cid", 45, 15)),
        *(("ann", 60, 0), ("dan", 0, 1)),
    ]
    notes = excerpt.notes().filter(pl.col("text").str.contains("left out"))
    assert notes.select("session", "profile_id", "text").rows() == [
        (1, "cid", "cid: 15 readings whose time is 365 d ahead of their arrival, left out"),
        (2, "dan", "dan: 1 reading whose time is 365 d behind their arrival, left out"),
    ]


def test_an_untimely_reading_that_two_recorders_received_is_one_and_a_duplicate(tmp_path: Path) -> None:
    rows = [*steady("ann", 100, 0, 60), *wrong(steady("cid", 120, 0, 15), YEAR)]
    of_the_other = [row._replace(received_at=row.received_at + timedelta(milliseconds=7)) for row in rows]
    excerpt = excerpt_of(tmp_path, [*rows, *of_the_other])
    found = excerpt.summary().select("profile_id", "readings", "duplicates", "untimely").rows()
    assert found == [("ann", 60, 60, 0), ("cid", 0, 15, 15)]
    assert excerpt.notes()["text"].str.contains("cid: 15 readings whose time is 365 d ahead").any()


def test_a_member_of_whom_all_is_untimely_can_be_chosen(a_year_ahead: Path) -> None:
    part = explore(a_year_ahead).only(member="dan")
    assert part.members().select("profile_id", "readings", "first_at").rows() == [("dan", 0, None)]
    assert part.sessions()["session"].to_list() == [2]
    assert part.summary()["untimely"].to_list() == [1]


def test_a_part_of_a_session_counts_what_came_in_it(a_year_ahead: Path) -> None:
    excerpt = explore(a_year_ahead)
    parts = [excerpt.only(since=since, until=until).summary() for since, until in ((None, at(10)), (at(10), at(99)))]
    assert [part.filter(profile_id="cid")["untimely"].to_list() for part in parts] == [[10], [5]]


def test_a_day_apart_is_timely_and_a_microsecond_more_is_not(tmp_path: Path) -> None:
    day = timedelta(days=1)
    room = [*steady("ann", 100, 0, 60), *steady("bob", 100, 0, 60)]  # most readings, and so the median
    edges = {"early": -day, "late": day, "earlier": -day - timedelta(microseconds=1), "later": day * 1.00001}
    odd = [row for id_, error in edges.items() for row in wrong([reading(30, 90, id_)], error)]
    found = excerpt_of(tmp_path, room + odd).summary().filter(pl.col("profile_id").is_in(edges))
    counts = found.sort("profile_id").select("profile_id", "readings", "untimely").rows()
    assert counts == [("earlier", 0, 1), ("early", 1, 0), ("late", 1, 0), ("later", 0, 1)]


def test_the_largest_error_is_an_option(a_year_ahead: Path) -> None:
    trusting = Definitions(max_clock_error_s=400 * DAY_S)
    assert explore(a_year_ahead, definitions=trusting).sessions().height == 4


def test_a_whole_room_may_run_at_any_lead(tmp_path: Path) -> None:
    rows = wrong(steady("ann", 100, 0, 30) + steady("bob", 100, 0, 30), -30 * YEAR)
    assert excerpt_of(tmp_path, rows).summary()["untimely"].to_list() == [0, 0]


def test_imported_readings_are_never_untimely_and_make_no_other_so(tmp_path: Path) -> None:
    years_ago = [row for year in (1, 2, 3) for row in wrong(steady("bob", 90, 0, 20), -year * YEAR)]
    rows = [*steady("ann", 100, 0, 30), *years_ago, *wrong([reading(5, 90, "cid")], YEAR)]
    path = make_recording(tmp_path / "a.duckdb", rows)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE heart_rate SET connection_id = 'import:1' WHERE profile_id = 'bob'")
    summary = explore(path).summary().group_by("profile_id").agg(pl.col("readings", "untimely").sum())
    assert sorted(summary.rows()) == [("ann", 30, 0), ("bob", 60, 0), ("cid", 0, 1)]


def test_of_two_clocks_that_disagree_the_earlier_is_taken(tmp_path: Path) -> None:
    rows = [reading(0, 80), *wrong([reading(1, 80, "bob")], timedelta(seconds=DAY_S + 1))]
    summary = excerpt_of(tmp_path, rows).summary()
    assert summary.select("profile_id", "untimely").rows() == [("ann", 0), ("bob", 1)]


def test_lists_of_one_state_come_from_one_scan(a_year_ahead: Path) -> None:
    with Recording(a_year_ahead).snapshot() as now, now.snapshot() as same:
        assert same is now
        now.rooms()
        scan = now._scans[(), Definitions()]
        for wanted in (Filter(), Filter(rooms=("r1",), session="latest"), Filter(since=at(5), members=("cid",))):
            now.sessions(wanted)
            now.members(wanted)
            now.results(wanted)
            now.readings(wanted).collect()
        assert now._scans == {((), Definitions()): scan}


SECONDS = st.integers(0, 60)


@given(
    receipts=st.lists(st.tuples(SECONDS, SECONDS).map(sorted), min_size=1, max_size=6),
    received=st.lists(st.integers(-5, 70), min_size=1, max_size=20),
)
def test_time_of_receipt_is_divided_as_defined(receipts: list[list[int]], received: list[int]) -> None:
    sessions = [oracle.Session(at(0), at(1), at(first), at(last)) for first, last in sorted(receipts)]
    rows = [
        ("r1", n, s.started_at, s.ended_at, 1, 1, s.first_received_at, s.last_received_at)
        for n, s in enumerate(sessions, 1)
    ]
    columns = [*("room_id", "session", "started_at", "ended_at"), *("members", "readings")]
    frame = pl.DataFrame(rows, schema=[*columns, "first_received_at", "last_received_at"], orient="row")
    ranges = receipt_ranges(frame).sort("from_us").select("from_us", "session").rows()
    for second in received:
        us = (at(second) - oracle.EPOCH) // timedelta(microseconds=1)
        found = [session for from_us, session in ranges if from_us <= us][-1]
        assert found == oracle.session_of_untimely(at(second), sessions)


ROWS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["r1", "r2"])), min_size=1, max_size=12)


def numbers(rows: list[Reading]) -> dict[tuple[str, int], set[Reading]]:
    """Give the readings of each room's session, by its number."""
    received = dict.fromkeys(["first_received_at", "last_received_at"], "received_at")
    stretches = readings_frame(rows).with_columns(first_at="occurred_at", last_at="occurred_at", readings=1, **received)
    numbered = number_stretches(stretches, 900_000_000)
    assert list_sessions(numbered)["readings"].sum() == len(rows)
    found: dict[tuple[str, int], set[Reading]] = {}
    for row in numbered.select("session", *Reading._fields).iter_rows():
        found.setdefault((row[1], row[0]), set()).add(Reading(*row[1:]))
    return found


@given(first=ROWS, later=ROWS)
def test_what_is_recorded_later_renumbers_no_session_unless_it_joins_two(
    first: list[tuple[int, str]], later: list[tuple[int, str]]
) -> None:
    rows = [
        Reading(room, "ann", 80, at(600 * step), at(50_000 + order)) for order, (step, room) in enumerate(first + later)
    ]
    before, after = numbers(rows[: len(first)]), numbers(rows)
    places = {key: [other for other, of in after.items() if readings <= of] for key, readings in before.items()}
    assert all(len(place) == 1 for place in places.values())
    for room in ("r1", "r2"):
        of_room = {key[1]: place[0][1] for key, place in places.items() if key[0] == room}
        if len(set(of_room.values())) == len(of_room):
            assert all(old == new for old, new in of_room.items())
        else:
            assert all(new <= old for old, new in of_room.items())
