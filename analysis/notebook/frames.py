"""The data of an excerpt of a recording, as polars frames."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import polars as pl

from pulsoid_rec.analysis.findings.notes import report_notes, session_notes
from pulsoid_rec.analysis.findings.report_data import MOST_DRAWN, ReportData, read_report
from pulsoid_rec.analysis.findings.session_view import session_views
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.grid import column_names
from pulsoid_rec.analysis.metrics.members import NAME
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.session_events import numbered_schema, select_events
from pulsoid_rec.analysis.metrics.time_at_bpm import SCHEMA as TIME_AT_BPM
from pulsoid_rec.analysis.reading.grid_reading import read_grid
from pulsoid_rec.analysis.reading.lazy import read_lazily
from pulsoid_rec.analysis.reading.marks import read_summary_by_phase
from pulsoid_rec.analysis.reading.members_file import read_members, read_withdrawn
from pulsoid_rec.analysis.reading.recording import EVERYTHING, READINGS, Recording
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.tables import CONNECTION_EVENTS, MEMBER_EVENTS, ROOM_EVENTS, Table

_CONFIG_NAMES = pl.Schema({"room_id": pl.String(), "profile_id": pl.String(), "config_name": pl.String()})
_NOTES = pl.Schema(
    {"room_id": pl.String(), "session": pl.Int64(), "profile_id": pl.String(), "kind": pl.String(), "text": pl.String()}
)
_TOTALS = {
    "readings": pl.col("readings").sum().cast(pl.Int64),
    "first_at": pl.col("first_at").min(),
    "last_at": pl.col("last_at").max(),
}


@dataclass(frozen=True, slots=True, repr=False)
class Frames:
    """An excerpt's frames."""

    recording: Recording  # all of it
    wanted: Filter  # the excerpt's rooms, sessions, members and range of time
    definitions: Definitions
    members_file: Path | None  # what is known of the members; None if there is no file

    def known_members(self) -> pl.DataFrame:
        """Read the members file: `members.SCHEMA`; no rows without a file."""
        return read_members(self.members_file, self.recording.pseudonyms)

    @contextmanager
    def snapshot(self) -> Iterator[Self]:
        """Open the file once: all reads in the block are of one state of it, and sessions come from one scan."""
        with self.recording.snapshot() as recording:
            yield replace(self, recording=recording)

    def rooms(self) -> pl.DataFrame:
        """List the rooms.

        Returns
        -------
        pl.DataFrame
            `room_id`, `name` (null where the room has none), `sessions`, `members`, `readings`, `first_at`, `last_at`,
            ordered by id; counts are of whole sessions. A room without readings has zeros.
        """
        with self.recording.snapshot() as now:
            rooms = now.rooms(self.definitions)  # first, since its scan serves the members too
            members = replace(self, recording=now)._members_by_session()  # noqa: SLF001 - of another excerpt
        counts = members.group_by("room_id").agg(
            sessions=pl.col("session").n_unique().cast(pl.Int64),
            members=pl.col("profile_id").n_unique().cast(pl.Int64),
            **_TOTALS,
        )
        if self.wanted != EVERYTHING:
            rooms = rooms.filter(pl.col("room_id").is_in([*self.wanted.rooms, *counts["room_id"]]))
        rooms = rooms.join(counts, on="room_id", how="left", maintain_order="left")
        return rooms.with_columns(pl.col("sessions", "members", "readings").fill_null(0))

    def sessions(self) -> pl.DataFrame:
        """List the sessions.

        Returns
        -------
        pl.DataFrame
            `room_id`, `session`, `started_at`, `ended_at`, `members`, `readings`, `first_received_at`,
            `last_received_at`, ordered by room and number; of whole sessions. They are numbered by their first receipt,
            and the latest is the one that was received last.
        """
        return self.recording.move(self.recording.sessions(self.wanted, self.definitions))

    def members(self) -> pl.DataFrame:
        """List the members.

        Returns
        -------
        pl.DataFrame
            `room_id`, `profile_id`, `name`, `sessions`, `readings`, `first_at`, `last_at`, ordered by room and name;
            of whole sessions. Members who never sent a reading are only in `member_events`.
        """
        members = self._members_by_session().group_by("room_id", "profile_id", "name")
        return members.agg(sessions=pl.len().cast(pl.Int64), **_TOTALS).sort("room_id", "name", "profile_id")

    def _members_by_session(self) -> pl.DataFrame:
        return self.recording.move(self.recording.members(self.wanted, self.definitions, self.known_members()))

    def readings(self) -> pl.LazyFrame:
        """Read the readings as they were recorded, duplicates and implausible ones too.

        Untimely readings are in no session, and so not among them; they are in the table `heart_rate` (`sql`).

        Returns
        -------
        pl.LazyFrame
            `room_id`, `session`, `profile_id`, `name`, `bpm`, `occurred_at`, `received_at`, nearly always in the order
            of time.

        Examples
        --------
        >>> recording.only(session="latest").readings().filter(pl.col("bpm") >= 150).collect()
        """
        readings = self.recording.readings(self.wanted, self.definitions)
        if self.recording.is_moved:
            readings = readings.map_batches(self.recording.move, schema=READINGS)
        return self._named(readings, READINGS)

    def time_at_bpm(self) -> pl.LazyFrame:
        """Compute how long each member's heart was at each rate: mean, quantiles, zones and loads come from it.

        Returns
        -------
        pl.LazyFrame
            `room_id`, `session`, `profile_id`, `name`, `bpm`, `held_s` (seconds), `readings`, ordered by the first
            three and bpm. Rows of one member add up, over sessions and over recordings.
        """
        results = partial(self.recording.results, self.wanted, self.definitions)
        return self._named(read_lazily(TIME_AT_BPM, lambda: [results().time_at_bpm]), TIME_AT_BPM)

    def summary(self, *, by_phase: bool = False) -> pl.DataFrame:
        """Summarize each member's readings in each session, or phase: the figures of `pulsoid-rec report`.

        Parameters
        ----------
        by_phase
            Summarize each phase apart; `phase`, `phase_label` and its times come after `session`.

        Returns
        -------
        pl.DataFrame
            `summary.SCHEMA`, one row per room, session and member, ordered by room, session and name; docs/figures.md
            explains the columns. Zones and loads are null without the members' data in `members.toml`.
        """
        read = read_summary_by_phase if by_phase else Recording.summary
        return self.recording.move(read(self.recording, self.wanted, self.definitions, self.known_members()))

    def grid(self, *, every_s: int = 1) -> pl.DataFrame:
        """Sample the readings on a grid of time: a row a second, a column a member.

        A cell is the member's plausible reading that holds at that instant, or null in a gap: a sample, not a mean.

        Parameters
        ----------
        every_s
            Whole seconds from row to row.

        Returns
        -------
        pl.DataFrame
            `room_id`, `session`, `at`, then the members' columns, named and ordered by their names. There are rows for
            whole sessions, but none between them.

        Examples
        --------
        >>> recording.only(session="latest").grid().select(pl.corr("Ada", "Bruno"))
        """
        if isinstance(every_s, bool) or not isinstance(every_s, int) or every_s < 1:
            raise UsageError(f"every_s cannot be {every_s!r}", "It is a whole number of seconds, at least 1.")
        with self.snapshot() as now:
            columns = column_names(now.members())
            return now.recording.move(read_grid(now.recording, self.wanted, self.definitions, columns, every_s))

    def member_events(self) -> pl.LazyFrame:
        """Read who was added, changed or removed: the table `member_events`, with `session` and `name`.

        `session` is the one that an event is in, else the nearest in time; rows are in the order of time.
        """
        return self._events(MEMBER_EVENTS)

    def room_events(self) -> pl.LazyFrame:
        """Read the rooms' settings: the table `room_events`, with `session` as of `member_events`."""
        return self._events(ROOM_EVENTS)

    def connection_events(self) -> pl.LazyFrame:
        """Read when recorders were connected: the table `connection_events`, with `session` as of `member_events`."""
        return self._events(CONNECTION_EVENTS)

    def _events(self, table: Table) -> pl.LazyFrame:
        def read() -> list[pl.DataFrame]:
            with self.recording.snapshot() as now:
                sessions = now.sessions(Filter(rooms=self.wanted.rooms), self.definitions)
                selected = now.sessions(replace(self.wanted, members=()), self.definitions)
                rooms, since, until = self.wanted.rooms or None, self.wanted.since, self.wanted.until
                events = now.events(table, rooms, since, until, with_configs=True)
            return [self.recording.move(select_events(events, table.time_column, self.wanted, sessions, selected))]

        schema = numbered_schema(table)
        events = read_lazily(schema, read)
        return self._named(events, schema) if "profile_id" in schema else events

    def notes(self) -> pl.DataFrame:
        """Describe what to know before trusting a figure: late members, silences, faulty sensors, low coverage.

        The option `--max-hold 15` in a text is `explore(..., definitions=Definitions(max_hold_s=15))` here.

        Returns
        -------
        pl.DataFrame
            `room_id`, `session`, `profile_id` (null where a note is about the recorder or the whole session), `kind`,
            `text`, ordered by session; first those about no session, of the kind `recording`.
        """
        report = self._read_report(at_most=0, checks=True)
        rows = [
            *((None, None, None, "recording", text) for text in report_notes(report)),
            *(
                (note.room_id, note.session, note.profile_id, note.kind, note.text)
                for view in session_views(report)
                for note in session_notes(view)
            ),
        ]
        return pl.DataFrame(rows, schema=_NOTES, orient="row")

    def sql(self, query: str, values: Sequence[Any] = ()) -> pl.DataFrame:
        """Query the whole recording, not only this excerpt, with DuckDB's SQL; docs/tables.md lists the tables.

        In the statement, `?` stands for one of the `values`.

        Raises
        ------
        duckdb.Error
            The statement is wrong, would write, or gets at another file: a recording may be from somebody else.
        UsageError
            Times are moved: SQL would find them as recorded.

        Examples
        --------
        >>> recording.sql("SELECT profile_id, max(bpm) FROM heart_rate WHERE bpm < ? GROUP BY ALL", [231])
        """
        if self.recording.is_moved:
            raise UsageError("SQL finds times as they were recorded", "Use the frames, or leave out shift_times.")
        with self.recording.open_() as connection:
            frame: pl.DataFrame = connection.sql(query, params=list(values)).pl()
            return frame

    def report(self, *, readings: bool = True) -> ReportData:
        """Read the data of charts, without `readings` and checks if only figures are needed, which is quicker.

        Raises `UsageError` if the excerpt has no readings, or too many to load.
        """
        report = self._read_report(at_most=MOST_DRAWN if readings else 0, checks=readings)
        if readings and report.readings.is_empty():
            raise UsageError(
                f"More than {MOST_DRAWN:,} readings{self._of} are too many to draw",
                "Choose fewer with .only(session=..., since=..., until=...).",
            )
        return report

    def _read_report(self, *, at_most: int, checks: bool) -> ReportData:
        known = self.known_members()
        most = sys.maxsize if checks else 0
        read = partial(read_report, withdrawn=read_withdrawn(self.members_file, self.recording.pseudonyms))
        report = read(self.recording, self.wanted, known, self.definitions, at_most=at_most, most_sessions=most)
        if report.summary.is_empty():
            raise UsageError(
                "; ".join([f"There are no readings{self._of}", *report_notes(report)]),
                "See rooms(), sessions() and members().",
            )
        return report

    @property
    def _of(self) -> str:
        return f" in {self.wanted}" if str(self.wanted) else ""

    def _named(self, rows: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
        """Add members' names after their ids, in place of the `name` of an event's own config."""
        columns = [column for column in schema if column != "name"]
        config_names = read_lazily(_CONFIG_NAMES, lambda: [self.recording.config_names()])
        known = read_lazily(MEMBERS, lambda: [self.known_members()]).select("profile_id", "given_name")
        named = rows.select(columns).join(config_names, on=["room_id", "profile_id"], how="left", maintain_order="left")
        named = named.join(known, on="profile_id", how="left", maintain_order="left").with_columns(name=NAME)
        place = columns.index("profile_id") + 1
        return named.select(*columns[:place], "name", *columns[place:])
