"""`pulsoid-rec together`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.destination import Destination, Format, choose_destination, format_option
from pulsoid_rec.analysis.cli.progress import open_progress
from pulsoid_rec.analysis.cli.report import check_drawn
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB

if TYPE_CHECKING:
    from pulsoid_rec.analysis.findings.report_data import ReportData
    from pulsoid_rec.analysis.group.sessions_together import SessionTogether

Preparation = Literal["high-pass", "differences", "raw"]


def together(
    *,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session: options.LatestSessionOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    member: Annotated[
        list[str] | None,
        value_option("NAME", "Only these members, by name or profile id; may be repeated.", "all", "--member"),
    ] = None,
    measure: Annotated[
        str | None,
        value_option(
            "LIST", "Comma-separated measures: isc, eigenvalue, wcc, wcc-absolute, mdrqa.", "all of them", "--measure"
        ),
    ] = None,
    preparation: Annotated[
        Preparation,
        typer.Option(
            help="What is taken out first: the mean of the 60 s around (high-pass), the value a second before"
            " (differences), or nothing (raw), which takes any common rise for synchrony."
        ),
    ] = "high-pass",
    surrogates: Annotated[
        int, typer.Option(metavar="N", min=1000, max=10_000, help="How many times chance is tried.")
    ] = 1000,
    seed: options.SeedOption = 0,
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
    """Measure how alike hearts moved, compared with chance.

    Each measure is compared with what it is when the hearts are taken at different times. Where the room has other
    sessions, it is also compared with members of different sessions, which tells what a common programme makes.
    """
    from pulsoid_rec.analysis.cli.recording import choose_members, open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.findings.report_data import MOST_DRAWN, read_report
    from pulsoid_rec.analysis.group.sessions_together import Choices, measure_groups, read_groups
    from pulsoid_rec.analysis.group.together import MEASURES, parse_measures
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    destination = choose_destination(
        "together", format_, output, force=force, db=db, members=members, key=pseudonym_key
    )
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording, default_session="latest")
    if destination.format == "html":
        prepare_scripts()
    known = options.read_members_beside(db, members, hidden)
    measures = MEASURES if measure is None else parse_measures(name.strip() for name in measure.split(","))
    choices = Choices(measures=measures, preparation=preparation, surrogates=surrogates, seed=seed)
    with recording.snapshot() as now:
        if now.sessions(wanted, definitions).is_empty():
            print_no_match(now, wanted, definitions)
        if member:
            wanted = choose_members(member, now, wanted, definitions, known)
        groups = read_groups(now, wanted, definitions, known)
        report = None
        if destination.format == "html":
            report = read_report(now, wanted, known, definitions, at_most=MOST_DRAWN)
            check_drawn(report)
    with open_progress("Measuring") as show:  # the file is closed by now: recorders may write
        found = measure_groups(groups, choices, recording, show_progress=show)
    _write(found, report, destination)


def _write(found: "list[SessionTogether]", report: "ReportData | None", destination: Destination) -> None:
    if destination.format == "json":
        from pulsoid_rec.analysis.group.figures import figures_frame

        destination.write_rows(figures_frame(each.result for each in found))
    elif found:
        from pulsoid_rec.analysis.report.together_page import make_together_page

        if report is None:
            page = make_together_page(found)
        else:
            from pulsoid_rec.analysis.report.together_charts import draw_together

            page = make_together_page(found, draw_together(found, report), report.generated_at)
        destination.write_group_page(page)
