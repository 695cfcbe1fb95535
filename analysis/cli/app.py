"""The command `pulsoid-rec`: its commands, and the message and exit code when one of them fails."""

# isort: off
import pulsoid_rec.recorder.cli.process_start  # noqa: F401 - first: it notes when the command was called

# isort: on
import gc
import io
import os
import signal
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from pulsoid_rec.analysis.cli.demo import demo
from pulsoid_rec.analysis.cli.export import export
from pulsoid_rec.analysis.cli.mark import mark
from pulsoid_rec.analysis.cli.output import print_message
from pulsoid_rec.analysis.cli.report import report
from pulsoid_rec.analysis.cli.responses import responses
from pulsoid_rec.analysis.cli.sessions import sessions
from pulsoid_rec.analysis.cli.simulate import simulate
from pulsoid_rec.analysis.cli.together import together
from pulsoid_rec.recorder.cli.archive import archive
from pulsoid_rec.recorder.cli.forget import forget
from pulsoid_rec.recorder.cli.import_ import import_
from pulsoid_rec.recorder.cli.interrupts import note_interrupts
from pulsoid_rec.recorder.cli.live import LiveCommand
from pulsoid_rec.recorder.cli.login import login, logout
from pulsoid_rec.recorder.cli.record import record
from pulsoid_rec.recorder.cli.recover import recover
from pulsoid_rec.recorder.cli.status import status
from pulsoid_rec.recorder.contract.display import FIT_ENCODING
from pulsoid_rec.recorder.contract.errors import MEMORY_HINT, ExitCode, PulsoidRecError, is_out_of_memory

app = typer.Typer(
    help="Record the heart rate of everybody in a Pulsoid room, and turn it into figures that can be trusted.",
    epilog="Start with: pulsoid-rec demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # joins the lines of a paragraph, whatever the width
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    record,
    status,
    mark,
    recover,
    report,
    sessions,
    responses,
    together,
    export,
    import_,
    archive,
    forget,
    login,
    logout,
    simulate,
    demo,
)  # in the order of `--help`
for command in COMMANDS:
    app.command(command.__name__, cls=LiveCommand if command in {record, demo} else None)(command)

_COLLECT_AFTER = 50_000
"""New objects after which Python collects garbage. Loading a library makes many that stay: collecting after every
700, the default, takes a tenth of the time of a small report.
"""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pulsoid-rec {version('pulsoid-rec')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Record the heart rate of everybody in a Pulsoid room, and turn it into figures that can be trusted."""


def main() -> None:
    """Run the command `pulsoid-rec`."""
    run(app, "pulsoid-rec")


def run(app: typer.Typer, name: str) -> NoReturn:
    """Run a command line; an error ends with one line on stderr and its exit code."""
    os.umask(0o077)  # files made from here on are readable only by their owner
    note_interrupts()
    note_interrupts(signal.SIGTERM)  # ends a command like Ctrl-C, so that no half-written file stays
    gc.set_threshold(_COLLECT_AFTER)
    for stream in (sys.stdout, sys.stderr):
        _fit_to_encoding(stream)
    try:
        sys.exit(app(prog_name=name, standalone_mode=False))
    except PulsoidRecError as error:
        _exit(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(128 + signal.SIGINT)  # as shells report it
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            sys.exit(ExitCode.USAGE)
        _exit(f"{error.format_message().rstrip('.')}. See `{_command_path(error)} --help`.", ExitCode.USAGE)
    except BrokenPipeError:
        # The reader of stdout has closed it (`pulsoid-rec report | head`).
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
    except Exception as error:
        if is_out_of_memory(error):
            _exit(f"There is not enough memory. {MEMORY_HINT}", ExitCode.STORAGE)
        if os.environ.get("PULSOID_REC_TRACEBACK"):
            raise
        _exit(
            f"Internal error: {_innermost(error)!r}. Please report it, with the output when PULSOID_REC_TRACEBACK=1 is "
            "set. What was recorded is safe.",
            ExitCode.FAULT,
        )


def _fit_to_encoding(stream: object) -> None:
    if isinstance(stream, io.TextIOWrapper):  # unlike what a notebook or a test puts in its place
        stream.reconfigure(errors=FIT_ENCODING)


def _exit(text: str, code: int) -> NoReturn:
    try:
        print_message(text)
    except OSError:  # the terminal has vanished; flushing it again at the end would replace the exit code
        sys.stderr = None
    sys.exit(code)


def _command_path(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "pulsoid-rec"


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
