"""From readings to the tally of time at bpm, over a recording of any size, slice by slice.

Slices are read from the last to the first: all that a slice needs of the others is then the time of each member's next
reading.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter, select_sessions
from pulsoid_rec.analysis.metrics.holds import MEMBER, sort_and_deduplicate
from pulsoid_rec.analysis.metrics.phases import IN_SESSION, cuts_us, phases_at
from pulsoid_rec.analysis.metrics.recovery import SCHEMA as RECOVERY
from pulsoid_rec.analysis.metrics.recovery import find_falls, largest_falls, margins_us, may_have_effort
from pulsoid_rec.analysis.metrics.time_at_bpm import TALLY, add_tallies
from pulsoid_rec.analysis.reading.archive import show
from pulsoid_rec.analysis.reading.buckets import Scan, buckets_of, scan_readings
from pulsoid_rec.analysis.reading.packed import Packing, plan_packings, tally_slice, unpack
from pulsoid_rec.analysis.reading.room_leads import read_untimely, timely_sql
from pulsoid_rec.analysis.reading.slices import SLICE_ROWS, Slice, SliceReader, plan_slices, read_ahead
from pulsoid_rec.recorder.contract.tables import HEART_RATE

_KEY = ("key",)
TALLY_ROWS = 2_000_000
"""Rows of tallies that may gather before they are added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a filter selects of an open recording, to be read in slices of about `slice_rows` rows."""

    connection: duckdb.DuckDBPyConnection
    slice_rows: int
    wanted: Filter
    definitions: Definitions

    sessions: pl.DataFrame
    """As `sessions.list_sessions` gives them."""

    buckets: pl.DataFrame
    """As `Scan` has them, of these sessions, with `key` (UInt32): a number for each member and session."""

    untimely: pl.DataFrame
    """`untimely.UNTIMELY`, of these sessions and the filter's members and range of time."""

    source: str
    """Timely readings, as SQL."""

    count_untimely: Callable[[list[int] | None], pl.DataFrame]
    """Counts `untimely` between instants, as `room_leads.read_untimely` does with `cuts`."""

    recorded: pl.DataFrame | None
    """`room_id`, `profile_id`, `started_at` and `ended_at` of the session, for each member and session of the file;
    None if only some rooms were read.
    """

    @property
    def members(self) -> pl.DataFrame:
        """`key`, `room_id`, `session`, `profile_id`: one row for each member and session with a timely reading."""
        return self.buckets.select("key", *MEMBER).unique().sort("key")

    @property
    def present(self) -> pl.DataFrame:
        """`room_id`, `session`, `profile_id`: `members`, and those of whom there are only untimely readings."""
        return pl.concat([self.members.select(MEMBER), self.untimely.select(MEMBER)]).unique()

    @property
    def bounded_members(self) -> pl.DataFrame:
        """`members`, with `started_at` and `ended_at` of the session."""
        return _bounds_of_members(self.members, self.sessions)

    def reader(self) -> SliceReader:
        """Return a reader of its slices."""
        return SliceReader(self.connection, self.bounded_members, self.recorded, self.source)

    def slices(self) -> list[Slice]:
        """Cut it into slices, in the order of time."""
        bounds = self.wanted.since_us, self.wanted.until_us
        return plan_slices(self.buckets, buckets_of(self.definitions), *bounds, self.slice_rows)


