"""The mark `pure` cannot be wrong: a test that has it can start no process and open no socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
import trio


def listen() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


@pytest.mark.parametrize(
    "act",
    [
        lambda: subprocess.run([sys.executable, "--version"], check=True),
        lambda: os.system("true"),
        lambda: socket.create_connection(("127.0.0.1", 9)),
        listen,
    ],
    ids=["run", "system", "connect", "listen"],
)
def test_a_pure_test_fails_that_starts_a_process_or_opens_a_socket(act: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="not marked `process`"):
        act()


async def test_a_pure_test_may_be_run_by_trio() -> None:
    await trio.lowlevel.checkpoint()
    assert await trio.to_thread.run_sync(lambda: 1) == 1


@pytest.mark.process
def test_a_process_test_may_do_both() -> None:
    subprocess.run([sys.executable, "--version"], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
