"""`pulsoid-rec forget`."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.paths import require_valid_path
from pulsoid_rec.recorder.contract.tables import ARCHIVE_NOTES
from pulsoid_rec.recorder.contract.wording import format_count, format_list

if TYPE_CHECKING:
    from pulsoid_rec.recorder.forgetting.forget import Done, Plan

_MOST_LISTED = 20
_BACKUPS = "Backups, snapshots and copies elsewhere are out of reach: delete them, or run this on each."


def forget(
    members: Annotated[
        list[str] | None,
        typer.Argument(metavar="MEMBER", help="Their ids, or names that only they have.", show_default=False),
    ] = None,
    *,
    db: DbOption = DEFAULT_DB,
    members_file: MembersOption = None,
    archive: Annotated[
        str | None,
        value_option(
            "DIR", "The folder of the archive; or s3://BUCKET/FOLDER.", "the folder noted in the database, if any"
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        value_option(
            "TIME", "Instead, all rows of days (UTC) that ended so long ago, such as 90d; or of days before a date."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; list what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take members out of the recording and its archive, for good.

    They go from the database, archive, journal, logs and members file; then every file is searched for their ids and
    names. What came of them until then does not come back from a
    journal, an archive or an import; what comes later is new. A recorder may run meanwhile, and loses nothing.
    """
    from pulsoid_rec.recorder.archiving.access import only_run
    from pulsoid_rec.recorder.cli.recording_log import log_to_stderr

    log_to_stderr()
    require_valid_path(db)
    if bool(members) == (older_than is not None):
        what = "Name either members or --older-than" + (", not both" if members else "")
        raise UsageError(what, "See `pulsoid-rec forget --help`.")
    if not db.exists():
        raise UsageError(f"There is no recording {db}", "Name the database with --db.")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("What is forgotten cannot be brought back", "Add --yes where nobody can be asked.")
    with only_run(db):
        if members:
            _forget_members(members, db, members_file, archive, dry_run=dry_run, yes=yes)
        else:
            _forget_older(str(older_than), db, archive, dry_run=dry_run, yes=yes)


def _forget_members(
    members: list[str], db: Path, members_file: Path | None, archive: str | None, *, dry_run: bool, yes: bool
) -> None:
    from pulsoid_rec.recorder.contract.members_file import find_members_file
    from pulsoid_rec.recorder.forgetting.files import bring_in
    from pulsoid_rec.recorder.forgetting.forget import Forgetting

    if not dry_run:
        bring_in(db)
    forgetting = Forgetting(db, find_members_file(db, members_file), archive)
    plan = forgetting.plan(members)
    _print_plan(plan, db)
    if dry_run:
        print_lines("Nothing was changed.")
        return
    if not yes:
        _confirm()
    try:
        done = forgetting.carry_out(plan)
    except KeyboardInterrupt:
        print_lines("Stopped. Run it again: it goes on with the same members.")
        raise
    _print_done(done, db)


def _forget_older(older_than: str, db: Path, archive: str | None, *, dry_run: bool, yes: bool) -> None:
    from pulsoid_rec.recorder.archiving.cutoff import parse_before
    from pulsoid_rec.recorder.forgetting.files import bring_in
    from pulsoid_rec.recorder.forgetting.retention import forget_older

    before = parse_before(older_than, datetime.now(UTC), "--older-than")
    if not dry_run:
        bring_in(db)
    counts = forget_older(db, archive, before, dry=True)
    print_lines(f"Before {before} (UTC), {db} has {_format_counts(counts)}.")
    if dry_run or not counts:
        print_lines("Nothing was changed.")
        return
    if not yes:
        _confirm()
    print_lines(f"Removed {_format_counts(forget_older(db, archive, before))}. {_BACKUPS}")


def _confirm() -> None:
    typer.confirm("Remove this for good?", abort=True, err=True)


def _print_plan(plan: "Plan", db: Path) -> None:
    for each, names in plan.named.items():
        called = f" ({format_list(sorted(names), _MOST_LISTED)})" if names else ""
        print_lines(f"{each}{called}")
    print_lines(f"{db} has of {'this member' if len(plan.named) == 1 else 'these'}: {_format_counts(plan.counts)}.")
    if plan.is_resumed:
        print_lines("A run that was stopped had begun with some of them; this one finishes it.")
    for name, ids in plan.others.items():
        print_lines(f"{name!r} is also a part of names of {format_list(ids, _MOST_LISTED)}, who stay.")
    if plan.shared:
        shared = format_list(list(map(repr, plan.shared)), _MOST_LISTED)
        print_lines(f"Others have the name {shared}, too: it is not searched for.")


def _print_done(done: "Done", db: Path) -> None:
    at = datetime.fromtimestamp(done.at_us / 1_000_000, UTC)
    print_lines(
        f"Removed {_format_counts(done.removed)}. What came until {at:%Y-%m-%d %H:%M:%S} UTC does not come back."
    )
    if done.received_since:
        print_lines(
            "A recorder receives this member again: `record --only-consented`, or removing the member from the room,"
            " ends that."
        )
    if not done.left:
        print_lines(f"Searched every byte of {db}, its archive and the files around it: no id, no name.")
    print_lines(_BACKUPS)
    if done.left:
        for finding in done.left[:_MOST_LISTED]:
            print_lines(str(finding))
        raise StorageError(
            f"An id or a name is still in {format_count(len(done.left), 'place')}",
            "Where it means this member, delete it there, and run this again.",
        )


def _format_counts(counts: Counter[str]) -> str:
    own = {table.name for table in ARCHIVE_NOTES}  # sums of the rows listed
    shown = {what: count for what, count in counts.items() if count and what not in own}
    listed = [f"{count:,} {what.replace('files', 'file') if count == 1 else what}" for what, count in shown.items()]
    return format_list(listed, _MOST_LISTED) or "nothing"
