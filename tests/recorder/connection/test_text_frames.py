"""Cutting messages out of a stream changes neither what is received nor its order; wsproto alone is the oracle."""

import random
from collections.abc import Sequence

import pytest
import trio
import trio.testing
from hostile_server import close, frame, reading, text
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from pulsoid_rec.recorder.connection.text_frames import Text, TextFrames
from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.connection.wire import Wire
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
TEXT, BINARY, PING, PONG = 0x1, 0x2, 0x9, 0xA


class Library:
    """What wsproto makes of bytes: whole texts, pings and pongs, and how it ends."""

    def __init__(self) -> None:
        self._connection = Connection(ConnectionType.CLIENT)
        self._parts: list[str] = []
        self.texts: list[str] = []
        self.others: list[object] = []
        self.is_over = False

    def receive(self, data: bytes) -> None:
        if self.is_over or not data:
            return
        try:
            self._connection.receive_data(data)
            for event in self._connection.events():
                self._take(event)
        except RemoteProtocolError as error:
            self.others.append(type(error))
            self.is_over = True

    def _take(self, event: Event) -> None:
        if isinstance(event, TextMessage):
            self._parts.append(event.data)
            if event.message_finished:
                self.texts.append("".join(self._parts))
                self._parts = []
        elif isinstance(event, Ping | Pong):
            self.others.append((type(event), bytes(event.payload)))
        elif isinstance(event, CloseConnection):
            self.others.append(("close", event.code))
            self.is_over = True


def last_pongs(others: list[object]) -> list[object]:
    """Leave out pongs that another follows: it answers the same pings."""
    is_pong = [isinstance(other, tuple) and other[0] is Pong for other in others]
    return [other for n, other in enumerate(others) if not (is_pong[n] and any(is_pong[n + 1 : n + 2]))]


