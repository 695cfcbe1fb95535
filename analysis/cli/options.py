"""Options that several commands share, and what is made of them."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from pulsoid_rec.analysis.metrics.definitions import Definitions
    from pulsoid_rec.analysis.metrics.filters import Filter

DEFAULT_DB = Path("data/pulsoid.duckdb")
_A_DAY_S = 86_400.0

DbOption = Annotated[Path, typer.Option(envvar="PULSOID_REC_DB", metavar="PATH", help="The database.")]
RoomOption = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="Only this room; may be repeated.", show_default="all")
]
SessionOption = Annotated[
    str | None,
    typer.Option(metavar="WHICH", help="latest, all, or a session's number.", show_default="latest; all with a range"),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="From then on: a date, a local time, one with offset, or 2h, 3d ago.", show_default=False
    ),
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Before then.", show_default=False)]
MembersOption = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="What is known of the members.", show_default="members.toml beside the database, if any"
    ),
]
MaxHoldOption = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.001, max=_A_DAY_S, help="Longest time a reading stands for.")
]
MinBpmOption = Annotated[int, typer.Option(metavar="BPM", min=0, max=1000, help="Lowest plausible heart rate.")]
MaxBpmOption = Annotated[int, typer.Option(metavar="BPM", min=0, max=1000, help="Highest plausible heart rate.")]
SessionGapOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=1, max=30 * _A_DAY_S, help="Silence of a room that ends a session."),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="Write to this file.", show_default="the screen")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


def parse_filter(
    rooms: list[str] | None, session: str | None, since: str | None, until: str | None, usual_session: str
) -> "Filter":
    """Make a filter of what the options say.

    Parameters
    ----------
    rooms, session, since, until
        As given, or None.
    usual_session
        What `--session` is when neither it nor a range of time is given; with a range it is all sessions.

    Raises
    ------
    UsageError
        One of them makes no sense.
    """
    from datetime import UTC, datetime

    from pulsoid_rec.analysis.metrics.filters import Filter, parse_instant, parse_session

    now = datetime.now(UTC)
    has_range = since is not None or until is not None
    return Filter(
        rooms=tuple(dict.fromkeys(rooms or ())),
        session=parse_session(session or ("all" if has_range else usual_session)),
        since=None if since is None else parse_instant(since, "--since", now),
        until=None if until is None else parse_instant(until, "--until", now),
    )


def parse_definitions(max_hold: float, min_bpm: int, max_bpm: int, session_gap: float) -> "Definitions":
    """Make definitions of what the options say.

    Raises
    ------
    UsageError
        They contradict each other, or are no numbers.
    """
    from pulsoid_rec.analysis.metrics.definitions import Definitions

    for option, value in (("--max-hold", max_hold), ("--session-gap", session_gap)):
        if not math.isfinite(value):
            raise UsageError(f"{option} cannot be {value}", "It is a number of seconds.")
    if min_bpm > max_bpm:
        raise UsageError(f"--min-bpm ({min_bpm}) is above --max-bpm ({max_bpm})", "Exchange the two.")
    return Definitions(max_hold_s=max_hold, min_bpm=min_bpm, max_bpm=max_bpm, session_gap_s=session_gap)


def read_members_beside(database: Path, members: Path | None) -> "pl.DataFrame":
    """Read the members file named, else the one beside the database, else nothing.

    Raises
    ------
    UsageError
        The one named is not there, or says something that cannot be.
    """
    from pulsoid_rec.analysis.reading.members_file import find_members_file, read_members

    return read_members(find_members_file(database, members))
