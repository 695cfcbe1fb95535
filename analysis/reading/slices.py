"""Reads readings slice by slice of time, so that memory stays bounded however many there are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TypeVar

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive import show
from pulsoid_rec.analysis.reading.database import read_frame, write_temporary
from pulsoid_rec.recorder.contract.activity import Cut
from pulsoid_rec.recorder.contract.tables import HEART_RATE

SLICE_ROWS = 2_000_000
"""Rows read at once: enough for polars to be fast; some 200 MB with everything derived from them."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_SESSION = "occurred_at BETWEEN make_timestamptz(started_us) AND make_timestamptz(ended_us)"

_DAY_US = 86_400_000_000
_DAY = f"epoch_us(occurred_at) // {_DAY_US}"
_DAYS = f"unnest(range(greatest(started_us, {{}}) // {_DAY_US}, least(ended_us, {{}}) // {_DAY_US} + 1))"
"""A reading's day, and the days of a session within bounds. By member alone a reading would be joined with each of the
member's sessions, thousands in some years; by member and day it is joined with a few.
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """A range of time in microseconds since 1970, the end exclusive."""

    from_us: int
    until_us: int

    def widen(self, before_us: int, after_us: int) -> "Slice":
        """Return the slice with a margin on either side."""
        return Slice(self.from_us - before_us, self.until_us + after_us)

    def cut(self, cuts_us: Sequence[int]) -> list["Slice"]:
        """Cut the slice at those of some instants, in ascending order, that are in it."""
        inside = [at_us for at_us in cuts_us if self.from_us < at_us < self.until_us]
        return [Slice(start, end) for start, end in pairwise([self.from_us, *inside, self.until_us])]

    def split(self, parts: int) -> list["Slice"]:
        """Cut the slice into parts of equal length."""
        length_us = self.until_us - self.from_us
        cuts = [self.from_us + length_us * cut // parts for cut in range(parts + 1)]
        return [Slice(start, end) for start, end in pairwise(cuts)]


def plan_slices(
    buckets: pl.DataFrame, time: Cut, since_us: int | None, until_us: int | None, slice_rows: int = SLICE_ROWS
) -> list[Slice]:
    """Cut time into slices of about `slice_rows` rows, in the order of time, without times that have no readings.

    `buckets` are what to read: `bucket` and `readings`; `time` says when they start. Bounds are in microseconds since
    1970, the second exclusive. Readings at one instant are never separated.
    """
    sizes = buckets.group_by("bucket").agg(pl.col("readings").sum()).sort("bucket")
    before = (pl.col("readings").cum_sum() - pl.col("readings")) // slice_rows
    groups = sizes.group_by(before.alias("group"), maintain_order=True).agg(
        pl.col("bucket").min().alias("first"), pl.col("bucket").max().alias("last"), pl.col("readings").sum()
    )
    slices: list[Slice] = []
    for first, last, readings in groups.select("first", "last", "readings").iter_rows():
        slices += Slice(time.start_us(first), time.start_us(last + 1)).split(max(1, readings // slice_rows))
    clipped = (
        Slice(
            slice_.from_us if since_us is None else max(slice_.from_us, since_us),
            slice_.until_us if until_us is None else min(slice_.until_us, until_us),
        )
        for slice_ in slices
    )
    return [slice_ for slice_ in clipped if slice_.from_us < slice_.until_us]


def read_ahead(read: Callable[[Item], Result], slices: Iterable[Item]) -> Iterator[Result]:
    """Read slices in order, each in another thread while the caller works on the one before."""
    with ThreadPoolExecutor(1) as thread:
        pending: Future[Result] | None = None
        for slice_ in slices:
            following = thread.submit(read, slice_)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


class SliceReader:
    """Reads the readings of chosen members in chosen sessions, as `key`, a number for each member and session.

    `members` are what to read: `key`, `room_id`, `profile_id`, and `started_at` and `ended_at` of the session.
    `recorded` are the same columns without `key`, for everything in the file; None if unknown. With it most slices are
    read by a faster join. `source` are the timely readings, as SQL.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        members: pl.DataFrame,
        recorded: pl.DataFrame | None = None,
        source: str = "heart_rate",
    ) -> None:
        self._connection = connection
        self._source = source
        self._recorded = recorded
        self._lock = Lock()  # a connection is for one thread at a time
        bounds = pl.col("started_at", "ended_at").dt.epoch("us")
        columns = "key UINTEGER, room_id VARCHAR, profile_id VARCHAR, started_us BIGINT, ended_us BIGINT"
        write_temporary(connection, "selected", columns, members.select("key", "room_id", "profile_id", bounds))

    def read(self, slice_: Slice) -> pl.DataFrame:
        """Read a slice: `key`, `occurred_at`, `received_at`, `bpm`, in no order."""
        return self._read("key, occurred_at, received_at, bpm", slice_)

    def read_packed(self, slice_: Slice, packed: str, member: str) -> pl.Series:
        """Read a slice as sorted numbers, one for each reading; `packed` and `member` are SQL as `Packing` has it."""
        numbers = self._read(f"{packed} AS packed", slice_, f"*, {member} AS member")["packed"]
        # Sorted in this thread, which reads ahead and has time for it; sorting with several threads is hardly faster.
        return numbers.sort(multithreaded=False)

    def read_next(self, from_us: int, min_bpm: int, max_bpm: int) -> pl.DataFrame:
        """Read each member's first reading from an instant on: `key`, `occurred_at`, and `plausible_at` or null."""
        is_plausible = f"bpm BETWEEN {min_bpm:d} AND {max_bpm:d}"
        [(last_us,)] = self._connection.execute("SELECT max(ended_us) FROM selected").fetchall()
        show(self._connection, HEART_RATE, from_us, from_us if last_us is None else last_us + 1)
        firsts = f"key, min(occurred_at) AS occurred_at, min(occurred_at) FILTER ({is_plausible}) AS plausible_at"
        return read_frame(
            self._connection,
            f"SELECT {firsts} FROM (SELECT *, {_DAY} AS day FROM {self._source}"
            f" WHERE occurred_at >= make_timestamptz({from_us}))"
            f" JOIN (SELECT *, {_DAYS.format(from_us, 'ended_us')} AS day FROM selected WHERE ended_us >= {from_us})"
            f" USING (room_id, profile_id, day) WHERE {_IN_SESSION} GROUP BY key",
        )

    def _read(self, columns: str, slice_: Slice, member_columns: str = "*") -> pl.DataFrame:
        within = f"ended_us >= {slice_.from_us} AND started_us < {slice_.until_us}"
        day = days = ""
        # A join by one text is fast, as texts are compressed to numbers in a dictionary; a join by two is not.
        join = "USING (profile_id)"
        if not self._has_one_session_a_profile(slice_):
            day, days = f", {_DAY} AS day", f", {_DAYS.format(slice_.from_us, slice_.until_us)} AS day"
            join = f"USING (room_id, profile_id, day) WHERE {_IN_SESSION}"
        query = (
            f"SELECT {columns} FROM (SELECT *{day} FROM {self._source}"
            f" WHERE occurred_at >= make_timestamptz({slice_.from_us})"
            f" AND occurred_at < make_timestamptz({slice_.until_us}))"
            f" JOIN (SELECT {member_columns}{days} FROM selected WHERE {within}) {join}"
        )
        with self._lock:
            show(self._connection, HEART_RATE, slice_.from_us, slice_.until_us)
            return read_frame(self._connection, query)

    def _has_one_session_a_profile(self, slice_: Slice) -> bool:
        """Return whether all readings of a profile in this slice are of one room and session."""
        if self._recorded is None:
            return False
        started_us, ended_us = (pl.col(bound).dt.epoch("us") for bound in ("started_at", "ended_at"))
        present = self._recorded.filter((ended_us >= slice_.from_us) & (started_us < slice_.until_us))
        return present["profile_id"].n_unique() == present.height
