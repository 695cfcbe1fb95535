"""Excerpts in a notebook: parts chosen by name, their frames, and errors that list what exists."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from recordings import START, at, make_recording, reading, steady

from pulsoid_rec.analysis.notebook.explore import Excerpt, explore
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError


def updated(room: str, member: str, config: str, seconds: float) -> Sequence[Any]:
    return (room, member, "updated", config, at(seconds), at(seconds), "c1")


EVENTS = [
    updated("r1", "ann", '{"name": "Ada"}', -1),
    updated("r1", "bob", '{"name": "Bruno"}', 3999),
    updated("r2", "cid", '{"name": "<script>alert(1)</script>"}', 0),
    updated("r1", "dot", '{"name": "Silent"}', 0),
]
ROWS = [
    *steady("ann", 80, 0, 60),
    *steady("ann", 90, 4000, 4060),
    *steady("bob", 70, 4000, 4030),
    *steady("cid", 60, 0, 10, room="r2"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(
        tmp_path_factory.mktemp("made") / "pulsoid.duckdb",
        ROWS,
        member_events=EVENTS,
        room_events=[("r1", '{"name": "Team <b>One</b>"}', at(0), at(0), "c1")],
        connection_events=[
            ("r1", "c1", "opened", at(-5), None, None),
            ("r1", "c1", "lost", at(70), 1006, "cut"),
            ("r1", "c2", "opened", at(3990), None, None),
        ],
    )


@pytest.fixture(scope="module")
def whole(made: Path) -> Excerpt:
    made.with_name("members.toml").write_text('[ann]\nhr_max = 100\n\n[bob]\nname = "Bobby"\n', encoding="utf-8")
    return explore(made)


def test_lists_say_who_and_when(whole: Excerpt) -> None:
    assert whole.rooms().select("room_id", "name", "sessions", "members", "readings").rows() == [
        ("r1", "Team <b>One</b>", 2, 2, 150),
        ("r2", None, 1, 1, 10),
    ]
    assert whole.sessions().select("room_id", "session", "members").rows() == [("r1", 1, 1), ("r1", 2, 2), ("r2", 1, 1)]
    members = whole.only(room="r1").members()
    assert members.select("name", "sessions", "readings", "first_at").rows() == [
        ("Ada", 2, 120, at(0)),
        ("Bobby", 1, 30, at(4000)),
    ]


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({}, 160),
        ({"room": "r2"}, 10),
        ({"room": "team <B>one</b>"}, 150),
        ({"room": ["r1", "r2"]}, 160),
        ({"session": 2}, 90),
        ({"session": "2"}, 90),
        ({"session": "latest"}, 100),
        ({"session": "all"}, 160),
        ({"member": "Ada"}, 120),
        ({"member": "ann"}, 120),
        ({"member": "bobby"}, 30),
        ({"member": ["Ada", "bob"]}, 150),
        ({"room": "r1", "session": 2, "member": "Ada"}, 60),
        ({"since": at(30)}, 120),
        ({"until": at(30)}, 40),
        ({"since": at(4000).isoformat(), "until": at(4010).isoformat()}, 20),
        ({"since": START.date() + timedelta(days=3)}, 0),
        ({"since": (START + timedelta(seconds=30)).astimezone().replace(tzinfo=None)}, 120),
    ],
)
def test_choice_selects_just_those_readings(whole: Excerpt, chosen: dict[str, Any], count: int) -> None:
    part = whole.only(**chosen)
    assert part.readings().collect().height == count
    assert part.time_at_bpm().collect()["readings"].sum() == count
    assert part.summary()["readings"].sum() == count


def test_choosing_twice_chooses_what_lies_within_both(whole: Excerpt) -> None:
    latest = whole.only(session="latest")
    assert latest.only(session="all").sessions().rows() == latest.sessions().rows()
    assert whole.only(session=2).only(session="latest").sessions().rows() == whole.only(session=2).sessions().rows()
    narrow = whole.only(since=at(10), until=at(50)).only(since=at(0), until=at(20))
    assert (narrow.wanted.since, narrow.wanted.until) == (at(10), at(20))
    with pytest.raises(UsageError, match="no room 'r2'"):
        whole.only(room="r1").only(room="r2")
    assert whole.readings().collect().height == 160, "the whole is left as it was"


def test_session_that_no_chosen_member_took_part_in_is_left_out(whole: Excerpt) -> None:
    assert whole.only(member="Bobby").sessions()["session"].to_list() == [2]
    assert whole.only(room="r1", member="Ada").sessions()["session"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"room": "r3"}, r"no room 'r3' in .*duckdb\. There are 2 rooms: r1 \(Team <b>One</b>\), r2\."),
        ({"member": "Adda"}, r"no member 'Adda' in .* Did you mean 'Ada'\? There are 3 members: .*, Ada, Bobby"),
        (
            {"session": 1, "room": "r1", "member": "bob"},
            r"no member 'bob' in room r1, session 1 of .*There is 1 member: Ada\.",
        ),
        ({"session": 3}, r"no session 3 in .*\. Room r1 has sessions 1 to 2; room r2 has session 1\."),
        ({"session": 0}, "session cannot be '0'. Choose latest, all, or a number from 1"),
        ({"session": "last"}, "session cannot be 'last'. Choose latest, all, or a number from 1"),
        ({"session": True}, "session cannot be 'True'"),
        ({"session": 1.0}, "session cannot be '1.0'"),
        ({"room": []}, "room= is empty"),
        ({"member": [7]}, "no member '7'"),
        ({"since": "yesterday"}, "since cannot be 'yesterday'"),
        ({"until": 5}, "until cannot be '5'"),
        ({"since": at(5), "until": at(5)}, "since .* is not before until"),
        ({"since": "0001-01-01T00:00+14:00"}, "since cannot be"),
    ],
)
def test_choice_that_finds_nothing_lists_what_exists(whole: Excerpt, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        whole.only(**chosen)


def test_range_to_the_ends_of_time_is_a_range_like_any_other(whole: Excerpt) -> None:
    ever = whole.only(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
    assert ever.readings().collect().height == 160
    assert ever.grid().equals(whole.grid())
    assert whole.only(since=datetime.max.replace(tzinfo=UTC)).grid().is_empty()


def test_name_that_two_members_share_needs_an_id(tmp_path: Path) -> None:
    events = [updated("r1", member, '{"name": "Ada"}', 0) for member in ("ann", "bob")]
    rows = [reading(0, 80), reading(0, 90, "bob")]
    whole = explore(make_recording(tmp_path / "p.duckdb", rows, member_events=events))
    with pytest.raises(UsageError, match=r"2 members of .* are named 'Ada'\. Choose one by its id: ann, bob\."):
        whole.only(member="Ada")
    assert whole.only(member="bob").readings().collect()["bpm"].to_list() == [90]


def test_long_lists_of_what_exists_are_cut(tmp_path: Path) -> None:
    rows = [reading(0, 80, f"m{i:02}") for i in range(30)]
    with pytest.raises(UsageError, match=r"There are 30 members: .*, m18, m19 and 10 more\."):
        explore(make_recording(tmp_path / "p.duckdb", rows)).only(member="x")


@pytest.mark.parametrize(("count", "end"), [(21, r"; 1 more room\."), (22, r"; 2 more rooms\.")])
def test_long_list_of_rooms_is_cut(count: int, end: str, tmp_path: Path) -> None:
    rows = [reading(0, 80, room=f"r{i:02}") for i in range(count)]
    with pytest.raises(UsageError, match=rf"Room r00 has session 1; .* room r19 has session 1{end}$"):
        explore(make_recording(tmp_path / "p.duckdb", rows)).only(session=2)


@pytest.mark.process
def test_package_lists_what_it_imports_later() -> None:
    code = (
        "import sys, pulsoid_rec.analysis as pr; print({'Definitions', 'Excerpt', 'explore'} <= set(dir(pr)),"
        " 'polars' in sys.modules, pr.Definitions().max_hold_s, callable(pr.explore), hasattr(pr, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "5.0", "True", "False"]


def test_file_that_cannot_be_explored_says_why_at_once(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"There is no .*nothing\.duckdb"):
        explore(tmp_path / "nothing.duckdb")
    with pytest.raises(StorageError, match="is not a file"):
        explore(tmp_path)
    (tmp_path / "notes.txt").write_text("no database, however long it is" * 500, encoding="utf-8")
    with pytest.raises(StorageError, match="is not a DuckDB file"):
        explore(tmp_path / "notes.txt")
    with duckdb.connect(tmp_path / "other.duckdb") as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(StorageError, match="not a recording"):
        explore(tmp_path / "other.duckdb")


def test_members_file_beside_the_recording_is_heeded_and_another_can_be_named(whole: Excerpt, tmp_path: Path) -> None:
    assert whole.summary().filter(pl.col("hr_max") == 100)["name"].unique().to_list() == ["Ada"]
    other = tmp_path / "other.toml"
    other.write_text('[ann]\nname = "Annie"\n', encoding="utf-8")
    assert explore(whole.recording.path, members=other).only(room="r1").members()["name"].to_list() == [
        "Annie",
        "Bruno",
    ]
    other.write_text("[ann]\nage = 7\n", encoding="utf-8")
    with pytest.raises(UsageError, match="unknown key 'age'"):
        explore(whole.recording.path, members=other)
    with pytest.raises(UsageError, match="Cannot read"):
        explore(whole.recording.path, members=tmp_path / "none.toml")


def test_frames_have_names_beside_ids(whole: Excerpt) -> None:
    readings = whole.only(room="r1").readings()
    assert readings.collect_schema().names()[:4] == ["room_id", "session", "profile_id", "name"]
    assert readings.group_by("name").len().sort("name").collect().rows() == [("Ada", 120), ("Bobby", 30)]
    assert readings.select("name").head(1).collect().rows() == [("Ada",)]
    assert whole.readings().filter(pl.col("name") == "Bobby").select(pl.len()).collect().item() == 30
    assert whole.time_at_bpm().filter(pl.col("bpm") == 80).collect()["name"].to_list() == ["Ada"]


@pytest.mark.slow
def test_events_are_told_by_session_and_name(whole: Excerpt) -> None:
    events = whole.member_events().collect()
    assert events.select("room_id", "session", "name").rows() == [
        ("r1", 1, "Ada"),
        ("r1", 1, "Silent"),
        ("r2", 1, "<script>alert(1)</script>"),
        ("r1", 2, "Bobby"),
    ]
    assert whole.only(room="r1", session=2).member_events().collect()["name"].to_list() == ["Bobby"]
    assert whole.only(member="Ada").member_events().collect()["profile_id"].to_list() == ["ann"]
    assert whole.only(until=at(0)).member_events().collect()["profile_id"].to_list() == ["ann"]
    assert whole.connection_events().select("session", "event").collect().rows() == [
        (1, "opened"),
        (1, "lost"),
        (2, "opened"),
    ]
    assert whole.room_events().collect()["session"].to_list() == [1]
    assert whole.only(room="r2").connection_events().collect().is_empty()


@pytest.mark.slow
def test_room_without_a_session_has_events_of_none(tmp_path: Path) -> None:
    path = make_recording(tmp_path / "p.duckdb", member_events=[updated("r1", "ann", "{}", 0)])
    whole = explore(path)
    assert whole.member_events().collect()["session"].to_list() == [None]
    assert whole.rooms().is_empty()
    assert "no readings yet" in repr(whole)
    for empty in (whole.sessions(), whole.members(), whole.summary(), whole.readings().collect()):
        assert empty.is_empty()
    for draw in (whole.timeline, whole.zone_bars, whole.small_multiples, whole.notes):
        with pytest.raises(UsageError, match="There are no readings"):
            draw()


def test_notes_tell_in_words_what_to_know(tmp_path: Path) -> None:
    rows = [*steady("ann", 80, 0, 300), *steady("bob", 0, 100, 300)]
    notes = explore(make_recording(tmp_path / "p.duckdb", rows)).notes()
    assert notes.columns == ["room_id", "session", "profile_id", "kind", "text"]
    assert any(text.startswith("bob: 200 readings of 0") for text in notes["text"]), notes["text"].to_list()


def test_sql_reads_the_whole_recording_and_cannot_write(whole: Excerpt) -> None:
    counted = whole.only(session=2).sql("SELECT count(*) AS n FROM heart_rate WHERE bpm > ?", [70])
    assert counted.rows() == [(120,)]
    with pytest.raises(duckdb.Error, match="read-only"):
        whole.sql("DELETE FROM heart_rate")
    assert whole.readings().collect().height == 160


def test_representation_says_what_is_there_and_whoever_is_named_is_only_text(whole: Excerpt) -> None:
    html = whole._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Team &lt;b&gt;One&lt;/b&gt; (r1)" in html
    assert "3 sessions, 160 readings in 2 rooms" in html
    assert repr(whole.only(room="r1", member="Ada", session=2)) == (
        f"Excerpt of {whole.recording.path}, room r1, member Ada, session 2: 1 session, 60 readings in 1 room"
    )


def test_representation_of_a_recording_that_is_gone_says_so(made: Path, tmp_path: Path) -> None:
    gone = explore(shutil.copy(made, tmp_path / "pulsoid.duckdb"))
    gone.recording.path.unlink()
    assert "There is no" in repr(gone)
    assert "There is no" in gone._repr_html_()


def test_date_is_the_first_instant_of_that_day_here(whole: Excerpt) -> None:
    day = date(2026, 3, 1)
    assert whole.only(since=day).wanted.since == datetime(2026, 3, 1).astimezone(UTC)


@pytest.mark.process
def test_frames_alone_load_no_altair(whole: Excerpt) -> None:
    code = (
        "import sys; from pulsoid_rec.analysis.notebook.explore import explore\n"
        f"recording = explore({str(whole.recording.path)!r})\n"
        "recording.summary(); recording.grid(); recording.readings().collect(); recording._repr_html_()\n"
        "assert 'altair' not in sys.modules and 'trio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
