"""One task reads all sockets: nothing is lost, mixed up or held up, and each connection still waits by itself."""

import random
import select
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsoid_rec.recorder.connection.poller import Poller
from pulsoid_rec.recorder.connection.wire import Wire
from pulsoid_rec.recorder.contract.timings import Timings

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(select, "epoll"), reason="this system has no epoll: trio waits for each socket"),
]


Connect = Callable[[], tuple[Wire, socket.socket]]


@asynccontextmanager
async def open_poller() -> AsyncIterator[Connect]:
    """Run a poller; yields what opens a connection: our end, which is polled, and the other."""
    opened: list[tuple[Wire, socket.socket]] = []

    def connect() -> tuple[Wire, socket.socket]:
        ours, theirs = socket.socketpair()
        opened.append((Wire(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), poller), theirs))
        return opened[-1]

    poller = Poller(Timings(poll_every_s=0.001))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        yield connect
        nursery.cancel_scope.cancel()
    for wire, theirs in opened:
        await trio.aclose_forcefully(wire)
        theirs.close()


async def read_all(wire: Wire) -> bytes:
    received = b""
    while data := await wire.receive_some():
        received += data
    return received


async def test_everything_arrives_in_order_over_many_connections() -> None:
    received: dict[int, bytes] = {}
    sent = {number: random.Random(number).randbytes(50_000 * number) for number in range(12)}

    async def receive(number: int, wire: Wire) -> None:
        received[number] = await read_all(wire)
        await wire.aclose()

    async def send(number: int, theirs: socket.socket) -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        pieces = random.Random(-number)
        at = 0
        while at < len(sent[number]):
            size = pieces.choice([1, 200, 70_000])
            await stream.send_all(sent[number][at : at + size])
            at += size
        await stream.aclose()

    async with open_poller() as connect, trio.open_nursery() as nursery:
        for number in sent:
            wire, theirs = connect()
            nursery.start_soon(receive, number, wire)
            nursery.start_soon(send, number, theirs)
    assert received == sent


async def test_a_cancelled_read_loses_nothing() -> None:
    async with open_poller() as connect:
        wire, theirs = connect()
        received = b""
        for number in range(100):
            with trio.move_on_after(0.002):
                received += await wire.receive_some()
            theirs.send(bytes([number]))
        theirs.close()
        assert received + await read_all(wire) == bytes(range(100))
        await wire.aclose()


async def test_who_does_not_read_is_not_read_for_and_wakes_nobody() -> None:
    async with open_poller() as connect:
        wire, theirs = connect()
        theirs.send(b"first")
        assert await wire.receive_some() == b"first"
        theirs.send(b"second")
        await trio.sleep(0.05)
        assert wire._registered is None  # otherwise the poller would turn in circles
        assert await wire.receive_some() == b"second"


async def test_what_is_taken_needs_no_task_and_the_rest_wakes_it() -> None:
    taken = b""

    def take(data: bytes) -> bytes | None:
        nonlocal taken
        taken += data
        return data if data == b"rest" else None

    async with open_poller() as connect, trio.open_nursery() as nursery:
        wire, theirs = connect()
        wire.take = take
        received: list[bytes | bytearray] = []

        async def receive() -> None:
            received.append(await wire.receive_some())

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        for data in (b"one", b"two", b"rest"):
            assert received == []
            before = len(taken)
            theirs.send(data)
            with trio.fail_after(2):
                while len(taken) == before:
                    await trio.sleep(0.001)
        await wait_all_tasks_blocked()
        assert (taken, received) == (b"onetworest", [b"rest"])


async def test_an_error_of_the_taker_is_raised_where_the_task_waits_and_ends_no_other_connection() -> None:
    def fail(data: bytes) -> bytes | None:
        raise ValueError(data)

    async with open_poller() as connect:
        failing, theirs = connect()
        other, others = connect()
        failing.take = fail
        theirs.send(b"x")
        with pytest.raises(ValueError, match="x"):
            await failing.receive_some()
        others.send(b"y")
        assert await other.receive_some() == b"y"


async def test_a_connection_that_is_reset_says_so() -> None:
    poller = Poller()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        listener = await trio.open_tcp_listeners(0, host="127.0.0.1")
        stream = await trio.open_tcp_stream("127.0.0.1", listener[0].socket.getsockname()[1])
        theirs = await listener[0].accept()
        wire = Wire(stream, poller)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await theirs.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await wire.receive_some()
        await wire.aclose()
        await listener[0].aclose()
        nursery.cancel_scope.cancel()


async def test_closing_wakes_whoever_waits() -> None:
    async with open_poller() as connect, trio.open_nursery() as nursery:
        wire, theirs = connect()

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await wire.receive_some()

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await wire.receive_some()
        await wire.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await wire.receive_some()
        theirs.close()


async def test_a_flood_does_not_hold_up_the_other_connections() -> None:
    size = 20 * 2**20
    async with open_poller() as connect, trio.open_nursery() as nursery:
        flooded, floods = connect()
        quiet, others = connect()
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(floods))
        received = 0

        async def receive() -> None:
            nonlocal received
            while received < size:
                received += len(await flooded.receive_some())

        nursery.start_soon(stream.send_all, bytes(size))
        nursery.start_soon(receive)
        await trio.sleep(0.001)
        for number in range(10):
            others.send(bytes([number]))
            assert await quiet.receive_some() == bytes([number])
        assert received < size  # otherwise nothing was shown
        nursery.cancel_scope.cancel()


async def test_without_epoll_trio_waits_for_each_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")
    poller = Poller()
    await poller.run()  # which has nothing to do
    ours, theirs = socket.socketpair()
    wire = Wire(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), poller)
    theirs.send(b"first")
    assert await wire.receive_some() == b"first"
    theirs.close()
    assert await wire.receive_some() == b""
    await wire.aclose()
