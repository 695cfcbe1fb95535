"""`pulsoid-rec together`: figures of a whole group, on the screen, as JSON, and as a page."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from command import run_here, run_on_terminal
from recordings import make_recording, steady
from teams import team_readings

import pulsoid_rec.analysis as pr
from pulsoid_rec.analysis.cli.app import COMMANDS
from pulsoid_rec.analysis.group import sessions_together
from pulsoid_rec.analysis.group.figures import SCHEMA
from pulsoid_rec.analysis.group.sessions_together import Choices, measure_groups, read_groups
from pulsoid_rec.analysis.group.synchrony import TogetherResult
from pulsoid_rec.analysis.group.together import MEASURES, measure_together, parse_measures
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.report.together_words import LABELS

pytestmark = pytest.mark.process  # the scripts of a page are put together by another process

TEAM = {"ann": 1.0, "bob": 1.0, "cid": 1.0}
STRANGERS = {"ann": 0.0, "bob": 0.0, "cid": 0.0}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record a team that moves as one, then strangers in the same room, and a member alone in another one."""
    rows = [
        *team_readings(480, TEAM),
        *team_readings(480, STRANGERS, from_s=4000),
        *steady("eve", 80, 0, 600, room="alone"),
    ]
    return make_recording(tmp_path_factory.mktemp("together") / "a.duckdb", rows)


def rows_of(*options: str | Path) -> list[dict[str, object]]:
    done = run_here("together", *options, "--format", "json", TZ="UTC")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def figures(db: Path) -> list[dict[str, object]]:
    return rows_of("--db", db, "--room", "r1", "--session", "all")


def test_json_has_a_row_a_figure_keyed_as_the_columns(figures: list[dict[str, object]]) -> None:
    assert all(list(row) == list(SCHEMA) for row in figures)
    group = [(row["session"], row["measure"]) for row in figures if row["figure"] == "group"]
    assert group == [(session, measure) for session in (1, 2) for measure in MEASURES]
    pairs = [(row["name"], row["other_name"]) for row in figures if (row["figure"], row["measure"]) == ("pair", "isc")]
    assert pairs == 2 * [("ann", "bob"), ("ann", "cid"), ("bob", "cid")]
    assert {row["name"] for row in figures if row["figure"] == "member"} == set(TEAM)
    assert {row["preparation"] for row in figures} == {"high-pass"}
    assert all(row["parameters"] for row in figures)


def test_the_share_that_is_measured_grows_to_the_whole(db: Path) -> None:
    shares = list[float]()
    wanted, choices = Filter(rooms=("r1",)), Choices(measures=parse_measures(["isc"]))
    recording = Recording(db)
    groups = read_groups(recording, wanted, Definitions())
    assert len(measure_groups(groups, choices, recording, show_progress=shares.append)) == 2
    assert shares == [0.25, 0.5, 0.75, 1]


