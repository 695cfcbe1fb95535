"""Events by session: in which session a member joined or left, or a recorder connected."""

from datetime import UTC, datetime

import polars as pl

from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.recorder.contract.tables import Table

_TYPES = {"VARCHAR": pl.String(), "JSON": pl.String(), "INTEGER": pl.Int32(), "TIMESTAMPTZ": INSTANT}
_FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)


def session_bounds(sessions: pl.DataFrame) -> pl.DataFrame:
    """Divide each room's time among its sessions, in the middle of the pause between one and the next.

    A room sends events of its members shortly before their first readings, and of those who left after the last: by the
    sessions' own times, many events would have no session. All `sessions` of these rooms are needed: `room_id`,
    `session`, `started_at`, `ended_at`.

    Returns `room_id`, `session`, `from_at` (inclusive; null for a room's first session), `until_at` (exclusive; null
    for its last), ordered by room and time.
    """
    half = (pl.col("started_at") - pl.col("ended_at").shift(1)) / 2
    bounds = sessions.sort("room_id", "started_at").with_columns(from_at=(pl.col("started_at") - half).over("room_id"))
    return bounds.select("room_id", "session", "from_at", until_at=pl.col("from_at").shift(-1).over("room_id"))


def number_events(events: pl.DataFrame, at: str, sessions: pl.DataFrame) -> pl.DataFrame:
    """Find the session of each event, which occurred at the column `at`, by `session_bounds`.

    Returns the same rows in the order of time, with `session` (Int64) after `room_id`; null in a room without any
    session.
    """
    begins = session_bounds(sessions).with_columns(pl.col("from_at").fill_null(_FIRST_INSTANT)).sort("from_at")
    # The rows are sorted within each room; polars cannot check that, and would warn.
    numbered = events.sort(at, maintain_order=True).join_asof(
        begins, left_on=at, right_on="from_at", by="room_id", check_sortedness=False
    )
    return numbered.select("room_id", "session", pl.exclude("room_id", "session", "from_at", "until_at"))


def numbered_schema(table: Table) -> pl.Schema:
    """Return the schema of a table's rows with their `session`, as of `number_events`."""
    columns = {column.name: _TYPES[column.type] for column in table.columns}
    return pl.Schema({"room_id": columns.pop("room_id"), "session": pl.Int64(), **columns})


def select_events(
    events: pl.DataFrame, at: str, wanted: Filter, sessions: pl.DataFrame, selected: pl.DataFrame
) -> pl.DataFrame:
    """Select events by a filter's members and end and by the sessions it selected, and number them.

    Parameters and result are those of `number_events`; `selected` has `room_id` and `session`.
    """
    if wanted.until is not None:
        events = events.filter(pl.col(at) < wanted.until)
    if wanted.members and "profile_id" in events.columns:
        events = events.filter(pl.col("profile_id").is_in(wanted.members))
    numbered = number_events(events, at, sessions)
    if wanted.session == "all":
        return numbered
    return numbered.join(selected, on=["room_id", "session"], how="semi", maintain_order="left")
