"""A recording: its rooms, sessions, members, readings and events as polars frames.

The file is opened read-only for each read and closed again, so that recorders can write to it in between.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions, to_microseconds
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.archive import attach_archive, show
from pulsoid_rec.analysis.reading.buckets import Scan, scan_readings
from pulsoid_rec.analysis.reading.config_names import events_with_notes, read_config_names, read_room_names
from pulsoid_rec.analysis.reading.connections import connections_sql, read_last_received
from pulsoid_rec.analysis.reading.database import LOCK_TIMEOUT_S, find_place, open_database, read_frame
from pulsoid_rec.analysis.reading.hidden_ids import hide_ids
from pulsoid_rec.analysis.reading.lazy import read_lazily
from pulsoid_rec.analysis.reading.pipeline import Selection, select
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.results import Results, compute_results, describe_selected
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.paths import parse_path
from pulsoid_rec.recorder.contract.tables import MEMBER_EVENTS, ROOM_EVENTS, TABLES, Table

EVERYTHING = Filter()
USUAL = Definitions()
NOBODY = pl.DataFrame(schema=MEMBERS)

READINGS = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "bpm": pl.Int32(),
        "occurred_at": INSTANT,
        "received_at": INSTANT,
    }
)


class Recording:
    """A database that `pulsoid-rec record` writes or has written, with what `pulsoid-rec archive` moved out of it.

    In a notebook, use `pulsoid_rec.analysis.explore`: it selects by name, and has charts.

    `path` is None for an archive alone, `archive` None for the place that is noted in the database, if one is. Each
    read may wait `lock_timeout_s` while a recorder has the file open. `warn` is called with what a reader should know
    about the archive's files. With `pseudonyms` every read has these in place of ids, and leaves out names and configs;
    times are as recorded: `move` moves those of a result, where that is wanted.

    Raises `UsageError` if `archive` is no place for one, or there is neither a path nor an archive. Each read raises
    `StorageError` if the file does not exist, is not a recording, is of a newer version or damaged, or is locked for
    longer; or a file of the archive that it needs is missing or damaged.
    """

    def __init__(
        self,
        path: Path | str | None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        *,
        archive: Path | str | None = None,
        warn: Callable[[str], None] = warnings.warn,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self.archive = None if archive is None else open_place(archive)
        if path is None and self.archive is None:
            raise UsageError("There is nothing to read", "Give a database, an archive, or both.")
        self._database = None if path is None else parse_path(path)
        self.path = self._database or Path(self.archive.text if self.archive else "")
        self.lock_timeout_s = lock_timeout_s
        self._warn = warn
        self.pseudonyms = pseudonyms
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._scans: dict[tuple[tuple[str, ...], Definitions], Scan] = {}

    def __repr__(self) -> str:
        return f"Recording({str(self.path)!r})"

    @property
    def title(self) -> str:
        """What a reader sees as its name: the file's, which with pseudonyms is left out, as a name may be in it."""
        if self.pseudonyms is None:
            return self.path.name
        return f"a recording with pseudonyms{' and moved times' if self.is_moved else ''}"

    @property
    def where(self) -> str:
        """What it is called in an error: the path, or as `title`."""
        return str(self.path) if self.pseudonyms is None else self.title

    @property
    def is_moved(self) -> bool:
        """Whether the instants of results are to be moved."""
        return self.pseudonyms is not None and self.pseudonyms.shift_times

    def move(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Move the instants of a result as `Pseudonyms.move` does; without pseudonyms it is returned as it is."""
        return frame if self.pseudonyms is None else self.pseudonyms.move(frame)

    @contextmanager
    def open_(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for SQL of your own, read-only; recorders wait until you close it.

        As the file may have come from somebody else, SQL gets at no other: `COPY`, `ATTACH` and `read_csv` are refused,
        and so are variables of Python, but for what you `register`. Results come out by `.pl()` and the like.
        """
        with self.connect() as connection:
            for table in TABLES:
                show(connection, table)
            yield connection

    @contextmanager
    def connect(self, written: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for a read that says itself which archived rows it needs, by `archive.show`.

        SQL may write to the file `written`, and to no other.
        """
        if self._connection is not None:
            yield self._connection
            return
        with open_database(self._database, self.lock_timeout_s, archive=self.archive, written=written) as connection:
            place = self.archive or find_place(connection)
            with ExitStack() as stack:
                if place is not None:
                    is_named, warn = self.archive is not None, lambda text: self._warn(plain(text))
                    stack.enter_context(attach_archive(connection, place, is_named=is_named, warn=warn))
                if self.pseudonyms is not None:
                    hide_ids(connection, self.pseudonyms)
                yield connection

    @contextmanager
    def snapshot(self, written: Path | None = None) -> Iterator["Recording"]:
        """Open the file once: all reads in the block are of one state of it, and sessions come from one scan.

        Recorders wait until the block ends. SQL may write to the file `written`, and to no other.
        """
        if self._connection is not None:
            yield self
            return
        snapshot = copy(self)
        with self.connect(written) as connection:
            snapshot._connection, snapshot._scans = connection, {}  # noqa: SLF001 - of the same class
            yield snapshot

    @contextmanager
    def selection(self, wanted: Filter, definitions: Definitions) -> Iterator[Selection]:
        """Open the file, and find what a filter selects; it can be read until the block ends."""
        with self.connect() as connection:
            yield select(connection, wanted, definitions, scan=self.scan(connection, wanted.rooms, definitions))

    def scan(self, connection: duckdb.DuckDBPyConnection, rooms: tuple[str, ...], definitions: Definitions) -> Scan:
        """Scan the readings of these rooms, all of them when empty; in a snapshot only once."""
        for scanned in ((), rooms):
            if (scanned, definitions) in self._scans:
                return self._scans[scanned, definitions]
        scan = scan_readings(connection, definitions, rooms)
        if self._connection is not None:
            self._scans[rooms, definitions] = scan
        return scan

    def rooms(self, definitions: Definitions = USUAL) -> pl.DataFrame:
        """Read the rooms: `room_id`, and `name` of the latest config that has one, else null; ordered by id."""
        with self.connect() as connection:
            recorded = self.scan(connection, (), definitions).sessions["room_id"].unique().to_list()
            others = [events_with_notes(connection, ROOM_EVENTS), connections_sql(connection)]
            unions = " UNION ".join(f"SELECT room_id FROM ({rows})" for rows in others)
            sql = f"SELECT unnest(?::VARCHAR[]) AS room_id UNION {unions} ORDER BY room_id"
            ids = read_frame(connection, sql, [recorded])
            return ids.join(read_room_names(connection), on="room_id", how="left", maintain_order="left")

    def room_names(self) -> dict[str, str]:
        """Read the rooms' names, by id: of the latest config that has one. Rooms without a name are left out."""
        with self.connect() as connection:
            return dict(read_room_names(connection).iter_rows())

    def sessions(self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL) -> pl.DataFrame:
        """Read the sessions: `sessions.SCHEMA`, ordered by room and number."""
        if wanted.members:
            with self.selection(wanted, definitions) as selection:
                return selection.sessions
        with self.connect() as connection:
            return select_sessions(self.scan(connection, wanted.rooms, definitions).sessions, wanted)

    def members(
        self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL, members: pl.DataFrame = NOBODY
    ) -> pl.DataFrame:
        """Read who took part in which session; parameters as of `results`.

        Returns `room_id`, `session`, `profile_id`, `name`, `first_at`, `last_at`, `readings`, ordered by the first
        three: each member's first and last timely reading in the whole session, and their count.
        """
        with self.selection(wanted, definitions) as selection:
            sent = selection.buckets.group_by(MEMBER).agg(
                pl.col("first_at").min(), pl.col("last_at").max(), pl.col("readings").sum()
            )
            people = describe_selected(selection, read_config_names(selection.connection), members)
            named = people.select(*MEMBER, "name").join(sent, on=MEMBER, how="left").sort(MEMBER)
            return named.with_columns(pl.col("readings").fill_null(0))

    def config_names(self) -> pl.DataFrame:
        """Read the names in members' configs: `room_id`, `profile_id`, and `config_name` of the latest that has one."""
        with self.connect() as connection:
            return read_config_names(connection)

    def profile_ids(self, definitions: Definitions = USUAL) -> set[str]:
        """Read the ids of all who sent a reading, or of whom there is an event."""
        with self.connect() as connection:
            events = events_with_notes(connection, MEMBER_EVENTS)
            with_events = read_frame(connection, f"SELECT DISTINCT profile_id FROM ({events})")
            return {*self.scan(connection, (), definitions).profile_ids, *with_events["profile_id"]}

    def results(
        self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL, members: pl.DataFrame = NOBODY
    ) -> Results:
        """Compute all results of what is `wanted`, of one state of the file; `members` are `members.SCHEMA`."""
        with self.selection(wanted, definitions) as selection:
            return compute_results(selection, members)

    def summary(
        self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL, members: pl.DataFrame = NOBODY
    ) -> pl.DataFrame:
        """Summarize each member's readings in each session: `summary.SCHEMA`; parameters as of `results`."""
        return self.results(wanted, definitions, members).summary

    def readings(self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL) -> pl.LazyFrame:
        """Read the timely readings as they were recorded, duplicates and implausible ones too: `READINGS`.

        They are nearly always in the order of time, but not guaranteed to be. Each `collect` opens the file, reads it
        slice by slice and closes it.
        """
        return read_lazily(READINGS, lambda: self._batches(wanted, definitions))

    def _batches(self, wanted: Filter, definitions: Definitions) -> Iterator[pl.DataFrame]:
        with self.selection(wanted, definitions) as selection:
            reader, members = selection.reader(), selection.members
            for slice_ in selection.slices():
                yield reader.read(slice_).join(members, on="key").select(*READINGS)

    def events(
        self,
        table: Table,
        rooms: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        with_configs: bool = False,
    ) -> pl.DataFrame:
        """Read a table of events, such as `contract.tables.ROOM_EVENTS`, in the order of time; bounds are inclusive.

        `config`, which may be large, and the `name` that it gives are only read `with_configs`.
        """
        at = f'"{table.time_column}"'
        chosen = None if rooms is None else list(rooms)
        bounds = {"list_contains(?, room_id)": chosen, f"{at} >= ?": since, f"{at} <= ?": until}
        values = {condition: value for condition, value in bounds.items() if value is not None}
        names = [f'"{c.name}"' for c in table.columns if with_configs or c.name not in {"name", "config"}]
        # By all columns, so that the order is the same wherever the rows lie.
        order = [at, *sorted(names, key=lambda name: "_at" not in name)]
        sql = f"SELECT {', '.join(names)} FROM {table.name} WHERE {' AND '.join(values) or 'true'}"
        with self.connect() as connection:
            since_us, until_us = (None if bound is None else to_microseconds(bound) for bound in (since, until))
            show(connection, table, since_us, None if until_us is None else until_us + 1)
            return read_frame(connection, f"{sql} ORDER BY {', '.join(order)}", list(values.values()))

    def connections(self) -> pl.DataFrame:
        """Read what became of connections, in the order of time: `connection_events` without `code` and `reason`."""
        with self.connect() as connection:
            return read_frame(connection, f"{connections_sql(connection)} ORDER BY changed_at, room_id, connection_id")

    def last_received(self) -> pl.DataFrame:
        """Read when connections without a recorded end last received something: their recorder was killed, or runs.

        Returns `room_id`, `connection_id`, `last_received_at`, for each connection that was opened, has neither
        `closed` nor `lost`, and received anything.
        """
        with self.connect() as connection:
            return read_last_received(connection)

    def imported_sessions(
        self, rooms: tuple[str, ...] = (), definitions: Definitions = USUAL
    ) -> frozenset[tuple[str, int]]:
        """Return which sessions, by `room_id` and `session`, hold nothing but imported readings."""
        with self.connect() as connection:
            return self.scan(connection, rooms, definitions).imported_sessions
