"""With pseudonyms no id and no name is in any byte of what a command or a notebook puts out."""

import gzip
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import fitdecode
import polars as pl
import polars.selectors as cs
import pyarrow.parquet as pq
import pytest
from command import run_here
from recordings import Reading, at, make_recording, steady
from teams import team_readings

import pulsoid_rec.analysis as pr
from pulsoid_rec.analysis.notebook.explore import Excerpt
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import TABLES

MEMBERS = ("zoe-4711", "profile-of-yann-0815", "ida-x-2")
NAMES = ("Zo\u00eb Quux", "Yann Plugh", "Ida Xyzzy")
ROOM, ROOM_NAME, OTHER_ROOM = "gym-of-frobnitz", "Frobnitz Foobarium", "track-waldo"
CONNECTIONS = ("20260301T175959-deadbeef", "20260301T175959-cafebabe")
LABELS = ("kickoff-of-Zo", "goal <b>Quux</b> 1:0")
MARK_ID = "20260301T180009-f00dface"
SECRETS = (*MEMBERS, *NAMES, ROOM, ROOM_NAME, OTHER_ROOM, *CONNECTIONS, *LABELS, MARK_ID, "Grault", "thud-place")
PARTS = sorted({part for text in SECRETS for part in (text, text[:8], text.split()[-1])} - {"profile-", "1:0"})
DAYS = ("2026-03-01", str(int(at(0).timestamp()))[:-3])
"""When it was recorded, as a date and in seconds since 1970: no output has it where times are moved."""


pytestmark = [pytest.mark.process, pytest.mark.slow]  # pages and pictures are drawn


