"""Whatever others wrote, and whatever a file is called, no command prints or writes what a terminal would obey."""

from pathlib import Path

import duckdb
import pytest
from command import run_here
from readings import Reading, at
from recordings import make_recording

from pulsoid_rec.recorder.contract.display import CONTROLS

ORDERS = "\x1b[2J\x9b2J\u202ex\u2028y\x07"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room, member = f"room{ORDERS}", f"id{ORDERS}"
    path = make_recording(
        tmp_path_factory.mktemp("foreign") / f"a{ORDERS}.duckdb",
        [Reading(room, member, 70 + second % 3 * 50, at(second), at(second)) for second in range(60)],
        room_events=[(room, '{"name": "R\\u001b[2J"}', at(0), at(0), "c")],
        connection_events=[(room, ORDERS, "opened", at(0), None, None), (room, ORDERS, "lost", at(9), None, ORDERS)],
    )
    with duckdb.connect(path) as connection:
        mark = [room, None, f"mark{ORDERS}", "mark", at(30), "m", "cli"]
        connection.execute("INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?)", mark)
        connection.execute("INSERT INTO rejected_messages VALUES (?, 'c', ?, ?, ?)", [room, at(3), ORDERS, ORDERS])
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("report", "--format", "html"), marks=pytest.mark.process),
        ("report", "--format", "table"),
        ("report", "--format", "json"),
        ("report", "--room", f"other{ORDERS}"),
        ("sessions",),
        ("responses", f"mark{ORDERS}"),
        ("responses", f"none{ORDERS}"),
        ("responses", f"mark{ORDERS}", "--format", "json"),
        ("together",),
        ("together", "--format", "json"),
        ("recover",),
        ("import", f"missing{ORDERS}.csv"),
        *(("export", "--excel", "--table", table, "-o") for table in ("summary", "rejected_messages", "heart_rate")),
    ],
)
def test_a_command_orders_a_terminal_nothing(recording: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    out = tmp_path / f"out{ORDERS}.csv"
    done = run_here(*arguments, *([out] if arguments[0] == "export" else []), "--db", recording)
    written = out.read_text(encoding="utf-8") if out.exists() else ""
    for text in (done.stdout, done.stderr, written):
        assert not CONTROLS.search(text.translate(dict.fromkeys(map(ord, "\t\r\n")))), arguments
    assert out.exists() == (arguments[0] == "export")
