"""The checks that need readings one by one. They read slice by slice, so that memory is bounded, and none is left out.

Each check reduces a slice to a small frame, and the frames of all slices add up. To add one, write a function as those
in `_CHECKS`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import timedelta
from itertools import chain
from typing import Final

import polars as pl

from pulsoid_rec.analysis.findings.faults import (
    count_implausible,
    count_jumps,
    count_turns,
    find_unchanging,
    judge_faults,
)
from pulsoid_rec.analysis.findings.leads import lead_windows
from pulsoid_rec.analysis.findings.pace import count_steps, find_paces
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.metrics.sessions import INSTANT

SILENCE_S = 60.0  # a longer silence of a member has a note; a shorter one only counts as a gap
SLICE_ROWS = 250_000  # readings are checked in slices of so many. Larger ones take no less time and more memory.
_ROWS = 100_000  # rows of a check's results that may gather before they are added up
READINGS: Final = {"key": pl.UInt32(), "occurred_at": INSTANT, "received_at": INSTANT, "bpm": pl.Int32()}
"""Columns of a slice. `key` is a number for each member and session, `members` says which."""

_CARRIED: Final = {"change": pl.Int32(), "step_us": pl.Int64(), "since_at": INSTANT}

_MEASURES: Final = {
    "times": pl.col("times").sum(),
    "first_at": pl.col("first_at").min(),
    "last_at": pl.col("last_at").max(),
    "low_bpm": pl.col("low_bpm").min(),
    "high_bpm": pl.col("high_bpm").max(),
}
"""How the columns of a check's result add up, by name. All its other columns say what they are of."""


def _find_silences(readings: pl.LazyFrame, _: pl.LazyFrame) -> pl.LazyFrame:
    is_long = pl.col("occurred_at") - pl.col("before_at") > timedelta(seconds=SILENCE_S)
    return readings.filter(is_long).select("key", begins_at="before_at", ends_at="occurred_at")


def _find_ends(readings: pl.LazyFrame, _: pl.LazyFrame) -> pl.LazyFrame:
    at = pl.col("occurred_at")
    return readings.group_by("key").agg(times=pl.len().cast(pl.Int64), first_at=at.min(), last_at=at.max())


def _find_returns(readings: pl.LazyFrame, removals: pl.DataFrame) -> pl.LazyFrame:
    later = readings.select("key", first_at="occurred_at")
    found = (
        removals.lazy()
        .sort("key", "removed_at")
        .join_asof(
            later,
            left_on="removed_at",
            right_on="first_at",
            by="key",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
    )
    return found.filter(pl.col("first_at").is_not_null())


Check = Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame]
"""Given a slice's readings, and of these the plausible ones, returns `key`, further columns, and some of `_MEASURES`.

Both are ordered by `key` and time, and have `READINGS` and `before_at`: of the first, the time of the member's reading
before this one, of the second that of the plausible one before; null for the member's first of all. The first has
`plausible`, too. The second has `before_bpm`; `change` and `step_us`, in bpm and time since the reading before, and
`before_change` and `before_step_us`, which that one had; and `since_at`: the time of the first of the readings that
have had this bpm without a gap, up to this one.
"""

