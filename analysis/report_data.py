"""All that a report shows, gathered once, so that drawing it needs no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from analysis.definitions import Definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """A report's content; every frame holds what the filter selected, and no duplicates.

    `String`, `Int64`, `Int32`, `Float64`, `Boolean` below are polars types; `instant` is `Datetime('us', 'UTC')`.
    A frame with nothing in it has its columns and types all the same.
    """

    generated_at: datetime
    """When the recording was read (aware, UTC)."""

    source: str
    """The database's file name, without its folder."""

    rooms: Mapping[str, str]
    """Each room's display name by `room_id`: its latest config's text `name`, else the id. Plain text, not escaped."""

    sessions: pl.DataFrame
    """`room_id` String, `session` Int64, `started_at` instant, `ended_at` instant, `members` Int64, `readings` Int64.

    The sessions that the filter touches, ordered by room and session; start, end and counts are the whole session's,
    of all its readings, whether plausible or not.
    """

    summary: pl.DataFrame
    """One row per room, session and member, columns as in `analysis.summary.SCHEMA`, ordered by room, session, name."""

    time_at_bpm: pl.DataFrame
    """`room_id` String, `session` Int64, `profile_id` String, `bpm` Int32, `held_s` Float64, `readings` Int64.

    Plausible bpm only, ordered by the four first columns.
    """

    readings: pl.DataFrame
    """`room_id` String, `session` Int64, `profile_id` String, `name` String, `occurred_at` instant, `bpm` Int32,
    `plausible` Boolean.

    Ordered by room, session, profile and time. Empty unless `read_report` was asked for readings.
    """

    member_events: pl.DataFrame
    """The table `member_events` of the rooms above, from the first session's start to the last one's end."""

    connection_events: pl.DataFrame
    """The table `connection_events` of the rooms above, all of it: what came before tells how a session began."""

    last_received: pl.DataFrame
    """`room_id` String, `connection_id` String, `last_received_at` instant: the last that each connection brought
    which was opened and left no `closed` or `lost` (its recorder was killed, or records still). Mostly empty.
    """

    options: Definitions
    """What counted as plausible, held and one session: `max_hold_s`, `min_bpm`, `max_bpm`, `session_gap_s`."""

    filter: str
    """The filter in words, such as `room r1, session 3, since 2026-01-02 10:00 UTC`; empty when there was none."""
