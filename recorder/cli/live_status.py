"""The live status on a terminal, redrawn in place each second."""

import logging
import time
from collections.abc import Iterator
from heapq import nlargest

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.member_labels import label_member
from pulsoid_rec.recorder.contract.wording import format_count, format_duration, shorten
from pulsoid_rec.recorder.recorder import Recorder
from pulsoid_rec.recorder.status import RoomStatus

log = logging.getLogger(__name__)

REDRAW_EVERY_S = 1.0
_LABEL_CHARS = 40  # of a mark's label
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
        self._messages_drawn = 0
        self._per_second = 0.0

    async def show(self, recorder: Recorder) -> None:
        """Draw each second; when cancelled, remove the status from the screen. Fails alone, once."""
        try:
            await self._show(recorder)
        except Exception:
            log.exception("The status cannot be shown any more. Recording continues without it.")

    async def _show(self, recorder: Recorder) -> None:
        self._drawn_at = recorder.started_at
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(self.draw(recorder), refresh=True)
                await trio.sleep(REDRAW_EVERY_S)

    def draw(self, recorder: Recorder) -> RenderableType:
        """Draw the present status, no higher than the screen."""
        self._update_rate(recorder)
        totals = _draw_totals(recorder, self._per_second)
        lines_left = self._console.size.height - 1 - len(totals.wrap(self._console, self._console.width))
        return Group(*_draw_rooms([room.status for room in recorder.rooms], max(lines_left, 2)), totals)

    def _update_rate(self, recorder: Recorder) -> None:
        now = trio.current_time()
        messages = sum(room.status.messages for room in recorder.rooms)
        if now > self._drawn_at:
            self._per_second = (messages - self._messages_drawn) / (now - self._drawn_at)
        self._drawn_at, self._messages_drawn = now, messages


def _draw_rooms(rooms: list[RoomStatus], lines: int) -> Iterator[RenderableType]:
    """Give each room its line, and share the rest among the members."""
    shown = rooms if len(rooms) <= lines else rooms[: lines - 1]
    members = [status.present for status in shown]
    shares = _share_lines(members, lines - len(shown) - (shown is not rooms))
    for status, share in zip(shown, shares, strict=True):
        yield _draw_head(status)
        if share:
            yield _draw_members(status, share)
    if shown is not rooms:
        yield Text(f"... and {format_count(len(rooms) - len(shown), 'more room')}", style="dim")


def _share_lines(wanted: list[int], lines: int) -> list[int]:
    """Share lines: whoever wants few gets all of them, the others get equal shares."""
    shares = [0] * len(wanted)
    by_demand = sorted(range(len(wanted)), key=wanted.__getitem__)
    for sharers, place in zip(range(len(wanted), 0, -1), by_demand, strict=True):
        shares[place] = min(wanted[place], lines // sharers)
        lines -= shares[place]
    return shares


def _draw_head(status: RoomStatus) -> Text:
    head = Text.assemble(
        (status.room_id, "bold"),
        "  ",
        (status.state.value, _STYLES[status.state]),
        f" {_format_age(trio.current_time() - status.since)}",
    )
    if status.present:
        head.append(f"  {format_count(status.present, 'member')}")
    if status.evicted:
        head.append(", and more", "dim")
    if status.reconnects:
        head.append(f"  {format_count(status.reconnects, 'reconnect')}", "yellow")
    if status.rejected:
        head.append(f"  {format_count(status.rejected, 'rejected message')}", "yellow")
    if status.withheld:
        head.append(f"  {status.describe_withheld()} without consent not recorded", "yellow")
    if status.problem and status.state is not State.LIVE:
        head.append(f"  {status.problem}", "yellow")
    if status.state is State.LIVE and not (status.latest or status.withheld):
        head.append("  silent: nobody sends a heart rate", "dim")
    head.no_wrap, head.overflow = True, "ellipsis"
    return head


def _draw_members(status: RoomStatus, most: int) -> Table:
    """List the members with their latest bpm; if there are too many, the most recent."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True, min_width=len("230 bpm"))
    table.add_column(justify="right", no_wrap=True, min_width=len("59 min 59 s ago"))
    now_us = time.time_ns() // 1000
    present = (item for item in status.latest.items() if item[0] not in status.removed)
    latest = nlargest(most, present, key=lambda item: item[1][1])
    for profile_id, (bpm, received_at, _) in sorted(latest, key=lambda item: _name(status, item[0])):
        age_s = (now_us - received_at) / 1e6
        style = "dim" if age_s > _STALE_AFTER_S else ""
        table.add_row(Text(f"  {_name(status, profile_id)}"), f"{bpm:>3} bpm", f"{_format_age(age_s)} ago", style=style)
    return table


def _name(status: RoomStatus, profile_id: str) -> str:
    return label_member(profile_id, status.names.get(profile_id))


def _draw_totals(recorder: Recorder, per_second: float) -> Text:
    totals = Text.assemble(
        (_format_age(trio.current_time() - recorder.started_at), "bold"),
        f"  {per_second:,.0f} messages/s"
        f"  {format_count(recorder.ingester.total.count, 'row')} in {recorder.options.database.name}",
        f"  {recorder.journal.backlog_bytes / 1024:,.0f} KiB in the journal",
    )
    if mark := recorder.marks.latest:
        age = _format_age(time.time() - mark.marked_at / 1e6)
        totals.append(f"  {mark.kind} {plain(shorten(mark.label, _LABEL_CHARS))!r} {age} ago", "cyan")
    if recorder.ingester.error:
        totals.append(f"  {recorder.ingester.error.message}", "yellow")
    totals.append("\n" + ("Stopping ..." if recorder.is_ending else "Press Ctrl-C to stop recording."), "dim")
    return totals


def _format_age(seconds: float) -> str:
    return format_duration(max(int(seconds), 0))  # whole seconds: the status is redrawn each second
