"""The name in a config: the same by our own code at receipt and by DuckDB's in older files, and never an exception."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recordings import open_for_examples

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.tables import MEMBER_EVENTS
from pulsoid_rec.recorder.contract.version_1 import value_in_version_1
from pulsoid_rec.recorder.pulsoid.configs import name_of

MOST = DEFAULT_LIMITS.name_chars
NAME = next(column for column in MEMBER_EVENTS.columns if column.name == "name")

_spaces = st.text(" \t\n\u00a0\u2003\u3000\u200b\ufeff", max_size=3)
_names = st.builds("{}{}{}".format, _spaces, st.text(st.characters(codec="utf-8"), max_size=70), _spaces)
_keys = st.sampled_from(["name", "n\u0061me", "Name", "name ", "more"])
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=2),
    max_leaves=3,
)


@st.composite
def configs(draw: st.DrawFn) -> str:
    """Objects as text, in which a key may be there twice."""
    ascii_only = draw(st.booleans())
    pairs = draw(st.lists(st.tuples(_keys, _values | _names), max_size=4))
    encode: Callable[[Any], str] = lambda value: json.dumps(value, ensure_ascii=ascii_only)  # noqa: E731 - one line, beside its type
    space = draw(st.sampled_from(["", " ", "\n\t"]))
    return "{" + ",".join(f"{space}{encode(key)}{space}:{encode(value)}" for key, value in pairs) + space + "}"


@pytest.fixture(scope="module")
def opened() -> Iterator[list[duckdb.DuckDBPyConnection]]:
    with open_for_examples() as opened:
        yield opened


@given(texts=st.lists(configs(), min_size=1, max_size=30))
@example(
    texts=['{"name":"a","name":"b"}', '{"name":1,"name":"b"}', '{"n\\u0061me":"x\\u0000"}', '{"name":"\\ud83d\\ude00"}']
)
@example(texts=['{"name":" \\u3000 "}', '{"a":[1e999],"name":"x"}', '{"a":' + "9" * 5000 + "}"])
def test_it_is_what_duckdb_takes_out_of_it(opened: list[duckdb.DuckDBPyConnection], texts: list[str]) -> None:
    query = f"SELECT config, {value_in_version_1(MEMBER_EVENTS, NAME)} FROM (SELECT unnest($1::VARCHAR[]) AS config)"
    found = opened[0].execute(query, [texts]).fetchall()
    assert found == [(text, name_of(text, MOST)) for text in texts]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ('{"name":"Ada"}', "Ada"),
        ('{"name":" Ada\\u3000"}', "Ada"),
        ('{"name":"' + "x" * 100 + '"}', "x" * MOST),
        ('{"name":"Ada \\ud83d"}', "Ada \ufffd"),
        ('{"name":"\\ude00\\ud83d!"}', "\ufffd\ufffd!"),
        ('{"name":"  "}', None),
        ('{"name":7}', None),
        ('{"name":null}', None),
        ('{"more":{"name":"inner"}}', None),
        ('["name"]', None),
        ("{}", None),
        ("", None),
        ('{"name":', None),
        ('{"a":' + "[" * 100_000, None),
        ('{"name":"Ada","a":' + "[" * 100_000 + "]" * 100_000 + "}", None),
        ('{"name":"Ada","a":' + "9" * 10_000 + "}", "Ada"),
    ],
)
def test_a_name_is_a_text_that_is_not_blank(config: str, name: str | None) -> None:
    assert name_of(config, MOST) == name


@given(st.text() | st.text('{}[]":,\\undef0189 ', max_size=30))
def test_whatever_a_config_is_nothing_is_raised(config: str) -> None:
    name_of(config, MOST)