def select(
    connection: duckdb.DuckDBPyConnection,
    wanted: Filter,
    definitions: Definitions,
    slice_rows: int = SLICE_ROWS,
    scan: Scan | None = None,
) -> Selection:
    """Find the sessions and members that a filter selects, on an open connection to a recording.

    A `scan` by these definitions, of at least the filter's rooms, saves another one. What was selected before on this
    connection can be read no more.
    """
    scan = scan or scan_readings(connection, definitions, wanted.rooms)
    buckets, sessions, in_session = scan.buckets, scan.sessions, ["room_id", "session"]
    recorded = None if scan.rooms else _bounds_of_members(buckets.select(MEMBER).unique(), sessions)
    # Who took part in which session is known when all that is untimely was looked at.
    scan = scan.look_at(connection, sessions if wanted.members else select_sessions(sessions, wanted), definitions)
    all_sessions = sessions

    def count_untimely(cuts: list[int] | None) -> pl.DataFrame:
        if not scan.room_leads.is_empty():
            show(connection, HEART_RATE, days=scan.lead_days)
        found = read_untimely(connection, scan.room_leads, all_sessions, definitions, wanted, cuts=cuts)
        return found.filter(pl.col("profile_id").is_in(wanted.members)) if wanted.members else found

    untimely = count_untimely(None)
    if wanted.members:
        buckets = buckets.filter(pl.col("profile_id").is_in(wanted.members))
        took_part = pl.concat([buckets.select(in_session), untimely.select(in_session)])
        sessions = sessions.join(took_part, on=in_session, how="semi")
    sessions = select_sessions(sessions, wanted)
    buckets, untimely = (frame.join(sessions, on=in_session, how="semi") for frame in (buckets, untimely))
    return Selection(
        connection=connection,
        slice_rows=slice_rows,
        sessions=sessions,
        buckets=buckets.with_columns(key=pl.struct(MEMBER).rank("dense").cast(pl.UInt32)),
        untimely=untimely,
        count_untimely=count_untimely,
        source="heart_rate" if scan.room_leads.is_empty() else timely_sql(definitions),
        recorded=recorded,
        wanted=wanted,
        definitions=definitions,
    )


