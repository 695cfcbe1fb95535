"""`pulsoid-rec responses`: table, JSON and page, and what is wrong with its options."""

import json
import re
from functools import partial
from pathlib import Path

import duckdb
import pytest
from command import run_here
from recordings import at, make_recording, reading

import pulsoid_rec.analysis as pr
from pulsoid_rec.recorder.contract.errors import UsageError

IDS = {
    f"{letter}0c9c1e{letter}-6f0b-4a53-9a52-2d5a0c7c3d1{letter}": name
    for letter, name in zip("ab", ("Ann", "<Bo>"), strict=True)
}
MARKS = (100, 260, 400)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members with names, whose heart rates rise after each of three marks of the room."""
    rows = [
        reading(s, 80 + 10 * place + 8 * any(0 < s - mark < 20 for mark in MARKS) + s % 3, id_, "room-of-secrets", 0)
        for s in range(600)
        for place, id_ in enumerate(IDS)
    ]
    events = [
        ["room-of-secrets", id_, "updated", json.dumps({"name": name}), at(1), at(1), "c1"] for id_, name in IDS.items()
    ]
    path = make_recording(tmp_path_factory.mktemp("cli") / "file-of-secrets.duckdb", rows, member_events=events)
    with duckdb.connect(path) as connection:
        for second in MARKS:
            row = ["room-of-secrets", None, "goal </script>", "mark", at(second), f"m{second}", "cli"]
            connection.execute("INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return path


def test_the_table_has_members_their_mean_the_p_and_what_it_does_not_show(db: Path) -> None:
    done = run_here("responses", "goal </script>", "--db", db)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 3 marks used, in 1 session, of 2 members" in done.stdout
    mean = re.search(r"^ Mean over members +(.*) +6 +0 +0$", done.stdout, re.MULTILINE)
    assert mean is not None
    assert [float(change) for change in mean[1].split()][2:4] == pytest.approx([8, 8], abs=1.1)
    tries = re.search(r"gave as much in (\d+) of 1,000 tries: p = (0\.\d{3})\.", " ".join(done.stdout.split()))
    assert tries is not None
    assert f"{(1 + int(tries[1])) / 1001:.3f}" == tries[2]
    for text in ("<Bo>", "A response is no cause", "Seed: 0", "farthest from chance"):
        assert text in done.stdout


def test_json_is_one_object_that_equals_the_notebook(db: Path) -> None:
    done = run_here("responses", "goal </script>", "--db", db, "--format", "json", "--baseline", "-20", "-10")
    (found,) = json.loads(done.stdout)
    shown = pr.explore(db).responses("goal </script>", baseline_s=(-20, -10))
    assert (found,) == tuple(shown.frame().to_dicts())
    assert (found["p"], found["baseline_s"]) == (shown.p, [-20, -10])
    assert len(found["course"]) == 3 * 91
    assert shown.course().height == 3 * 91
    assert found["members"] == shown.members().to_dicts()
    assert "farthest from chance" in repr(shown)


def test_one_member_by_name_other_seconds_and_seed(db: Path) -> None:
    options = ("--member", "ann", "--before", "20", "--after", "40", "--baseline", "-20", "0", "--seed", "7")
    (found,) = json.loads(run_here("responses", "goal </script>", "--db", db, "--format", "json", *options).stdout)
    assert [each["name"] for each in found["members"]] == ["Ann"]
    assert (found["seed"], found["surrogates"], len(found["course"])) == (7, 1000, 2 * 61)


@pytest.mark.process
def test_the_page_names_members_and_neither_ids_nor_the_file(db: Path, tmp_path: Path) -> None:
    page = tmp_path / "responses.html"
    done = run_here("responses", "goal </script>", "--db", db, "-o", page)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    html = page.read_text(encoding="utf-8")
    for secret in (*IDS, "file-of-secrets", "room-of-secrets", str(tmp_path)):
        assert secret[:8] not in html, secret
    for text in ("Ann", "&lt;Bo&gt;", "p = 0.0", "What it does not show", "Licenses of the programs", 'id="responses"'):
        assert text in html
    assert html.count("</script>") == html.count("<script")
    chart = pr.explore(db).responses("goal </script>").chart()
    assert not [id_ for id_ in IDS if id_ in chart.to_json()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("goal",), "There is no mark 'goal'. The latest are goal </script>."),
        (("goal </script>", "--after", "0"), "after cannot be 0 s"),
        (("goal </script>", "--before", "20"), "A baseline from -30 to -5 s is not in the 20 s before the mark"),
        (("goal </script>", "--surrogates", "999"), "Invalid value for '--surrogates'"),
        (("goal </script>", "--member", "Cy"), "There is no member 'Cy'"),
    ],
)
def test_what_is_wrong_is_one_sentence(db: Path, options: tuple[str, ...], message: str) -> None:
    done = run_here("responses", *options, "--db", db)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_too_few_shifts_are_refused_in_a_notebook_too(db: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        pr.explore(db).responses("goal </script>", surrogates=10)
    with pytest.raises(UsageError, match=r"^10,000 shifts of 1,201 s are too many for memory. Choose 3,330 or fewer"):
        pr.explore(db).responses("goal </script>", surrogates=10_000, before_s=600, after_s=600)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_is_none_is_refused_in_a_notebook_too(db: Path, seed: int) -> None:
    excerpt = pr.explore(db)
    for compute in (partial(excerpt.responses, "goal </script>"), excerpt.together):
        with pytest.raises(UsageError, match=f"^The seed cannot be {seed}. Choose"):
            compute(seed=seed)
    for command in (("responses", "goal </script>"), ("together",)):
        done = run_here(*command, "--db", db, "--seed", str(seed))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_without_a_mark_that_can_be_used_only_the_reason_is_shown(db: Path) -> None:
    shown = run_here("responses", "goal </script>", "--db", db, "--until", at(105).isoformat()).stdout
    assert "No mark could be used: an interval and a test need at least 2." in shown
    assert "2 windows of 2 left out" in shown
    assert not re.search("Member|does not show|How it was computed", shown)


def test_no_session_is_no_error(db: Path) -> None:
    done = run_here("responses", "goal </script>", "--db", db, "--session", "9")
    assert (done.returncode, done.stdout) == (0, "")
    assert "session 9" in done.stderr
    assert run_here("responses", "goal", "--db", db, "--session", "9", "--format", "json").stdout == "[]\n"
