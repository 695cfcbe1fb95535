"""What is said when there is nothing to show: that is no error, but the user is told what there is."""

from typing import TYPE_CHECKING

from pulsoid_rec.analysis.cli.output import say

if TYPE_CHECKING:
    import polars as pl

    from pulsoid_rec.analysis.metrics.filters import Filter
    from pulsoid_rec.analysis.reading.recording import Recording

_MOST = 20


def say_what_exists(recording: "Recording", wanted: "Filter") -> None:
    """Say why a filter matches nothing, and what the recording holds."""
    import polars as pl

    rooms = recording.rooms()["room_id"].to_list()
    unknown = [room for room in wanted.rooms if room not in rooms]
    sessions = recording.sessions()
    if unknown:
        there = f"it holds {_list(rooms)}" if rooms else "it holds no room yet"
        say(f"There is no room {unknown[0]!r} in {recording.path}; {there}.")
    elif sessions.is_empty():
        say(f"{recording.path} holds no readings yet.")
    elif isinstance(wanted.session, int):
        numbers = sessions.group_by("room_id").agg(pl.col("session").max()).sort("room_id")
        known = [f"{room} has {'session 1' if last == 1 else f'sessions 1 to {last}'}" for room, last in numbers.rows()]
        say(f"No readings match {wanted}; {_list(known)}.")
    else:
        first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in _bounds(sessions, wanted))
        say(f"No readings match {wanted}; there are readings from {first} to {last} UTC.")


def _bounds(sessions: "pl.DataFrame", wanted: "Filter") -> tuple[object, object]:
    import polars as pl

    ours = sessions.filter(pl.col("room_id").is_in(wanted.rooms)) if wanted.rooms else sessions
    ours = sessions if ours.is_empty() else ours
    return ours["started_at"].min(), ours["ended_at"].max()


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST])
    return f"{shown} and {len(names) - _MOST} more" if len(names) > _MOST else shown
