"""`pulsoid-rec report`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, path_option, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pulsoid_rec.analysis.cli.output import NewFile
    from pulsoid_rec.analysis.findings.report_data import ReportData
    from pulsoid_rec.analysis.reading.recording import Recording

Format = Literal["table", "json", "html"]

MOST_READINGS = 20_000_000  # the most readings that a page draws. Notes have no limit: readings are checked in slices.


def report(
    *,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session: Annotated[
        str | None, value_option("WHICH", "latest, all, or a session's number.", "latest; all with a range")
    ] = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    by_phase: options.ByPhaseOption = False,
    members: MembersOption = None,
    pseudonyms: options.PseudonymsOption = False,
    pseudonym_key: options.PseudonymKeyOption = None,
    shift_times: options.ShiftTimesOption = False,
    max_hold: options.MaxHoldOption = options.DEFAULTS.max_hold_s,
    min_bpm: options.MinBpmOption = options.DEFAULTS.min_bpm,
    max_bpm: options.MaxBpmOption = options.DEFAULTS.max_bpm,
    session_gap: options.SessionGapOption = options.DEFAULTS.session_gap_s,
    max_clock_error: options.MaxClockErrorOption = options.DEFAULTS.max_clock_error_s,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="A table for people, JSON for programs, or a page with charts.",
            show_default="by -o, else table",
        ),
    ] = None,
    output: Annotated[Path | None, path_option("Write to this file.", "the screen", "--output", "-o")] = None,
    force: options.ForceOption = False,
) -> None:
    """Summarize heart rate, time in zones and load of each member.

    Without --session, --since and --until it covers the latest session of each room. It may run while a recorder
    does. Names, ages and highest heart rates of members come from members.toml; without them zones and load are
    unknown.
    """
    from pulsoid_rec.analysis.cli.output import NewFile, print_message
    from pulsoid_rec.analysis.cli.recording import open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.findings.notes import report_notes
    from pulsoid_rec.analysis.findings.rejected import describe_rejected
    from pulsoid_rec.analysis.findings.report_data import read_report
    from pulsoid_rec.analysis.findings.season import MOST_SESSIONS
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    format_ = format_ or infer_format(output)
    file = (
        None if output is None else NewFile(path=output, force=force, database=db, members=members, key=pseudonym_key)
    )
    if file is not None:
        file.check()
    elif format_ == "html" and sys.stdout.isatty():
        raise UsageError("A page cannot be shown on a terminal", "Choose a file with -o report.html.")
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording, default_session="latest")
    if format_ == "html":
        prepare_scripts()
    known = options.read_members_beside(db, members, hidden)
    at_most = MOST_READINGS if format_ == "html" else 0
    most = 0 if format_ == "json" else MOST_SESSIONS
    withdrawn = options.read_withdrawn_beside(db, members, hidden)
    data = read_report(
        recording,
        wanted,
        known,
        definitions,
        at_most=at_most,
        most_sessions=most,
        by_phase=by_phase,
        withdrawn=withdrawn,
        with_marks=format_ != "json",
    )
    _print_backlog(recording)
    if data.summary.is_empty():
        print_no_match(recording, wanted, definitions)
    for text in [*(describe_rejected(data.rejected, data.rooms) if format_ == "json" else ()), *report_notes(data)]:
        print_message(f"{text}.")
    _write(data, format_, file)


def check_drawn(data: "ReportData") -> None:
    """Raise `UsageError` if readings were too many to be loaded for a page."""
    if data.readings.is_empty() and not data.summary.is_empty():
        raise UsageError(
            f"A page of more than {MOST_READINGS:,} readings would be too large for a browser",
            "Choose fewer with --session, --since or --room.",
        )


def infer_format(output: Path | None) -> Format:
    """Return the format that a file's name asks for; a table by default."""
    suffixes: dict[str, Format] = {".json": "json", ".html": "html", ".htm": "html"}
    return suffixes.get(output.suffix.lower(), "table") if output is not None else "table"


def _write(data: "ReportData", format_: Format, file: "NewFile | None") -> None:
    from pulsoid_rec.analysis.cli.output import output_encoding, write_text

    if format_ == "json":
        from pulsoid_rec.analysis.report.json_rows import rows_json

        write_text(rows_json(data.summary if data.by_phase is None else data.by_phase, output_encoding(file)), file)
    elif format_ == "html":
        from pulsoid_rec.analysis.findings.season import is_season
        from pulsoid_rec.analysis.report.html import render_report

        if not is_season(data):
            check_drawn(data)
        write_text(render_report(data), file)
    else:
        from pulsoid_rec.analysis.report.terminal import open_terminal, report_text, show_report

        terminal = open_terminal() if file is None else None
        if terminal is None:
            write_text(report_text(data), file)
        elif not data.summary.is_empty():
            show_report(data, terminal)


def _print_backlog(recording: "Recording") -> None:
    from pulsoid_rec.analysis.cli.output import print_message
    from pulsoid_rec.analysis.reading.backlog import find_backlog

    backlog = find_backlog(recording)
    if backlog.files:
        print_message(
            f"The journal holds {format_count(backlog.files, 'file')} ({format_count(backlog.size_bytes, 'byte')}) not "
            "yet in the database, nor in this report. `record` or `recover` ingests them."
        )
