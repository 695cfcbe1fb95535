"""Withdrawn consent of somebody who is in a recording is a hint, with the command that removes them."""

from pathlib import Path

import pytest
from command import run_here
from recordings import make_recording, steady

import pulsoid_rec.analysis as pr
from pulsoid_rec.analysis.findings.withdrawn import describe_withdrawn

COMMAND = (
    "The consent of Ann B., bob is withdrawn, but this recording has rows of theirs:"
    ' `pulsoid-rec forget "Ann B." "bob"`'
)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = make_recording(tmp_path / "a.duckdb", [*steady("ann", 90, 0, 60), *steady("bob", 80, 0, 60)])
    lines = (
        '[ann]\nname = "Ann B."\nconsent = "withdrawn"\n[bob]\nconsent = "withdrawn"\n[cid]\nconsent = "withdrawn"\n'
    )
    path.with_name("members.toml").write_text(lines, encoding="utf-8")
    return path


def test_a_report_a_list_of_sessions_and_a_notebook_say_whose_consent_is_withdrawn(db: Path) -> None:
    for command in ("report", "sessions"):
        assert COMMAND in run_here(command, "--db", db).stderr
    assert COMMAND in run_here("report", "--db", db, "--format", "json").stderr
    assert any(COMMAND in text for text in pr.explore(db).notes()["text"])


def test_a_list_of_sessions_needs_no_valid_members_file(db: Path) -> None:
    db.with_name("members.toml").write_text("[", encoding="utf-8")
    done = run_here("sessions", "--db", db)
    assert (done.returncode, done.stderr) == (0, "")


def test_with_pseudonyms_nobody_is_named(db: Path) -> None:
    for command in ("report", "sessions"):
        told = run_here(command, "--db", db, "--pseudonyms").stderr
        assert "The consent of 2 members in this recording is withdrawn: before sharing it, remove them with" in told
        assert "Ann" not in told


def test_nobody_in_the_recording_is_no_hint() -> None:
    assert describe_withdrawn({"cid": "Cid"}, {"ann"}, is_hidden=False) is None
    assert describe_withdrawn({}, {"ann"}, is_hidden=False) is None


def test_a_name_that_a_shell_would_take_for_more_is_quoted() -> None:
    text = describe_withdrawn({"ann": '$(rm "x")'}, {"ann"}, is_hidden=False)
    assert text is not None
    assert text.endswith("""`pulsoid-rec forget '$(rm "x")'` removes them""")