@pytest.fixture(scope="module", params=["--pseudonyms", "--shift-times"])
def option(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def db(option: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record three members in two rooms, with all that gives rise to notes, and texts that name them."""
    from contract_archives import archive_days  # noqa: PLC0415 - it loads what few of these tests need

    zoe, yann, ida = MEMBERS
    readings = [
        *steady(zoe, 120, 0, 900, ROOM),
        *steady(zoe, 0, 900, 960, ROOM),
        *steady(yann, 90, 100, 400, ROOM),
        *steady(yann, 140, 600, 800, ROOM),
        *steady(ida, 100, 0, 300, OTHER_ROOM),
        Reading(ROOM, ida, 77, at(-40 * 86_400), at(30)),
    ]
    path = make_recording(
        tmp_path_factory.mktemp("thud-place") / "Grault.duckdb",
        readings,
        member_events=[
            [ROOM, zoe, "updated", json.dumps({"name": NAMES[0], "x": "Grault"}), at(0), at(0), CONNECTIONS[0]],
            [ROOM, zoe, "removed", None, at(500), at(500), CONNECTIONS[0]],
            [ROOM, ida, "updated", json.dumps({"name": NAMES[2]}), at(1), at(1), CONNECTIONS[0]],
        ],
        room_events=[[ROOM, json.dumps({"name": ROOM_NAME}), at(0), at(0), CONNECTIONS[0]]],
        connection_events=[
            [ROOM, CONNECTIONS[0], "opened", at(0), None, None],
            [ROOM, CONNECTIONS[0], "lost", at(420), 1006, f"lost {MEMBERS[0]}"],
            [ROOM, CONNECTIONS[1], "opened", at(480), None, None],
        ],
    )
    with duckdb.connect(path) as connection:
        connection.execute(
            "INSERT INTO rejected_messages VALUES (?, ?, ?, ?, ?), (NULL, NULL, ?, 'damaged', ?)",
            [ROOM, CONNECTIONS[0], at(200), f"there is no kind {NAMES[1]!r}", NAMES[1], at(5), NAMES[2]],
        )
        for number, (room, who, label, kind, second) in enumerate(
            [
                (ROOM, zoe, LABELS[0], "phase", 9),
                (ROOM, None, LABELS[1], "mark", 50),
                (ROOM, yann, NAMES[1], "mark", 110),
                (ROOM, None, LABELS[1], "phase", 300),
                (ROOM, None, LABELS[1], "mark", 310),
                (ROOM, None, LABELS[1], "undo", 320),
                (OTHER_ROOM, ida, MEMBERS[2], "phase", 60),
            ]
        ):
            mark_id = MARK_ID if kind == "undo" or second == 310 else f"{MARK_ID}-{number}"
            row = [room, who, label, kind, at(second), mark_id]
            connection.execute("INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, 'cli')", row)
    tables = [f'["{id_}"]\nname = "{name}"\nbirth_year = 1990\n' for id_, name in zip(MEMBERS, NAMES, strict=True)]
    path.with_name("members.toml").write_text("\n".join([*tables, '[Grault]\nname = "Grault"']), encoding="utf-8")
    if option == "--shift-times":
        archive_days(path, path.parent / "archive", "b", lambda table, _: table.name != "marks")
    return path


def assert_no_secret(data: bytes | str, *also: str) -> None:
    """Look for every id and name, and for the first and last part of each, as text and as escaped JSON."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    folded = text.casefold()
    for part in (*PARTS, *also):
        for form in {part, json.dumps(part)[1:-1]}:
            place = folded.find(form.casefold())
            assert place < 0, f"{form!r} in ...{folded[max(0, place - 80) : place + 80]!r}"


def run(*arguments: str | Path, expected: int = 0) -> str:
    """Run a command, and check what it prints."""
    ended = run_here(*arguments, TZ="UTC")
    assert ended.returncode == expected, ended.stderr
    # Its own paths are in messages to the owner, and in no file.
    told = "\n".join(line for line in ended.stderr.splitlines() if not ("Wrote" in line or "Made" in line))
    assert_no_secret(ended.stdout + told, *(DAYS if "--shift-times" in arguments else []))
    return ended.stdout


@pytest.mark.parametrize("more", [(), ("--by-phase",)], ids=["by session", "by phase"])
@pytest.mark.parametrize("format_", ["table", "json", "html"])
def test_no_report_has_an_id_or_a_name(
    db: Path, tmp_path: Path, option: str, format_: str, more: tuple[str, ...]
) -> None:
    assert "P" in run("report", "--db", db, option, "--format", format_, *more)
    output = tmp_path / "out"
    run("report", "--db", db, option, "--session", "all", "--format", format_, "-o", output, *more)
    days = [*DAYS, f"{datetime.now(UTC):%Y-%m-%d}"]  # nor when it was made
    assert_no_secret(output.read_bytes(), *(days if option == "--shift-times" else []))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record two sessions of all three in one room, whose hearts beat alike but for one that never changes."""
    rows = [
        row
        for from_s in (0, 4000)
        for row in (
            *team_readings(420, dict.fromkeys(MEMBERS, 1.0), from_s, from_s, ROOM),
            *steady("thud-place", 70, from_s, from_s + 420, ROOM),
        )
    ]
    names = [
        [ROOM, id_, "updated", json.dumps({"name": name}), at(0), at(0), CONNECTIONS[0]]
        for id_, name in zip(MEMBERS, NAMES, strict=True)
    ]
    room = [[ROOM, json.dumps({"name": ROOM_NAME}), at(0), at(0), CONNECTIONS[0]]]
    folder = tmp_path_factory.mktemp("thud-place")
    return make_recording(folder / "Grault.duckdb", rows, member_events=names, room_events=room)


@pytest.mark.parametrize("format_", ["table", "json", "html"])
def test_no_figure_of_a_group_has_one(team: Path, tmp_path: Path, option: str, format_: str) -> None:
    output = tmp_path / "out"
    command = ("together", "--db", team, option, "--session", "all", "--measure", "isc", "--format", format_)
    assert len(set(re.findall(r"\bP[0-9A-Z]{7}\b", run(*command)))) >= len(MEMBERS)
    run(*command, "-o", output)
    days = [*DAYS, f"{datetime.now(UTC):%Y-%m-%d}"]  # nor when it was made
    assert_no_secret(output.read_bytes(), *(days if option == "--shift-times" else []))
    assert_no_secret(run(*command, "--member", NAMES[0], expected=2))


@pytest.mark.parametrize("format_", ["table", "json", "html"])
def test_no_responses_have_one(db: Path, tmp_path: Path, option: str, format_: str) -> None:
    output = tmp_path / "out"
    run("responses", LABELS[1], "--db", db, option, "--format", format_, "-o", output)
    assert b"P" in output.read_bytes()
    days = [*DAYS, f"{datetime.now(UTC):%Y-%m-%d}"]  # nor when it was made
    assert_no_secret(output.read_bytes(), *(days if option == "--shift-times" else []))
    assert_no_secret(run_here("responses", NAMES[2], "--db", db, option, TZ="UTC").stderr)


def test_no_list_of_sessions_has_one(db: Path, option: str) -> None:
    for format_ in ("table", "json"):
        assert "R" in run("sessions", "--db", db, option, "--format", format_)


@pytest.mark.parametrize("table", [*(table.name for table in TABLES), "summary", "summary by phase"])
def test_no_export_has_one(db: Path, tmp_path: Path, option: str, table: str) -> None:
    day = DAYS if option == "--shift-times" else ()
    chosen = ["summary", "--by-phase"] if table == "summary by phase" else [table]
    for name, more in (("a.csv", ()), ("b.csv", ("--excel",)), ("c.parquet", ())):
        output = tmp_path / name
        run("export", "--db", db, option, "--table", *chosen, *more, "-o", output)
        assert_no_secret(output.read_bytes(), *day)
    rows = pq.read_table(tmp_path / "c.parquet")  # whose pages are compressed
    assert rows.num_rows > 0
    assert_no_secret(f"{rows.to_pylist()} {rows.schema.metadata}".encode())
    frame = pl.read_parquet(tmp_path / "c.parquet")
    assert_no_secret(frame.write_csv() + frame.select(cs.datetime().dt.epoch("s")).write_csv(), *day)


@pytest.mark.parametrize("format_", ["fit", "bids"])
def test_no_folder_of_an_export_has_one(db: Path, tmp_path: Path, option: str, format_: str) -> None:
    output = tmp_path / "out"
    run("export", "--db", db, option, "--format", format_, "-o", output)
    files = [path for path in output.rglob("*") if path.is_file()]
    assert len(files) > 2
    hides_days = format_ == "bids" or option == "--shift-times"  # BIDS has no dates unless they are moved
    for path in files:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert_no_secret(f"{path.relative_to(output)} ".encode() + data, *(DAYS if hides_days else ()))
        if format_ == "fit":
            with fitdecode.FitReader(path) as reader:
                head = next(frame for frame in reader if frame.frame_type == fitdecode.FIT_FRAME_DATA)
            assert (head.get_value("time_created") < at(-6 * 86_400)) == hides_days


def test_a_pseudonym_is_the_same_in_every_output_and_chooses_as_the_id_does(db: Path, tmp_path: Path) -> None:
    rows = json.loads(run("report", "--db", db, "--pseudonyms", "--session", "all", "--format", "json"))
    run("export", "--db", db, "--pseudonyms", "-o", tmp_path / "a.csv")
    exported = pl.read_csv(tmp_path / "a.csv")
    assert {row["profile_id"] for row in rows} == set(exported["profile_id"])
    assert {row["profile_id"] for row in rows} == {row["name"] for row in rows}
    order = [(row["room_id"], row["session"], row["profile_id"]) for row in rows]
    assert order == sorted(order), "their names' order would tell who is who"
    [room] = {row["room_id"] for row in rows if row["name"] not in {r["name"] for r in rows if r["session"] > 1}} & {
        str(exported.filter(pl.col("bpm") == 140)["room_id"][0])
    }
    for typed in (room, ROOM):
        chosen = json.loads(run("sessions", "--db", db, "--pseudonyms", "--room", typed, "--format", "json"))
        assert {row["room_id"] for row in chosen} == {room}
    other = json.loads(run("sessions", "--db", db, "--pseudonym-key", tmp_path / "other.key", "--format", "json"))
    assert not {row["room_id"] for row in other} & {row["room_id"] for row in rows}


def test_what_is_not_found_is_not_said_back_by_its_name(db: Path) -> None:
    for room in ("Waldo Street", ROOM_NAME):
        assert_no_secret(run("report", "--db", db, "--pseudonyms", "--room", room))
    run("report", "--db", db, "--shift-times", "--session", "99")
    run("report", "--db", db, "--shift-times", "--since", "2h", expected=2)


def test_a_members_file_with_a_mistake_is_refused_without_saying_whose(db: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(f'["{MEMBERS[0]}"]\nnaem = "{NAMES[0]}"\n', encoding="utf-8")
    run("report", "--db", db, "--pseudonyms", "--members", broken, expected=2)


def test_the_key_is_not_written_over_and_in_no_output(db: Path, tmp_path: Path) -> None:
    key = tmp_path / "a.key"
    run("report", "--db", db, "--pseudonym-key", key)
    content = key.read_text("ascii").strip()
    page = run("report", "--db", db, "--pseudonym-key", key, "--format", "html")
    assert content not in page
    ended = run_here("report", "--db", db, "--pseudonym-key", key, "-o", key, "--force")
    assert ended.returncode == 2
    assert "is the key of pseudonyms" in ended.stderr
    assert key.read_text("ascii").strip() == content


@pytest.fixture(scope="module")
def excerpt(option: str, db: Path, tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    key = tmp_path_factory.mktemp("key") / "a.key"
    return pr.explore(db, pseudonyms=key, shift_times=option == "--shift-times")


def shown(excerpt: Excerpt) -> Iterator[tuple[str, Any]]:
    frames = ("rooms", "sessions", "members", "summary", "notes", "grid", "readings", "time_at_bpm")
    for name in (*frames, "member_events", "room_events", "connection_events", "marks", "phases", "by phase"):
        frame = excerpt.summary(by_phase=True) if name == "by phase" else getattr(excerpt, name)()
        frame = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
        assert not frame.is_empty(), name
        yield name, frame.write_json() + frame._repr_html_() + frame.select(cs.datetime().dt.epoch("s")).write_json()
    yield "repr", f"{excerpt!r} {excerpt._repr_html_()} {excerpt.recording.pseudonyms!r}"


def test_no_frame_of_a_notebook_has_one(excerpt: Excerpt) -> None:
    for name, text in shown(excerpt):
        assert_no_secret(f"{name} {text}", *(DAYS if excerpt.recording.is_moved else []))


def test_no_frame_and_no_chart_of_a_group_has_one(
    team: Path, option: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = tmp_path_factory.mktemp("key") / "a.key"
    is_moved = option == "--shift-times"
    together = pr.explore(team, pseudonyms=key, shift_times=is_moved).together(measures=["isc"])
    days = DAYS if is_moved else ()
    for frame in (together.figures, together.course):
        assert frame["other_name"].n_unique() > 2
        assert_no_secret(frame.write_json() + frame.select(cs.datetime().dt.epoch("s")).write_json(), *days)
    assert_no_secret(f"{together!r} {together._repr_html_()}", *days)
    for drawn in (together.pairs_chart(), together.course_chart()):
        assert_no_secret(drawn.to_json(), *days)


@pytest.mark.parametrize("chart", ["timeline", "zone_bars", "distribution", "small_multiples", "calendar", "history"])
def test_no_chart_of_a_notebook_has_one(excerpt: Excerpt, chart: str) -> None:
    pr.show_offline()
    drawn = getattr(excerpt.only(member=MEMBERS[0]) if chart == "history" else excerpt, chart)()
    assert_no_secret(drawn.to_json(), *(DAYS if excerpt.recording.is_moved else []))
    bundle = drawn._repr_mimebundle_()
    outputs, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    assert_no_secret(json.dumps([{kind: str(of) for kind, of in outputs.items()}, metadata], ensure_ascii=False))
    assert_no_secret(b64decode(outputs["image/png"]))


def test_a_part_is_chosen_by_pseudonym_or_id_and_an_error_lists_pseudonyms(excerpt: Excerpt) -> None:
    [who] = excerpt.only(member=MEMBERS[1]).members()["profile_id"].unique()
    assert excerpt.only(member=who).members()["name"].unique().to_list() == [who]
    for choice in ({"member": NAMES[0]}, {"room": ROOM_NAME}):
        with pytest.raises(UsageError) as caught:
            excerpt.only(**choice)
        assert_no_secret(str(caught.value))


def test_with_moved_times_neither_sql_nor_a_range_gives_the_true_ones_away(excerpt: Excerpt) -> None:
    if excerpt.recording.is_moved:
        with pytest.raises(UsageError, match="SQL finds times as they were recorded"):
            excerpt.sql("FROM heart_rate")
        with pytest.raises(UsageError, match="A range of time gives away"):
            excerpt.only(since=DAYS[0])
    else:
        assert_no_secret(excerpt.sql("FROM heart_rate").write_csv() + excerpt.sql("FROM member_events").write_csv())


def test_moved_rows_are_ordered_by_room_so_that_their_order_gives_nothing_away(db: Path, tmp_path: Path) -> None:
    run("export", "--db", db, "--shift-times", "-o", tmp_path / "a.csv")
    rooms = pl.read_csv(tmp_path / "a.csv")["room_id"]
    assert rooms.is_sorted()
    assert rooms.n_unique() == 2


def test_a_notebook_says_where_it_made_the_key(db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pr.explore(db, pseudonyms=tmp_path / "a.key")
    pr.explore(db, pseudonyms=tmp_path / "a.key")
    assert capsys.readouterr().err.count(f"Made {tmp_path / 'a.key'}, the key of these pseudonyms.") == 1


def test_marks_and_phases_are_chosen_by_pseudonym_or_label_and_an_error_lists_pseudonyms(
    db: Path, option: str, excerpt: Excerpt
) -> None:
    hidden = excerpt.recording.pseudonyms
    assert hidden is not None
    assert set(hidden.make("label", [*LABELS, NAMES[1], MEMBERS[2]])) == set(excerpt.marks()["label"])
    if option == "--shift-times":
        run("report", "--db", db, option, "--since", f"mark:{LABELS[0]}", expected=2)
        with pytest.raises(UsageError, match="A range of time gives away"):
            excerpt.only(session=1, phase=LABELS[0])
        return
    [label] = hidden.make("label", LABELS[:1])
    for typed in (label, LABELS[0]):
        part = excerpt.only(room=ROOM, session="latest", phase=typed)
        assert_no_secret(f"{part!r} {part._repr_html_()} {part.summary().write_json()} {part.notes().write_json()}")
    for choice in ({"phase": "half-time of Nobody"}, {"since": "mark:half-time of Nobody"}):
        with pytest.raises(UsageError) as caught:
            excerpt.only(room=ROOM, session="latest", **choice)
        assert_no_secret(str(caught.value))
    assert "P" in run("report", "--db", db, option, "--since", f"mark:{LABELS[0]}", "--format", "html")
    run("report", "--db", db, option, "--since", "mark:nothing", expected=2)
