"""Sessions that were received at the same time as those shown, as happens if a member's clock is hours off."""

from collections.abc import Callable, Mapping

import polars as pl

from pulsoid_rec.recorder.contract.wording import format_count

_MOST = 5


def describe_concurrent(
    recorded: pl.DataFrame,
    shown: pl.DataFrame,
    rooms: Mapping[str, str],
    find_imported: Callable[[], frozenset[tuple[str, int]]],
) -> list[str]:
    """Describe sessions that are not shown, but were received while one of their room was that is.

    A room has one session at a time, unless its members' clocks differ by more than what divides sessions, or readings
    come late.

    Parameters
    ----------
    recorded, shown
        All sessions of these rooms, and those shown: `sessions.SCHEMA`.
    rooms
        Names of the rooms, by id.
    find_imported
        Returns the sessions, by room and number, that are nothing but imported: their receipt tells nothing.

    Returns
    -------
    list of str
        A sentence for each, without a full stop; beyond five they are counted.
    """
    key = ["room_id", "session"]
    others = recorded.join(shown, on=key, how="anti")
    beside = others.join(shown, on="room_id", suffix="_shown").filter(
        (pl.col("first_received_at") < pl.col("last_received_at_shown"))
        & (pl.col("last_received_at") > pl.col("first_received_at_shown"))
    )
    if beside.is_empty():
        return []
    imported = find_imported()
    texts = [
        f"Session {session} of {rooms.get(room_id, room_id)} was received at the same time as session {of}: a clock"
        f" is wrong, or readings came late; to see it, add --session {session}"
        for room_id, session, of in beside.select(*key, "session_shown").unique(key).sort(key).iter_rows()
        if not imported & {(room_id, session), (room_id, of)}
    ]
    if len(texts) > _MOST:
        texts[_MOST:] = [f"{format_count(len(texts) - _MOST, 'more session')} were received at the same time, too"]
    return texts