_CHECKS: Final[dict[str, Check]] = {
    "ends": _find_ends,
    "steps": lambda readings, _: count_steps(readings),
    "windows": lambda readings, _: lead_windows(readings, ("key",)),
    "silences": _find_silences,
    "implausible": lambda readings, _: count_implausible(readings),
    "jumps": lambda _, plausible: count_jumps(plausible),
    "turns": lambda _, plausible: count_turns(plausible),
    "unchanging": lambda _, plausible: find_unchanging(plausible),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What the checks found: frames with `room_id`, `session`, `profile_id`, ordered by these, and further columns."""

    ends: pl.DataFrame  # `first_at`, `last_at`: each member's first and last reading, plausible or not
    paces: pl.DataFrame  # as of `pace.find_paces`
    faults: pl.DataFrame  # as of `faults.judge_faults`
    silences: pl.DataFrame
    """`begins_at`, `ends_at`: the readings before and after a silence longer than `SILENCE_S`, and than the pace."""

    windows: pl.DataFrame
    """As of `leads.lead_windows`; also of readings that were received at the same time, but were not selected."""

    returns: pl.DataFrame  # `removed_at`, `first_at`: the first reading after a member's removal, if there is one

    def by_session(self) -> Callable[[str, int], "Checks"]:
        """Divide it: return a function that returns the part of a room's session."""
        divided = {
            name: (rows.clear(), rows.partition_by("room_id", "session", as_dict=True))
            for name, rows in ((field.name, getattr(self, field.name)) for field in fields(self))
        }
        return lambda room_id, session: Checks(
            **{name: parts.get((room_id, session), none) for name, (none, parts) in divided.items()}
        )


def make_checks(
    read: Callable[[pl.Series | None], Iterable[pl.DataFrame]],
    members: pl.DataFrame,
    definitions: Definitions,
    member_events: pl.DataFrame,
) -> Checks:
    """Check the readings of members, slice by slice.

    `read` reads the slices: `READINGS`, without duplicates, each member's in the order of time, over all slices; with
    keys it reads those alone. `members` have `key`, `MEMBER`, and `started_at` and `ended_at` of the session;
    `member_events` is the table, of these rooms.
    """
    removals = (
        member_events.filter(pl.col("event") == "removed")
        .select("room_id", "profile_id", removed_at="occurred_at")
        .unique()
        .sort("removed_at")
        .join_asof(
            members.sort("started_at"),
            left_on="removed_at",
            right_on="started_at",
            by=["room_id", "profile_id"],
            check_sortedness=False,
        )
        .filter(pl.col("removed_at") <= pl.col("ended_at"))
        .select("key", "removed_at")
    )
    found = _check(read(None), members, definitions, None, removals)
    paces = find_paces(found["steps"], definitions)
    # Whether a value stays the same depends on what is a gap. Those who report more slowly than readings hold, and so
    # have few readings, are read again, now that their pace is known.
    slow = paces.filter(pl.col("longest_us") > definitions.max_hold_us).select("key", "longest_us")
    unchanging = found["unchanging"]
    if not slow.is_empty():
        again = _check(read(slow["key"]), members, definitions, slow, removals.clear())
        unchanging = pl.concat([unchanging.join(slow, on="key", how="anti"), again["unchanging"]])
    counts = pl.concat([found["implausible"], found["jumps"], found["turns"]])
    silence_us = (pl.col("ends_at") - pl.col("begins_at")).dt.total_microseconds()
    silences = found["silences"].join(paces, on="key", how="left")
    silences = silences.filter(silence_us > pl.col("longest_us").fill_null(0))
    results = {
        "ends": found["ends"].drop("times"),
        "paces": paces,
        "faults": judge_faults(counts, unchanging, paces, found["ends"]),
        "silences": silences.select("key", "begins_at", "ends_at"),
        "windows": found["windows"],
        "returns": found["returns"],
    }
    by_key = members.select("key", *MEMBER)
    ordered = {name: rows.sort(rows.columns[:2]) for name, rows in results.items()}
    return Checks(
        **{name: by_key.join(rows, on="key", maintain_order="right").drop("key") for name, rows in ordered.items()}
    )


def _check(
    slices: Iterable[pl.DataFrame],
    members: pl.DataFrame,
    definitions: Definitions,
    longest: pl.DataFrame | None,
    removals: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """Make all checks, and add up what they find; a gap is longer than `longest`, `key` and `longest_us`, if given."""
    checks = _CHECKS | {"returns": lambda readings, _: _find_returns(readings, removals)}
    carried = pl.DataFrame(schema=READINGS | _CARRIED | {"is_new": pl.Boolean()})
    found: dict[str, list[pl.DataFrame]] = {name: [] for name in checks}
    for rows in chain([pl.DataFrame(schema=READINGS)], slices):  # The first is empty, so that every check has a result.
        going_on = members.filter(pl.col("ended_at") >= pl.lit(rows["occurred_at"].min(), INSTANT))
        carried = carried.join(going_on, on="key", how="semi", maintain_order="left")
        readings, plausible, carried = _compare(pl.concat([carried, rows], how="diagonal"), definitions, longest)
        new = pl.collect_all([check(readings, plausible) for check in checks.values()])
        for (name, tables), table in zip(found.items(), new, strict=True):
            tables.append(table)
            if sum(table.height for table in tables[1:]) > max(_ROWS, tables[0].height):
                found[name] = [_add_up(tables)]
    return {name: _add_up(tables) for name, tables in found.items()}


def _add_up(tables: list[pl.DataFrame]) -> pl.DataFrame:
    all_ = pl.concat(tables)
    measures = [add for name, add in _MEASURES.items() if name in all_.columns]
    return all_.group_by(pl.exclude(*_MEASURES)).agg(measures)


def _compare(
    rows: pl.DataFrame, definitions: Definitions, longest: pl.DataFrame | None
) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.DataFrame]:
    """Compare each reading with the member's one before.

    `rows` are the last readings of the slices before, as the third result of this function; then a slice's, in which
    the further columns are null. Returns what a `Check` is given; and each member's last reading and last plausible
    one, for the next slice.
    """
    is_plausible = pl.col("bpm").is_between(definitions.min_bpm, definitions.max_bpm)
    readings = rows.sort("key", maintain_order=True).with_columns(
        is_plausible.alias("plausible"), before_at=_before("occurred_at")
    )
    if longest is not None:
        readings = readings.join(longest, on="key", maintain_order="left")
    longest_us = definitions.max_hold_us if longest is None else pl.col("longest_us")
    step_us = (pl.col("occurred_at") - pl.col("before_at")).dt.total_microseconds()
    change = pl.col("bpm") - pl.col("before_bpm")
    is_other = ((change != 0) | (step_us > longest_us)).fill_null(value=True)
    plausible = (
        readings.lazy()
        .filter("plausible")
        .with_columns(before_at=_before("occurred_at"), before_bpm=_before("bpm"))
        .with_columns(
            change=pl.coalesce("change", change),
            step_us=pl.coalesce("step_us", step_us),
            since_at=pl.coalesce("since_at", pl.when(is_other).then("occurred_at")).forward_fill(),
        )
        .with_columns(before_change=_before("change"), before_step_us=_before("step_us"))
        .collect()
    )
    is_last = (pl.col("key") != pl.col("key").shift(-1)).fill_null(value=True)
    lasts = [plausible.filter(is_last), readings.filter(is_last & ~pl.col("plausible"))]
    carried = pl.concat([frame.select(*READINGS, *_CARRIED) for frame in lasts]).with_columns(is_new=False)
    is_new = pl.col("is_new").fill_null(value=True)
    return readings.lazy().filter(is_new), plausible.lazy().filter(is_new), carried


def _before(column: str) -> pl.Expr:
    """Return a column's value in the same member's row before, null for the first, in rows ordered by key."""
    return pl.when(pl.col("key") == pl.col("key").shift(1)).then(pl.col(column).shift(1))
