"""`record --live`: the page's address is said once, and what is wrong with it before anything is recorded."""

import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest
import trio
from command import run_here
from numbered_server import open_numbered_server
from recorder_process import end, start_recorder

pytestmark = pytest.mark.process


def status_of(url: str) -> int:
    with urllib.request.urlopen(url) as answer:
        return int(answer.status)


def snapshot_of(url: str) -> str:
    with urllib.request.urlopen(f"{url}events") as answer:
        return str(next(line.decode() for line in answer if line.startswith(b"data:")))


async def test_the_address_is_said_once_and_serves_until_the_end(tmp_path: Path) -> None:
    members = tmp_path / "team.toml"
    members.write_text('[user-9]\nname = "Absent"\n', encoding="utf-8")
    async with open_numbered_server() as server:
        options = ["--live", "0", "--members", str(members)]
        process = start_recorder(tmp_path / "a.duckdb", server, options=options)
        assert process.stderr is not None
        said = ""
        while "Live page: " not in said:
            said += process.stderr.readline()
        url = re.findall(r"Live page: (http://127\.0\.0\.1:\d+/)\n", said)[0]
        assert await trio.to_thread.run_sync(status_of, f"{url}healthz") == 200
        assert '"Absent"' in await trio.to_thread.run_sync(snapshot_of, url)
        ended = await end(process, signal.SIGINT)
    assert ended.code == 0
    assert "Live page" not in ended.said


def test_a_port_in_use_is_wrong_usage_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ("--db", tmp_path / "a.duckdb", "--server", "ws://127.0.0.1:9", "--live", port)
        done = run_here("record", "room", *options, PULSOID_TOKEN="token-of-a-test")
    assert done.returncode == 2
    assert done.stderr == (
        f"pulsoid-rec: Cannot serve the live page at 127.0.0.1:{port}: another program uses that port. Choose another"
        " with --live PORT, 0 for any free one; or another host with --live-host.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_members_file_that_cannot_be_read_stops_no_recording(tmp_path: Path) -> None:
    (tmp_path / "members.toml").write_text("[user-1]\nname = 3\n", encoding="utf-8")
    options = ("--db", tmp_path / "a.duckdb", "--server", "ws://127.0.0.1:9", "--live", "0")
    done = run_here("record", "room", *options, "--duration", "0.2", PULSOID_TOKEN="token-of-a-test")
    assert done.returncode == 3  # never connected
    assert "The live page does without it." in done.stderr


@pytest.mark.parametrize("option", [("--live-port", "9999"), ("--live-host", "0.0.0.0")])
def test_an_option_of_a_page_that_is_not_served_is_wrong_usage(option: tuple[str, str], tmp_path: Path) -> None:
    done = run_here("record", "room", "--db", tmp_path / "a.duckdb", *option, PULSOID_TOKEN="token-of-a-test")
    assert done.returncode == 2
    assert "Add --live." in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_port_behind_the_option_is_a_room(tmp_path: Path) -> None:
    options = ("--db", tmp_path / "a.duckdb", "--server", "ws://127.0.0.1:9", "--duration", "0.2")
    done = run_here("record", "one", *options, "--live", "65536", "--live-port", "0", PULSOID_TOKEN="token-of-a-test")
    assert done.returncode == 3
    assert "'one'" in done.stderr
    assert "'65536'" in done.stderr