def _bounds_of_members(members: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Add `started_at` and `ended_at` of their session to members."""
    bounds = sessions.select("room_id", "session", "started_at", "ended_at")
    return members.join(bounds, on=["room_id", "session"])


def read_tally(selection: Selection, tally_rows: int = TALLY_ROWS, phases: pl.DataFrame | None = None) -> pl.DataFrame:
    """Tally the readings: the one heavy pass over them. More than `tally_rows` rows of tallies are added up on the way.

    With `phases` (`phases.PHASES`, of all these sessions) it is cut where one begins, and each is tallied apart.

    Returns `room_id`, `session`, `profile_id` and `time_at_bpm.TALLY`, one row a member and bpm, in no order; and one
    of its own for a member's untimely readings. With phases also `phase`, and such rows for each of them.
    """
    definitions, reader = selection.definitions, selection.reader()
    later = None
    if selection.wanted.until_us is not None:
        later = reader.read_next(selection.wanted.until_us, definitions.min_bpm, definitions.max_bpm)

    def read(packing: Packing) -> tuple[Packing, pl.Series]:
        return packing, reader.read_packed(packing.slice_, packing.sql, packing.member_sql)

    slices, by, untimely, phases_of_keys = selection.slices(), list(_KEY), selection.untimely, None
    if phases is not None:
        cuts = cuts_us(phases)
        slices = [part for slice_ in slices for part in slice_.cut(cuts)]
        phases_of_keys = selection.members.join(phases, on=IN_SESSION)
        by.append("phase")
        untimely = _with_phases(selection.count_untimely(cuts), phases).join(
            selection.sessions, on=IN_SESSION, how="semi"
        )
    packings = list(plan_packings(selection.bounded_members.sort("key"), slices, definitions))
    tallies = [pl.DataFrame(schema={**dict.fromkeys(by, pl.Int64()), "key": pl.UInt32(), **TALLY})]
    for packing, packed in read_ahead(read, reversed(packings)):
        tally, later = tally_slice(packed, packing, later, partial(reader.read, packing.slice_))
        if phases_of_keys is not None:
            tally = tally.join(phases_at(phases_of_keys, packing.slice_.from_us, _KEY), on="key").select(*by, *TALLY)
        tallies.append(tally)
        if sum(tally.height for tally in tallies[1:]) > max(tally_rows, tallies[0].height):
            tallies = [add_tallies(tallies, by)]
    tally = selection.members.join(add_tallies(tallies, by), on="key").drop("key")
    return pl.concat([tally, untimely.select(*MEMBER, *by[1:], "untimely", "duplicates")], how="diagonal")


def _with_phases(untimely: pl.DataFrame, phases: pl.DataFrame) -> pl.DataFrame:
    """Add the `phase` to untimely readings that were counted by `cut_us`, an instant at which a phase begins."""
    found = [pl.DataFrame(schema={**untimely.schema, "phase": pl.Int64()})]
    for (cut_us,), rows in untimely.group_by("cut_us"):
        found.append(rows.join(phases_at(phases, int(str(cut_us))), on=IN_SESSION))
    return pl.concat(found)


def read_slices(selection: Selection, keys: pl.Series | None = None) -> Iterator[pl.DataFrame]:
    """Read the readings one by one, without duplicates, slice by slice in the order of time, of all members or `keys`.

    Yields `key`, `occurred_at`, `received_at`, `bpm`, each member's ordered by `holds.ORDER`.
    """
    if keys is not None:
        selection = replace(selection, buckets=selection.buckets.filter(pl.col("key").is_in(keys.implode())))
    # Readings at one instant, among which duplicates are, lie in one slice.
    for rows in read_ahead(selection.reader().read, selection.slices()):
        yield sort_and_deduplicate(rows, _KEY)[0]


def read_in_order(selection: Selection) -> pl.DataFrame:
    """Read the readings one by one, without duplicates; all of them are in memory in the end.

    Returns `key`, `occurred_at`, `received_at`, `bpm`, ordered by key and, within a key, by `holds.ORDER`.
    """
    slices = list(read_slices(selection))
    if not slices:
        return selection.reader().read(Slice(0, 0))
    return pl.concat(slices).sort("key", maintain_order=True)


def read_recovery(
    selection: Selection, people: pl.DataFrame, tally: pl.DataFrame, phases: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Compute the recovery of members whose HRmax is known, from efforts that end within the selection.

    `people` have `room_id`, `session`, `profile_id`, `hr_max`; `tally` is as `read_tally` returns it. With `phases`
    (`phases.PHASES`) an effort belongs to the phase in which it ends.

    Returns `recovery.SCHEMA`, a row for each member with an effort, in no order; with phases also `phase`, and a row
    for each that has one.
    """
    definitions = selection.definitions
    if selection.wanted.since_us is None:  # else an effort may have begun before it
        people = may_have_effort(tally, people, definitions)
    known = selection.members.join(people, on=MEMBER).filter(pl.col("hr_max").is_not_null()).select("key", "hr_max")
    of_known = replace(selection, buckets=selection.buckets.join(known, on="key", how="semi"))
    reader, bounds = of_known.reader(), of_known.bounded_members.sort("key")

    def read(slice_: Slice) -> tuple[Slice, pl.DataFrame]:
        wide = slice_.widen(*margins_us(definitions))
        packings = list(plan_packings(bounds, [wide], definitions))
        readings = None
        if len(packings) == 1:  # else its readings do not fit into numbers
            [packing] = packings
            readings = unpack(reader.read_packed(wide, packing.sql, packing.member_sql), packing)
        return slice_, sort_and_deduplicate(reader.read(wide), _KEY)[0] if readings is None else readings

    ended_us, falls = pl.col("ended_at").dt.epoch("us"), []
    for slice_, readings in read_ahead(read, of_known.slices()):
        found = find_falls(readings.join(known, on="key", maintain_order="left"), definitions, _KEY)
        falls.append(found.filter((ended_us >= slice_.from_us) & (ended_us < slice_.until_us)))
    by = list(_KEY)
    if not falls:
        return pl.DataFrame(schema=RECOVERY if phases is None else pl.Schema(RECOVERY | {"phase": pl.Int64()}))
    found = pl.concat(falls)
    if phases is not None:
        begins = selection.members.join(phases, on=IN_SESSION).select("key", "phase", at="started_at").sort("at")
        found = found.sort("ended_at").join_asof(
            begins, left_on="ended_at", right_on="at", by="key", check_sortedness=False
        )
        by.append("phase")
    return selection.members.join(largest_falls(found, by), on="key").select(*RECOVERY, *by[1:])
