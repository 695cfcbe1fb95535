"""A recording: its rooms, sessions, members, readings and events as polars frames.

The file is opened read-only for each read and closed again, so that recorders can write to it in between.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.reading.buckets import Scan, buckets_of, scan_readings
from pulsoid_rec.analysis.reading.config_names import read_config_names, read_room_names
from pulsoid_rec.analysis.reading.database import LOCK_TIMEOUT_S, open_database, read_frame
from pulsoid_rec.analysis.reading.lazy import read_lazily
from pulsoid_rec.analysis.reading.pipeline import Selection, select
from pulsoid_rec.analysis.reading.results import Results, compute_results, describe_selected
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.paths import parse_path
from pulsoid_rec.recorder.contract.tables import TABLES, Table

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

Value = str | list[str] | datetime


class Recording:
    """A database that `pulsoid-rec record` writes or has written.

    In a notebook, use `pulsoid_rec.analysis.explore`: it selects by name, and has charts.

    Parameters
    ----------
    path
        The DuckDB file; `~` at the beginning of a text is the home folder.
    lock_timeout_s
        How long each read may wait while a recorder has the file open, in seconds.

    Raises
    ------
    StorageError
        By each read: the file does not exist, is not a recording, is of a newer version or damaged, or is locked for
        longer than `lock_timeout_s`.
    """

    def __init__(self, path: Path | str, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self.path = parse_path(path)
        self.lock_timeout_s = lock_timeout_s
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._scans: dict[tuple[tuple[str, ...], Definitions], Scan] = {}

    def __repr__(self) -> str:
        return f"Recording({str(self.path)!r})"

    def open_(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open the file for SQL of your own, read-only; recorders wait until you close it."""
        if self._connection is not None:
            return nullcontext(self._connection)
        return open_database(self.path, self.lock_timeout_s)

    @contextmanager
    def snapshot(self) -> Iterator["Recording"]:
        """Open the file once: all reads in the block are of one state of it, and sessions come from one scan.

        Recorders wait until the block ends.
        """
        if self._connection is not None:
            yield self
            return
        snapshot = Recording(self.path, self.lock_timeout_s)
        with self.open_() as snapshot._connection:
            yield snapshot

    @contextmanager
    def selection(self, wanted: Filter, definitions: Definitions) -> Iterator[Selection]:
        """Open the file, and find what a filter selects; it can be read until the block ends."""
        with self.open_() as connection:
            yield select(connection, wanted, definitions, scan=self._scan(connection, wanted.rooms, definitions))

    def _scan(self, connection: duckdb.DuckDBPyConnection, rooms: tuple[str, ...], definitions: Definitions) -> Scan:
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
        with self.open_() as connection:
            recorded = self._scan(connection, (), definitions).sessions["room_id"].unique().to_list()
            ids = read_frame(
                connection,
                "SELECT unnest(?::VARCHAR[]) AS room_id UNION SELECT room_id FROM room_events"
                " UNION SELECT room_id FROM connection_events ORDER BY room_id",
                [recorded],
            )
            return ids.join(read_room_names(connection), on="room_id", how="left", maintain_order="left")

    def room_names(self) -> dict[str, str]:
        """Read the rooms' names, by id: of the latest config that has one. Rooms without a name are left out."""
        with self.open_() as connection:
            return dict(read_room_names(connection).iter_rows())

    def sessions(self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL) -> pl.DataFrame:
        """Read the sessions: `sessions.SCHEMA`, ordered by room and number."""
        if wanted.members:
            with self.selection(wanted, definitions) as selection:
                return selection.sessions
        with self.open_() as connection:
            return select_sessions(self._scan(connection, wanted.rooms, definitions).sessions, wanted)

    def members(
        self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL, members: pl.DataFrame = NOBODY
    ) -> pl.DataFrame:
        """Read who took part in which session; parameters as of `results`.

        Returns
        -------
        `room_id`, `session`, `profile_id`, `name`, `first_at`, `last_at`, `readings`, ordered by the first three: each
        member's first and last timely reading in the whole session, and their count.
        """
        with self.selection(wanted, definitions) as selection:
            sent = selection.buckets.group_by(MEMBER).agg(
                pl.col("first_at").min(), pl.col("last_at").max(), pl.col("readings").sum()
            )
            people = describe_selected(selection, read_config_names(selection.connection), members)
            members_sent = people.select(*MEMBER, "name").join(sent, on=MEMBER, how="left").sort(MEMBER)
            return members_sent.with_columns(pl.col("readings").fill_null(0))

    def config_names(self) -> pl.DataFrame:
        """Read the names in members' configs: `room_id`, `profile_id`, and `config_name` of the latest that has one."""
        with self.open_() as connection:
            return read_config_names(connection)

    def profile_ids(self, definitions: Definitions = USUAL) -> set[str]:
        """Read the ids of all who sent a reading, or of whom there is an event."""
        with self.selection(EVERYTHING, definitions) as selection:
            with_events = read_frame(selection.connection, "SELECT DISTINCT profile_id FROM member_events")
            return {*selection.present["profile_id"], *with_events["profile_id"]}

    def results(
        self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL, members: pl.DataFrame = NOBODY
    ) -> Results:
        """Compute all results, of one state of the file.

        Parameters
        ----------
        wanted
            Rooms, sessions and range of time.
        definitions
            What counts as plausible, held and one session.
        members
            What is known of the members: `members.SCHEMA`.
        """
        with self.selection(wanted, definitions) as selection:
            return compute_results(selection, members)

    def summary(
        self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL, members: pl.DataFrame = NOBODY
    ) -> pl.DataFrame:
        """Summarize each member's readings in each session: `summary.SCHEMA`; parameters as of `results`."""
        return self.results(wanted, definitions, members).summary

    def readings(self, wanted: Filter = EVERYTHING, definitions: Definitions = USUAL) -> pl.LazyFrame:
        """Read the timely readings as they were recorded, duplicates and implausible ones too.

        Returns
        -------
        `READINGS`, nearly always in the order of time, but not guaranteed to be. Each `collect` opens the file, reads
        it slice by slice and closes it.
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
        conditions, values = ["true"], list[Value]()
        if rooms is not None:
            conditions.append("list_contains(?, room_id)")
            values.append(list(rooms))
        for bound, comparison in ((since, ">="), (until, "<=")):
            if bound is not None:
                conditions.append(f'"{table.time_column}" {comparison} ?')
                values.append(bound)
        order = f'"{table.time_column}", {table.columns[-1].name}'
        names = [c.name for c in table.columns if with_configs or c.name not in {"name", "config"}]
        columns = ", ".join(f'"{name}"' for name in names)
        return self._query(
            f"SELECT {columns} FROM {table.name} WHERE {' AND '.join(conditions)} ORDER BY {order}", values
        )

    def last_received(self) -> pl.DataFrame:
        """Read when connections without a recorded end last received something: their recorder was killed, or runs.

        Returns
        -------
        `room_id`, `connection_id`, `last_received_at`: one row for each connection that was opened, has neither
        `closed` nor `lost`, and received anything.
        """
        received = " UNION ALL ".join(
            f"SELECT connection_id, received_at FROM {table.name} SEMI JOIN unended USING (connection_id)"
            for table in TABLES
            if {"connection_id", "received_at"} <= {column.name for column in table.columns}
        )
        return self._query(
            "WITH unended AS (SELECT connection_id, any_value(room_id) AS room_id FROM connection_events"
            " GROUP BY connection_id HAVING bool_or(event = 'opened') AND NOT bool_or(event IN ('closed', 'lost')))"
            f" SELECT room_id, connection_id, max(received_at) AS last_received_at FROM ({received})"
            " JOIN unended USING (connection_id) GROUP BY ALL ORDER BY ALL"
        )

    def imported_sessions(
        self, rooms: tuple[str, ...] = (), definitions: Definitions = USUAL
    ) -> frozenset[tuple[str, int]]:
        """Return which sessions, by `room_id` and `session`, hold nothing but imported readings."""
        columns = f"room_id, {buckets_of(definitions).sql('occurred_at')} AS bucket, count(*) AS imported"
        with self.open_() as connection:
            # In most recordings there are none; DuckDB finds that without reading it.
            sql = f"SELECT {columns} FROM heart_rate WHERE {IS_IMPORTED} GROUP BY ALL"
            imported = read_frame(connection, sql)
            scan = self._scan(connection, rooms, definitions)
        # All readings of a room in one bucket are of one session: it is no wider than a silence within one.
        session_of = scan.buckets.select("room_id", "bucket", "session").unique()
        counts = (
            imported.join(session_of, on=["room_id", "bucket"])
            .group_by("room_id", "session")
            .agg(pl.col("imported").sum())
        )
        whole = scan.sessions.join(counts, on=["room_id", "session"]).filter(pl.col("imported") == pl.col("readings"))
        return frozenset(whole.select("room_id", "session").iter_rows())

    def ingested_segments(self, segments: Sequence[str]) -> list[str]:
        """Return which of these segments of a journal are in the database."""
        known = "SELECT DISTINCT segment FROM ingested_segments WHERE list_contains(?, segment)"
        return self._query(known, [list(segments)])["segment"].to_list()

    def _query(self, sql: str, values: Sequence[Value] = ()) -> pl.DataFrame:
        with self.open_() as connection:
            return read_frame(connection, sql, values)
