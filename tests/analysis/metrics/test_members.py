"""`members.toml`: what may stand in it, and what is said of what may not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import at, make_recording, reading

from pulsoid_rec.analysis.metrics.members import SCHEMA, labels
from pulsoid_rec.analysis.reading.members_file import read_members
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.display import look_of
from pulsoid_rec.recorder.contract.errors import UsageError

GOOD = """
# The team
["user-1"]
name = " Ann "
birth_year = 1990
sex = "female"
hr_max = 188.5
hr_rest = 52

[user-2]

["user \\u00fc.3"]
name = "<script>"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "members.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_that_is_said_of_members_is_read(tmp_path: Path) -> None:
    members = read_members(written(tmp_path, GOOD))
    assert members.schema == SCHEMA
    assert members.rows() == [
        ("user-1", "Ann", 1990, "female", 188.5, 52.0),
        ("user-2", None, None, None, None, None),
        ("user ü.3", "<script>", None, None, None, None),
    ]


def test_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_members(written(tmp_path, "\ufeff")).is_empty()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[u]\nbirth_yaer = 1990", ["'u'", "'birth_yaer'", "'birth_year'"]),
        ("[u]\nhrmax = 190", ["'hrmax'", "'hr_max'"]),
        ("[u]\nweight = 70", ["'weight'", "hr_rest"]),
        ('[u]\nhr_max = "fast"', ["hr_max", "'fast'", "60 to 250"]),
        ("[u]\nhr_max = true", ["hr_max", "True"]),
        ("[u]\nhr_max = nan", ["hr_max"]),
        ("[u]\nhr_max = 20", ["hr_max", "20"]),
        ("[u]\nhr_rest = 300", ["hr_rest", "300"]),
        ("[u]\nhr_max = 100\nhr_rest = 100", ["'u'", "hr_rest"]),
        ("[u]\nbirth_year = 1990.5", ["birth_year"]),
        ("[u]\nbirth_year = 1850", ["birth_year", "1850"]),
        (f"[u]\nbirth_year = {datetime.now(UTC).year + 1}", ["birth_year"]),
        ('[u]\nsex = "f"', ["sex", "female"]),
        ("[u]\nname = 5", ["name", "5"]),
        ('[u]\nname = " "', ["name"]),
        ('name = "Ann"', ["'name'", "profile id"]),
        ('[u]\nname = "Ann', ["line 2"]),
        ("[u]\n[u]", ["line 2"]),
    ],
)
def test_mistake_is_told_with_what_to_do(tmp_path: Path, text: str, words: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_members(path)
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "members.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_members(path)
    with pytest.raises(UsageError, match=r"Cannot read .*: no such file"):
        read_members(tmp_path / "none.toml")


def test_name_is_the_files_else_the_latest_configs_else_the_ids_beginning(tmp_path: Path) -> None:
    events: list[list[Any]] = [
        ["r1", "u-config-1", "updated", '{"name": "Old"}', at(0), at(0), "c"],
        ["r1", "u-config-1", "updated", '{"name": "New"}', at(9), at(9), "c"],
        ["r1", "u-config-1", "updated", '{"name": 7}', at(10), at(10), "c"],
        ["r1", "u-config-1", "updated", '{"name": "  "}', at(11), at(11), "c"],
        ["r1", "u-config-1", "updated", '{"color": "red"}', at(12), at(12), "c"],
        ["r1", "u-config-1", "removed", None, at(13), at(13), "c"],
        ["r1", "u-file-123", "updated", '{"name": "Config"}', at(0), at(0), "c"],
        ["r1", "u-nothing-1", "updated", '["name"]', at(0), at(0), "c"],
        ["r2", "u-nothing-1", "updated", '{"name": "Elsewhere"}', at(0), at(0), "c"],
    ]
    events += [
        ["r1", "u-invisible", "updated", '{"name": "Old"}', at(0), at(0), "c"],
        ["r1", "u-invisible", "updated", '{"name": "\\u2800\\u3164"}', at(1), at(1), "c"],
    ]
    readings = [reading(0, 80, id_) for id_ in ("u-config-1", "u-file-123", "u-nothing-1", "u-invisible")]
    recording = Recording(make_recording(tmp_path / "a.duckdb", readings, member_events=events))
    members = read_members(written(tmp_path, '[u-file-123]\nname = "File"'))
    names = dict(recording.summary(members=members).select("profile_id", "name").iter_rows())
    assert names == {"u-config-1": "New", "u-file-123": "File", "u-nothing-1": "u-nothin", "u-invisible": "u-invisi"}


def test_a_rooms_name_without_a_visible_character_is_none(tmp_path: Path) -> None:
    events = [[room, f'{{"name": "{name}"}}', at(0), at(0), "c"] for room, name in (("r1", "\\u00ad"), ("r2", "Gym"))]
    recording = Recording(make_recording(tmp_path / "a.duckdb", [reading(0, 80, "a")], room_events=events))
    assert recording.rooms().rows() == [("r1", None), ("r2", "Gym")]
    assert recording.room_names() == {"r2": "Gym"}


def test_members_whose_names_look_the_same_have_labels_that_do_not() -> None:
    names = {
        "id-1-long-id": "Zo\u00eb",
        "id-2-long-id": "Zoe\u0308",
        "id-3-long-id": "Zo\u00ad\u00eb",
        "id-4": "Ann\x1b[1m",
        "id-5-long-id": "\u3164",
    }
    people = pl.DataFrame(list(names.items()), {"profile_id": pl.String, "name": pl.String}, orient="row")
    assert list(labels(people).values()) == [
        "Zo\u00eb (id-1-lon)",
        "Zoe\u0308 (id-2-lon)",
        "Zo\u00eb (id-3-lon)",
        "Ann\ufffd[1m",
        "id-5-lon",
    ]


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.sampled_from(["Ann", "A\u00adnn", "Bo", "\u1160"])))
def test_labels_differ_even_if_ids_look_the_same(names: dict[str, str]) -> None:
    people = pl.DataFrame(list(names.items()), {"profile_id": pl.String, "name": pl.String}, orient="row")
    assert len(set(map(look_of, labels(people).values()))) == len(names)
