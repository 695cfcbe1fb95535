"""Where a command's figures go, and as what: a table on the screen, JSON for programs, or a page."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from pulsoid_rec.analysis.cli.output import NewFile, output_encoding, write_text
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from pulsoid_rec.analysis.report.group_page import GroupPage

Format = Literal["table", "json", "html"]
_BY_SUFFIX: dict[str, Format] = {".json": "json", ".html": "html", ".htm": "html"}


def format_option(page: str) -> Any:
    """Return the option `--format`, where a page is what `page` says."""
    return typer.Option(
        "--format", help=f"A table for people, JSON for programs, or {page}.", show_default="by -o, else table"
    )


@dataclass(frozen=True, slots=True)
class Destination:
    """The screen, or a new file where there is one, and the format of what goes there."""

    format: Format
    file: NewFile | None = None

    def write_rows(self, rows: "pl.DataFrame") -> None:
        """Write rows as JSON."""
        from pulsoid_rec.analysis.report.json_rows import rows_json

        write_text(rows_json(rows, output_encoding(self.file)), self.file)

    def write_group_page(self, page: "GroupPage") -> None:
        """Write what was found in a group, as a page or as a table."""
        if self.format == "html":
            from pulsoid_rec.analysis.report.group_page import render_group_page

            write_text(render_group_page(page), self.file)
        else:
            from pulsoid_rec.analysis.report.group_terminal import show_group

            self.show(lambda console: show_group(page, console))

    def show(self, draw: "Callable[[Console], None]") -> None:
        """Print what `draw` draws: as wide as the terminal, or without one as plain text."""
        from pulsoid_rec.analysis.report.terminal import open_terminal, plain_text

        terminal = open_terminal() if self.file is None else None
        if terminal is None:
            write_text(plain_text(draw), self.file)
        else:
            draw(terminal)


def choose_destination(
    command: str,
    format_: Format | None,
    output: Path | None,
    *,
    force: bool,
    db: Path,
    members: Path | None,
    key: Path | None,
) -> Destination:
    """Return where a command's figures go, by its options; the format is by the name of the file, else a table.

    Raises `UsageError` if the file may not be written, or a page would go to a terminal.
    """
    if output is None:
        if format_ == "html" and sys.stdout.isatty():
            raise UsageError("A page cannot be shown on a terminal", f"Choose a file with -o {command}.html.")
        return Destination(format_ or "table")
    file = NewFile(path=output, force=force, database=db, members=members, key=key)
    file.check()
    return Destination(format_ or _BY_SUFFIX.get(output.suffix.lower(), "table"), file)