def in_pieces(data: bytes, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    pieces = []
    while data:
        size = chance.choice((1, 2, 3, 10, 100, 1000, 10**6))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def _masked(payload: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


usual = st.one_of(
    st.text(max_size=200).map(text),
    st.integers(0, 99).map(reading).map(text),
    st.builds(frame, st.sampled_from((PING, PONG)), st.binary(max_size=125)),
)
unusual = st.one_of(
    st.sampled_from((125, 126, 127, 65_535, 65_536, 70_000)).map(lambda size: text("x" * size)),
    st.binary(min_size=1, max_size=40).map(text),  # most are not UTF-8
    st.binary(max_size=20).map(lambda data: frame(BINARY, data)),
    st.tuples(st.text(max_size=5), st.text(max_size=5)).map(
        lambda parts: frame(TEXT, parts[0].encode(), final=False) + frame(0, parts[1].encode())
    ),
    st.text(max_size=20).map(lambda start: frame(TEXT, start.encode(), final=False)),
    st.binary(max_size=20).map(lambda data: frame(0, data)),
    st.binary(max_size=20).map(lambda data: frame(TEXT, data, flags=0x40)),
    st.binary(max_size=20).map(_masked),
    st.binary(min_size=126, max_size=130).map(lambda data: frame(PING, data)),
    st.sampled_from((b"\x81\x7e\x00\x05hello", b"\x81\x7f" + (5).to_bytes(8) + b"hello")),  # longer than need be
    st.sampled_from((1000, 1001, 1011, 4000)).map(close),
    st.binary(min_size=1, max_size=20),
)


@given(st.lists(usual, max_size=8), st.lists(usual | unusual, max_size=6), st.integers())
def test_cutting_changes_neither_messages_nor_their_order(
    before: Sequence[bytes], after: Sequence[bytes], seed: int
) -> None:
    sent = (*before, *after)
    alone, behind, frames, taken = Library(), Library(), TextFrames(), []
    alone.receive(b"".join(sent))
    pieces = list(sent) if seed % 2 else in_pieces(b"".join(sent), seed)
    for piece in [*pieces, b""]:
        texts, rest = frames.cut(piece)
        taken += texts
        behind.receive(rest)
    assert taken == alone.texts
    assert behind.texts == []
    assert last_pongs(behind.others) == last_pongs(alone.others)
    assert behind.is_over == alone.is_over


@given(st.lists(usual, min_size=1, max_size=20), st.integers())
def test_usual_messages_need_no_library(sent: Sequence[bytes], seed: int) -> None:
    frames, passed = TextFrames(), b""
    for piece in in_pieces(b"".join(sent), seed):
        passed += frames.cut(piece)[1]
    behind, alone = Library(), Library()
    behind.receive(passed)
    alone.receive(b"".join(each for each in sent if each[0] != 0x81))
    assert last_pongs(behind.others) == last_pongs(alone.others)
    assert not frames.is_over


def test_what_is_cut_off_at_the_end_is_the_librarys() -> None:
    frames = TextFrames()
    whole = text(reading(1))
    assert frames.cut(whole + whole[:-1]) == ([reading(1)], b"")
    assert frames.cut(b"") == ([], whole[:-1])


class _Pieces(trio.abc.Stream):
    """Hands out pieces, then the end."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = list(pieces)

    async def receive_some(self, _max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._pieces.pop(0) if self._pieces else b""

    async def send_all(self, data: object) -> None:
        raise AssertionError(f"nothing is sent here, but {data!r} was")

    async def wait_send_all_might_not_block(self) -> None:
        raise AssertionError("only bytes that are received are looked at here")

    async def aclose(self) -> None:
        raise AssertionError("only bytes that are received are looked at here")


def watch(pieces: Sequence[bytes], limits: Limits = DEFAULT_LIMITS) -> WatchedStream:
    wire = Wire(_Pieces(pieces))
    return WatchedStream(wire, wire, limits)


async def read_all(stream: WatchedStream) -> bytes:
    """Read as the library does, for no longer than it takes."""
    read = b""
    with trio.move_on_after(0.2):
        while data := await stream.receive_some():
            read += data
    return read


@pytest.mark.parametrize("seed", range(20))
async def test_messages_are_taken_from_the_head_on_however_they_come(seed: int) -> None:
    sent = [reading(number) for number in range(5)]
    stream = watch(in_pieces(HEAD + b"".join(map(text, sent)) + close(1000), seed))
    taken: list[Text] = []

    def take(texts: list[Text]) -> bool:
        taken.extend(texts)
        return True

    stream.deliver_to(take, trio.sleep_forever)
    assert await read_all(stream) == HEAD + close(1000)
    assert taken == sent


async def test_nothing_is_taken_before_the_library_found_the_answer_good() -> None:
    stream = watch([HEAD + text(reading(1))])
    assert await read_all(stream) == HEAD


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\n\r\n", b"nonsense\r\n\r\n", b"short"])
async def test_any_other_answer_is_the_librarys_alone(begin: bytes) -> None:
    data = begin + text(reading(1)) + b"\r\n\r\n" + text(reading(2))
    assert await read_all(watch(in_pieces(data, 3))) == data


@pytest.mark.parametrize("seed", range(20))
async def test_interim_answers_are_not_taken_for_the_final_one(seed: int) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    stream = watch(in_pieces(interim + HEAD + text(reading(1)) + close(1000), seed))
    taken: list[Text] = []

    def take(texts: list[Text]) -> bool:
        taken.extend(texts)
        return True

    stream.deliver_to(take, trio.sleep_forever)
    assert await read_all(stream) == HEAD + close(1000)
    assert taken == [reading(1)]
    assert stream.http_status == 101


async def test_an_interim_answer_without_an_end_is_not_kept_for_ever() -> None:
    pieces = [b"HTTP/1.1 103 X\r\n", *[b"a: b\r\n"] * 100]
    stream = watch(pieces, Limits(http_head_bytes=100))
    assert await read_all(stream) == b"".join(pieces)
    assert len(stream._head) < 100 + 6


async def test_head_without_an_end_is_not_kept_for_ever() -> None:
    pieces = [b"HTTP/1.1 101 X\r\n", *[b"a: b\r\n"] * 100]
    stream = watch(pieces, Limits(http_head_bytes=100))
    assert await read_all(stream) == b"".join(pieces)
    assert len(stream._head) < 100 + 6


async def test_full_journal_holds_the_reading_back() -> None:
    stream = watch([HEAD, text(reading(1)), text(reading(2))])
    taken: list[Text] = []
    full = trio.Event()

    def take(texts: list[Text]) -> bool:
        taken.extend(texts)
        return full.is_set()

    stream.deliver_to(take, full.wait)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_all, stream)
        await trio.testing.wait_all_tasks_blocked()
        assert taken == [reading(1)]
        full.set()
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert taken == [reading(1), reading(2)]
