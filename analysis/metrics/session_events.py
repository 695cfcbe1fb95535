"""Events by session: which session it was that somebody joined, left or connected in."""

from datetime import UTC, datetime

import polars as pl

from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.recorder.contract.tables import Table

_TYPES = {"VARCHAR": pl.String(), "JSON": pl.String(), "INTEGER": pl.Int32(), "TIMESTAMPTZ": INSTANT}
_EVER = pl.lit(datetime(1, 1, 1, tzinfo=UTC), INSTANT)


def number_events(events: pl.DataFrame, at: str, sessions: pl.DataFrame) -> pl.DataFrame:
    """Say of each event which of its room's sessions it belongs to: the one it falls in, else the nearest in time.

    A room tells of its members shortly before their first readings, and of who left after the last: if only a
    session's own time counted, many events would belong to none.

    Parameters
    ----------
    events
        `room_id`, and whatever else.
    at
        The column that says when.
    sessions
        All sessions of these rooms: `room_id`, `session`, `started_at`, `ended_at`.

    Returns
    -------
    The same rows in the order of time, with `session` (Int64) after `room_id`; null in a room without any session.
    """
    ended_before = pl.col("ended_at").shift(1).over("room_id", order_by="started_at")
    halfway = ended_before + (pl.col("started_at") - ended_before) / 2
    begins = sessions.select("room_id", "session", from_at=pl.coalesce(halfway, _EVER)).sort("from_at")
    # What is joined is in order by room, which polars would warn of that it cannot check.
    numbered = events.sort(at, maintain_order=True).join_asof(
        begins, left_on=at, right_on="from_at", by="room_id", check_sortedness=False
    )
    return numbered.select("room_id", "session", pl.exclude("room_id", "session", "from_at"))


def numbered_schema(table: Table) -> pl.Schema:
    """Give the columns that a table has once its rows are numbered."""
    columns = {column.name: _TYPES[column.type] for column in table.columns}
    return pl.Schema({"room_id": columns.pop("room_id"), "session": pl.Int64(), **columns})


def choose_events(
    events: pl.DataFrame, at: str, wanted: Filter, everything: pl.DataFrame, chosen: pl.DataFrame
) -> pl.DataFrame:
    """Take the events that a filter selects.

    Parameters
    ----------
    events
        A table's rows, of the rooms selected.
    at
        Its column that says when.
    wanted
        Sessions, members and range of time.
    everything, chosen
        All sessions of these rooms, and those selected, as `sessions.list_sessions` gives them.

    Returns
    -------
    As of `number_events`.
    """
    if wanted.until is not None:
        events = events.filter(pl.col(at) < wanted.until)
    if wanted.members and "profile_id" in events.columns:
        events = events.filter(pl.col("profile_id").is_in(wanted.members))
    numbered = number_events(events, at, everything)
    if wanted.session == "all":
        return numbered
    return numbered.join(chosen, on=["room_id", "session"], how="semi", maintain_order="left")
