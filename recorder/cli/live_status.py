"""How the recording goes, on a terminal: a screen in place that is drawn anew each second."""

import time
from collections.abc import Iterator

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.status import RoomStatus

DRAW_EVERY_S = 1.0
_STALE_AFTER_S = 15.0
_STYLES = {
    State.CONNECTING: "yellow",
    State.LIVE: "green",
    State.WAITING: "yellow",
    State.REFUSED: "red",
    State.STOPPED: "dim",
}


class LiveStatus:
    """Draws a recorder's status on a console, until cancelled."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn_at = 0.0
        self._messages_then = 0
        self._per_second = 0.0

    async def show(self, recorder: Recorder) -> None:
        """Draw each second. Cancelled, the screen is cleared of it: the totals say what was recorded."""
        self._drawn_at = recorder.started_at
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(self.draw(recorder), refresh=True)
                await trio.sleep(DRAW_EVERY_S)

    def draw(self, recorder: Recorder) -> RenderableType:
        """Draw the status as of now, no higher than the screen."""
        self._measure(recorder)
        totals = _totals(recorder, self._per_second)
        lines_left = self._console.size.height - 1 - len(totals.wrap(self._console, self._console.width))
        return Group(*_rooms([room.status for room in recorder.rooms], max(lines_left, 2)), totals)

    def _measure(self, recorder: Recorder) -> None:
        now = trio.current_time()
        messages = sum(room.status.messages for room in recorder.rooms)
        if now > self._drawn_at:
            self._per_second = (messages - self._messages_then) / (now - self._drawn_at)
        self._drawn_at, self._messages_then = now, messages


def _rooms(rooms: list[RoomStatus], lines: int) -> Iterator[RenderableType]:
    """Give each room its line, and share the rest among their members."""
    shown = rooms if len(rooms) <= lines else rooms[: lines - 1]
    shares = _shares([len(_present(status)) for status in shown], lines - len(shown) - (shown is not rooms))
    for status, share in zip(shown, shares, strict=True):
        yield _head(status)
        if share:
            yield _members(status, share)
    if shown is not rooms:
        yield Text(f"... and {len(rooms) - len(shown)} more rooms", style="dim")


def _shares(wanted: list[int], lines: int) -> list[int]:
    """Share lines among those who want them: who wants little gets all of it, the others alike."""
    shares = [0] * len(wanted)
    for sharers, place in zip(
        range(len(wanted), 0, -1), sorted(range(len(wanted)), key=wanted.__getitem__), strict=True
    ):
        shares[place] = min(wanted[place], lines // sharers)
        lines -= shares[place]
    return shares


def _present(status: RoomStatus) -> dict[str, tuple[int, int]]:
    return {profile_id: last for profile_id, last in status.latest.items() if profile_id not in status.gone}


def _head(status: RoomStatus) -> Text:
    head = Text.assemble(
        (status.room_id, "bold"),
        "  ",
        (status.state.value, _STYLES[status.state]),
        f" {_age(trio.current_time() - status.since)}",
    )
    if members := len(_present(status)):
        head.append(f"  {members} member{'s' if members > 1 else ''}")
    if status.reconnects:
        head.append(f"  {status.reconnects} reconnect{'s' if status.reconnects > 1 else ''}", "yellow")
    if status.rejected:
        head.append(f"  {status.rejected:,} not understood", "yellow")
    if status.trouble and status.state is not State.LIVE:
        head.append(f"  {status.trouble}", "yellow")
    if status.state is State.LIVE and not status.latest:
        head.append("  silent: nobody's heart rate flows", "dim")
    head.no_wrap, head.overflow = True, "ellipsis"
    return head


def _members(status: RoomStatus, most: int) -> Table:
    """List the members with their latest bpm, the one heard last first if there are too many."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True, min_width=len("230 bpm"))
    table.add_column(justify="right", no_wrap=True, min_width=len("59 min 59 s ago"))
    now = time.time_ns() // 1000
    latest = sorted(_present(status).items(), key=lambda item: -item[1][1])[:most]
    for profile_id, (bpm, received_at) in sorted(latest, key=lambda item: _name(status, item[0])):
        age_s = (now - received_at) / 1e6
        style = "dim" if age_s > _STALE_AFTER_S else ""
        table.add_row(Text(f"  {_name(status, profile_id)}"), f"{bpm:>3} bpm", f"{_age(age_s)} ago", style=style)
    return table


def _name(status: RoomStatus, profile_id: str) -> str:
    name = status.names.get(profile_id) or profile_id[:8]
    # A room's members choose their names; none of them is to move the cursor of whoever records.
    return "".join(character if character.isprintable() else "?" for character in name)


def _totals(recorder: Recorder, per_second: float) -> Text:
    rows = sum(recorder.ingester.total.rows.values())
    behind = recorder.journal.backlog_bytes
    line = Text.assemble(
        (f"{_age(trio.current_time() - recorder.started_at)}", "bold"),
        f"  {per_second:,.0f} messages/s  {rows:,} rows in {recorder.options.database.name}",
        f"  {behind / 1024:,.0f} KiB in the journal",
    )
    if recorder.ingester.trouble:
        line.append(f"  {recorder.ingester.trouble.message}", "yellow")
    line.append("\n" + ("Ending ..." if recorder.is_ending else "Ctrl-C ends the recording."), "dim")
    return line


def _age(seconds: float) -> str:
    """Write a duration as short as tells it: 7 s, 3 min 20 s, 2 h 5 min."""
    minutes, whole_s = divmod(max(int(seconds), 0), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {whole_s} s" if minutes else f"{whole_s} s"
