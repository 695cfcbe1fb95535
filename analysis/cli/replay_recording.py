"""Recorded sessions as plays for the simulator: every message of them, in its order and with its spacing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pulsoid_rec.analysis.cli.recording import open_recording
from pulsoid_rec.analysis.findings.what_exists import no_match_error
from pulsoid_rec.analysis.metrics.filters import Filter, parse_session, select_sessions
from pulsoid_rec.analysis.reading.database import read_frame
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.simulator.events import Event
from pulsoid_rec.recorder.simulator.play import Play, Reading, Readings
from pulsoid_rec.recorder.simulator.wire import Config, RecordedConfig

LEAD_S = 60.0
"""How long before the first and after the last reading other messages belong to a session, if no other is nearer."""

_READING, _UPDATED, _REMOVED, _ROOM, _REJECTED = "reading", "updated", "removed", "room", "rejected"
# Imported rows were received all at once: they are played as they occurred.
_PLAYED_AT = f"CASE WHEN {IS_IMPORTED} THEN occurred_at ELSE received_at END"
_ROWS = f"""
    SELECT '{_READING}' AS what, profile_id AS member, bpm, NULL AS text, occurred_at, {_PLAYED_AT} AS played_at
    FROM heart_rate WHERE room_id = $1 AND played_at BETWEEN $2 AND $3
    UNION ALL
    SELECT event, profile_id, NULL, coalesce(config::VARCHAR, '{{}}'), occurred_at, {_PLAYED_AT} AS played_at
    FROM member_events WHERE room_id = $1 AND played_at BETWEEN $4 AND $5
    UNION ALL
    SELECT '{_ROOM}', NULL, NULL, config::VARCHAR, occurred_at, {_PLAYED_AT} AS played_at
    FROM room_events WHERE room_id = $1 AND played_at BETWEEN $4 AND $5
    UNION ALL
    SELECT '{_REJECTED}', NULL, NULL, raw, received_at, received_at AS played_at
    FROM rejected_messages
    WHERE room_id = $1 AND NOT {IS_IMPORTED} AND raw <> '' AND played_at BETWEEN $4 AND $5
"""
_STEPS = (
    "SELECT what, member, bpm, text, epoch_us(occurred_at) AS occurred_us, epoch_us(played_at) AS played_us"
    f" FROM ({_ROWS}) ORDER BY played_us"
)
_EARLIER = f"""
    SELECT profile_id AS member, arg_max(coalesce(config::VARCHAR, '{{}}'), received_at) AS config
    FROM member_events WHERE room_id = $1 AND {_PLAYED_AT} < $2
    GROUP BY profile_id HAVING arg_max(event, received_at) = '{_UPDATED}'
    UNION ALL
    SELECT '', arg_max(config::VARCHAR, received_at)
    FROM room_events WHERE room_id = $1 AND {_PLAYED_AT} < $2 HAVING count(*) > 0
"""


def read_plays(path: Path, rooms: tuple[str, ...], session: str | None) -> dict[str, Play]:
    """Read a session of each room as a play: the one with this number, or its latest.

    Raises `UsageError` if there is none, and `StorageError` if the file cannot be read.
    """
    which = parse_session(session or "latest", "--session")
    if which == "all":
        raise UsageError("--session all cannot be replayed", "Give one number; see `sessions`.")
    wanted = Filter(rooms=rooms, session=which)
    with open_recording(path).snapshot() as snapshot:
        sessions = _with_bounds(snapshot)
        chosen = select_sessions(sessions, wanted)
        if chosen.is_empty():
            names = {room: name or room for room, name in snapshot.rooms().iter_rows()}
            raise no_match_error(wanted, names, sessions, snapshot.where)
        with snapshot.open_() as connection:
            return {bounds["room_id"]: _read_play(connection, bounds) for bounds in chosen.iter_rows(named=True)}


def _with_bounds(snapshot: Recording) -> pl.DataFrame:
    """Return all sessions, with the time of their readings and that of their other messages."""
    sessions = snapshot.sessions()
    imported = snapshot.imported_sessions()
    rows: list[dict[str, Any]] = []
    for room in sessions.partition_by("room_id", maintain_order=True):
        found = []
        for row in room.iter_rows(named=True):
            is_imported = (row["room_id"], row["session"]) in imported
            begins, ends = ("started_at", "ended_at") if is_imported else ("first_received_at", "last_received_at")
            found.append({**row, "begins_at": row[begins], "ends_at": row[ends]})
        found.sort(key=lambda row: row["begins_at"])
        for row in found:
            row["from_at"], row["until_at"] = _shifted(row["begins_at"], -LEAD_S), _shifted(row["ends_at"], LEAD_S)
        for one, other in pairwise(found):
            middle = one["ends_at"] + (other["begins_at"] - one["ends_at"]) / 2
            one["until_at"], other["from_at"] = min(one["until_at"], middle), max(other["from_at"], middle)
        rows += found
    bounds = dict.fromkeys(("begins_at", "ends_at", "from_at", "until_at"), sessions.schema["started_at"])
    return pl.DataFrame(rows, schema={**sessions.schema, **bounds})


def _shifted(at: datetime, seconds: float) -> datetime:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:  # in the years 1 and 9999
        return at


def _read_play(connection: duckdb.DuckDBPyConnection, bounds: dict[str, Any]) -> Play:
    values = [bounds[name] for name in ("room_id", "begins_at", "ends_at", "from_at", "until_at")]
    steps = read_frame(connection, _STEPS, values)
    earlier = read_frame(connection, _EARLIER, [bounds["room_id"], bounds["from_at"]])
    configs: dict[str, Config] = {member: RecordedConfig(config) for member, config in earlier.iter_rows()}
    room_config = configs.pop("", None)
    begin_us, end_us = steps["played_us"][0], steps["played_us"][-1]
    members, events = _follow_members(steps, begin_us, configs)
    read = steps.filter(pl.col("what") == _READING).select("member", "bpm", "occurred_us", "played_us")

    def readings() -> Iterator[Reading]:
        for member, bpm, occurred_us, played_us in read.iter_rows():
            yield Reading((played_us - begin_us) / 1e6, member, bpm, occurred_us - begin_us)

    return Play(members, Readings(readings), (end_us - begin_us) / 1e6, events=tuple(events), config=room_config)


def _follow_members(
    steps: pl.DataFrame, begin_us: int, configs: dict[str, Config]
) -> tuple[dict[str, Config], list[Event]]:
    """Return the members at the beginning, and what happens but for readings."""
    members, latest, present = dict(configs), dict(configs), set(configs)
    events: list[Event] = []
    for what, member, _, text, occurred_us, played_us in steps.iter_rows():
        if what == _READING and member in present:
            continue
        value = latest.get(member, {})
        if what == _READING and member not in latest:  # of whom the recording has no config yet
            members[member] = latest[member] = value
            present.add(member)
            continue
        action = {_READING: "admit", _UPDATED: "update", _REMOVED: "leave", _ROOM: "room", _REJECTED: "send"}[what]
        if what in {_UPDATED, _ROOM}:
            value = RecordedConfig(text)
        elif what == _REJECTED:
            value = text
        events.append(Event((played_us - begin_us) / 1e6, action, member or "", value, occurred_us - begin_us))
        if what == _REMOVED:
            present.discard(member)
            latest.setdefault(member, {})
        elif member is not None:
            present.add(member)
            latest[member] = value
    return members, events
