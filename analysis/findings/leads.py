"""Compares clocks by leads: the room's with the recorder's, and a member's with the room's.

A reading's lead is `occurred_at - received_at`: how far the clock that stamped it is ahead of the recorder's. Leads are
looked at in windows of a minute of receipt. A window whose leads differ among themselves has readings that were
delivered late, or a step within it, and shows no clock; so has every window of a fast replay.

A clock that is set by more than what divides sessions puts its member's readings into another session. So a member is
followed through all sessions that were received at the same time: a group of sessions.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

import polars as pl

from pulsoid_rec.analysis.findings.clocks import DIFFERENT, FIRST, LAST, Clocks, Step
from pulsoid_rec.analysis.metrics.holds import MEMBER

_DIFFERENT_US = DIFFERENT // timedelta(microseconds=1)
_SESSION = ("room_id", "session")
_GROUP = ("room_id", "group")
_ROOM_MINUTE = ("room_id", "minute")
_EDGES = ("low_us", "high_us")

IS_CLEAN: Final = pl.col("high_us") - pl.col("low_us") < _DIFFERENT_US  # whether a window shows a clock


def lead_windows(readings: pl.LazyFrame, by: Sequence[str] = MEMBER) -> pl.LazyFrame:
    """Summarize the leads of readings by minutes of receipt.

    `readings` have `occurred_at`, `received_at`, and `by`, the columns that identify one member in one session.

    Returns `by`, `minute` (of receipt), `lead_us` (the median, in microseconds), `low_us` and `high_us` (the extremes),
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
    """Compare the clocks of each session, by room and session; those in which no window shows a clock are left out.

    `windows` are as of `lead_windows`, by room, session and profile; also of what was received at the same time as the
    sessions of interest, since a member whose clock is wrong may be in another one.
    """
    windows = _compare_to_room(windows)
    changes = _find_changes(windows)
    together = _find_common_steps(changes)
    own = changes.join(together, on=[*_GROUP, "minute"], how="left", maintain_order="left")
    jumps = own.with_columns(pl.col("change_us") - pl.col("all_us").fill_null(0)).filter(_is_different("change_us"))
    offsets = _divide(_find_offsets(windows, jumps), _SESSION)
    steps = _divide(_find_steps(jumps, together), _GROUP)
    received = _divide(_find_received(windows), _GROUP)
    heard = _divide(windows.select(*_GROUP, "profile_id").unique(), _GROUP)
    leads = windows.select(*_SESSION, "group", pl.col("session_us").cast(pl.Duration("us"))).unique()
    return {
        (room_id, session): Clocks(
            lead=lead,
            offsets=dict(offsets.get((room_id, session), [])),
            heard={id_ for (id_,) in heard[room_id, group]},
            steps=tuple(Step(*step) for step in steps.get((room_id, group), [])),
            received={
                id_: [minute[1:] for minute in minutes]
                for id_, minutes in groupby(received.get((room_id, group), []), lambda row: row[0])
            },
        )
        for room_id, session, group, lead in leads.iter_rows()
    }


