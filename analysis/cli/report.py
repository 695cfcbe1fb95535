"""`pulsoid-rec report`."""

from typing import TYPE_CHECKING, Annotated

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.destination import Destination, Format, choose_destination, format_option
from pulsoid_rec.analysis.cli.output import print_message, write_text
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from pulsoid_rec.analysis.findings.report_data import ReportData
    from pulsoid_rec.analysis.reading.recording import Recording


def report(
    *,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session: options.LatestSessionOption = None,
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
    format_: Annotated[Format | None, format_option("a page with charts")] = None,
    output: options.OutputOption = None,
    force: options.ForceOption = False,
) -> None:
    """Summarize heart rate, time in zones and load of each member.

    Without --session, --since and --until it covers the latest session of each room. It may run while a recorder
    does. Names, ages and highest heart rates of members come from members.toml; without them zones and load are
    unknown.
    """
    from pulsoid_rec.analysis.cli.recording import open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.findings.notes import report_notes
    from pulsoid_rec.analysis.findings.rejected import describe_rejected
    from pulsoid_rec.analysis.findings.report_data import MOST_DRAWN, read_report
    from pulsoid_rec.analysis.findings.season import MOST_SESSIONS
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    destination = choose_destination("report", format_, output, force=force, db=db, members=members, key=pseudonym_key)
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording, default_session="latest")
    if destination.format == "html":
        prepare_scripts()
    known = options.read_members_beside(db, members, hidden)
    at_most = MOST_DRAWN if destination.format == "html" else 0
    most = 0 if destination.format == "json" else MOST_SESSIONS
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
        with_marks=destination.format != "json",
    )
    _print_backlog(recording)
    if data.summary.is_empty():
        print_no_match(recording, wanted, definitions)
    rejected = describe_rejected(data.rejected, data.rooms) if destination.format == "json" else []
    for text in [*rejected, *report_notes(data)]:
        print_message(f"{text}.")
    _write(data, destination)


def check_drawn(data: "ReportData") -> None:
    """Raise `UsageError` if readings were too many to be loaded for a page."""
    from pulsoid_rec.analysis.findings.report_data import MOST_DRAWN

    if data.readings.is_empty() and not data.summary.is_empty():
        raise UsageError(
            f"A page of more than {MOST_DRAWN:,} readings would be too large for a browser",
            "Choose fewer with --session, --since or --room.",
        )


def _write(data: "ReportData", destination: Destination) -> None:
    if destination.format == "json":
        destination.write_rows(data.summary if data.by_phase is None else data.by_phase)
    elif destination.format == "html":
        from pulsoid_rec.analysis.findings.season import is_season
        from pulsoid_rec.analysis.report.html import render_report

        if not is_season(data):
            check_drawn(data)
        write_text(render_report(data), destination.file)
    else:
        from pulsoid_rec.analysis.report.terminal import show_report

        destination.show(lambda console: show_report(data, console))


def _print_backlog(recording: "Recording") -> None:
    from pulsoid_rec.analysis.reading.backlog import find_backlog

    backlog = find_backlog(recording)
    if backlog.files:
        print_message(
            f"The journal holds {format_count(backlog.files, 'file')} ({format_count(backlog.size_bytes, 'byte')}) not "
            "yet in the database, nor in this report. `record` or `recover` ingests them."
        )
