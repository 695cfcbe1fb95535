"""`pulsoid-rec export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.progress import open_progress
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, path_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

TableName = Literal[
    "heart_rate", "member_events", "room_events", "connection_events", "rejected_messages", "marks", "summary"
]
Format = Literal["csv", "parquet", "fit", "bids"]


def export(
    *,
    output: Annotated[Path, path_option("Write to this file; of fit and bids, a folder.", False, "--output", "-o")],
    table: Annotated[TableName, typer.Option(help="What to export, to CSV or Parquet.")] = "heart_rate",
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="csv and parquet are a file; fit and bids a folder.", show_default="by -o"),
    ] = None,
    excel: Annotated[
        bool,
        typer.Option("--excel", help="Write CSV as Excel reads it: any script, times as times, no name as a formula."),
    ] = False,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session: Annotated[str, typer.Option(metavar="WHICH", help="latest, all, or a session's number.")] = "all",
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    by_phase: options.ByPhaseOption = False,
    members: MembersOption = None,
    pseudonyms: options.PseudonymsOption = False,
    no_pseudonyms: Annotated[
        bool, typer.Option("--no-pseudonyms", help="Leave ids and names as they are, in bids too.")
    ] = False,
    pseudonym_key: options.PseudonymKeyOption = None,
    shift_times: options.ShiftTimesOption = False,
    max_hold: options.MaxHoldOption = options.DEFAULTS.max_hold_s,
    min_bpm: options.MinBpmOption = options.DEFAULTS.min_bpm,
    max_bpm: options.MaxBpmOption = options.DEFAULTS.max_bpm,
    session_gap: options.SessionGapOption = options.DEFAULTS.session_gap_s,
    max_clock_error: options.MaxClockErrorOption = options.DEFAULTS.max_clock_error_s,
    force: options.ForceOption = False,
) -> None:
    """Write CSV, Parquet, FIT or BIDS files for other programs.

    csv and parquet write a file. Rows are as recorded, including duplicates, implausible and untimely readings, with
    the member's name beside the id. Times are UTC.

    fit writes a folder with a FIT activity file for each member and session, which Garmin Connect, Strava and the like
    read: a record each second, phases as laps, marks as events. It needs `pip install pulsoid-rec[fit]`.

    bids writes a folder that is a BIDS dataset, for labs: heart rates each second, gaps, marks and phases. It has
    pseudonyms unless --no-pseudonyms is given, and dates only with that or with --shift-times.

    With --force a folder is replaced if all of its files are written anew.

    A cell of a CSV file is what was sent, which a spreadsheet may take for a formula. With --excel a text that begins
    with =, +, -, @, a tab or a line break has an apostrophe before it, and times are to the millisecond.
    """
    from pulsoid_rec.analysis.cli.output import NewFile, print_message
    from pulsoid_rec.analysis.cli.recording import open_pseudonyms, open_recording, print_no_match

    format_ = format_ or _infer_format(output)
    if excel and format_ != "csv":
        raise UsageError("--excel is for CSV files", "Leave it out, or choose --format csv.")
    if by_phase and table != "summary":
        raise UsageError("--by-phase is for the summary", "Add --table summary.")
    if no_pseudonyms and (pseudonyms or shift_times or pseudonym_key is not None):
        raise UsageError("--no-pseudonyms contradicts --shift-times, --pseudonym-key and --pseudonyms", "Leave it out.")
    file = NewFile(path=output, force=force, database=db, members=members, key=pseudonym_key)
    folder = None
    if format_ in {"fit", "bids"}:
        from pulsoid_rec.analysis.cli.export_folder import FolderExport

        folder = FolderExport("fit" if format_ == "fit" else "bids", file)
        folder.check(table, max_bpm)
    else:
        file.check()
    wants = pseudonyms or (format_ == "bids" and not no_pseudonyms)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=wants, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, session, since, until, recording=recording)
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    known = options.read_members_beside(db, members, hidden)
    if folder is not None:
        with open_progress(output.name) as show:
            written, left_out = folder.write(recording, wanted, definitions, known, show)
        if not (written or left_out):
            print_no_match(recording, wanted, definitions)
        folder.print_counts(written, left_out)
        return
    from pulsoid_rec.analysis.export.write import Export, write_export

    content = Export(table=table, wanted=wanted, definitions=definitions, members=known, by_phase=by_phase)
    kind: Literal["excel", "csv", "parquet"] = "excel" if excel else "csv" if format_ == "csv" else "parquet"
    with file.open_() as temporary, open_progress(output.name) as show:
        rows = write_export(recording, content, temporary, kind, show)
    if rows == 0 and table in {"heart_rate", "summary"}:
        print_no_match(recording, wanted, definitions)
    print_message(f"Wrote {format_count(rows, 'row')} of {table} to {output}.")


def _infer_format(output: Path) -> Format:
    formats: dict[str, Format] = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
    if output.suffix.lower() not in formats:
        raise UsageError(
            f"The format of {output.name} is unknown",
            "Add --format csv, parquet, fit or bids; the last two are folders.",
        )
    return formats[output.suffix.lower()]
