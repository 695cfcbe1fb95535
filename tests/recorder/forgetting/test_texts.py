"""Ids and names are found however they are written, in Python and in SQL alike, and nothing else is."""

import json
import re

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.forgetting.texts import MASK, Texts

ID = "3f0c9c1e-6f0b"
ODD = 'a "quoted" \\ idü'


def in_sql(texts: Texts, text: str) -> tuple[bool, str]:
    with duckdb.connect() as connection:
        sql = f"SELECT {texts.sql('$1')}, {texts.masked_sql('$1::VARCHAR', 'VARCHAR')}"
        [(found, masked)] = connection.execute(sql, [text]).fetchall()
    return found, masked


@pytest.mark.parametrize("each", [ID, ODD, "x y", "p1", "12345678"])
def test_an_id_is_found_as_it_is_in_json_and_in_json_in_json(each: str) -> None:
    message = json.dumps({"profile_id": each, "bpm": 60})
    for text in (message, json.dumps({"profile_id": each}, ensure_ascii=False), json.dumps({"raw": message})):
        texts = Texts((each,))
        assert texts.regex.search(text)
        found, masked = in_sql(texts, text)
        assert found
        assert masked == texts.mask(text)
        assert json.loads(masked)
        assert MASK in masked
        assert not texts.regex.search(masked)


@pytest.mark.parametrize(
    ("texts", "text", "is_found"),
    [
        (Texts(("user-1",)), "user-1", True),
        (Texts(("user-1",)), "user-12", False),
        (Texts(("user-1",)), "other-user-1", False),
        (Texts(("p1",)), "p1 left", False),
        (Texts((), ("Al",)), "Al", False),
        (Texts((), ("Al",)), 'said \\"Al\\"', True),
        (Texts((), ("Adele",)), "Adele's", True),
        (Texts((), ("Adele",)), "Adeles", False),
        (Texts((), ("Adele",)), "adele", False),
        (Texts((), ("60",)), '{"bpm":60}', False),
        (Texts(("",)), "", False),
        (Texts((), ("Zoë",)), "Zoëla", False),
    ],
)
def test_a_word_counts_as_a_whole_and_what_may_be_anything_only_in_quotes(
    texts: Texts, text: str, is_found: bool
) -> None:
    assert bool(texts.regex.search(text)) == is_found
    assert in_sql(texts, text)[0] == is_found


def test_of_neighbours_each_is_masked() -> None:
    assert in_sql(Texts((ID,)), f"{ID} {ID} {ID},{ID}") == (True, f"{MASK} {MASK} {MASK},{MASK}")


def test_a_config_stays_json() -> None:
    """An id that is a number, without quotes: what would be no JSON is left as it is, for the search to find."""
    with duckdb.connect() as connection:
        sql = f"SELECT {Texts(('12345678',)).masked_sql('$1::JSON', 'JSON')}::VARCHAR"
        assert connection.execute(sql, ['{"a":12345678}']).fetchall() == [('{"a":12345678}',)]
        assert connection.execute(sql, ['{"a":"12345678"}']).fetchall() == [(f'{{"a":"{MASK}"}}',)]


def test_short_texts_and_those_that_are_a_part_of_others_are_not_looked_for_in_other_bytes() -> None:
    texts = Texts(("user-1", "abcdefgh"), ("Al",), frozenset({"user-12"}))
    assert texts.in_bytes == (b"abcdefgh",)


@given(st.text(st.characters(codec="utf-8"), min_size=8, max_size=12))
def test_any_id_is_found_in_its_message(each: str) -> None:
    if re.search(r"[^\W\d_]", each):
        assert Texts((each,)).regex.search(json.dumps({"profile_id": each}))
        assert in_sql(Texts((each,)), json.dumps({"profile_id": each}))[0]
