"""Compares clocks by leads: the room's with the recorder's, and a member's with the room's.

A reading's lead is `occurred_at - received_at`: how far the clock that stamped it is ahead of the recorder's. Leads are
looked at in windows of a minute of receipt. A window whose leads differ among themselves has readings that were
delivered late, or a step within it, and shows no clock; so has every window of a fast replay.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby

import polars as pl

from pulsoid_rec.analysis.findings.clocks import DIFFERENT, FIRST, LAST, Clocks, Step
from pulsoid_rec.analysis.metrics.holds import MEMBER

_DIFFERENT_US = DIFFERENT // timedelta(microseconds=1)
_SESSION = ("room_id", "session")
_ROOM_MINUTE = ("room_id", "minute")
_EDGES = ("low_us", "high_us")


def lead_windows(readings: pl.LazyFrame, by: Sequence[str] = MEMBER) -> pl.LazyFrame:
    """Summarize the leads of readings by minutes of receipt.

    Parameters
    ----------
    readings
        `occurred_at`, `received_at`, and the columns of `by`, in any order.
    by
        Columns that identify one member in one session.

    Returns
    -------
    `by`, `minute` (of receipt), `lead_us` (the median, in microseconds), `low_us` and `high_us` (the extremes),
    `first_at` and `last_at`, `first_received_at` and `last_received_at`; in no order.
    """
    occurred_at, received_at = pl.col("occurred_at"), pl.col("received_at")
    lead_us = (occurred_at - received_at).dt.total_microseconds()
    return readings.group_by(*by, minute=received_at.dt.truncate("1m")).agg(
        lead_us=lead_us.median().cast(pl.Int64),
        low_us=lead_us.min(),
        high_us=lead_us.max(),
        first_at=occurred_at.min(),
        last_at=occurred_at.max(),
        first_received_at=received_at.min(),
        last_received_at=received_at.max(),
    )


def compare_clocks(windows: pl.DataFrame) -> dict[tuple[str, int], Clocks]:
    """Compare the clocks of each session.

    Parameters
    ----------
    windows
        As `lead_windows` returns them, by room, session and profile; of all sessions, since a member whose clock is
        wrong may be in another session than those it was with.

    Returns
    -------
    By room and session; sessions in which no window shows a clock are left out.
    """
    windows = _compare_to_room(windows)
    changes = _find_changes(windows)
    together = _find_common_steps(changes)
    own = changes.join(together, on=[*_SESSION, "minute"], how="left", maintain_order="left")
    jumps = own.with_columns(pl.col("change_us") - pl.col("all_us").fill_null(0)).filter(_is_different("change_us"))
    found = [
        frame.partition_by(_SESSION, as_dict=True, include_key=False)
        for frame in (_find_offsets(windows, jumps), _find_steps(jumps, together), _find_received(windows))
    ]
    leads = windows.select(*_SESSION, pl.col("session_us").cast(pl.Duration("us"))).unique()
    clocks = {}
    for room_id, session, lead in leads.iter_rows():
        offsets, steps, received = ([*of.get((room_id, session), pl.DataFrame()).iter_rows()] for of in found)
        clocks[room_id, session] = Clocks(
            lead=lead,
            offsets=dict(offsets),
            steps=tuple(Step(*step) for step in steps),
            received={
                id_: [minute[1:] for minute in minutes] for id_, minutes in groupby(received, lambda row: row[0])
            },
        )
    return clocks


def _compare_to_room(windows: pl.DataFrame) -> pl.DataFrame:
    """Sort windows, and add `member` (a number), `is_clean` (it shows a clock), `room_us` and `session_us`.

    The room's lead in a minute, `room_us`, is the median of its members' in all sessions; that in a session,
    `session_us`, the median of these. Windows of sessions without any are left out.
    """
    is_clean = pl.col("high_us") - pl.col("low_us") < _DIFFERENT_US
    windows = windows.sort(*MEMBER, "first_received_at").with_columns(
        is_clean=is_clean, member=pl.struct(MEMBER).rle_id()
    )
    room = windows.filter("is_clean").group_by(_ROOM_MINUTE).agg(room_us=_middle(pl.col("lead_us")))
    windows = windows.join(room, on=_ROOM_MINUTE, how="left", maintain_order="left")
    of_session = windows.group_by(_SESSION).agg(session_us=_middle(pl.col("room_us")))
    windows = windows.join(of_session, on=_SESSION, maintain_order="left")
    return windows.drop_nulls("session_us")


def _find_changes(windows: pl.DataFrame) -> pl.DataFrame:
    """Find how a member's lead changed from one window that shows a clock to the next.

    Returns
    -------
    `member`, `block` (a number for the window), `MEMBER`, `minute`, `first_at`, `change_us`, `at` (when it changed, to
    half a minute, on the room's clock), and `repeated_us`: how far the member's time goes back where it changed.
    """
    received_for = pl.col("last_received_at") - pl.col("first_received_at")
    blocks = (
        windows.with_columns(block=pl.col("is_clean").cum_sum().over("member"))
        .filter(pl.col("block") > 0)
        .group_by("member", "block", maintain_order=True)
        .agg(
            pl.col(*MEMBER, "minute", "lead_us", "first_at").first(),
            at=_to_room("first_received_at").first(),
            unclear_at=(_to_room("first_received_at") + received_for / 2).get(1, null_on_oob=True),
            until_at=pl.col("last_at").max(),
        )
    )
    before = {column: pl.col(column).shift(1).over("member") for column in ("lead_us", "until_at", "unclear_at")}
    return blocks.select(
        "member",
        "block",
        *MEMBER,
        "minute",
        "first_at",
        at=pl.coalesce(before["unclear_at"], "at"),
        change_us=pl.col("lead_us") - before["lead_us"],
        repeated_us=(before["until_at"] - pl.col("first_at")).dt.total_microseconds(),
    ).filter(pl.col("change_us").is_not_null())


def _find_common_steps(changes: pl.DataFrame) -> pl.DataFrame:
    """Find changes that most members have in one minute: `_SESSION`, `minute`, `all_us`, `common_at`."""
    minute = [*_SESSION, "minute"]
    near = changes.join(changes.filter(_is_different("change_us")), on=minute, how="semi")
    common = near.group_by(minute).agg(
        all_us=_middle(pl.col("change_us")), common_at=pl.col("first_at").min(), n=pl.len()
    )
    return common.filter(_is_different("all_us") & (pl.col("n") > 1)).drop("n")


def _find_steps(jumps: pl.DataFrame, together: pl.DataFrame) -> pl.DataFrame:
    """Find clocks that were set: `_SESSION`, `profile_id` (null if those of all were), `at`, `by`, in order of time."""
    rows = jumps.select("member", "block", "change_us", "repeated_us").iter_rows()
    steps = [step for _, of_member in groupby(rows, lambda row: row[0]) for step in _own_steps(of_member)]
    schema = {name: jumps.schema[name] for name in ("member", "block")} | {"step_us": pl.Int64()}
    own = jumps.join(pl.DataFrame(steps, schema, orient="row"), on=["member", "block"])
    nobody = pl.lit(None, pl.String()).alias("profile_id")
    frames = [
        own.select(*_SESSION, "profile_id", "at", pl.col("step_us").cast(pl.Duration("us"))),
        together.select(*_SESSION, nobody, at="common_at", step_us=pl.col("all_us").cast(pl.Duration("us"))),
    ]
    return pl.concat(frames).sort("at", maintain_order=True)


def _own_steps(jumps: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
    """Tell steps of one member's clock from late deliveries, and from a single window of stray readings.

    A clock that is set back repeats its time. Where time goes on and the lead is lower, readings come late, and catch
    up when the lead rises again.
    """
    steps: list[tuple[int, int, int]] = []
    late_us = 0
    for member, block, change_us, repeated_us in jumps:
        if change_us < 0 and repeated_us < -change_us / 2:
            late_us -= change_us
            continue
        caught_up_us = min(late_us, max(0, change_us))
        late_us -= caught_up_us
        step_us = change_us - caught_up_us
        if steps and steps[-1][1] + 1 == block and abs(steps[-1][2] + step_us) < _DIFFERENT_US:
            steps.pop()
        elif abs(step_us) >= _DIFFERENT_US:
            steps.append((member, block, step_us))
    return steps


def _find_offsets(windows: pl.DataFrame, jumps: pl.DataFrame) -> pl.DataFrame:
    """Find members whose clock is different all the time: `MEMBER`, `offset_us`, a duration."""
    offset_us = (pl.col("lead_us") - pl.col("room_us")).median().cast(pl.Int64)
    offsets = windows.filter("is_clean").join(jumps, on="member", how="anti").group_by(MEMBER, maintain_order=True)
    found = offsets.agg(offset_us=offset_us, minutes=pl.len())
    found = found.filter(_is_different("offset_us") & (pl.col("minutes") > 1))
    return found.select(*MEMBER, pl.col("offset_us").cast(pl.Duration("us")))


def _find_received(windows: pl.DataFrame) -> pl.DataFrame:
    """Find the windows of members with a different lead: `MEMBER`, first and last receipt on the room's clock."""
    is_odd = pl.any_horizontal((pl.col(edge) - pl.col("session_us")).abs() >= _DIFFERENT_US for edge in _EDGES)
    odd = windows.filter(is_odd.any().over("member"))
    return odd.select(*MEMBER, _to_room("first_received_at"), _to_room("last_received_at"))


def _middle(values: pl.Expr) -> pl.Expr:
    """Return the median; of the two in the middle the one nearer to 0, that is, to the recorder's clock."""
    low, high = (values.quantile(0.5, side).cast(pl.Int64) for side in ("lower", "higher"))
    return pl.when(low.abs() <= high.abs()).then(low).otherwise(high)


def _is_different(column: str) -> pl.Expr:
    return pl.col(column).abs() >= _DIFFERENT_US


def _to_room(column: str) -> pl.Expr:
    """Convert receipts to the room's clock, within the years that Python knows."""
    return (pl.col(column) + pl.col("session_us").cast(pl.Duration("us"))).clip(FIRST, LAST)
