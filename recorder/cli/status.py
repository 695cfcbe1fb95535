"""`pulsoid-rec status`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pulsoid_rec.recorder.cli.options import DbOption, TableFormatOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS

if TYPE_CHECKING:
    from pulsoid_rec.recorder.health.judge import Judged

_PLAIN_WIDTH = 80  # characters, for a file or a pipe: an e-mail of cron is as wide


def status(
    *,
    db: DbOption = DEFAULT_DB,
    format_: TableFormatOption = "table",
) -> None:
    """Show whether a recorder runs, and whether all is well.

    It reads what each recorder writes about itself every two seconds, and never opens the database. The exit code is 0
    only if all is well: for cron, a game's launcher or systemd. It is 4 if something is wrong with the database, the
    journal or the disk, and 3 for all else: nobody records, or a recorder was killed or does not respond; a room is not
    live; a member of members.toml was not heard for 5 minutes; the token ends within a day.
    """
    judged = _judge(db)
    if format_ == "json":
        _print_json(judged)
    else:
        _print_table(judged, db)
    troubles = [trouble for each in judged for trouble in each.troubles]
    if not any(each.is_recording for each in judged):
        missing = "" if judged or db.exists() else ", which does not exist: choose another with --db"
        print_lines(f"pulsoid-rec: No recorder is running on {db}{missing}.")
        if not troubles:
            raise typer.Exit(ExitCode.REFUSED)
    if troubles:
        from pulsoid_rec.recorder.health.note import STORAGE

        is_storage = any(trouble.kind in STORAGE for trouble in troubles)
        raise typer.Exit(ExitCode.STORAGE if is_storage else ExitCode.REFUSED)


def _judge(db: Path) -> "list[Judged]":
    """Find and judge all runs; look twice before a recorder counts as stopped: the machine may have slept."""
    import time

    from pulsoid_rec.recorder.health.judge import judge

    try:
        judged = judge(db)
        if any(each.is_stale for each in judged):
            time.sleep(1.25 * DEFAULT_TIMINGS.status_every_s)
            judged = judge(db)
    except OSError as error:
        raise StorageError(
            f"Cannot read the journal of {db}: {error.strerror or error}", "Run this as the user who records."
        ) from error
    return judged


def _print_json(judged: "list[Judged]") -> None:
    import sys

    import msgspec

    text = msgspec.json.format(msgspec.json.encode(judged))
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.flush()


def _print_table(judged: "list[Judged]", db: Path) -> None:
    import shutil
    import sys

    from rich.console import Console

    from pulsoid_rec.recorder.cli.status_table import draw_status

    if sys.stdout.isatty():
        console = Console(highlight=False, width=shutil.get_terminal_size().columns)
    else:
        console = Console(highlight=False, width=_PLAIN_WIDTH, no_color=True, force_terminal=False)
    for index, each in enumerate(judged):
        if index:
            console.print()
        console.print(draw_status(each, db), crop=False)
