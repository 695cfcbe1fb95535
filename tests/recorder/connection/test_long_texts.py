"""Long, fragmented and binary messages: put together in bounded memory, skipped above a limit."""

import tracemalloc

import pytest
from hostile_server import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame, reading, text

from pulsoid_rec.recorder.connection.text_frames import LongText, Text, TextFrames
from pulsoid_rec.recorder.contract.limits import Limits

LIMITS = Limits(message_bytes=1000, message_fragments=10, endless_bytes=5000, raw_bytes=500)


def cut(*sent: bytes, size: int = 10**6, limits: Limits = LIMITS) -> tuple[list[Text], bytes]:
    """Split what was sent, in pieces of a size."""
    frames, data = TextFrames(limits), b"".join(sent)
    texts: list[Text] = []
    passed = b""
    for at in range(0, len(data), size):
        more, rest = frames.cut(data[at : at + size])
        texts += more
        passed += rest
    return texts, passed


def in_fragments(payload: bytes, size: int, *, opcode: int = TEXT) -> bytes:
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    return b"".join(
        frame(opcode if n == 0 else CONTINUATION, part, final=n == len(parts) - 1) for n, part in enumerate(parts)
    )


sizes = pytest.mark.parametrize("size", [1, 7, 999, 10**6])


@sizes
def test_a_message_in_fragments_at_the_limit_is_taken_and_one_above_it_is_cut(size: int) -> None:
    at_limit, above = in_fragments(b"x" * 1000, 100), in_fragments(b"y" * 1001, 101)
    texts, passed = cut(at_limit, above, text(reading(1)), size=size)
    assert texts == ["x" * 1000, LongText("y" * 500, 1001, "it is larger than 1,000 bytes"), reading(1)]
    assert passed == b""


@sizes
def test_ten_fragments_are_taken_and_eleven_are_not(size: int) -> None:
    texts, _ = cut(in_fragments(b"x" * 10, 1), in_fragments(b"y" * 11, 1), text("z"), size=size)
    assert texts == ["x" * 10, LongText("y" * 11, 11, "it is in more than 10 fragments"), "z"]


@sizes
def test_a_long_frame_is_taken_in_pieces(size: int) -> None:
    limits = Limits(message_bytes=70_000)
    assert cut(text("ä" * 35_000), text("z"), size=size, limits=limits) == (["ä" * 35_000, "z"], b"")
    [long, after], passed = cut(text("ä" * 35_001), text("z"), size=size, limits=limits)
    assert long == LongText("ä" * 32_768, 70_002, "it is larger than 70,000 bytes")
    assert (after, passed) == ("z", b"")


def test_a_character_is_not_cut_in_two() -> None:
    [long], _ = cut(in_fragments("aä€😀".encode() * 200, 999), limits=Limits(message_bytes=1000, raw_bytes=503))
    assert isinstance(long, LongText)
    assert long.start == ("aä€😀" * 50) + "aä"


@sizes
def test_pings_between_fragments_are_passed_on(size: int) -> None:
    begin, end = frame(TEXT, b"a", final=False), frame(CONTINUATION, b"b")
    assert cut(begin, frame(PING, b"1"), frame(PONG, b"2"), end, size=size) == (
        ["ab"],
        frame(PING, b"1") + frame(PONG, b"2"),
    )


@sizes
def test_binary_messages_are_skipped(size: int) -> None:
    sent = frame(BINARY, b"x" * 4000), in_fragments(b"\xff" * 4000, 500, opcode=BINARY), frame(BINARY), text("z")
    assert cut(*sent, size=size) == (["z"], b"")


@pytest.mark.parametrize(
    "begin",
    [
        b"\x82\x7f" + (2**62).to_bytes(8),
        b"\x81\x7f" + (10**6).to_bytes(8),
        frame(TEXT, b"a", final=False) + frame(CONTINUATION, final=False) * 5000,
        in_fragments(b"x" * 5000, 100),
    ],
)
@sizes
def test_a_message_without_an_end_is_too_large_to_the_library(begin: bytes, size: int) -> None:
    texts, passed = cut(begin, text("z"), size=size)
    assert texts == []
    assert passed.startswith(frame(BINARY, b"\0"))


def test_what_follows_a_fault_is_kept_up_to_a_limit() -> None:
    frames = TextFrames(LIMITS)
    frames.cut(text(reading(1)) + frame(TEXT, b"begun ", final=False) + text("again") + text("more"))
    assert frames.fault == b"begun " + text("again") + text("more")
    frames.cut(b"x" * 1000)
    assert len(frames.fault) == 500
    assert frames.is_over


def test_a_close_within_a_message_is_the_librarys() -> None:
    texts, passed = cut(frame(TEXT, b"a", final=False), close(1001), text("z"))
    assert (texts, passed) == ([], frame(TEXT, final=False) + close(1001) + text("z"))


def test_no_more_of_a_message_is_in_memory_than_the_limit() -> None:
    limits = Limits()
    frames = TextFrames(limits)
    frames.cut(frame(TEXT, b"a", final=False))
    flood = frame(CONTINUATION, final=False) * 5_000
    tracemalloc.start()
    try:
        for _ in range(20):
            frames.cut(flood)
        for _ in range(50):
            frames.cut(frame(CONTINUATION, b"x" * 65_000, final=False))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * limits.message_bytes + 65_000 * 3
    assert not frames.is_over
