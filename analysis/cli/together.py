"""`pulsoid-rec together`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.report import MOST_READINGS, Format, check_drawn, infer_format
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, path_option, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from pulsoid_rec.analysis.cli.output import NewFile
    from pulsoid_rec.analysis.findings.report_data import ReportData
    from pulsoid_rec.analysis.group.sessions_together import SessionTogether
    from pulsoid_rec.analysis.group.synchrony import MeasureName

Preparation = Literal["high-pass", "differences", "raw"]


def together(
    *,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session: Annotated[
        str | None, value_option("WHICH", "latest, all, or a session's number.", "latest; all with a range")
    ] = None,
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
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Where chance begins: the same one gives the same figures.")
    ] = 0,
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
    """Measure how alike hearts moved, compared with chance.

    Each measure is compared with what it is when the hearts are taken at different times. Where the room has other
    sessions, it is also compared with members of different sessions, which tells what a common programme makes.
    """
    from pulsoid_rec.analysis.cli.output import NewFile
    from pulsoid_rec.analysis.cli.recording import open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.findings.report_data import read_report
    from pulsoid_rec.analysis.group.sessions_together import Choices, read_together
    from pulsoid_rec.analysis.notebook.select import choose_ids
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    format_ = format_ or infer_format(output)
    file = (
        None if output is None else NewFile(path=output, force=force, database=db, members=members, key=pseudonym_key)
    )
    if file is not None:
        file.check()
    elif format_ == "html" and sys.stdout.isatty():
        raise UsageError("A page cannot be shown on a terminal", "Choose a file with -o together.html.")
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording, default_session="latest")
    if format_ == "html":
        prepare_scripts()
    known = options.read_members_beside(db, members, hidden)
    choices = Choices(measures=_parse_measures(measure), preparation=preparation, surrogates=surrogates, seed=seed)
    with recording.snapshot() as now:
        if now.sessions(wanted, definitions).is_empty():
            print_no_match(now, wanted, definitions)
        if member:
            names = dict(now.members(wanted, definitions, known).select("profile_id", "name").iter_rows())
            wanted = replace(wanted, members=choose_ids(member, names, "member", recording.where, hidden))
        found = read_together(now, wanted, definitions, choices, known)
        report = None
        if format_ == "html":
            report = read_report(now, wanted, known, definitions, at_most=MOST_READINGS)
            check_drawn(report)
    _write(found, report, format_, file)


def _parse_measures(text: str | None) -> "tuple[MeasureName, ...]":
    from pulsoid_rec.analysis.group.together import MEASURES

    if text is None:
        return MEASURES
    typed = [name.strip() for name in text.split(",")]
    for name in typed:
        if name not in MEASURES:
            raise UsageError(f"There is no measure {name!r}", f"The measures are {', '.join(MEASURES)}.")
    return tuple(name for name in MEASURES if name in typed)


def _write(
    found: "list[SessionTogether]", report: "ReportData | None", format_: Format, file: "NewFile | None"
) -> None:
    from pulsoid_rec.analysis.cli.output import output_encoding, write_text

    if format_ == "json":
        from pulsoid_rec.analysis.group.figures import figures_frame
        from pulsoid_rec.analysis.report.json_rows import rows_json

        rows = figures_frame(each.result for each in found)
        write_text(rows_json(rows, output_encoding(file)), file)
    elif found:
        from pulsoid_rec.analysis.report.together_page import make_together_page

        if report is not None:
            from pulsoid_rec.analysis.report.group_page import render_group_page
            from pulsoid_rec.analysis.report.together_charts import draw_together

            page = make_together_page(found, draw_together(found, report), report.generated_at)
            write_text(render_group_page(page), file)
            return
        from pulsoid_rec.analysis.report.group_terminal import group_text, show_group
        from pulsoid_rec.analysis.report.terminal import open_terminal

        page, terminal = make_together_page(found), open_terminal() if file is None else None
        if terminal is None:
            write_text(group_text(page), file)
        else:
            show_group(page, terminal)
