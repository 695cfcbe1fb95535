"""What a frame means: compared with the standard library's json and datetime, and stored word for word."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recording_run import make_recorder, rows, running, until
from simulator_control import open_simulator

from pulsoid_rec.recorder.connection.text_frames import LongText
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.journal.rows import HeartRateRow, MemberEventRow, MessageRow, RejectedMessageRow, RoomEventRow
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE
from pulsoid_rec.recorder.pulsoid.messages import KINDS, parse_message
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN
from pulsoid_rec.recorder.status import RoomStatus

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT = "2024-01-15T10:30:00Z"


def parse(frame: str) -> MessageRow:
    row = parse_message(frame, room_id="room", connection_id="connection", received_at=123)
    assert (row.room_id, row.connection_id, row.received_at, row.raw) == ("room", "connection", 123, frame)
    return row


def reading(bpm: str = "72", at: str = f'"{AT}"', profile: str = '"user-1"') -> str:
    return f'{{"kind":"heart_rate","timestamp":{at},"heart_rate":{{"profile_id":{profile},"bpm":{bpm}}}}}'


# The oracle: what a frame means by RFC 8259, RFC 3339 and the protocol, as a tuple; None where it means nothing.


class Pairs(list[tuple[str, Any]]):
    """The members of an object, doubled ones too."""

    def every(self, key: str) -> list[Any]:
        return [value for name, value in self if name == key]


class Whole(int):
    """A number written without fraction and exponent."""


class Nonsense(Exception):  # noqa: N818 - it is what it is
    """The frame means nothing."""


def oracle(frame: str) -> tuple[Any, ...] | None:
    try:
        message = json.loads(frame, object_pairs_hook=Pairs, parse_int=Whole, parse_constant=_refuse)
        return _meaning(_replace_halves(message))
    except (Nonsense, ValueError, OverflowError):
        return None


def _refuse(_: str) -> None:
    raise Nonsense


def _meaning(message: Any) -> tuple[Any, ...]:
    kinds = _object(message).every("kind")
    if not kinds or kinds[0] not in KINDS or kinds.count(kinds[0]) != len(kinds):
        raise Nonsense
    kind = kinds[0]
    local, offset = _last([_instant(value) for value in message.every("timestamp")])
    at = (local - offset - EPOCH) // timedelta(microseconds=1)
    payload = _last([_payload(kind, _object(value)) for value in message.every(kind)])
    for other in KINDS:
        if other != kind and any(value is not None for value in message.every(other)):
            raise Nonsense
    return kind, at, *payload


def _payload(kind: str, payload: Pairs) -> tuple[Any, ...]:
    if kind == "heart_rate":
        bpm = _last([value for value in payload.every("bpm") if _is_bpm(value)])
        return _text(payload, "profile_id"), int(bpm)
    named = _text(payload, "room_id" if kind == "room_updated" else "profile_id")
    if kind == "room_member_removed":
        return (named,)
    return named, _object(_last(payload.every("config")))


def _is_bpm(value: Any) -> bool:
    if not isinstance(value, Whole) or not -(2**31) <= value < 2**31:
        raise Nonsense
    return True


def _text(payload: Pairs, key: str) -> str:
    if not all(isinstance(value, str) for value in payload.every(key)):
        raise Nonsense
    return str(_last(payload.every(key)))


def _object(value: Any) -> Pairs:
    if not isinstance(value, Pairs):
        raise Nonsense
    return value


def _last(values: list[Any]) -> Any:
    if not values:
        raise Nonsense
    return values[-1]


_HALF = re.compile("[\ud800-\udfff]")


def _replace_halves(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, Pairs):
        return Pairs((_replace_halves(name), _replace_halves(part)) for name, part in value)
    return [_replace_halves(part) for part in value] if isinstance(value, list) else value


_INSTANT = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)[Tt ](\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d+))?)?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)


def _instant(value: Any) -> tuple[datetime, timedelta]:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Nonsense
    year, _, month, day, hour, _, minute, second, fraction, _, sign, hours, minutes = found.groups("0")
    digits = fraction.ljust(7, "0")
    rounded = timedelta(microseconds=int(digits[:6]) + (digits[6] >= "5"))
    if int(hours) > 23 or int(minutes) > 59 or int(minute) > 59 or int(second) > 60 or int(hour) > 24:
        raise Nonsense
    past_midnight = timedelta(minutes=int(minute), seconds=int(second)) + rounded
    if int(hour) == 24 and past_midnight:
        raise Nonsense
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return datetime(int(year), int(month), int(day), tzinfo=UTC) + timedelta(hours=int(hour)) + past_midnight, offset


def meaning_of(row: MessageRow) -> tuple[Any, ...] | None:
    def config(text: str) -> Any:
        assert text in row.raw or "\\ufffd" in text  # word for word
        return _replace_halves(json.loads(text, object_pairs_hook=Pairs, parse_int=Whole))

    match row:
        case HeartRateRow():
            return "heart_rate", row.occurred_at, row.profile_id, row.bpm
        case MemberEventRow(event="removed"):
            assert row.config is None
            return "room_member_removed", row.occurred_at, row.profile_id
        case MemberEventRow():
            assert row.event == "updated"
            assert row.config is not None
            return "room_member_updated", row.occurred_at, row.profile_id, config(row.config)
        case RoomEventRow():
            return "room_updated", row.occurred_at, _room_named(row.raw), config(row.config)
        case RejectedMessageRow():
            assert row.reason
            assert len(row.reason) <= 200
            return None


def _room_named(frame: str) -> Any:
    """The room's own id is not stored: rows have the id it was asked for by."""
    return _replace_halves(json.loads(frame)["room_updated"]["room_id"])


