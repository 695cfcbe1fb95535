"""`pulsoid-rec sessions`."""

from typing import Annotated, Literal

import typer

from pulsoid_rec.analysis.cli.options import DEFAULTS, RoomOption, SessionGapOption, parse_definitions, parse_filter
from pulsoid_rec.recorder.cli.options import DbOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB


def sessions(
    *,
    db: DbOption = DEFAULT_DB,
    room: RoomOption = None,
    session_gap: SessionGapOption = DEFAULTS.session_gap_s,
    format_: Annotated[
        Literal["table", "json"], typer.Option("--format", help="For people, or for programs.")
    ] = "table",
) -> None:
    """List the sessions recorded, by room and number.

    A session ends when nobody in its room sends a heart rate for 15 minutes. Its number stays the same, whatever is
    recorded later.
    """
    import polars as pl

    from pulsoid_rec.analysis.cli.output import output_encoding, print_no_match, write_text
    from pulsoid_rec.analysis.metrics.durations import in_seconds
    from pulsoid_rec.analysis.reading.recording import Recording
    from pulsoid_rec.analysis.report.json_rows import rows_json
    from pulsoid_rec.analysis.report.terminal import open_terminal, sessions_text, show_sessions

    wanted, definitions = parse_filter(room), parse_definitions(session_gap)
    recording = Recording(db)
    found = recording.sessions(wanted, definitions)
    found = found.with_columns(
        duration_s=in_seconds((pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds())
    ).select("room_id", "session", "started_at", "ended_at", "duration_s", "members", "readings")
    if found.is_empty():
        print_no_match(recording, wanted, definitions)
    if format_ == "json":
        write_text(rows_json(found, output_encoding(None)), None)
    elif (terminal := open_terminal()) is None:
        write_text(sessions_text(found), None)
    elif not found.is_empty():
        show_sessions(found, terminal)
