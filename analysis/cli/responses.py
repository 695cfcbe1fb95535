"""`pulsoid-rec responses`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.report import Format, infer_format
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, path_option, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from pulsoid_rec.analysis.cli.output import NewFile
    from pulsoid_rec.analysis.group.response_result import Responses


def responses(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Of which marks, such as 'goal'.", show_default=False)],
    *,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session: Annotated[str, value_option("WHICH", "latest, all, or a session's number.", "all")] = "all",
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    member: Annotated[
        list[str] | None, value_option("NAME", "Only this member, by name or profile id; may be repeated.", "all")
    ] = None,
    before: Annotated[int, typer.Option(metavar="SECONDS", help="How long before a mark to begin.")] = 30,
    after: Annotated[int, typer.Option(metavar="SECONDS", help="How long after a mark to end.")] = 60,
    baseline: Annotated[
        tuple[int, int],
        typer.Option(metavar="FROM TO", help="The seconds from the mark whose mean is the baseline."),
    ] = (-30, -5),
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
            help="A table for people, JSON for programs, or a page with a chart.",
            show_default="by -o, else table",
        ),
    ] = None,
    output: Annotated[Path | None, path_option("Write to this file.", "the screen", "--output", "-o")] = None,
    force: options.ForceOption = False,
) -> None:
    """Show what hearts did around marks, compared with chance.

    It averages each member's heart rate around each mark of the label, minus what it was just before, over marks and
    then over members, and compares it with the same marks at other times. A mark of a member is about that member, one
    of the room about everybody. Make marks with `mark`, or with `mark --from FILE`.
    """
    from pulsoid_rec.analysis.cli.output import NewFile, write_text
    from pulsoid_rec.analysis.cli.recording import open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.group.response_reading import parse_window, read_responses
    from pulsoid_rec.analysis.notebook.select import choose_ids
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    window = parse_window(before, after, baseline)
    format_ = format_ or infer_format(output)
    file = (
        None if output is None else NewFile(path=output, force=force, database=db, members=members, key=pseudonym_key)
    )
    if file is not None:
        file.check()
    elif format_ == "html" and sys.stdout.isatty():
        raise UsageError("A page cannot be shown on a terminal", "Choose a file with -o responses.html.")
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording)
    known = options.read_members_beside(db, members, hidden)
    with recording.snapshot() as now:
        if now.sessions(wanted, definitions).is_empty():
            print_no_match(now, wanted, definitions)
            if format_ == "json":
                write_text("[]\n", file)
            return
        if member:
            names = dict(now.members(wanted, definitions, known).select("profile_id", "name").iter_rows())
            wanted = replace(wanted, members=choose_ids(member, names, "member", recording.where, hidden))
        if format_ == "html":
            prepare_scripts()
        found = read_responses(now, label, wanted, definitions, known, window=window, surrogates=surrogates, seed=seed)
    _write(found, format_, file)


def _write(found: "Responses", format_: Format, file: "NewFile | None") -> None:
    from pulsoid_rec.analysis.cli.output import output_encoding, write_text
    from pulsoid_rec.analysis.report.response_page import make_response_page

    if format_ == "json":
        from pulsoid_rec.analysis.group.response_frame import result_frame
        from pulsoid_rec.analysis.report.json_rows import rows_json

        write_text(rows_json(result_frame(found), output_encoding(file)), file)
    elif format_ == "html":
        from pulsoid_rec.analysis.charts.responses import response_drawing
        from pulsoid_rec.analysis.report.group_page import render_group_page
        from pulsoid_rec.analysis.report.html_charts import PageChart

        chart = PageChart("responses", "Mean change around the mark", response_drawing(found))
        write_text(render_group_page(make_response_page(found, [chart])), file)
    else:
        from pulsoid_rec.analysis.report.group_terminal import group_text, show_group
        from pulsoid_rec.analysis.report.terminal import open_terminal

        page, terminal = make_response_page(found), open_terminal() if file is None else None
        if terminal is None:
            write_text(group_text(page), file)
        else:
            show_group(page, terminal)
