"""Options that several commands share, and what is parsed from them."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.recorder.cli.options import path_option, value_option
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from pulsoid_rec.analysis.metrics.filters import Filter
    from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
    from pulsoid_rec.analysis.reading.recording import Recording

DEFAULTS = Definitions()
_DAY_S = 86_400.0

RoomOption = Annotated[list[str] | None, value_option("ID", "Only this room; may be repeated.", "all")]
ArchiveOption = Annotated[
    str | None,
    value_option(
        "DIR",
        "The folder of the archive; or s3://BUCKET/FOLDER, which is read only if it is named, here or in"
        " PULSOID_REC_ARCHIVE. Without --db, and with no database at its default place, the archive is read alone.",
        "the folder noted in the database, if any",
    ),
]
LatestSessionOption = Annotated[
    str | None, value_option("WHICH", "latest, all, or a session's number.", "latest; all with a range")
]
SinceOption = Annotated[
    str | None,
    value_option(
        "TIME",
        "Only from this time on: a date, a local time, a time with an offset, 2h or 3d (ago), or"
        " mark:LABEL, the latest mark of that label.",
    ),
]
UntilOption = Annotated[str | None, value_option("TIME", "Only before this time.")]
ByPhaseOption = Annotated[
    bool, typer.Option("--by-phase", help="Figures of each phase of a session, as marked by `mark --phase`.")
]
SeedOption = Annotated[
    int, typer.Option(metavar="N", min=0, help="Where chance begins: the same one gives the same figures.")
]
MaxHoldOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0.001, max=_DAY_S, help="How long a reading holds at most, until the next one."
    ),
]
MinBpmOption = Annotated[int, typer.Option(metavar="BPM", min=0, max=1000, help="Lowest plausible heart rate.")]
MaxBpmOption = Annotated[int, typer.Option(metavar="BPM", min=0, max=1000, help="Highest plausible heart rate.")]
SessionGapOption = Annotated[
    float, typer.Option(metavar="SECONDS", min=1, max=30 * _DAY_S, help="Silence of a room that ends a session.")
]
MaxClockErrorOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0, help="How far a clock may be wrong before its readings are left out."),
]
PseudonymsOption = Annotated[
    bool,
    typer.Option(
        "--pseudonyms", help="Put pseudonyms in place of ids and names, and leave out configs and names of rooms."
    ),
]
PseudonymKeyOption = Annotated[
    Path | None,
    path_option(
        "The key that pseudonyms are made with; it is made if there is none. Implies --pseudonyms.",
        "pseudonyms.key beside the database",
    ),
]
ShiftTimesOption = Annotated[
    bool,
    typer.Option(
        "--shift-times",
        help="Move the times of each room back by some weeks that only the key gives away. Implies --pseudonyms.",
    ),
]
OutputOption = Annotated[Path | None, path_option("Write to this file.", "the screen", "--output", "-o")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]


def parse_filter(
    rooms: list[str] | None,
    session: str | None = None,
    since: str | None = None,
    until: str | None = None,
    *,
    recording: "Recording",
    default_session: str = "all",
) -> "Filter":
    """Make a filter from the options; without `--session` and a range of time it selects `default_session`.

    With pseudonyms, rooms may be named by theirs or by their ids. It raises `UsageError` if an option cannot be parsed,
    there is no such mark in `recording`, the range is empty, or would give away by how much times are moved.
    """
    from pulsoid_rec.analysis.metrics.filters import MARK_PREFIX, Filter, parse_instant, parse_session

    now = datetime.now(UTC)

    def parse_bound(text: str, option: str) -> datetime:
        if not text.startswith(MARK_PREFIX):
            return parse_instant(text, option, now)
        from pulsoid_rec.analysis.reading.marks import find_mark

        return find_mark(recording, text.removeprefix(MARK_PREFIX), tuple(rooms or ()), option)

    has_range = since is not None or until is not None
    pseudonyms = recording.pseudonyms
    if pseudonyms is not None:
        if has_range and pseudonyms.shift_times:
            raise UsageError("--since and --until give away what --shift-times hides", "Choose by --session instead.")
        rooms = [pseudonyms.choose("room", room) for room in rooms or ()]
    return Filter(
        rooms=tuple(dict.fromkeys(rooms or ())),
        session=parse_session(session or ("all" if has_range else default_session), "--session"),
        since=None if since is None else parse_bound(since, "--since"),
        until=None if until is None else parse_bound(until, "--until"),
    )


def parse_definitions(
    session_gap: float,
    max_hold: float = DEFAULTS.max_hold_s,
    min_bpm: int = DEFAULTS.min_bpm,
    max_bpm: int = DEFAULTS.max_bpm,
    max_clock_error: float = DEFAULTS.max_clock_error_s,
) -> Definitions:
    """Make definitions from the options; raise `UsageError` if they contradict each other, or are not finite."""
    seconds = {"--max-hold": max_hold, "--session-gap": session_gap, "--max-clock-error": max_clock_error}
    for option, value in seconds.items():
        if not math.isfinite(value):
            raise UsageError(f"{option} cannot be {value}", "Give a number of seconds.")
    if min_bpm > max_bpm:
        raise UsageError(f"--min-bpm ({min_bpm}) is above --max-bpm ({max_bpm})", "Swap them.")
    return Definitions(
        max_hold_s=max_hold,
        min_bpm=min_bpm,
        max_bpm=max_bpm,
        session_gap_s=session_gap,
        max_clock_error_s=max_clock_error,
    )


def read_members_beside(database: Path, members: Path | None, pseudonyms: "Pseudonyms | None" = None) -> "pl.DataFrame":
    """Read the members file given, else the one beside the database; raise `UsageError` if it is missing or invalid."""
    from pulsoid_rec.analysis.reading.members_file import read_members
    from pulsoid_rec.recorder.contract.members_file import find_members_file

    return read_members(find_members_file(database, members), pseudonyms)


def read_withdrawn_beside(
    database: Path, members: Path | None, pseudonyms: "Pseudonyms | None" = None
) -> dict[str, str]:
    """Read whose consent is withdrawn, by that file: `members_file.read_withdrawn`."""
    from pulsoid_rec.analysis.reading.members_file import read_withdrawn
    from pulsoid_rec.recorder.contract.members_file import find_members_file

    return read_withdrawn(find_members_file(database, members), pseudonyms)
