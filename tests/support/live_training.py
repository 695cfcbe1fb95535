"""The live page of the training in `generate_pictures`, at one instant: the page's files, and a snapshot."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trio
from recordings import Reading

from pulsoid_rec.recorder import live
from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.members_file import parse_members
from pulsoid_rec.recorder.journal.rows import ConnectionEventRow, HeartRateRow, MarkRow, MemberEventRow, RoomEventRow
from pulsoid_rec.recorder.live.events import RecorderEvent, frame
from pulsoid_rec.recorder.live.members import LiveMembers
from pulsoid_rec.recorder.live.state import LiveState
from pulsoid_rec.recorder.marking.board import MarkBoard
from pulsoid_rec.recorder.status import RoomStatus

PAGE = Path(live.__path__[0]) / "page"
Marks = list[tuple[datetime, str, str]]


def us(at: datetime) -> int:
    """Return an instant as rows have it."""
    return round(at.timestamp() * 1e6)


async def make_snapshot(
    readings: list[Reading], names: dict[str, str], members_toml: str, marks: Marks, room_name: str
) -> bytes:
    """Return the first event of a page that is opened at the last reading."""
    room, began_at, now = readings[0].room_id, us(readings[0].occurred_at), us(readings[-1].occurred_at)
    board = MarkBoard([room], lambda _room: names, lambda _row: None, ReceiptClock())
    board.merge(
        MarkRow(room, None, label, kind, us(at), str(number), "page") for number, (at, kind, label) in enumerate(marks)
    )
    status = RoomStatus(room, State.LIVE, trio.current_time())
    members = LiveMembers([room], parse_members(members_toml, "members.toml"), DEFAULT_LIMITS.live_members)
    state = LiveState([status], members, board, began_at)
    named = [MemberEventRow(room, "c1", who, "updated", names[who], "{}", began_at, began_at, "") for who in names]
    await state.add([
        RoomEventRow(room, "c1", room_name, "{}", began_at, began_at, ""),
        ConnectionEventRow(room, "c1", "opened", began_at),
        *named,
        *(
            HeartRateRow(room, "c1", each.profile_id, each.bpm, us(each.occurred_at), us(each.received_at), "")
            for each in readings
        ),
    ])  # fmt: skip
    return frame("snapshot", await state.snapshot(now, RecorderEvent(journal_bytes=0, backlog_s=0.0, warnings=[])))


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, snapshot: bytes, *arguments: object) -> None:
        self._snapshot = snapshot
        super().__init__(*arguments, directory=str(PAGE))  # type: ignore[arg-type] # what the server hands over

    def do_GET(self) -> None:
        if self.path != "/events":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(self._snapshot)
        self.wfile.flush()
        is_over.wait()

    def log_message(self, *_arguments: object) -> None:
        pass


is_over = threading.Event()


@contextmanager
def serve(snapshot: bytes) -> Iterator[str]:
    """Serve the page until the block ends; yield its address."""
    is_over.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, snapshot)) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/live.html"
        finally:
            is_over.set()
            server.shutdown()
