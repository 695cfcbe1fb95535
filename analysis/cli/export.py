"""`pulsoid-rec export`."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from pulsoid_rec.analysis.cli.options import (
    DEFAULT_DB,
    DbOption,
    ForceOption,
    MaxBpmOption,
    MaxHoldOption,
    MembersOption,
    MinBpmOption,
    RoomOption,
    SessionGapOption,
    SinceOption,
    UntilOption,
)
from pulsoid_rec.recorder.contract.errors import UsageError

TableName = Literal["heart_rate", "member_events", "room_events", "connection_events", "summary"]
Format = Literal["csv", "parquet"]

_PROGRESS_DELAY_S = 1.0


def export(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="Write to this file.", show_default=False)
    ],
    table: Annotated[TableName, typer.Option(help="What to export.")] = "heart_rate",
    format_: Annotated[Format | None, typer.Option("--format", help="The file's format.", show_default="by -o")] = None,
    db: DbOption = DEFAULT_DB,
    room: RoomOption = None,
    session: Annotated[
        str | None,
        typer.Option(metavar="WHICH", help="latest, all, or a session's number.", show_default="all"),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    members: MembersOption = None,
    max_hold: MaxHoldOption = 5.0,
    min_bpm: MinBpmOption = 30,
    max_bpm: MaxBpmOption = 230,
    session_gap: SessionGapOption = 900.0,
    force: ForceOption = False,
) -> None:
    """Write a table, or the summary, to a CSV or Parquet file.

    Rows are as recorded, duplicates and implausible ones too, with the member's name beside the id. Times are UTC. A
    cell of a CSV file is what was sent: should a name begin with =, a spreadsheet may take it for a formula.
    """
    from pulsoid_rec.analysis.cli.no_data import say_what_exists
    from pulsoid_rec.analysis.cli.options import parse_definitions, parse_filter, read_members_beside
    from pulsoid_rec.analysis.cli.output import check_new_file, open_new_file, say
    from pulsoid_rec.analysis.export.write import Export, write_export
    from pulsoid_rec.analysis.reading.recording import Recording

    format_ = format_ or _format_of(output)
    check_new_file(output, force=force)
    wanted = parse_filter(room, session, since, until, "all")
    definitions = parse_definitions(max_hold, min_bpm, max_bpm, session_gap)
    asked = Export(table=table, wanted=wanted, definitions=definitions, members=read_members_beside(db, members))
    recording = Recording(db)
    with open_new_file(output, force=force) as temporary, _progress(f"{output.name} ") as show:
        rows = write_export(recording, asked, temporary, format_, show)
    if rows == 0 and table in {"heart_rate", "summary"}:
        say_what_exists(recording, wanted)
    say(f"Wrote {rows:,} row{'' if rows == 1 else 's'} of {table} to {output}.")


def _format_of(output: Path) -> Format:
    formats: dict[str, Format] = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
    if output.suffix.lower() not in formats:
        raise UsageError(f"{output.name} does not tell the format", "Add --format csv or --format parquet.")
    return formats[output.suffix.lower()]


@contextmanager
def _progress(label: str) -> Iterator[Callable[[float], None] | None]:
    """Show a bar on a terminal, once it has taken a second."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    began = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=False, auto_refresh=False) as progress:
        task = progress.add_task(label, total=1.0, visible=False)

        def show(share: float) -> None:
            progress.update(task, completed=share, visible=time.monotonic() - began > _PROGRESS_DELAY_S)
            progress.refresh()

        yield show
