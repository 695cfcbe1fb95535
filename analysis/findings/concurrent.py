"""Sessions that were received at the same time as those shown, as happens if a member's clock is hours off."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from pulsoid_rec.analysis.findings.leads import IS_CLEAN, lead_windows
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.holds import MEMBER
from pulsoid_rec.analysis.reading.pipeline import Selection, read_slices
from pulsoid_rec.recorder.contract.wording import format_count

_SESSION = ["room_id", "session"]
_MOST = 5


def find_concurrent(recorded: pl.DataFrame, shown: pl.DataFrame, imported: pl.DataFrame) -> pl.DataFrame:
    """Find sessions that are not shown, but were received while one of their room was that is.

    A room has one session at a time, unless its members' clocks differ by more than what divides sessions, or readings
    come late. `recorded` are all sessions of these rooms, `shown` some of them; the receipt of `imported` ones, of
    which there is nothing else, tells nothing.

    Returns `room_id`, `session`, and `session_shown`, one of those; ordered by the first two.
    """
    recorded, shown = (sessions.join(imported, on=_SESSION, how="anti") for sessions in (recorded, shown))
    # Of those shown that began before another ended, the one that ended last: pairs of all would be millions.
    until_at = pl.col("last_received_at").cum_max()
    of_latest = pl.when(pl.col("last_received_at") == until_at).then("session").forward_fill()
    begun = shown.sort("first_received_at").select(
        "room_id",
        begun_at="first_received_at",
        until_at=until_at.over("room_id"),
        session_shown=of_latest.over("room_id"),
    )
    others = recorded.join(shown, on=_SESSION, how="anti").sort("last_received_at")
    meanwhile = others.join_asof(
        begun,
        left_on="last_received_at",
        right_on="begun_at",
        by="room_id",
        allow_exact_matches=False,
        check_sortedness=False,
    ).filter(pl.col("until_at") > pl.col("first_received_at"))
    return meanwhile.select(*_SESSION, "session_shown").sort(_SESSION)


def describe_concurrent(concurrent: pl.DataFrame, rooms: Mapping[str, str]) -> list[str]:
    """Describe what `find_concurrent` found, a sentence for each, without a full stop; beyond five they are counted."""
    texts = [
        f"Session {session} of {rooms.get(room_id, room_id)} was received at the same time as session {of}: a clock"
        f" is wrong, or readings came late; to see it, add --session {session}"
        for room_id, session, of in concurrent.iter_rows()
    ]
    if len(texts) > _MOST:
        texts[_MOST:] = [f"{format_count(len(texts) - _MOST, 'more session')} were received at the same time, too"]
    return texts


def read_windows_beside(
    whole: Selection, selection: Selection, sessions: pl.DataFrame, windows: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """Read what was received at the same time as the readings selected, but is not selected.

    `selection` is a part of `whole`: of its sessions, its members, or its time. `sessions` (`room_id`, `session`) are
    those to read of, and `windows` those of the selected readings, as of `leads.lead_windows`; yields windows like
    these, of other readings.
    """
    buckets = whole.buckets.join(sessions, on=_SESSION, how="semi")
    of_others = buckets.join(selection.members, on=MEMBER, how="anti")
    found = [replace(whole, buckets=of_others, wanted=Filter())]
    if selection.wanted.since is not None or selection.wanted.until is not None:
        own = _received_during(windows, buckets.join(selection.members, on=MEMBER, how="semi"))
        ranges = (Filter(until=selection.wanted.since), Filter(since=selection.wanted.until))
        found += [replace(whole, buckets=own, wanted=range_) for range_ in ranges if range_ != Filter()]
    for part in found:
        for rows in read_slices(part):
            of_keys = lead_windows(rows.lazy(), ("key",)).collect()
            yield whole.members.join(of_keys, on="key").select(windows.columns)


def _received_during(windows: pl.DataFrame, buckets: pl.DataFrame) -> pl.DataFrame:
    """Select the buckets that were received while windows were, and all between them, by which slices are planned."""
    bounds = {"begins_at": pl.col("first_received_at").min(), "ends_at": pl.col("last_received_at").max()}
    received = windows.filter(IS_CLEAN).group_by("room_id").agg(**bounds)
    during = buckets.join(received, on="room_id").filter(
        (pl.col("first_received_at") < pl.col("ends_at")) & (pl.col("last_received_at") > pl.col("begins_at"))
    )
    between = pl.col("bucket").is_between(during["bucket"].min(), during["bucket"].max())
    return buckets.filter(between).join(during, on="key", how="semi")
