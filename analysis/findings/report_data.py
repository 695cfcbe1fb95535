"""Everything that a report shows, read once, so that rendering it needs no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.tables import CONNECTION_EVENTS, MEMBER_EVENTS

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
    """A report's content: what the filter selected, without duplicates. Empty frames have their columns, too."""

    generated_at: datetime
    """When the recording was read (aware, UTC)."""

    source: str
    """The database's file name, without its folder."""

    rooms: Mapping[str, str]
    """Each room's display name by `room_id`: its latest config's text `name`, else the id. Plain text, not escaped."""

    config_names: Mapping[tuple[str, str], str]
    """Names in the members' latest configs, by `room_id` and `profile_id`, also of members who sent no reading."""

    sessions: pl.DataFrame
    """`metrics.sessions.SCHEMA`: the sessions that the filter touches, by room and number, each one as a whole."""

    summary: pl.DataFrame
    """`metrics.summary.SCHEMA`: one row per room, session and member, ordered by room, session, name."""

    time_at_bpm: pl.DataFrame
    """`metrics.time_at_bpm.SCHEMA`: plausible bpm only, ordered by room, session, profile and bpm."""

    readings: pl.DataFrame
    """`READINGS`, ordered by room, session, profile and time; empty if they are more than `read_report`'s `at_most`."""

    member_events: pl.DataFrame
    """`member_events` of the rooms above without configs, from the first session's start to the last one's end."""

    connection_events: pl.DataFrame
    """The table `connection_events` of the rooms above, of all times: earlier events show how a session began."""

    last_received: pl.DataFrame
    """`Recording.last_received` of the rooms above."""

    definitions: Definitions
    """What counted as plausible, held and one session."""

    filter: str
    """The filter as text, such as `room r1, session 3, since 2026-01-02 10:00 UTC`; empty when there was none."""


def read_report(
    recording: Recording, wanted: Filter, members: pl.DataFrame, definitions: Definitions, *, at_most: int
) -> ReportData:
    """Read everything that a report shows, from one state of the file.

    Parameters
    ----------
    recording
        The recording.
    wanted
        The rooms, sessions and range of time to report on.
    members
        What is known of the members: `metrics.members.SCHEMA`.
    definitions
        What counts as plausible, held and one session.
    at_most
        How many readings may be loaded one by one, for charts and notes; if there are more, `readings` is empty.

    Raises
    ------
    StorageError
        The recording cannot be read.
    """
    with recording.snapshot() as snapshot:
        return _read(snapshot, wanted, members, definitions, at_most)


def _read(
    recording: Recording, wanted: Filter, members: pl.DataFrame, definitions: Definitions, at_most: int
) -> ReportData:
    generated_at = datetime.now(UTC)
    results = recording.results(wanted, definitions, members)
    sessions = results.sessions.join(results.tally, on=["room_id", "session"], how="semi")
    room_ids, room_names = sessions["room_id"].unique().sort().to_list(), recording.room_names()
    readings = pl.DataFrame(schema=READINGS)
    if results.tally["readings"].sum() <= at_most:
        readings = _read_readings(recording, wanted, definitions, results.people)
    first_and_last = sessions.select(pl.col("started_at").min(), pl.col("ended_at").max()).row(0)
    return ReportData(
        generated_at=generated_at,
        source=recording.path.name,
        rooms={room_id: plain(room_names.get(room_id, room_id)) for room_id in room_ids},
        config_names={(room, profile): plain(name) for room, profile, name in recording.config_names().iter_rows()},
        sessions=sessions,
        summary=results.summary,
        time_at_bpm=results.time_at_bpm,
        readings=readings,
        member_events=recording.events(MEMBER_EVENTS, room_ids, *first_and_last),
        connection_events=recording.events(CONNECTION_EVENTS, room_ids),
        last_received=recording.last_received().filter(pl.col("room_id").is_in(room_ids)),
        definitions=definitions,
        filter=str(wanted),
    )


def _read_readings(
    recording: Recording, wanted: Filter, definitions: Definitions, people: pl.DataFrame
) -> pl.DataFrame:
    readings = recording.readings_in_order(wanted, definitions, people.select(*MEMBER, "name"))
    is_plausible = pl.col("bpm").is_between(definitions.min_bpm, definitions.max_bpm)
    return readings.with_columns(plausible=is_plausible).select(*READINGS).cast(READINGS)
