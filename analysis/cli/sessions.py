"""`pulsoid-rec sessions`."""

from typing import Annotated, Literal

import typer

from pulsoid_rec.analysis.cli.options import (
    DEFAULTS,
    ArchiveOption,
    MaxClockErrorOption,
    RoomOption,
    SessionGapOption,
    parse_definitions,
    parse_filter,
)
from pulsoid_rec.recorder.cli.options import DbOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB


def sessions(
    *,
    db: DbOption = DEFAULT_DB,
    archive: ArchiveOption = None,
    room: RoomOption = None,
    session_gap: SessionGapOption = DEFAULTS.session_gap_s,
    max_clock_error: MaxClockErrorOption = DEFAULTS.max_clock_error_s,
    format_: Annotated[
        Literal["table", "json"], typer.Option("--format", help="A table for people, or JSON for programs.")
    ] = "table",
) -> None:
    """List the sessions recorded, by room and number.

    A session ends when nobody in its room sends a heart rate for 15 minutes. Sessions are numbered in the order in
    which they were received: neither a filter nor what is recorded later changes a number, unless readings that arrive
    late join two sessions.
    """
    import polars as pl

    from pulsoid_rec.analysis.cli.output import output_encoding, print_message, write_text
    from pulsoid_rec.analysis.cli.recording import open_recording, print_no_match
    from pulsoid_rec.analysis.findings.rejected import describe_unplaced
    from pulsoid_rec.analysis.metrics.durations import in_seconds
    from pulsoid_rec.analysis.reading.rejected import read_rejected
    from pulsoid_rec.analysis.report.json_rows import rows_json
    from pulsoid_rec.analysis.report.terminal import open_terminal, sessions_text, show_sessions

    definitions = parse_definitions(session_gap, max_clock_error=max_clock_error)
    recording = open_recording(db, archive)
    wanted = parse_filter(room, recording=recording)
    with recording.snapshot() as snapshot:
        with snapshot.selection(wanted, definitions) as selection:
            found = selection.sessions
            left_out = selection.untimely.group_by("room_id", "session").agg(pl.col("untimely").sum())
        rejected = read_rejected(snapshot, wanted, definitions)
    for counts in (left_out, rejected.select("room_id", "session", rejected="messages")):
        found = found.join(counts, on=["room_id", "session"], how="left", maintain_order="left")
    found = found.with_columns(
        pl.col("untimely", "rejected").fill_null(0),
        duration_s=in_seconds((pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds()),
    ).select(
        "room_id", "session", "started_at", "ended_at", "duration_s", "members", "readings", "untimely", "rejected"
    )
    if found.is_empty():
        print_no_match(recording, wanted, definitions)
    for text in describe_unplaced(rejected, {}):
        print_message(f"{text}.")
    if format_ == "json":
        write_text(rows_json(found, output_encoding(None)), None)
    elif (terminal := open_terminal()) is None:
        write_text(sessions_text(found), None)
    elif not found.is_empty():
        show_sessions(found, terminal)
