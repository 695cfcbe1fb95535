"""`pulsoid-rec report`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.analysis.cli.options import (
    DEFAULT_DB,
    DbOption,
    ForceOption,
    MaxBpmOption,
    MaxHoldOption,
    MembersOption,
    MinBpmOption,
    OutputOption,
    RoomOption,
    SessionGapOption,
    SessionOption,
    SinceOption,
    UntilOption,
)
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from pulsoid_rec.analysis.findings.report_data import ReportData
    from pulsoid_rec.analysis.reading.recording import Recording

Format = Literal["table", "json", "html"]

AT_MOST = {"table": 2_000_000, "json": 0, "html": 20_000_000}
"""How many readings are gathered one by one: for notes on sensors, for none, for charts."""


def report(
    *,
    db: DbOption = DEFAULT_DB,
    room: RoomOption = None,
    session: SessionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    members: MembersOption = None,
    max_hold: MaxHoldOption = 5.0,
    min_bpm: MinBpmOption = 30,
    max_bpm: MaxBpmOption = 230,
    session_gap: SessionGapOption = 900.0,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="For people, for programs, or a page.", show_default="by -o, else table"),
    ] = None,
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Summarize what was recorded: heart rate, time in zones and load of each member.

    Without --session, --since and --until it is about the latest session of each room. It may run while a recorder
    does. Names, ages and highest heart rates of members come from members.toml; without them zones and load are
    unknown.
    """
    from pulsoid_rec.analysis.cli.no_data import say_what_exists
    from pulsoid_rec.analysis.cli.options import parse_definitions, parse_filter, read_members_beside
    from pulsoid_rec.analysis.cli.output import check_new_file
    from pulsoid_rec.analysis.findings.report_data import read_report
    from pulsoid_rec.analysis.reading.recording import Recording
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    format_ = format_ or _format_of(output)
    if output is not None:
        check_new_file(output, force=force)
    elif format_ == "html" and sys.stdout.isatty():
        raise UsageError("A page is nothing for the screen", "Name a file for it: -o report.html.")
    wanted = parse_filter(room, session, since, until, "latest")
    definitions = parse_definitions(max_hold, min_bpm, max_bpm, session_gap)
    recording = Recording(db)
    if format_ == "html":
        prepare_scripts()
    known = read_members_beside(db, members)
    data = read_report(recording, wanted, known, definitions, at_most=AT_MOST[format_])
    _say_what_is_pending(recording)
    if data.summary.is_empty():
        say_what_exists(recording, wanted)
    _write(data, format_, output, force=force)


def _format_of(output: Path | None) -> Format:
    """Tell the format from a file's name."""
    suffixes: dict[str, Format] = {".json": "json", ".html": "html", ".htm": "html"}
    return suffixes.get(output.suffix.lower(), "table") if output is not None else "table"


def _write(data: "ReportData", format_: Format, output: Path | None, *, force: bool) -> None:
    from pulsoid_rec.analysis.cli.output import write_text

    if format_ == "json":
        from pulsoid_rec.analysis.report.json_rows import rows_json

        write_text(rows_json(data.summary), output, force=force)
    elif format_ == "html":
        from pulsoid_rec.analysis.report.html import render_report

        if data.readings.is_empty() and not data.summary.is_empty():
            raise UsageError(
                f"A page of more than {AT_MOST['html']:,} readings would be too large for a browser",
                "Choose fewer with --session, --since or --room.",
            )
        write_text(render_report(data), output, force=force)
    else:
        from pulsoid_rec.analysis.report.terminal import open_terminal, report_text, show_report

        terminal = open_terminal() if output is None else None
        if terminal is None:
            write_text(report_text(data), output, force=force)
        elif not data.summary.is_empty():
            show_report(data, terminal)


def _say_what_is_pending(recording: "Recording") -> None:
    from pulsoid_rec.analysis.cli.output import say
    from pulsoid_rec.analysis.reading.backlog import find_backlog

    pending = find_backlog(recording)
    if pending.files:
        files = "1 file" if pending.files == 1 else f"{pending.files:,} files"
        say(
            f"The journal holds {files} ({pending.size_bytes:,} bytes) that the database does not have yet, and this "
            "does not show. `record` brings them in."
        )
