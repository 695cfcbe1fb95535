"""`pulsoid-rec responses`."""

from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.destination import Destination, Format, choose_destination, format_option
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB

if TYPE_CHECKING:
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
    format_: Annotated[Format | None, format_option("a page with a chart")] = None,
    output: options.OutputOption = None,
    force: options.ForceOption = False,
) -> None:
    """Show what hearts did around marks, compared with chance.

    It averages each member's heart rate around each mark of the label, minus what it was just before, over marks and
    then over members, and compares it with the same marks at other times. A mark of a member is about that member, one
    of the room about everybody. Make marks with `mark`, or with `mark --from FILE`.
    """
    from pulsoid_rec.analysis.cli.recording import choose_members, open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.group.response_reading import parse_window, read_responses
    from pulsoid_rec.analysis.report.vega import prepare_scripts

    window = parse_window(before, after, baseline)
    destination = choose_destination(
        "responses", format_, output, force=force, db=db, members=members, key=pseudonym_key
    )
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording)
    known = options.read_members_beside(db, members, hidden)
    with recording.snapshot() as now:
        sessions = now.sessions(wanted, definitions)
        if sessions.is_empty():
            print_no_match(now, wanted, definitions)
            if destination.format == "json":
                destination.write_rows(sessions)
            return
        if member:
            wanted = choose_members(member, now, wanted, definitions, known)
        if destination.format == "html":
            prepare_scripts()
        found = read_responses(now, label, wanted, definitions, known, window=window, surrogates=surrogates, seed=seed)
    _write(found, destination)


def _write(found: "Responses", destination: Destination) -> None:
    if destination.format == "json":
        from pulsoid_rec.analysis.group.response_frame import result_frame

        destination.write_rows(result_frame(found))
        return
    from pulsoid_rec.analysis.report.response_page import make_response_page

    charts = []
    if destination.format == "html":
        from pulsoid_rec.analysis.charts.responses import response_drawing
        from pulsoid_rec.analysis.report.html_charts import PageChart

        charts.append(PageChart("responses", "Mean change around the mark", response_drawing(found)))
    destination.write_group_page(make_response_page(found, charts))