# Frames: from any text to messages with every field bent

white = st.sampled_from(["", "", "", " ", "\n\t", "\r "])
texts = st.one_of(
    st.text(max_size=10).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(max_size=10).map(json.dumps),
    st.sampled_from(
        ['"user-1"', '""', '"\\u0000"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00x"', '"\\/\\b"', '"\t"', '"\\x"']
    ),
)
numbers = st.one_of(
    st.integers(-300, 300).map(str),
    st.sampled_from(
        ["72.0", "7.2e1", "-0", "072", "+7", "1e400", "2147483647", "2147483648", "-2147483648", "-2147483649"]
    ),
    st.sampled_from(["9" * 19, "1" + "0" * 30, "NaN", "Infinity", "0x1F", ".5", "5."]),
)
instants = st.one_of(
    st.datetimes(timezones=st.none() | st.timezones()).map(lambda at: f'"{at.isoformat()}"'),
    st.builds(
        '"{}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}"'.format,
        st.sampled_from(["0000", "0001", "1970", "2024", "9999", "10000"]),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from("TTTt _"),
        st.integers(0, 24),
        st.integers(0, 60),
        st.integers(0, 61),
        st.sampled_from(["", ".5", ".1234564", ".1234565", ".999999999", ".", ".x", ",5"])
        | st.from_regex(r"\A\.[0-9]{1,12}\Z"),
        st.sampled_from(
            ["", "Z", "z", "+00:00", "-00:00", "+23:59", "-23:59", "+24:00", "+0130", "+01", "-1:00", "Zx", "+01:60"]
        ),
    ),
    st.sampled_from(
        [f'"{AT}"', '"0001-01-01T00:00:00+00:01"', '"9999-12-31T23:59:59-00:01"', '"yesterday"', "1705314600"]
    ),
)
anything = st.recursive(
    texts | numbers | st.sampled_from(["null", "true", "false"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(st.tuples(texts, white, inner), max_size=3).map(
            lambda members: "{" + ",".join(f"{name}{space}:{space}{value}" for name, space, value in members) + "}"
        )
    ),
    max_leaves=8,
)


@st.composite
def objects(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[str]]) -> str:
    """Render an object with these fields: mostly as they should be, some missing, doubled, bent, or unknown."""
    members = []
    for name, value in fields.items():
        times = draw(st.sampled_from([1] * 12 + [0, 2]))
        members += [
            (f'"{name}"', draw(anything) if draw(st.integers(0, 11)) == 0 else draw(value)) for _ in range(times)
        ]
    if draw(st.integers(0, 3)) == 0:
        members.append((draw(texts), draw(anything)))
    members = draw(st.permutations(members))
    space = draw(white)
    return "{" + ",".join(f"{space}{name}{space}:{value}" for name, value in members) + space + "}"


