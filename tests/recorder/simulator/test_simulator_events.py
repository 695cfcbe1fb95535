"""The grammar of events: what each means, and that a mistake is one clear sentence."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.simulator.events import GRAMMAR, Event, parse_event, parse_timed_event


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("30:remove:Ada", Event(30.0, "remove", "Ada")),
        ("30:join:Zoe", Event(30.0, "join", "Zoe")),
        ("0:join: Zoe Z. ", Event(0.0, "join", "Zoe Z.")),
        ("45:rename:Ada:Ada B.", Event(45.0, "rename", "Ada", "Ada B.")),
        ("45:rename:Ada:A:B", Event(45.0, "rename", "Ada", "A:B")),
        ('60:room:{"name": "Final"}', Event(60.0, "room", "", {"name": "Final"})),
        ('60:config:a:b:{"n": {"m": 1}}', Event(60.0, "config", "a:b", {"n": {"m": 1}})),
        ("70:close:1012", Event(70.0, "close", "", 1012)),
        ("70:close:1006", Event(70.0, "close", "", 1006)),
        ("80:binary", Event(80.0, "binary")),
        ("90.5:send:{a: text}, with : ", Event(90.5, "send", "", "{a: text}, with : ")),
        ("90:send:", Event(90.0, "send", "", "")),
        ("1:bpm:a:b:0", Event(1.0, "bpm", "a:b", 0)),
        ("1:bpm:Ada:2147483647", Event(1.0, "bpm", "Ada", 2**31 - 1)),
    ],
)
def test_each_event_is_parsed(text: str, event: Event) -> None:
    assert parse_timed_event(text) == event


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with its time"),
        ("remove:Ada", "does not begin with its time"),
        ("-1:binary", "does not begin with its time"),
        ("nan:binary", "does not begin with its time"),
        ("inf:binary", "does not begin with its time"),
        ("1", "'' is none"),
        ("1:", "'' is none"),
        ("1:jump:Ada", "'jump:Ada' is none"),
        ("1:join", "'join' is none"),
        ("1:binary:x", "'binary:x' is none"),
        ("1:join:", "lacks a name"),
        ("1:remove: ", "lacks a name"),
        ("1:rename:Ada", "lacks a name"),
        ("1:rename::Ada", "lacks a name"),
        ("1:bpm:72", "lacks a name"),
        ("1:bpm:Ada:fast", "has 'fast' as heart rate"),
        ("1:bpm:Ada:-1", "has '-1' as heart rate"),
        ("1:bpm:Ada:2147483648", "as heart rate"),
        ("1:bpm:Ada:²", "as heart rate"),
        ("1:bpm:Ada:" + "9" * 5000, "as heart rate"),
        (f'1:room:{{"x":{"[" * 950}{"]" * 950}}}', "has no valid JSON"),
        ("1:close:", "has no close code"),
        ("1:close:999", "has no close code"),
        ("1:close:1005", "has no close code"),
        ("1:close:1015", "has no close code"),
        ("1:close:01012", "has no close code"),
        ("1:room:Final", "has no valid JSON"),
        ("1:room:[]", "not a JSON object"),
        ('1:room:{"n": 1e400}', "has no valid JSON"),
        ("1:config:Ada", "has no valid JSON"),
        ("1:send:\udcff", "is not UTF-8"),
    ],
)
def test_a_mistake_is_one_sentence_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_timed_event(text)
    assert words in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


actions = re.findall(r"(\w+):?(?:NAME|\{|CODE|TEXT|,|$)", GRAMMAR)
pieces = st.sampled_from([*actions, ":", "{", "}", "{}", "Ada", "1012", "72", " ", '"', "\n", "\0", "\ud800"])


@given(st.one_of(st.text(), st.lists(pieces).map("".join)))
def test_any_text_is_an_event_or_a_usage_error(text: str) -> None:
    try:
        found = parse_event(text).action
    except UsageError as error:
        found = str(error)
    assert found == text.partition(":")[0] or (found.startswith("The event") and "\n" not in found)


configs = st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.none()))


@given(config=configs)
def test_any_json_object_is_a_config(config: dict[str, object]) -> None:
    text = json.dumps(config)
    assert parse_event(f"room:{text}").value == parse_event(f"config:Ada:{text}").value == config
