"""`members.toml` as it is checked: consent is a day or `withdrawn`, and an error says what it can be."""

from datetime import date
from pathlib import Path

import pytest

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.members_file import find_members_file, parse_members, read_members_file


@pytest.mark.parametrize(
    ("line", "expected"),
    [("consent = 2026-03-01", date(2026, 3, 1)), ('consent = "withdrawn"', "withdrawn"), ("", None)],
)
def test_consent_is_a_day_or_withdrawn_or_missing(line: str, expected: object) -> None:
    assert parse_members(f"[ann]\n{line}\n", "m.toml")["ann"].consent == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"2026-03-01"', "'2026-03-01'"),  # a text
        ('"Withdrawn"', "'Withdrawn'"),
        ("true", "'True'"),
        ("2026-03-01T10:00:00Z", "'2026-03-01 10:00:00+00:00'"),
        ("2026", "'2026'"),
        ("[]", r"'\[\]'"),
    ],
)
def test_any_other_consent_is_refused_and_the_message_has_an_example(value: str, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_members(f"[ann]\nconsent = {value}\n", "m.toml")
    assert str(caught.value).startswith("m.toml, member 'ann': consent cannot be " + shown.replace("\\", ""))
    assert 'such as 2026-03-01, or "withdrawn"' in str(caught.value)


def test_a_mistyped_key_is_guessed() -> None:
    with pytest.raises(UsageError, match=r"unknown key 'consnet'. Did you mean 'consent'\?"):
        parse_members("[ann]\nconsnet = 2026-03-01\n", "m.toml")


def test_the_file_named_goes_before_the_one_beside_the_database(tmp_path: Path) -> None:
    database, beside = tmp_path / "a.duckdb", tmp_path / "members.toml"
    assert find_members_file(database) is None
    beside.write_text("[ann]\nconsent = 2026-03-01\n", encoding="utf-8-sig")
    assert find_members_file(database) == beside
    assert find_members_file(database, tmp_path / "b.toml") == tmp_path / "b.toml"
    assert list(read_members_file(beside)) == ["ann"]
