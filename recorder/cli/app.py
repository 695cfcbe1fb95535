"""The command `pulsoid-rec`: its commands, and what a user sees when one of them fails."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from recorder.cli.record import record
from recorder.cli.simulate import simulate
from recorder.errors import ExitCode, PulsoidRecError

app = typer.Typer(
    help="Record the heart rate of everybody in a Pulsoid room, and turn it into figures that can be trusted.",
    epilog="Start with: pulsoid-rec demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # joins the lines of a paragraph, whatever the width
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (record, simulate)  # in the order of `--help`
for command in COMMANDS:
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pulsoid-rec {version('pulsoid-rec')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Record the heart rate of everybody in a Pulsoid room, and turn it into figures that can be trusted."""


def main() -> None:
    """Run the command line; every known fault ends in one line on stderr and its exit code."""
    try:
        app(prog_name="pulsoid-rec")
    except PulsoidRecError as error:
        print(f"pulsoid-rec: {error}", file=sys.stderr)  # noqa: T201 - the command line is where printing belongs
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has enough of it (`pulsoid-rec report | head`).
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