@st.composite
def messages(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(KINDS))
    named = "room_id" if kind == "room_updated" else "profile_id"
    fields: dict[str, st.SearchStrategy[str]] = {named: texts}
    if kind == "heart_rate":
        fields["bpm"] = numbers
    elif kind != "room_member_removed":
        fields["config"] = objects({"name": texts, "deep": anything})
    outer = {"kind": st.just(f'"{kind}"'), "timestamp": instants, kind: objects(fields)}
    if draw(st.integers(0, 7)) == 0:
        outer[draw(st.sampled_from(KINDS))] = st.sampled_from(["null", "{}", '{"profile_id":"x","bpm":7}'])
    return draw(objects(outer))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    frame = draw(messages())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(frame)))
        cut = draw(st.integers(0, 3))
        frame = frame[:at] + draw(st.text(max_size=2) | st.sampled_from(list('{}[]",:\\0e-.'))) + frame[at + cut :]
    return frame


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(messages())
@example(reading(at='"2024-01-15T10:30:00.9999999Z"'))
def test_what_is_accepted_and_what_it_means_is_as_the_oracle_says(frame: str) -> None:
    assert meaning_of(parse(frame)) == oracle(frame)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(mutated())
def test_a_damaged_message_is_accepted_only_with_what_it_means_to_the_oracle(frame: str) -> None:
    assert meaning_of(parse(frame)) == oracle(frame)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "replace")) | anything)
def test_no_text_at_all_makes_parsing_raise(frame: str) -> None:
    parse(frame)


# The reason of a rejection

IDS = [
    'x" OR 1=1; DROP TABLE heart_rate; --',
    "new\nline\r\t",
    "'",
    "\\",
    "\x00",
    "😀👩‍👩‍👧",
    "i" * DEFAULT_LIMITS.id_chars,
    "",
    "\u202eabc",
    "a,b;c",
]
ODD = [
    *(reading(profile=json.dumps(profile)) for profile in IDS),
    *(reading(bpm) for bpm in ("-1", "0", "900", "-2147483648")),
    *(
        reading(at=json.dumps(at))
        for at in ("2024-01-15T10:30:00", "2024-01-15T10:30:00.123456789Z", "1970-01-01T00:00:00Z")
    ),
    *(
        reading(at=json.dumps(at))
        for at in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2024-01-15 10:30:00+14:00")
    ),
    reading().replace('"bpm"', '"new":[1,{"a":null}],"bpm"'),
    reading().replace("}}", '},"room_updated":null}'),
    reading().replace('"bpm":72', '"bpm":60,"bpm":72'),
]
FAULTS = {
    "": "it is empty",
    "pulsoid": "it is not JSON: invalid character (byte 0)",
    reading()[:-5]: "it is cut off",
    reading() + "x": "it is not JSON: trailing characters (byte 103)",
    "[1,2,3]": "it is an array, not an object",
    "null": "it is null, not an object",
    '{"a":' * 10_000 + "1" + "}" * 10_000: "it is nested too deeply",
    "{}": "`kind` is missing",
    '{"kind":null}': "`kind` is not a text",
    '{"kind":"weather"}': "there is no kind 'weather'",
    '{"kind":"%s"}' % ("w" * 10_000): "there is no kind '" + "w" * 182,
    '{"kind":"heart_rate"}': "`timestamp` is missing",
    f'{{"kind":"heart_rate","timestamp":"{AT}"}}': "`heart_rate` is missing",
    f'{{"kind":"heart_rate","timestamp":"{AT}","heart_rate":null}}': "`heart_rate` is null, not an object",
    reading().replace('"bpm":72', '"beats":72'): "`heart_rate.bpm` is missing",
    reading("72.0"): "`heart_rate.bpm` is a number with a fraction or an exponent, not a whole number",
    reading('"72"'): "`heart_rate.bpm` is a text, not a whole number",
    reading("null"): "`heart_rate.bpm` is null, not a whole number",
    reading("1" + "0" * 30): "`heart_rate.bpm` is not <= 2147483647",
    reading("-3000000000"): "`heart_rate.bpm` is not >= -2147483648",
    reading("1" * 6000): "`heart_rate.bpm` is too large a number",
    reading(profile="7"): "`heart_rate.profile_id` is a whole number, not a text",
    reading(at="1705314600"): "`timestamp` is a whole number, not an instant",
    reading(at='"yesterday"'): "`timestamp` is not an instant such as 2024-01-15T10:30:00Z",
    reading(at='"0001-01-01T00:00:00+01:00"'): "`timestamp` is outside the years 1 to 9999",
    reading(at='"9999-12-31T23:59:59-01:00"'): "`timestamp` is outside the years 1 to 9999",
    reading().replace("}}", '},"room_updated":{}}'): "it has a second payload, `room_updated`",
    f'{{"kind":"room_updated","timestamp":"{AT}","room_updated":{{"room_id":"r","config":[]}}}}': (
        "`config` is not an object"
    ),
}


