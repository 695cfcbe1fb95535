"""The mark `pure` is enforced, and every test that README.md names exists."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


def test_the_readme_names_tests_that_exist() -> None:
    folder = Path(__file__).parent
    tests = {file.stem: re.findall(r"def test_(\w+)", file.read_text("utf-8")) for file in folder.rglob("test_*.py")}
    named = 0
    for row in re.findall(r"^\| .*", (folder / "README.md").read_text("utf-8"), re.MULTILINE):
        file = ""
        for word in re.findall(r"`([a-z0-9_]+_[a-z0-9_.]+)`", row):
            if word.startswith("test_"):
                file = word
                assert file in tests
            elif file:
                assert any(test.startswith(word.removesuffix("...")) for test in tests[file]), (file, word)
                named += 1
    assert named > 60