def test_a_recorder_can_write_while_groups_are_measured(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = list[str]()

    def write_meanwhile(*groups: Any, **options: Any) -> TogetherResult:
        with duckdb.connect(str(db)) as connection:  # refused while a reader has the file open
            connection.execute("CREATE OR REPLACE TEMP TABLE written AS SELECT 1")
        written.append(options["preparation"])
        return measure_together(*groups, **options)

    monkeypatch.setattr(sessions_together, "measure_together", write_meanwhile)
    command = ("--db", db, "--room", "r1", "--measure", "isc")
    assert run_here("together", *command).returncode == 0
    pr.explore(db).only(room="r1", session=1).together(measures=["isc"])
    assert len(written) == 2


def test_a_team_that_moves_as_one_is_told_from_strangers(figures: list[dict[str, object]]) -> None:
    p = {(row["session"], row["measure"]): row["p"] for row in figures if row["figure"] == "group"}
    assert all(p[1, measure] < 0.02 for measure in MEASURES)  # type: ignore[operator] # a number
    assert p[2, "isc"] > 0.05  # type: ignore[operator] # a number
    value = {row["session"]: row["value"] for row in figures if (row["measure"], row["figure"]) == ("isc", "group")}
    assert value[1] > 0.4  # type: ignore[operator] # a number
    assert value[2] < 0.2  # type: ignore[operator] # a number


def test_members_of_other_sessions_are_put_together_as_pseudo_groups(
    db: Path, figures: list[dict[str, object]]
) -> None:
    pseudo = {(row["session"], row["measure"]): row for row in figures if row["figure"] == "pseudo_groups"}
    assert set(pseudo) == {(session, measure) for session in (1, 2) for measure in MEASURES}
    of_team = pseudo[1, "isc"]
    assert of_team["value"] > of_team["chance_p95"] > -0.5  # type: ignore[operator] # a number
    done = run_here("together", "--db", db, "--room", "r1", "--session", "1", "--measure", "isc")
    text = " ".join(done.stdout.split())
    assert "pseudo-groups of 2 members, each of another session, who share a programme at most" in text
    assert "They are too few for p < 0.05." in text
    assert re.search(r"ISC .*\n - pseudo-groups +0\.\d{3}", done.stdout)


def test_without_other_sessions_or_in_a_range_of_time_there_are_no_pseudo_groups(db: Path) -> None:
    whole = ("--since", "2026-03-01T18:00:00Z", "--until", "2026-03-01T18:08:00Z")
    rows = rows_of("--db", db, "--room", "r1", "--measure", "isc", *whole)
    assert rows[0]["value"] is not None
    assert "pseudo_groups" not in {row["figure"] for row in rows}


def test_the_same_seed_gives_the_same_figures_and_another_one_other_chances(db: Path) -> None:
    options = ("--db", db, "--room", "r1", "--session", "2", "--measure", "isc")
    first, again, other = (rows_of(*options, *seed) for seed in ((), (), ("--seed", "7")))
    assert first == again
    assert [row["value"] for row in first] == [row["value"] for row in other]
    assert [row["chance"] for row in first] != [row["chance"] for row in other]


def test_only_the_measures_and_members_that_are_wanted(db: Path) -> None:
    rows = rows_of(
        "--db", db, "--session", "1", "--room", "r1", "--measure", " wcc , isc", "--member", "ANN", "--member", "cid"
    )
    assert list(dict.fromkeys(row["measure"] for row in rows)) == ["isc", "wcc"]
    assert {row["members"] for row in rows} == {2}
    assert {row["other_name"] for row in rows} == {None, "cid"}


def test_the_preparation_is_an_option(db: Path) -> None:
    by = {
        name: rows_of("--db", db, "--room", "r1", "--measure", "isc", "--preparation", name)[0]["value"]
        for name in ("high-pass", "differences", "raw")
    }
    assert len(set(by.values())) == 3


def test_the_table_fits_a_narrow_terminal_and_says_what_it_does_not_show(db: Path) -> None:
    code, shown, errors = run_on_terminal(
        "together", "--db", db, "--room", "r1", "--session", "1", columns=80, TZ="UTC"
    )
    assert (code, errors) == (0, b"")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "Session 1 of r1, 2026-03-01 18:00:00 to 18:07:59 (UTC)." in text
    assert "More alike than by chance (p < 0.05) by 5 of 5 measures" in text
    for label in LABELS.values():
        assert re.search(rf"{re.escape(label)} +\d\.\d{{3}} +-?\d\.\d{{3}} +\d\.\d{{3}} +\d+\.\d +0\.00\d", text), label
    assert "3 members compared over 7 min" in text
    assert " pairs, by ISC: " in text
    assert "a common stimulus" in text
    assert "1,000 surrogates, seed 0" in text


def test_one_alone_is_told_why_there_is_no_figure(db: Path) -> None:
    done = run_here("together", "--db", db, "--room", "alone")
    assert done.returncode == 0
    assert "Fewer than two members were observed for long enough." in done.stdout
    [first, *_] = rows_of("--db", db, "--room", "alone")
    assert first["value"] is None
    assert first["reason"] == "Fewer than two members were observed for long enough."


def test_too_short_a_time_is_told(db: Path) -> None:
    done = run_here(
        "together", "--db", db, "--room", "r1", "--since", "2026-03-01T18:00:00Z", "--until", "2026-03-01T18:04:00Z"
    )
    assert done.returncode == 0
    assert "at least 5 min are needed" in done.stdout
    assert not re.search("Before you trust|How it was computed", done.stdout)


def test_nothing_that_matches_is_no_error_and_lists_what_exists(db: Path) -> None:
    for format_, stdout in (("json", "[]\n"), ("table", ""), ("html", "")):
        done = run_here("together", "--db", db, "--session", "9", "--format", format_)
        assert (done.returncode, done.stdout) == (0, stdout)
        assert "No readings match session 9" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--measure", "isc,love"],
            "There is no measure 'love'. The measures are isc, eigenvalue, wcc, wcc-absolute, mdrqa.",
        ),
        (["--surrogates", "10"], "--surrogates"),
        (["--preparation", "none"], "--preparation"),
        (["--member", "Nobody"], "There is no member 'Nobody'"),
        (["-o", "no-such-folder/a.html"], "There is no folder no-such-folder"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(db: Path, options: list[str], words: str) -> None:
    done = run_here("together", "--db", db, "--room", "r1", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_page_has_figures_charts_and_method(db: Path, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    done = run_here(
        "together", "--db", db, "--room", "r1", "--session", "all", "--measure", "isc", "-o", page, TZ="UTC"
    )
    assert done.returncode == 0, done.stderr
    html = page.read_text(encoding="utf-8")
    drawn = json.loads(re.search(r'<script type="application/json" id="charts">(.*?)</script>', html, re.DOTALL)[1])  # type: ignore[index] # it is there
    assert [chart["id"] for chart in drawn["charts"]] == [
        f"s{i}-{kind}" for i in (0, 1) for kind in ("time", "course", "pairs")
    ]
    for words in (
        "Session 2 of r1, 2026",
        "Session 2: Over time",
        "Nastase et al. 2019",
        "seed 0",
        "a common stimulus",
    ):
        assert words in html, words
    assert "More alike than by chance (p &lt; 0.05) by ISC." in html


def test_a_notebook_has_the_same_figures(db: Path, figures: list[dict[str, object]]) -> None:
    together = pr.explore(db).only(room="r1").together(measures=["isc"])
    assert together.figures.to_dicts() == [row for row in figures if row["measure"] == "isc"]
    assert together.table.height == 2
    assert together.members["name"].unique().sort().to_list() == sorted(TEAM)
    assert together.pairs.filter(measure="isc").height == 6
    course = together.course
    group = course.filter(pl.col("session") == 1, pl.col("name").is_null())
    assert group["started_at"][0].isoformat() == "2026-03-01T18:00:00+00:00"
    assert group.height == 16
    assert any("clocks" in text for text in together.cautions)


def test_the_command_is_listed() -> None:
    assert "together" in [command.__name__ for command in COMMANDS]