@pytest.mark.parametrize(("frame", "reason"), FAULTS.items(), ids=FAULTS.values())
def test_a_fault_is_named_so_that_its_sender_can_correct_it(frame: str, reason: str) -> None:
    row = parse(frame)
    assert isinstance(row, RejectedMessageRow)
    assert row.reason == reason


# Limits: the value at the limit is taken, one above it is not


def updated(config: str, profile: str = "u") -> str:
    return (
        f'{{"kind":"room_member_updated","timestamp":"{AT}",'
        f'"room_member_updated":{{"profile_id":"{profile}","config":{config}}}}}'
    )


@pytest.mark.parametrize("character", ["x", "€", "😀", "\\ud83d\\ude00", "\\ud83d"])
def test_an_id_of_256_characters_is_taken_and_one_of_257_is_not(character: str) -> None:
    room = f'{{"kind":"room_updated","timestamp":"{AT}","room_updated":{{"room_id":"%s","config":{{}}}}}}'
    removed = f'{{"kind":"room_member_removed","timestamp":"{AT}","room_member_removed":{{"profile_id":"%s"}}}}'
    for frame, field in (
        (reading(profile='"%s"'), "heart_rate.profile_id"),
        (updated("{}", "%s"), "room_member_updated.profile_id"),
        (removed, "room_member_removed.profile_id"),
        (room, "room_updated.room_id"),
    ):
        assert not isinstance(parse(frame % (character * 256)), RejectedMessageRow)
        above = parse(frame % (character * 257))
        assert isinstance(above, RejectedMessageRow)
        assert above.reason == f"`{field}` has more than 256 characters"


def test_a_config_of_64_kib_is_taken_and_a_larger_one_is_not() -> None:
    at_limit = parse(updated('{"a":"%s"}' % ("ä" * 32_764)))
    assert isinstance(at_limit, MemberEventRow)
    assert at_limit.config is not None
    assert len(at_limit.config.encode()) == 65_536
    frame = updated('{"a":"%sx"}' % ("ä" * 32_764))
    above = parse_message(frame, room_id="room", connection_id="connection", received_at=123)
    assert isinstance(above, RejectedMessageRow)
    assert above.reason == "`config` has more than 65,536 bytes; of 65,653 bytes the first 65,536 are kept"


