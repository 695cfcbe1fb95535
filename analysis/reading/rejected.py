"""Counts rejected messages: how many, most often why, and in which session of their room."""

from datetime import UTC, datetime

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions
from pulsoid_rec.analysis.metrics.session_events import session_bounds
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.archive import has_files, show
from pulsoid_rec.analysis.reading.database import read_frame, write_temporary
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.tables import REJECTED_MESSAGES
from pulsoid_rec.recorder.contract.withheld import PATTERN

REJECTED = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "messages": pl.Int64(),
        "withheld": pl.Int64(),
        "withheld_members": pl.Int64(),
        "reason": pl.String(),
        "of_reason": pl.Int64(),
        "first_at": INSTANT,
        "last_at": INSTANT,
    }
)

_FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)
_DETAIL = r" \(byte \d+\)|; (it has|of) [\d,]+ bytes.*"
"""What differs between messages that were rejected for the same reason: where the fault is, and how long they were."""

_NUMBER = "TRY_CAST(replace(regexp_extract(reason, '{}', {}), ',', '') AS BIGINT)"
_COUNT = f"""
    WITH placed AS (
        SELECT message.room_id, session, reason, count(*) AS rows, min(received_at) AS first_at,
            max(received_at) AS last_at
        FROM rejected_messages AS message ASOF LEFT JOIN rejected_bounds AS bound
            ON message.room_id = bound.room_id AND message.received_at >= bound.from_at
        WHERE (len($1::VARCHAR[]) = 0 OR list_contains($1::VARCHAR[], message.room_id))
            AND ($2::BIGINT IS NULL OR received_at >= make_timestamptz($2::BIGINT))
            AND ($3::BIGINT IS NULL OR received_at < make_timestamptz($3::BIGINT))
            AND (session IS NOT NULL OR $4::BIGINT IS NULL OR received_at >= make_timestamptz($4::BIGINT))
        GROUP BY ALL
    ), parsed AS (
        SELECT *, {_NUMBER.format(PATTERN, 1)} AS withheld, {_NUMBER.format(PATTERN, 2)} AS members,
            CASE WHEN withheld IS NULL THEN regexp_replace(reason, '{_DETAIL}', '', 'g') END AS why
        FROM placed
    ), counted AS (
        SELECT room_id, session, why, coalesce(sum(rows) FILTER (why IS NOT NULL), 0) AS messages,
            sum(withheld * rows) AS withheld, max(members) AS members, min(first_at) AS first_at,
            max(last_at) AS last_at
        FROM parsed GROUP BY room_id, session, why
    )
    SELECT room_id, session, sum(messages)::BIGINT AS messages, coalesce(sum(withheld), 0)::BIGINT AS withheld,
        coalesce(max(members), 0)::BIGINT AS withheld_members, arg_max(why, (messages, why)) AS reason,
        max(messages)::BIGINT AS of_reason,
        coalesce(min(first_at) FILTER (why IS NOT NULL), min(first_at)) AS first_at,
        coalesce(max(last_at) FILTER (why IS NOT NULL), max(last_at)) AS last_at
    FROM counted GROUP BY ALL ORDER BY ALL
"""


def read_rejected(recording: Recording, wanted: Filter, definitions: Definitions) -> pl.DataFrame:
    """Count the rejected messages that a filter selects, by the time of their receipt; of whom they are is unknown.

    A message belongs to the recorded session of its room that is nearest in time, by `session_bounds`.

    Returns `REJECTED`, ordered by room and session: `messages`, of which `of_reason` were rejected for the commonest
    `reason` (null if none was rejected), and the first and last receipt; `withheld` messages were of members without
    consent, up to `withheld_members` at a time. `session` is null for those of a room without a selected session;
    `room_id` is null for damaged lines of the journal. Of these, a report of the latest sessions has those received
    since they began.
    """
    with recording.snapshot() as now, now.connect() as connection:
        show(connection, REJECTED_MESSAGES, days=pl.Series(dtype=pl.Date()))
        is_live = connection.execute("SELECT 1 FROM rejected_messages LIMIT 1").fetchall()
        if not is_live and not has_files(connection, REJECTED_MESSAGES):
            return pl.DataFrame(schema=REJECTED)
        sessions = now.sessions(Filter(rooms=wanted.rooms), definitions)
        latest = select_sessions(sessions, wanted)
        selected = latest.select("room_id", "session", selected=pl.col("session"))
        imported = now.imported_sessions(wanted.rooms, definitions)
        recorded = sessions.filter([key not in imported for key in sessions.select("room_id", "session").iter_rows()])
        received = recorded.with_columns(started_at="first_received_at", ended_at="last_received_at")
        bounds = session_bounds(received).with_columns(pl.col("from_at").fill_null(_FIRST_INSTANT))
        since_us, began_us = wanted.since_us, None
        if wanted.session != "all" and not latest.is_empty():
            # What came before the sessions is not needed, and so of an archive nothing if they are in the database.
            began_us = _first_us(latest, "first_received_at")
            of_selected = bounds.join(selected, on=["room_id", "session"], how="semi")
            needed_us = min(began_us, _first_us(of_selected, "from_at") if of_selected.height else began_us)
            since_us = needed_us if since_us is None else max(since_us, needed_us)
        bounds = bounds.join(selected, on=["room_id", "session"], how="left", maintain_order="left")
        number = pl.col("selected") if wanted.session == "all" else pl.col("session")
        columns = "room_id VARCHAR, session BIGINT, from_at TIMESTAMPTZ"
        write_temporary(connection, "rejected_bounds", columns, bounds.select("room_id", number, "from_at"))
        show(connection, REJECTED_MESSAGES, since_us, wanted.until_us)
        values = [list(wanted.rooms), since_us, wanted.until_us, began_us]
        counts = read_frame(connection, _COUNT, values).cast(REJECTED)
    if wanted.session == "all":
        return counts
    is_selected = pl.struct("room_id", "session").is_in(selected.select("room_id", "session").to_struct().implode())
    return counts.filter(is_selected | (pl.col("session").is_null() & (wanted.session == "latest")))


def _first_us(rows: pl.DataFrame, column: str) -> int:
    """Return the first of some instants, in microseconds since 1970."""
    return int(rows.select(pl.col(column).dt.epoch("us").min()).item())
