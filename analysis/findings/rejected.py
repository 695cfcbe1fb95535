"""Notes on messages that were rejected, and so are in no figure: how many, and most often why."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.note import Note, make_note
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.wording import format_count

MOST = 5  # if messages of more sessions or rooms were rejected, they are only counted


def rejected_notes(view: SessionView) -> list[Note]:
    """Describe the rejected messages of a session, if any."""
    notes = []
    for row in view.rejected.iter_rows(named=True):
        first, last = view.clock(row["first_at"]), view.clock(row["last_at"])
        when = f" at {first}" if first == last else f" from {first} to {last}"
        notes.append(make_note(view, None, "rejected", _describe(row, "", when)))
    return notes


def describe_rejected(rejected: pl.DataFrame, rooms: Mapping[str, str]) -> list[str]:
    """Describe the rejected messages of each session, without notes; parameters as of `describe_unplaced`."""
    rows = rejected.drop_nulls("session")
    if rows.height > MOST:
        return [f"{_describe_many(rows, 'session')}: `sessions` counts them"]
    return [
        _describe(row, f" of {_room(row, rooms)}, session {row['session']},", "") for row in rows.iter_rows(named=True)
    ]


def describe_unplaced(rejected: pl.DataFrame, rooms: Mapping[str, str]) -> list[str]:
    """Describe the rejected messages that are in no session: a room may have sent nothing else.

    `rejected` is `reading.rejected.REJECTED`, `rooms` has names by id.
    """
    rows = rejected.filter(pl.col("session").is_null())
    if rows.height > MOST:
        return [_describe_many(rows, "room")]
    return [_describe(row, f" of {_room(row, rooms)}", "") for row in rows.iter_rows(named=True)]


def _describe_many(rows: pl.DataFrame, noun: str) -> str:
    messages = format_count(int(rows["messages"].sum()), "message")
    return f"{messages} of {format_count(rows.height, noun)} were rejected, and are in no figure"


def _room(row: dict[str, Any], rooms: Mapping[str, str]) -> str:
    return "an unknown room" if row["room_id"] is None else f"room {rooms.get(row['room_id'], row['room_id'])}"


def _describe(row: dict[str, Any], whose: str, when: str) -> str:
    """Describe rejected messages: `12 messages were rejected at 18:00:05, and are in no figure (it is not JSON)`."""
    was, is_ = ("was", "is") if row["messages"] == 1 else ("were", "are")
    count = "" if row["messages"] == row["of_reason"] else f"{row['of_reason']:,} of them: "
    why = count + plain(row["reason"])  # it may quote the message
    return f"{format_count(row['messages'], 'message')}{whose} {was} rejected{when}, and {is_} in no figure ({why})"
