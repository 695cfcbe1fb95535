"""`pulsoid-rec mark`. When it was called is known from the start; names and ids are only read where they are needed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.options import DbOption, check_room_ids, path_option, value_option
from pulsoid_rec.recorder.cli.process_start import STARTED_US
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.wording import format_count, format_list

if TYPE_CHECKING:
    from pulsoid_rec.recorder.journal.rows import MarkRow


def mark(
    label: Annotated[
        str | None, typer.Argument(metavar="LABEL", help="What it is about, such as 'goal'.", show_default=False)
    ] = None,
    *,
    room: Annotated[
        list[str] | None, value_option("ID", "Only this room; may be repeated.", "all being recorded")
    ] = None,
    member: Annotated[str | None, value_option("NAME", "The member it is about, by name or profile id.")] = None,
    phase: Annotated[
        bool, typer.Option("--phase", help="Begin a phase, which lasts until the next one or the session's end.")
    ] = False,
    at: Annotated[
        str | None,
        value_option(
            "TIME",
            "When it was: a local time, a time with an offset, or 30s or 5m (ago).",
            "when the command was called",
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo the latest mark, or the latest LABEL. Nothing is deleted.")
    ] = False,
    from_: Annotated[
        Path | None,
        path_option(
            "Marks from a CSV file with the columns time and label, and member, kind and room if needed.",
            False,
            "--from",
            metavar="FILE",
        ),
    ] = None,
    zone: Annotated[str | None, value_option("ZONE", "Time zone of the times in FILE.", "this computer's")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what FILE holds, and write nothing.")] = False,
    db: DbOption = DEFAULT_DB,
) -> None:
    """Mark this moment: a goal, a stimulus, the beginning of a phase.

    It may run while a recorder does, and when none does. Without --room a mark is for every room that is being recorded
    now; while nobody records, for the only room there is. It is on the disk before the command ends, and other
    programs can read it at once.

    Figures of each phase: `report --by-phase`. From a mark on: `report --since mark:LABEL`.
    """
    from pulsoid_rec.recorder.marking.recorded_rooms import find_recorded_rooms

    _check_usage(label, member=member, phase=phase, at=at, undo=undo, file=from_, only_file=dry_run or zone is not None)
    recorded = find_recorded_rooms(journal_folder(db))
    rooms = check_room_ids(room or [])
    if undo:
        rows = _undo(db, label, rooms)
    elif from_ is not None:
        rows = _read_file(db, from_, zone, rooms or tuple(recorded))
        if dry_run:
            print_lines("Nothing was written.")
            return
    else:
        rows = _make(db, label or "", rooms, recorded, member=member, kind="phase" if phase else "mark", at=at)
    _store(db, rows, is_recorded=bool(recorded))


def _check_usage(
    label: str | None,
    *,
    member: str | None,
    phase: bool,
    at: str | None,
    undo: bool,
    file: Path | None,
    only_file: bool,
) -> None:
    """Raise `UsageError` for options that contradict each other, or a mark without a label."""
    of_mark = {"--member": member is not None, "--phase": phase, "--at": at is not None}
    named = [option for option, is_given in of_mark.items() if is_given]
    if file is not None and (label is not None or undo or named):
        raise UsageError("--from FILE has all of its marks in the file", "Leave out the label and the other options.")
    if undo and named:
        raise UsageError(f"--undo takes no {named[0]}", "Leave it out.")
    if file is None and only_file:
        raise UsageError("--zone and --dry-run are for --from FILE", "Leave them out.")
    if label is None and not undo and file is None:
        raise UsageError("A mark needs a label", "Write what it is about: pulsoid-rec mark 'goal'.")


def _make(
    db: Path,
    label: str,
    rooms: Sequence[str],
    recorded: Sequence[str],
    *,
    member: str | None,
    kind: str,
    at: str | None,
) -> "list[MarkRow]":
    from pulsoid_rec.recorder.contract.ids import new_id
    from pulsoid_rec.recorder.marking.mark import make_marks

    marked_at = STARTED_US if at is None else _parse_at(at)
    chosen = rooms or recorded
    if not chosen or not set(chosen) <= set(recorded):
        from pulsoid_rec.analysis.cli.mark_rooms import choose_rooms

        chosen = choose_rooms(db, chosen, recorded)
    profile_id = None
    if member is not None:
        from pulsoid_rec.analysis.cli.mark_rooms import MembersOfRooms

        found, profile_id = MembersOfRooms(db).find(member, chosen)
        chosen = (found,)
    return make_marks(
        label, kind=kind, rooms=chosen, profile_id=profile_id, marked_at=marked_at, mark_id=new_id(), source="cli"
    )


def _parse_at(text: str) -> int:
    from pulsoid_rec.analysis.metrics.filters import parse_instant, to_microseconds

    called_at = datetime.fromtimestamp(STARTED_US / 1e6, UTC)
    return to_microseconds(parse_instant(text, "--at", called_at))


def _undo(db: Path, label: str | None, rooms: Sequence[str]) -> "list[MarkRow]":
    from pulsoid_rec.analysis.cli.mark_rooms import read_rows
    from pulsoid_rec.recorder.marking.mark import find_latest, make_undo, parse_label

    label = None if label is None else parse_label(label)
    latest = find_latest(read_rows(db), label, rooms)
    if not latest:
        what = "no mark" if label is None else f"no mark {label!r}"
        where = f" in {format_list(rooms)}" if rooms else ""
        raise UsageError(f"There is {what}{where} to undo", "Nothing was changed. `export --table marks` has them all.")
    return make_undo(latest, marked_at=STARTED_US, source="cli")


def _read_file(db: Path, file: Path, zone: str | None, rooms: Sequence[str]) -> "list[MarkRow]":
    """Read the marks of a file, and describe them; return those that are not in the database yet."""
    from pulsoid_rec.analysis.cli.mark_rooms import LocalZone, MembersOfRooms, list_rooms, read_rows
    from pulsoid_rec.recorder.importing.instants import parse_zone
    from pulsoid_rec.recorder.importing.marks import read_marks

    known = list_rooms(db)
    rooms = rooms or (known if len(known) == 1 else ())
    parsed = LocalZone() if zone is None else parse_zone(zone)
    found = read_marks(file, parsed, rooms, [*known, *rooms], MembersOfRooms(db).find)
    there = {(row.room_id, row.mark_id) for row in read_rows(db)}
    new = [row for row in found if (row.room_id, row.mark_id) not in there]
    phases = sum(row.kind == "phase" for row in new)
    first, last = (_format_at(end(row.marked_at for row in found)) for end in (min, max))
    print_lines(
        f"{file.name}: {format_count(len(found), 'mark')} from {first} to {last};"
        f" new: {len(new):,}, of which {format_count(phases, 'phase')}."
    )
    return new


def _store(db: Path, rows: "list[MarkRow]", *, is_recorded: bool) -> None:
    from pulsoid_rec.recorder.cli.recording_log import log_to_stderr
    from pulsoid_rec.recorder.marking.store import store_marks

    if not rows:
        print_lines("There is nothing new to mark.")
        return
    log_to_stderr()
    waiting = store_marks(db, rows, is_recorded=is_recorded)
    rooms = sorted({row.room_id for row in rows})
    where = f"in room {rooms[0]}" if len(rooms) == 1 else f"in {len(rooms)} rooms: {format_list(rooms)}"
    row = rows[0]
    if row.source == "import":
        print_lines(f"Imported {format_count(len(rows), 'mark')} {where}.")
    elif row.kind == "undo":
        print_lines(f"Undone: {row.label!r} {where}.")
    else:
        what = f"Phase {row.label!r} begins" if row.kind == "phase" else f"Marked {row.label!r}"
        print_lines(f"{what} at {_format_at(row.marked_at)} {where}.")
    if waiting is not None:
        print_lines(
            f"It is safe in the journal, and not in the database yet: {waiting.message}. "
            + ("The recorder puts it there." if is_recorded else "The next `record` or `recover` puts it there.")
        )


def _format_at(at_us: int) -> str:
    from pulsoid_rec.analysis.findings.local_time import format_instant

    return format_instant(datetime.fromtimestamp(at_us / 1e6, UTC), None)
