"""`pulsoid-rec import`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.cli.options import DbOption, check_room_ids, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.paths import parse_path, require_valid_path
from pulsoid_rec.recorder.contract.wording import format_count, format_list

if TYPE_CHECKING:
    from pulsoid_rec.recorder.importing.columns import Columns
    from pulsoid_rec.recorder.importing.gather import Gathered
    from pulsoid_rec.recorder.importing.instants import Instants

_BY_NAME = "by its name"
_FAULTS_SHOWN = 5
_NAMES_SHOWN = 8


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", parser=parse_path, help="A CSV or Parquet file.", show_default=False)
    ],
    *,
    room: Annotated[str | None, value_option("ID", "The room to put it in.", "the file's column room_id")] = None,
    db: DbOption = DEFAULT_DB,
    time_column: Annotated[str | None, value_option("NAME", "The column with the time.", _BY_NAME)] = None,
    date_column: Annotated[
        str | None, value_option("NAME", "The column with the date, if it is apart from the time.", _BY_NAME)
    ] = None,
    member_column: Annotated[str | None, value_option("NAME", "The column with the member.", _BY_NAME)] = None,
    bpm_column: Annotated[str | None, value_option("NAME", "The column with the heart rate.", _BY_NAME)] = None,
    member: Annotated[str | None, value_option("NAME", "The member whose readings they all are.")] = None,
    zone: Annotated[
        str | None,
        value_option("ZONE", "Time zone of the times: Europe/Berlin, UTC, +02:00.", "each time has its own"),
    ] = None,
    start: Annotated[str | None, value_option("TIME", "What the times count from: 0:00:01, or seconds.")] = None,
    time_format: Annotated[
        str | None, value_option("FORMAT", "How times are written, such as '%m/%d/%Y %I:%M %p'.", "ISO 8601")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be imported, and write nothing.")] = False,
) -> None:
    """Import a recording of another program from a CSV or Parquet file.

    An export can be imported, too. Readings keep their own times. A file has a line for each reading, with columns for
    time, bpm and member, which are recognized by their usual names and printed. Times are ISO 8601, or seconds since
    1970 (or milliseconds, microseconds, nanoseconds).

    Lines that cannot be read are kept in rejected_messages, and the first of them are printed; the others are imported.
    Importing a file twice does no harm: duplicates are counted, and left out of all figures.
    """
    from pulsoid_rec.recorder.cli.recording_log import log_to_stderr
    from pulsoid_rec.recorder.importing.gather import open_gathered
    from pulsoid_rec.recorder.importing.instants import Instants, NoZoneError, parse_zone
    from pulsoid_rec.recorder.importing.parse import row_parser
    from pulsoid_rec.recorder.importing.source import open_source

    log_to_stderr()
    if room is not None:
        check_room_ids([room])
    require_valid_path(db)
    named = {"time": time_column, "date": date_column, "member": member_column, "bpm": bpm_column}
    instants = Instants(None if zone is None else parse_zone(zone), start, time_format)
    with open_gathered() as gathered:
        with open_source(file, {meaning: name for meaning, name in named.items() if name}) as source:
            columns = source.columns
            _require_columns(columns, file.name, room, member)
            print_lines(f"{file.name}: {source.kind}.")
            try:
                gathered.fill(source, row_parser(columns, instants, room, member))
            except NoZoneError as error:
                raise UsageError(
                    f"{file.name}, {error}", "Add --zone with the time zone of the file, such as Europe/Berlin or UTC."
                ) from None
        for line in _describe(gathered, columns, instants, room, member):
            print_lines(line)
        if not gathered.readings:
            raise UsageError(f"{file.name} has no reading that can be imported", "Nothing was imported.")
        if not dry_run:
            _store(gathered, file.name, room, db)


import_.__name__ = "import"  # the command's name, which Python keeps for itself


def _require_columns(columns: "Columns", file: str, room: str | None, member: str | None) -> None:
    there = f"The columns are {', '.join(map(repr, columns.header))}."
    if member is None and "member" not in columns.places:
        raise UsageError(f"{file} has no column known for member", f"Add --member or --member-column. {there}")
    if room is None and "room_id" not in columns.places:
        raise UsageError(f"{file} names no room", "Add --room with the id of the room to put it in.")


def _describe(
    gathered: "Gathered", columns: "Columns", instants: "Instants", room: str | None, member: str | None
) -> Iterator[str]:
    """Yield lines on what was read, and from which columns."""
    date = f"{columns.name('date')!r} and " if "date" in columns.places else ""
    how = f", {instants.description}" if gathered.readings else ""
    yield f"  time: {date}{columns.name('time')!r}{how}"
    yield f"  member: {f'{member} (given)' if member else repr(columns.name('member'))}"
    yield f"  bpm: {columns.name('bpm')!r}"
    yield f"  room: {f'{room} (given)' if room else repr(columns.name('room_id'))}"
    if columns.ignored:
        yield f"  not used: {format_list(columns.ignored, _NAMES_SHOWN)}"
    if gathered.readings:
        people = [person.name or person.profile_id for person, _ in gathered.members()]
        first, last = (end.replace(tzinfo=None).isoformat(" ", "seconds") for end in gathered.range())
        yield f"{format_count(gathered.readings, 'reading')} of {format_list(people, _NAMES_SHOWN)},"
        yield f"  from {first} to {last} UTC."
    if gathered.holes:
        yield f"{format_count(gathered.holes, 'row')} without a bpm."
    if gathered.faults:
        yield f"{format_count(gathered.faults, 'line')} cannot be read:"
        for fault in gathered.read_faults(_FAULTS_SHOWN):
            yield f"  line {fault.line}: {fault.reason}"
        if gathered.faults > _FAULTS_SHOWN:
            yield f"  and {gathered.faults - _FAULTS_SHOWN:,} more"


def _store(gathered: "Gathered", file: str, room: str | None, db: Path) -> None:
    from pulsoid_rec.recorder.importing.store import Import, imported_rows

    task = Import(db)
    try:
        run_in_trio(task.run, imported_rows(gathered, file, room, task.run_id))
    finally:
        stored = task.ingester.total
        rejected = f" and {format_count(stored.rejected, 'rejected line')}" if stored.rejected else ""
        print_lines(f"Imported {format_count(stored.readings, 'reading')}{rejected} into {db}.")
        if stored.forgotten:
            print_lines(f"{format_count(stored.forgotten, 'row')} of forgotten members left out.")
    if task.is_stopped:
        print_lines("Stopped. Import the file again for the rest: what is there already will be a duplicate.")
        raise KeyboardInterrupt