@pytest.mark.parametrize("character", ["x", "ä", "😀"])
def test_of_a_rejected_message_64_kib_are_kept_and_its_length(character: str) -> None:
    whole = character * (65_536 // len(character.encode()))
    assert parse(whole).raw == whole
    longer = parse_message(f"{whole}y", room_id="room", connection_id="connection", received_at=123)
    assert isinstance(longer, RejectedMessageRow)
    assert longer.raw == whole
    assert longer.reason.endswith("; of 65,537 bytes the first 65,536 are kept")


def test_of_a_long_text_the_beginning_and_the_length_are_kept() -> None:
    long = LongText("x" * 100, 4_000_000, "it is larger than 131,072 bytes")
    row = parse_message(long, room_id="room", connection_id="connection", received_at=123)
    reason = "it is larger than 131,072 bytes; of 4,000,000 bytes the first 100 are kept"
    assert row == RejectedMessageRow("room", "connection", 123, reason, "x" * 100)


# Half an emoji


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (r"\ud83d", r"\ufffd"),
        (r"\uDE00x", r"\ufffdx"),
        (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
        (r"\ud83d\ude00\ude00", r"\ud83d\ude00\ufffd"),
        (r"\ud83d\u0041", r"\ufffd\u0041"),
        (r"\\\ud83d", r"\\\ufffd"),
        (r"\\ud83d\ud83d", r"\\ud83d\ufffd"),
        (r"\n\"\ud83d", r"\n\"\ufffd"),
    ],
)
def test_half_an_emoji_is_taken(sent: str, stored: str) -> None:
    config = '{"name":"%s","\\ud800":1}'
    row = parse(updated(config % sent, sent))
    assert isinstance(row, MemberEventRow)
    assert row.config == config.replace("ud800", "ufffd") % stored
    assert row.profile_id == json.loads(f'"{stored}"')
    with duckdb.connect() as connection:
        assert connection.execute("SELECT json_valid(?)", [row.config]).fetchall() == [(True,)]


def test_a_backslash_before_what_looks_like_half_an_emoji_is_left_alone() -> None:
    config = r'{"name":"\\ud83d"}'
    row = parse(updated(config))
    assert isinstance(row, MemberEventRow)
    assert row.config == config


def test_a_config_as_deep_as_can_be_understood_can_be_shown_too() -> None:
    status = RoomStatus("room")
    understood = 0
    for depth in range(900, 1100):
        config = '{"deep":' + '{"a":' * depth + "1" + "}" * depth + "}"
        row = parse(
            f'{{"kind":"room_member_updated","timestamp":"{AT}","room_member_updated":{{"profile_id":"u","config":{config}}}}}'
        )
        status.update(row)
        understood += not isinstance(row, RejectedMessageRow)
    assert 0 < understood < 200  # the limit is among them


@pytest.mark.process
async def test_whatever_is_sent_is_in_the_database_as_a_row_or_word_for_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    database = tmp_path / "room.duckdb"
    frames = [frame for pair in zip(list(FAULTS) * 2, ODD * 3, strict=False) for frame in pair]
    async with open_simulator() as simulator, running(make_recorder(simulator.url, database)) as recorder:
        await simulator.wait_for_clients("demo")
        await simulator.send_raw("demo", *frames)
        await until(lambda: recorder.rooms[0].status.messages == len(frames))
        assert simulator.accepted == 1
    accepted = [row for row in map(parse, frames) if isinstance(row, HeartRateRow)]
    rejected = [row for row in map(parse, frames) if isinstance(row, RejectedMessageRow)]
    assert len(accepted) + len(rejected) == len(frames)
    assert {row.profile_id for row in accepted} >= set(IDS)
    assert rows(database, "SELECT profile_id, bpm, epoch_us(occurred_at) FROM heart_rate ORDER BY rowid") == [
        (row.profile_id, row.bpm, row.occurred_at) for row in accepted
    ]
    assert rows(database, "SELECT reason, raw FROM rejected_messages ORDER BY rowid") == [
        (row.reason, row.raw) for row in rejected
    ]
