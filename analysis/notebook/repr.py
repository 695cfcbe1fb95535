"""How an excerpt of a recording is displayed: one line of text, or a small table in a notebook."""

from dataclasses import replace
from datetime import datetime
from html import escape

import polars as pl

from pulsoid_rec.analysis.findings.local_time import fixed_zone, to_local
from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.notebook.frames import Frames
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.errors import PulsoidRecError
from pulsoid_rec.recorder.contract.wording import format_count, format_list

_MAX_NAMES = 12
_MAX_ROOMS = 20
_CELL = "text-align:left;vertical-align:top;white-space:normal"


def describe_excerpt(excerpt: Frames) -> str:
    """Describe an excerpt's contents in one line."""
    name = f"Excerpt of {excerpt.recording.where}"
    try:
        with excerpt.snapshot() as now:
            rooms, members = now.rooms(), now.members()
    except PulsoidRecError as error:
        return f"{name}: {error}"
    return f"{name}{_describe_filter(excerpt, members)}: {_totals(rooms)}"


def render_excerpt(excerpt: Frames) -> str:
    """Render an excerpt's contents, or why they cannot be read, as HTML with a row for each room; names are escaped."""
    head = f"<b>{escape(excerpt.recording.title)}</b>"
    try:
        with excerpt.snapshot() as now:
            rooms, members = now.rooms(), now.members()
    except PulsoidRecError as error:
        return f"<div>{head}<br>{escape(str(error))}</div>"
    head += escape(_describe_filter(excerpt, members))
    names = {
        room: list(map(plain, of)) for room, of in members.group_by("room_id").agg(pl.col("name").sort()).iter_rows()
    }
    rows = "".join(_row(room, names.get(room["room_id"], [])) for room in rooms.head(_MAX_ROOMS).iter_rows(named=True))
    titles = ("Room", "From", "To", "Sessions", "Readings", "Members")
    heads = "".join(f'<th style="{_CELL}">{title}</th>' for title in titles)
    more = f"<br>and {format_count(rooms.height - _MAX_ROOMS, 'more room')}" if rooms.height > _MAX_ROOMS else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}" if rows else ""
    return f"<div>{head}: {escape(_totals(rooms))}{table}</div>"


def _row(room: dict[str, object], names: list[str]) -> str:
    label = room["room_id"] if room["name"] in {None, room["room_id"]} else f"{room['name']} ({room['room_id']})"
    cells = (
        plain(str(label)),
        _local(room["first_at"]),
        _local(room["last_at"]),
        f"{room['sessions']:,}",
        f"{room['readings']:,}",
        format_list(names, _MAX_NAMES),
    )
    return "<tr>" + "".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in cells) + "</tr>"


def _local(at: object) -> str:
    if not isinstance(at, datetime):
        return DASH
    return f"{to_local(at, None).replace(tzinfo=None).isoformat(' ', 'seconds')} {fixed_zone(at, None)}"


def _describe_filter(excerpt: Frames, members: pl.DataFrame) -> str:
    names = dict(members.select("profile_id", "name").iter_rows())
    chosen = replace(excerpt.wanted, members=tuple(names.get(id_, id_) for id_ in excerpt.wanted.members))
    return f", {chosen}" if str(chosen) else ""


def _totals(rooms: pl.DataFrame) -> str:
    if not rooms["readings"].sum():
        return "no readings yet"
    sessions, readings = int(rooms["sessions"].sum()), int(rooms["readings"].sum())
    counts = f"{format_count(sessions, 'session')}, {format_count(readings, 'reading')}"
    return f"{counts} in {format_count(rooms.height, 'room')}"
