"""Any terminal: whatever its encoding and width, it shows the table, and obeys nothing that a member wrote."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import PULSOID_REC, run_command, run_here, run_on_terminal
from recordings import at, make_recording, steady

pytestmark = [
    pytest.mark.process,
    pytest.mark.unmeasured,
    pytest.mark.skipif(os.name != "posix", reason="there is no pseudo-terminal"),
]

HOSTILE = "\x1b[2J\x9b2J\u202e\u2028\u0141 \u4e2d \U0001f600"
ORDERS = re.compile(rb"\x1b\[(?![0-9;]*m)|\x9b|[\x00-\x08\x0b\x0c\x0e-\x1a]")
"""What a terminal would obey, other than styles."""

STYLES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = json.dumps({"name": HOSTILE})
    return make_recording(
        tmp_path_factory.mktemp("recording") / "a.duckdb",
        steady("ann", 80, 0, 60) + steady("bob", 90, 0, 60),
        member_events=[["r1", "ann", "updated", config, at(0), at(0), "c"]],
        room_events=[["r1", config, at(0), at(0), "c"]],
    )


@pytest.mark.parametrize("encoding", ["iso8859-1", "cp437", "utf-8"])
def test_the_table_is_shown_in_every_encoding(db: Path, encoding: str) -> None:
    status, shown, errors = run_on_terminal("report", "--db", db, columns=40, PYTHONIOENCODING=encoding, NO_COLOR="1")
    assert (status, errors) == (0, b"")
    lines = STYLES.sub("", shown.decode(encoding)).splitlines()
    assert any("bob" in line and "90.0" in line for line in lines)
    assert any(("\u0141 \u4e2d" if encoding == "utf-8" else "? ??") in line for line in lines)
    assert max(map(len, lines)) <= 40
    assert not ORDERS.search(shown)


def test_a_terminal_without_colours_is_as_wide_as_it_is(db: Path) -> None:
    status, shown, _ = run_on_terminal("sessions", "--db", db, columns=40, TERM="dumb")
    assert status == 0
    assert max(map(len, shown.decode().splitlines())) <= 40
    assert b"\x1b" not in shown


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-1"])
def test_json_has_every_name_and_orders_a_terminal_nothing(db: Path, encoding: str) -> None:
    status, shown, _ = run_on_terminal("report", "--db", db, "--format", "json", PYTHONIOENCODING=encoding)
    assert status == 0
    assert [row["name"] for row in json.loads(shown.decode(encoding))] == [HOSTILE, "bob"]
    assert not ORDERS.search(shown)
    piped = run_command("report", "--db", db, "--format", "json", PYTHONIOENCODING=encoding).stdout
    assert [row["name"] for row in json.loads(piped)] == [HOSTILE, "bob"]
    assert "\u0141 \u4e2d \U0001f600" in piped, "a pipe gets letters as they are"


@pytest.mark.parametrize("option", ["--room", "--session", "--since", "--db", "--format", "--"])
def test_no_message_orders_a_terminal_anything(db: Path, option: str) -> None:
    done = run_here("report", "--db", db, option, HOSTILE)
    assert done.stderr.startswith("pulsoid-rec: ")
    assert done.stderr.count("\n") == 1
    assert not ORDERS.search(done.stderr.encode())
    assert "\u202e" not in done.stderr
    assert "\u2028" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no address space")
def test_a_lack_of_memory_is_one_line_with_what_to_do(db: Path) -> None:
    # It takes more to load polars; with enough for that, Rust may end the process at an allocation of its own.
    limited = ["prlimit", f"--as={250 * 2**20}", *PULSOID_REC]
    done = subprocess.run([*limited, "report", "--db", db], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert re.match(r"pulsoid-rec: There is not enough memory( for .*)?\. Close other programs", done.stderr)
    assert done.stderr.count("\n") == 1
