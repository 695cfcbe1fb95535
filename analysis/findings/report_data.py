"""All that a report shows, gathered once, so that drawing it needs no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.recording import Recording

READINGS = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "name": pl.String(),
        "occurred_at": INSTANT,
        "bpm": pl.Int32(),
        "plausible": pl.Boolean(),
    }
)


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
    """One row per room, session and member, columns as in `metrics.summary.SCHEMA`, ordered by room, session, name."""

    time_at_bpm: pl.DataFrame
    """`room_id` String, `session` Int64, `profile_id` String, `bpm` Int32, `held_s` Float64, `readings` Int64.

    Plausible bpm only, ordered by the four first columns.
    """

    readings: pl.DataFrame
    """`room_id` String, `session` Int64, `profile_id` String, `name` String, `occurred_at` instant, `bpm` Int32,
    `plausible` Boolean.

    Ordered by room, session, profile and time. Empty where there are more than `read_report` was to gather.
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


def read_report(
    recording: Recording,
    wanted: Filter,
    members: pl.DataFrame,
    definitions: Definitions,
    *,
    at_most: int,
) -> ReportData:
    """Read all that a report shows, of one state of the file.

    Parameters
    ----------
    recording
        What to read.
    wanted
        The rooms, sessions and range of time to report on.
    members
        What is known of the members, as `members.read_members` gives it.
    definitions
        What counts as plausible, held and one session.
    at_most
        How many readings may be gathered one by one, for charts and notes; with more, `readings` stays empty.

    Raises
    ------
    StorageError
        The recording cannot be read.
    """
    with recording.snapshot() as now:
        return _gather(now, wanted, members, definitions, at_most)


def _gather(
    recording: Recording, wanted: Filter, members: pl.DataFrame, definitions: Definitions, at_most: int
) -> ReportData:
    generated_at = datetime.now(UTC)
    figures = recording.results(wanted, definitions, members)
    sessions = figures.sessions.join(figures.tally, on=["room_id", "session"], how="semi")
    room_ids, room_names = sessions["room_id"].unique().sort().to_list(), recording.room_names()
    is_small = figures.tally["readings"].sum() <= at_most
    readings = (
        _chart_readings(recording, wanted, definitions, figures.people) if is_small else pl.DataFrame(schema=READINGS)
    )
    first_and_last = sessions.select(pl.col("started_at").min(), pl.col("ended_at").max()).row(0)
    return ReportData(
        generated_at=generated_at,
        source=recording.path.name,
        rooms={room_id: room_names.get(room_id, room_id) for room_id in room_ids},
        sessions=sessions,
        summary=figures.summary,
        time_at_bpm=figures.time_at_bpm,
        readings=readings,
        member_events=recording.member_events(room_ids, *first_and_last),
        connection_events=recording.connection_events(room_ids),
        last_received=recording.last_received().filter(pl.col("room_id").is_in(room_ids)),
        options=definitions,
        filter=str(wanted),
    )


def _chart_readings(
    recording: Recording, wanted: Filter, definitions: Definitions, people: pl.DataFrame
) -> pl.DataFrame:
    """Read each reading, without duplicates, as `READINGS`."""
    readings = recording.readings_in_order(wanted, definitions, people.select(*MEMBER, "name"))
    is_plausible = pl.col("bpm").is_between(definitions.min_bpm, definitions.max_bpm)
    return readings.with_columns(plausible=is_plausible).select(*READINGS).cast(READINGS)
