"""What an excerpt of a recording says of itself: one line of text, or a small table in a notebook."""

from dataclasses import replace
from datetime import datetime
from html import escape

import polars as pl

from pulsoid_rec.analysis.findings.session_view import fixed_zone
from pulsoid_rec.analysis.findings.wording import format_offset
from pulsoid_rec.analysis.notebook.frames import Frames
from pulsoid_rec.recorder.contract.errors import PulsoidRecError
from pulsoid_rec.recorder.contract.wording import format_count

_MOST_NAMES = 12
_MOST_ROOMS = 20
_CELL = "text-align:left;vertical-align:top;white-space:normal"


def contents_words(excerpt: Frames) -> str:
    """Say in a line what an excerpt is of, and what is in it."""
    name = f"Excerpt of {excerpt.recording.path}"
    try:
        rooms, members = excerpt.rooms(), excerpt.members()
    except PulsoidRecError as error:
        return f"{name}: {error}"
    return f"{name}{_choice(excerpt, members)}: {_totals(rooms)}"


def contents_html(excerpt: Frames) -> str:
    """Show what is in an excerpt as HTML, a row a room; whatever rooms and members are named, it is only text.

    Parameters
    ----------
    excerpt
        The excerpt. What is read for it is small, however many readings there are.

    Returns
    -------
    str
        A fragment for a notebook; when the recording cannot be read now, the reason.
    """
    head = f"<b>{escape(excerpt.recording.path.name)}</b>"
    try:
        rooms, members = excerpt.rooms(), excerpt.members()
    except PulsoidRecError as error:
        return f"<div>{head}<br>{escape(str(error))}</div>"
    head += escape(_choice(excerpt, members))
    names = dict(members.group_by("room_id").agg(pl.col("name").sort()).iter_rows())
    rows = "".join(_row(room, names.get(room["room_id"], [])) for room in rooms.head(_MOST_ROOMS).iter_rows(named=True))
    heads = "".join(
        f'<th style="{_CELL}">{each}</th>' for each in ("Room", "From", "To", "Sessions", "Readings", "Members")
    )
    more = f"<br>and {format_count(rooms.height - _MOST_ROOMS, 'more room')}" if rooms.height > _MOST_ROOMS else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}" if rows else ""
    return f"<div>{head}: {escape(_totals(rooms))}{table}</div>"


def _row(room: dict[str, object], names: list[str]) -> str:
    label = room["room_id"] if room["name"] in {None, room["room_id"]} else f"{room['name']} ({room['room_id']})"
    shown = ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )
    cells = (
        label,
        _local(room["first_at"]),
        _local(room["last_at"]),
        f"{room['sessions']:,}",
        f"{room['readings']:,}",
        shown,
    )
    return "<tr>" + "".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in cells) + "</tr>"


def _local(at: object) -> str:
    if not isinstance(at, datetime):
        return "\N{EM DASH}"
    zone = fixed_zone(at, None)
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} {format_offset(zone)}"


def _choice(excerpt: Frames, members: pl.DataFrame) -> str:
    names = dict(members.select("profile_id", "name").iter_rows())
    chosen = replace(excerpt.wanted, members=tuple(names.get(id_, id_) for id_ in excerpt.wanted.members))
    return f", {chosen}" if str(chosen) else ""


def _totals(rooms: pl.DataFrame) -> str:
    if not rooms["readings"].sum():
        return "no readings yet"
    counts = (
        format_count(int(rooms[column].sum()), noun)
        for column, noun in (("sessions", "session"), ("readings", "reading"))
    )
    return f"{', '.join(counts)} in {format_count(rooms.height, 'room')}"