def _divide(frame: pl.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return the rows of each part of a frame."""
    return {key: part.rows() for key, part in frame.partition_by(by, as_dict=True, include_key=False).items()}


def _compare_to_room(windows: pl.DataFrame) -> pl.DataFrame:
    """Sort windows, and add `is_clean` (it shows a clock), `group` and `member` (numbers), `room_us`, `session_us`.

    The room's lead in a minute, `room_us`, is the median of its members' in all sessions; that in a session,
    `session_us`, the median of these. Minutes with one member alone, whose clock may be wrong, only count where there
    are no others. Windows of sessions without any lead are left out.
    """
    windows = windows.with_columns(is_clean=IS_CLEAN)
    clean = windows.filter("is_clean")
    room = clean.group_by(_ROOM_MINUTE).agg(
        room_us=_middle(pl.col("lead_us")), is_alone=pl.col("profile_id").n_unique() == 1
    )
    windows = windows.join(room, on=_ROOM_MINUTE, how="left").join(_group_sessions(clean), on=_SESSION)
    in_company = pl.col("room_us").filter(~pl.col("is_alone"))
    of_session = windows.group_by(_SESSION).agg(session_us=pl.coalesce(_middle(in_company), _middle(pl.col("room_us"))))
    room_us = pl.when("is_alone").then("session_us").otherwise("room_us")
    windows = windows.join(of_session, on=_SESSION).with_columns(room_us=room_us)
    windows = windows.sort(*_GROUP, "profile_id", "first_received_at")
    return windows.with_columns(member=pl.struct(*_GROUP, "profile_id").rle_id())


def _group_sessions(windows: pl.DataFrame) -> pl.DataFrame:
    """Group sessions that were received at the same time: `_SESSION`, and `group`, a number."""
    received = windows.group_by(_SESSION).agg(pl.col("first_received_at").min(), pl.col("last_received_at").max())
    begins = pl.col("first_received_at") >= pl.col("last_received_at").cum_max().shift(1).over("room_id")
    return received.sort("room_id", "first_received_at").select(*_SESSION, group=begins.fill_null(value=True).cum_sum())


def _find_changes(windows: pl.DataFrame) -> pl.DataFrame:
    """Find how a member's lead changed from one window that shows a clock to the next.

    Returns `member`, `block` (a number for the window), `MEMBER`, `group`, `minute`, `first_at`, `change_us`, `at`
    (when it changed, to half a minute, on the room's clock), `repeated_us` (how far the member's time goes back where
    it changed), and `is_within` (the session is that of the window before).
    """
    received_for = pl.col("last_received_at") - pl.col("first_received_at")
    blocks = (
        windows.with_columns(block=pl.col("is_clean").cum_sum().over("member"))
        .filter(pl.col("block") > 0)
        .group_by("member", "block", maintain_order=True)
        .agg(
            pl.col(*MEMBER, "group", "minute", "lead_us", "first_at").first(),
            at=_to_room("first_received_at").first(),
            unclear_at=(_to_room("first_received_at") + received_for / 2).get(1, null_on_oob=True),
            until_at=pl.col("last_at").max(),
        )
    )
    of_before = ("lead_us", "until_at", "unclear_at", "session")
    before = {column: pl.col(column).shift(1).over("member") for column in of_before}
    return blocks.select(
        "member",
        "block",
        *MEMBER,
        "group",
        "minute",
        "first_at",
        at=pl.coalesce(before["unclear_at"], "at"),
        change_us=pl.col("lead_us") - before["lead_us"],
        repeated_us=(before["until_at"] - pl.col("first_at")).dt.total_microseconds(),
        is_within=pl.col("session") == before["session"],
    ).filter(pl.col("change_us").is_not_null())


def _find_common_steps(changes: pl.DataFrame) -> pl.DataFrame:
    """Find changes that most members have in one minute: `_GROUP`, `minute`, `all_us`, `common_at`."""
    minute = [*_GROUP, "minute"]
    near = changes.join(changes.filter(_is_different("change_us")), on=minute, how="semi")
    common = near.group_by(minute).agg(
        all_us=_middle(pl.col("change_us")), common_at=pl.col("first_at").min(), n=pl.len()
    )
    return common.filter(_is_different("all_us") & (pl.col("n") > 1)).drop("n")


def _find_steps(jumps: pl.DataFrame, together: pl.DataFrame) -> pl.DataFrame:
    """Find clocks that were set: `_GROUP`, `profile_id` (null if those of all were), `at`, `by`, in order of time."""
    rows = jumps.select("member", "block", "change_us", "repeated_us").iter_rows()
    steps = [step for _, of_member in groupby(rows, lambda row: row[0]) for step in _own_steps(of_member)]
    schema = {name: jumps.schema[name] for name in ("member", "block")} | {"step_us": pl.Int64()}
    own = jumps.join(pl.DataFrame(steps, schema, orient="row"), on=["member", "block"])
    nobody = pl.lit(None, pl.String()).alias("profile_id")
    frames = [
        own.select(*_GROUP, "profile_id", "at", pl.col("step_us").cast(pl.Duration("us"))),
        together.select(*_GROUP, nobody, at="common_at", step_us=pl.col("all_us").cast(pl.Duration("us"))),
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
    """Find members whose clock is different in all of a session: `MEMBER`, `offset_us`, a duration."""
    offset_us = (pl.col("lead_us") - pl.col("room_us")).median().cast(pl.Int64)
    even = windows.filter("is_clean").join(jumps.filter("is_within"), on=MEMBER, how="anti")
    offsets = even.group_by(MEMBER, maintain_order=True)
    found = offsets.agg(offset_us=offset_us, minutes=pl.len())
    found = found.filter(_is_different("offset_us") & (pl.col("minutes") > 1))
    return found.select(*MEMBER, pl.col("offset_us").cast(pl.Duration("us")))


def _find_received(windows: pl.DataFrame) -> pl.DataFrame:
    """Find the windows of members with a different lead: `_GROUP`, `profile_id`, its receipts on the room's clock."""
    is_odd = pl.any_horizontal((pl.col(edge) - pl.col("session_us")).abs() >= _DIFFERENT_US for edge in _EDGES)
    odd = windows.filter(is_odd.any().over("member"))
    return odd.select(*_GROUP, "profile_id", _to_room("first_received_at"), _to_room("last_received_at"))


def _middle(values: pl.Expr) -> pl.Expr:
    """Return the median; of the two in the middle the one nearer to 0, that is, to the recorder's clock."""
    low, high = (values.quantile(0.5, side).cast(pl.Int64) for side in ("lower", "higher"))
    return pl.when(low.abs() <= high.abs()).then(low).otherwise(high)


def _is_different(column: str) -> pl.Expr:
    return pl.col(column).abs() >= _DIFFERENT_US


def _to_room(column: str) -> pl.Expr:
    """Convert receipts to the room's clock, within the years that Python knows."""
    return (pl.col(column) + pl.col("session_us").cast(pl.Duration("us"))).clip(FIRST, LAST)
