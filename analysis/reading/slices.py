"""Reads readings slice by slice of time, so that memory stays bounded however many there are."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TypeVar

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.buckets import Buckets
from pulsoid_rec.analysis.reading.database import read_frame, write_temporary

SLICE_ROWS = 2_000_000
"""Rows read at once: enough for polars to be fast; some 200 MB with everything derived from them."""

What = TypeVar("What")
Frames = TypeVar("Frames")

_IN_SESSION = "occurred_at BETWEEN make_timestamptz(started_us) AND make_timestamptz(ended_us)"


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of time: from an instant, in microseconds since 1970, up to and without another."""

    from_us: int
    until_us: int

    def widen(self, before_us: int, after_us: int) -> "Slice":
        """Return the slice with a margin on either side."""
        return Slice(self.from_us - before_us, self.until_us + after_us)

    def split(self, parts: int) -> list["Slice"]:
        """Cut the slice into parts of equal length."""
        length_us = self.until_us - self.from_us
        cuts = [self.from_us + length_us * part // parts for part in range(parts + 1)]
        return [Slice(start, end) for start, end in pairwise(cuts)]


def plan_slices(
    buckets: pl.DataFrame, time: Buckets, since_us: int | None, until_us: int | None, slice_rows: int = SLICE_ROWS
) -> list[Slice]:
    """Cut time into slices of about `slice_rows` rows, leaving out times in which nothing was sent.

    Parameters
    ----------
    buckets
        What is to be read: `bucket`, `readings`.
    time
        What the buckets are.
    since_us, until_us
        Bounds in microseconds since 1970, the second exclusive.
    slice_rows
        Rows a slice, about; readings at one instant are never separated.

    Returns
    -------
    In the order of time, none overlapping.
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
            part.from_us if since_us is None else max(part.from_us, since_us),
            part.until_us if until_us is None else min(part.until_us, until_us),
        )
        for part in slices
    )
    return [part for part in clipped if part.from_us < part.until_us]


def read_ahead(read: Callable[[What], Frames], slices: Iterable[What]) -> Iterator[Frames]:
    """Read slice after slice, the next one in a thread of its own while the caller works on the one before.

    Parameters
    ----------
    read
        Reads a slice; it is called for one slice at a time.
    slices
        The slices, in the order wanted.
    """
    with ThreadPoolExecutor(1) as thread:
        pending: Future[Frames] | None = None
        for part in slices:
            following = thread.submit(read, part)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


class SliceReader:
    """Reads the readings of chosen members in chosen sessions, as `key`, a number for each member and session.

    Parameters
    ----------
    connection
        Open on a recording.
    parts
        What to read: `key`, `room_id`, `profile_id`, and `started_at` and `ended_at` of the session.
    recorded
        The same columns but `key`, of all that the file holds, to be read or not; None where that is not known. With
        it most slices are read by a faster join.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, parts: pl.DataFrame, recorded: pl.DataFrame | None = None
    ) -> None:
        self._connection = connection
        self._recorded = recorded
        self._lock = Lock()  # a connection is for one thread at a time
        bounds = pl.col("started_at", "ended_at").dt.epoch("us")
        columns = "key UINTEGER, room_id VARCHAR, profile_id VARCHAR, started_us BIGINT, ended_us BIGINT"
        write_temporary(connection, "part", columns, parts.select("key", "room_id", "profile_id", bounds))

    def read(self, part: Slice) -> pl.DataFrame:
        """Read a slice: `key`, `occurred_at`, `received_at`, `bpm`, in no order."""
        return self._read("key, occurred_at, received_at, bpm", part)

    def read_packed(self, part: Slice, packed: str, member: str) -> pl.Series:
        """Read a slice, each reading packed into one number, sorted.

        Parameters
        ----------
        part
            The slice.
        packed
            The number, as SQL over `member`, `occurred_at` and `bpm`.
        member
            What the number needs of each member and session, as SQL over `key` and `started_us`.
        """
        numbers = self._read(f"{packed} AS packed", part, f"*, {member} AS member")["packed"]
        # Sorted here, since reading ahead this thread has time for it; two threads share that work badly.
        return numbers.sort(multithreaded=False)

    def read_next(self, from_us: int, min_bpm: int, max_bpm: int) -> pl.DataFrame:
        """Read each member's first reading from an instant on: `key`, `occurred_at`, and `plausible_at` or null."""
        is_plausible = f"bpm BETWEEN {min_bpm:d} AND {max_bpm:d}"
        firsts = f"key, min(occurred_at) AS occurred_at, min(occurred_at) FILTER ({is_plausible}) AS plausible_at"
        return read_frame(
            self._connection,
            f"SELECT {firsts} FROM heart_rate JOIN (FROM part WHERE ended_us >= {from_us}) USING (room_id, profile_id)"
            f" WHERE {_IN_SESSION} AND occurred_at >= make_timestamptz({from_us}) GROUP BY key",
        )

    def _read(self, columns: str, part: Slice, of_members: str = "*") -> pl.DataFrame:
        parts = f"SELECT {of_members} FROM part WHERE ended_us >= {part.from_us} AND started_us < {part.until_us}"
        # Texts are compressed as places in a dictionary, so that a join by one of them is fast; by two it is not.
        join = (
            "USING (profile_id)"
            if self._has_one_session_a_profile(part)
            else f"USING (room_id, profile_id) WHERE {_IN_SESSION}"
        )
        query = (
            f"SELECT {columns} FROM (FROM heart_rate WHERE occurred_at >= make_timestamptz({part.from_us})"
            f" AND occurred_at < make_timestamptz({part.until_us})) JOIN ({parts}) {join}"
        )
        with self._lock:
            return read_frame(self._connection, query)

    def _has_one_session_a_profile(self, part: Slice) -> bool:
        """Return whether all readings of a profile in this slice are of one room and session."""
        if self._recorded is None:
            return False
        started_us, ended_us = (pl.col(bound).dt.epoch("us") for bound in ("started_at", "ended_at"))
        met = self._recorded.filter((ended_us >= part.from_us) & (started_us < part.until_us))
        return met["profile_id"].n_unique() == met.height
