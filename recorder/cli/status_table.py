"""The status of a run as a table for a terminal of 80 columns or more; times are local."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.member_labels import label_member
from pulsoid_rec.recorder.contract.wording import format_count, format_duration
from pulsoid_rec.recorder.health.judge import UNKNOWN, Judged
from pulsoid_rec.recorder.health.note import MemberNote, RoomNote

_STYLES = {"recording": "green", "live": "green", "refused": "red", "killed": "red", "unresponsive": "red"}
_UNTOLD, _NOTHING = "-", "none yet"
_NAME_WIDTH = 24  # characters, so that a table fits 80
_EXACT_BELOW_S = 10.0


def draw_status(run: Judged, database: Path) -> RenderableType:
    """Draw a run: its rooms, its members, and a line for each thing that is wrong."""
    now = datetime.now(UTC)
    parts: list[RenderableType] = [_draw_line(str(database), "bold"), _draw_head(run, now)]
    if run.rooms:
        parts.append(_draw_rooms(run, now))
        told = {trouble.subject for trouble in run.troubles}
        waiting = [room for room in run.rooms if room.why is not None and room.room_id not in told]
        parts += [_draw_line(f"  {room.room_id}: {room.why}", "yellow") for room in waiting]
    if run.members:
        parts.append(_draw_members(run, now))
    if run.more_members:
        parts.append(Text(f"  ... and {format_count(run.more_members, 'more member')}", style="dim"))
    parts.append(_draw_storage(run))
    is_told = any(trouble.kind == "database" for trouble in run.troubles)
    if run.database_error is not None and not is_told:
        parts.append(_draw_line(f"{run.database_error}.", "yellow"))
    parts += [_draw_line(trouble.text, "red") for trouble in run.troubles]
    if not run.troubles:
        parts.append(Text("All is well.", style="green"))
    return Group(*parts)


def _draw_line(text: str, style: str) -> Text:
    """Draw what is one line to other programs, however long it is."""
    return Text(plain(text), style=style, no_wrap=True, overflow="ignore")


def _draw_head(run: Judged, now: datetime) -> Text:
    head = Text.assemble((run.state.capitalize(), _style(run.state)))
    if run.state in {"killed", "unresponsive"} and run.last_alive_at is not None:
        head.append(f", last alive {_format_instant(run.last_alive_at, now)}")
    elif run.started_at is not None:
        head.append(f" since {_format_instant(run.started_at, now)} ({_format_age(run.started_at, now)})")
    return head.append("" if run.pid is None else f", process {run.pid}")


def _style(state: str) -> str:
    return _STYLES.get(state, "yellow")


def _draw_rooms(run: Judged, now: datetime) -> Table:
    table = _make_table("room", "state", "last reading", "deaf, last hour")
    for room in run.rooms:
        table.add_row(*_room_cells(room, now))
    return table


def _room_cells(room: RoomNote, now: datetime) -> tuple[str | Text, ...]:
    state = Text(room.state, style=_style(room.state))
    if room.state != UNKNOWN:
        state.append(f" {_format_age(room.since, now)}", style="default")
    return (
        plain(room.room_id),
        state,
        _NOTHING if room.last_reading_at is None else f"{_format_age(room.last_reading_at, now)} ago",
        _format_seconds(room.deaf_s),
    )


def _draw_members(run: Judged, now: datetime) -> Table:
    has_rooms = len(run.rooms) > 1
    table = _make_table("member", "last reading", "lag", *(["room"] if has_rooms else []))
    for member in sorted(run.members, key=lambda member: (member.room_id or "", _label(member))):
        cells = [_label(member), _format_ago(member.last_reading_at, now), _format_seconds(member.lag_s)]
        table.add_row(*cells, *([plain(member.room_id or _UNTOLD)] if has_rooms else []))
    return table


def _make_table(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 2), collapse_padding=True, header_style="dim")
    for head in heads:
        widest = _NAME_WIDTH if head in {"room", "member"} else None
        table.add_column(head, no_wrap=True, overflow="ellipsis", max_width=widest)
    return table


def _draw_storage(run: Judged) -> Text:
    parts = []
    if run.database_behind_s is not None and run.is_recording:
        behind = f"{format_duration(run.database_behind_s)} behind"
        parts.append(f"database {behind if run.database_behind_s else 'up to date'}")
    if run.journal_bytes is not None:
        parts.append(f"{run.journal_bytes / 1024:,.0f} KiB in the journal")
    parts.append(f"{run.disk_free_bytes / 1e9:,.1f} GB free")
    text = "; ".join(parts)
    return Text(text[:1].upper() + text[1:])


def _label(member: MemberNote) -> str:
    return label_member(member.profile_id, member.name)


def _format_seconds(seconds: float | None) -> str:
    if seconds is None:
        return _UNTOLD
    if abs(seconds) < _EXACT_BELOW_S:
        return f"{seconds:.1f} s"
    return f"{'-' if seconds < 0 else ''}{format_duration(abs(seconds))}"


def _format_age(at: datetime, now: datetime) -> str:
    return format_duration(max(int((now - at).total_seconds()), 0))


def _format_ago(at: datetime | None, now: datetime) -> str:
    return _NOTHING if at is None else f"{_format_instant(at, now)}, {_format_age(at, now)} ago"


def _format_instant(at: datetime, now: datetime) -> str:
    local, today = at.astimezone(), now.astimezone().date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
