"""Notes on messages that were rejected, and so are in no figure: how many, and most often why."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from pulsoid_rec.analysis.findings.note import Note, make_note
from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.wording import format_count

_WITHOUT_CONSENT = "by members without consent"
MOST = 5  # if messages of more sessions or rooms were rejected, they are only counted


def rejected_notes(view: SessionView) -> list[Note]:
    """Describe the rejected messages of a session, if any, and those of members without consent."""
    notes = []
    for row in view.rejected.iter_rows(named=True):
        first, last = view.clock(row["first_at"]), view.clock(row["last_at"])
        when = f" at {first}" if first == last else f" from {first} to {last}"
        notes += [make_note(view, None, "rejected", text) for text in _describe(row, "", when)]
    return notes


def describe_rejected(rejected: pl.DataFrame, rooms: Mapping[str, str]) -> list[str]:
    """Describe the rejected messages of each session, without notes; parameters as of `describe_unplaced`."""
    rows = rejected.drop_nulls("session")
    if rows.height > MOST:
        return [f"{text}: `sessions` counts them" for text in _describe_many(rows, "session")]
    return [
        text
        for row in rows.iter_rows(named=True)
        for text in _describe(row, f" of {_room(row, rooms)}, session {row['session']},", "")
    ]


def describe_unplaced(rejected: pl.DataFrame, rooms: Mapping[str, str]) -> list[str]:
    """Describe the rejected messages that are in no session: a room may have sent nothing else.

    `rejected` is `reading.rejected.REJECTED`, `rooms` has names by id.
    """
    rows = rejected.filter(pl.col("session").is_null())
    if rows.height > MOST:
        return _describe_many(rows, "room")
    return [text for row in rows.iter_rows(named=True) for text in _describe(row, f" of {_room(row, rooms)}", "")]


def describe_withheld(rejected: pl.DataFrame) -> list[str]:
    """Describe how many messages in sessions were of members without consent, in one sentence at most."""
    rows = rejected.filter(pl.col("session").is_not_null() & (pl.col("withheld") > 0))
    return _describe_many(rows.with_columns(messages=0), "session")


def _describe_many(rows: pl.DataFrame, noun: str) -> list[str]:
    """Describe rejected messages of many sessions or rooms."""
    texts = []
    for column, fate in (("messages", "were rejected"), ("withheld", f"{_WITHOUT_CONSENT} were not recorded")):
        of = rows.filter(pl.col(column) > 0)
        if not of.is_empty():
            messages = format_count(int(of[column].sum()), "message")
            texts.append(f"{messages} of {format_count(of.height, noun)} {fate}, and are in no figure")
    return texts


def _room(row: dict[str, Any], rooms: Mapping[str, str]) -> str:
    return "an unknown room" if row["room_id"] is None else f"room {rooms.get(row['room_id'], row['room_id'])}"


def _describe(row: dict[str, Any], whose: str, when: str) -> list[str]:
    """Describe rejected messages: `12 messages were rejected at 18:00:05, and are in no figure (it is not JSON)`."""
    texts = []
    if row["messages"]:
        was, is_ = ("was", "is") if row["messages"] == 1 else ("were", "are")
        count = "" if row["messages"] == row["of_reason"] else f"{row['of_reason']:,} of them: "
        why = count + plain(row["reason"])  # it may quote the message
        count = format_count(row["messages"], "message")
        texts.append(f"{count}{whose} {was} rejected{when}, and {is_} in no figure ({why})")
    if row["withheld"]:
        was, is_ = ("was", "is") if row["withheld"] == 1 else ("were", "are")
        members = format_count(row["withheld_members"], "member")
        count = format_count(row["withheld"], "message")
        texts.append(
            f"{count}{whose} {_WITHOUT_CONSENT} (up to {members} at a time) {was} not recorded, and {is_} in no figure"
        )
    return texts
