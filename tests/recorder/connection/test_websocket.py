"""Opening a connection: what is asked for, and what happens to the connection underneath."""

import re

import pytest
import trio
from hostile_server import Visit, answer, frame, open_hostile_server, reading

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.connection.watched_stream import WatchedStream
from pulsoid_rec.recorder.connection.websocket import CannotConnectError, ReaderTask, open_stream, open_websocket
from pulsoid_rec.recorder.contract.timings import Timings

pytestmark = pytest.mark.process

TOKEN = "t0ken-nobody-may-see"


async def test_the_token_is_in_the_header_and_nowhere_else_and_all_kinds_are_asked_for() -> None:
    async with open_hostile_server(_accept) as server, trio.open_nursery() as nursery:
        where = parse_server_url(server.url + "/prefix")
        stream = await open_stream(where)
        path = where.room_path("a room", ("heart_rate", "room_updated"))
        await open_websocket(ReaderTask(nursery), stream, where, path, TOKEN)
        nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(stream)
    head = server.heads[0].decode()
    lines = head.split("\r\n")
    assert lines[0] == "GET /prefix/api/v2/data/rooms/a%20room/real_time?kinds=heart_rate,room_updated HTTP/1.1"
    assert f"Authorization: Bearer {TOKEN}" in lines
    assert f"Host: localhost:{server.port}" in lines
    assert head.count(TOKEN) == 1
    assert re.search(r"(?m)^User-Agent: pulsoid-rec/\d", head)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 500 X\r\n\r\n", b"\x00\xff", answer(401, b"x" * 10_000)])
async def test_an_attempt_that_fails_says_so_and_holds_no_token(data: bytes) -> None:
    async def act(visit: Visit) -> None:
        await visit.send(data)

    async with open_hostile_server(act) as server, trio.open_nursery() as nursery:
        where = parse_server_url(server.url)
        stream = await open_stream(where)
        with pytest.raises(CannotConnectError) as caught:
            await open_websocket(ReaderTask(nursery), stream, where, "/", TOKEN)
        assert TOKEN not in repr(caught.value) + str(caught.value)
        await trio.aclose_forcefully(stream)


async def test_a_cancelled_attempt_leaves_no_connection_open() -> None:
    gone = trio.Event()

    async def act(visit: Visit) -> None:
        await visit.until_gone()
        gone.set()

    async with open_hostile_server(act) as server:
        stream = await open_stream(parse_server_url(server.url))
        with trio.move_on_after(0.1) as scope:
            async with trio.open_nursery() as nursery:
                await open_websocket(ReaderTask(nursery), stream, parse_server_url(server.url), "/", TOKEN)
        assert scope.cancelled_caught
        await trio.aclose_forcefully(stream)
        with trio.fail_after(2):
            await gone.wait()


async def test_a_tls_handshake_that_is_never_answered_is_given_up() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")  # it listens, and takes nobody in
    port = listener.socket.getsockname()[1]
    with trio.fail_after(2), pytest.raises(CannotConnectError, match=f"127.0.0.1:{port} does not answer"):
        await open_stream(parse_server_url(f"wss://127.0.0.1:{port}"), Timings(connect_timeout_s=0.1))
    await listener.aclose()


async def test_what_the_reader_had_read_when_it_was_stopped_can_still_be_received() -> None:
    async def act(visit: Visit) -> None:
        long_way = (frame(0x1, reading(n).encode(), final=False) + frame(0x0) for n in range(40))
        await visit.accept(*long_way, frame(0x9, b"ping"))
        await visit.until_gone()

    async with open_hostile_server(act) as server, trio.open_nursery() as nursery:
        where = parse_server_url(server.url)
        stream: WatchedStream = await open_stream(where)
        reader = ReaderTask(nursery)
        websocket = await open_websocket(reader, stream, where, "/", TOKEN)
        stream.deliver_to(_nothing, trio.sleep_forever)
        await trio.sleep(0.1)
        reader.stop()
        await reader.ended.wait()
        with trio.fail_after(2):
            assert [await websocket.get_message() for _ in range(40)] == [reading(n) for n in range(40)]
        assert stream.http_status == 101
        assert reader.error is None
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()


def _nothing(frames: list[str]) -> bool:
    raise AssertionError(frames)


async def _accept(visit: Visit) -> None:
    await visit.accept()
    await visit.until_gone()
