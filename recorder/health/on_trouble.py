"""Runs the command of `--on-trouble` when something is wrong that was not before, and when all is well again.

It is no shell command: it is split into words as a shell would, and run as that program, with the sentence as its last
argument. It gets no token, and ends with the recorder.
"""

import contextlib
import logging
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.contract.wording import format_count
from pulsoid_rec.recorder.health.note import Trouble
from pulsoid_rec.recorder.health.service import VARIABLES
from pulsoid_rec.recorder.pulsoid.known_secrets import redact

ALL_WELL = "All is well again."
TEXT_VARIABLE = "PULSOID_REC_TROUBLE"
_KEPT_VARIABLES = ("PULSOID_REC_DB",)
_MOST_TEXTS = 8
# What cmd.exe would obey, should the program be a batch file: Windows runs those through it.
_CMD_CHARACTERS = str.maketrans(dict.fromkeys('"%&|<>^!', "_"))
_LAST_WORDS_S = 0.5

log = logging.getLogger(__name__)


class Command:
    """A program with its arguments, checked; `UsageError` if the text names none."""

    def __init__(self, text: str, *, is_windows: bool = os.name == "nt") -> None:
        self._text, self._is_windows = text, is_windows
        try:
            self._words = shlex.split(text, posix=not is_windows)
        except ValueError as error:
            raise UsageError(f"--on-trouble cannot be split into words: {error}", "Close the quotes.") from None
        if not self._words:
            raise UsageError("--on-trouble names no program", "Name one, such as `notify-send pulsoid-rec`.")
        self.program = self._words[0].strip('"') if is_windows else self._words[0]
        if shutil.which(self.program) is None:
            raise UsageError(
                f"There is no program {self.program!r} for --on-trouble",
                "Give its path. It is no shell command: for one, write it into a script, and name that.",
            )

    def with_sentence(self, text: str) -> str | list[str]:
        """Return what is run: words, or on Windows, where programs split them, the command line."""
        if self._is_windows:
            return f"{self._text} {subprocess.list2cmdline([text.translate(_CMD_CHARACTERS)])}"
        return [*self._words, text]


def make_environment(text: str, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for the command: the sentence, and none that is ours, systemd's or has a secret in it."""
    kept = {
        name: value
        for name, value in variables.items()
        if name not in {*VARIABLES, "CREDENTIALS_DIRECTORY"}
        and (name in _KEPT_VARIABLES or not name.upper().startswith("PULSOID_"))
        and redact(value) == value
    }
    return {**kept, TEXT_VARIABLE: text}


class OnTrouble:
    """Runs the command, at most once in `trouble_interval_s`."""

    def __init__(self, command: Command, timings: Timings = DEFAULT_TIMINGS) -> None:
        self._command = command
        self._timings = timings
        self._reported: set[tuple[str, str | None]] = set()
        self._has_failed = False
        self._next_at = trio.current_time() + timings.trouble_grace_s
        self._is_running = False

    def update(self, troubles: Sequence[Trouble], nursery: trio.Nursery) -> None:
        """Run the command in a nursery if there is something new, and it is time."""
        if self._is_running or trio.current_time() < self._next_at:
            return
        now = {(trouble.kind, trouble.subject) for trouble in troubles}
        new = [trouble.text for trouble in troubles if (trouble.kind, trouble.subject) not in self._reported]
        if new:
            more = len(new) - _MOST_TEXTS
            text = " ".join(new[:_MOST_TEXTS]) + (f" And {format_count(more, 'more trouble')}." if more > 0 else "")
        elif self._reported and not now:
            text = ALL_WELL
        else:
            self._reported &= now  # what is over, and comes again, is new
            return
        self._reported = now
        self._is_running = True
        self._next_at = trio.current_time() + self._timings.trouble_interval_s
        nursery.start_soon(self._run, text)

    async def _run(self, text: str) -> None:
        fault = f"it did not end within {self._timings.trouble_timeout_s:g} s"
        try:
            with trio.move_on_after(self._timings.trouble_timeout_s):
                code = await self._run_to_end(text)
                fault = f"it ended with exit code {code}" if code else ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the recording is not to notice
            fault = str(getattr(error, "strerror", None) or error)
        finally:
            self._is_running = False
        if fault and not self._has_failed:
            log.warning("The command of --on-trouble failed: %s. Recording is not affected.", fault)
        self._has_failed = bool(fault)

    async def _run_to_end(self, text: str) -> int:
        options: dict[str, Any] = {} if os.name == "nt" else {"start_new_session": True}  # what it starts ends with it
        process = await trio.lowlevel.open_process(
            self._command.with_sentence(text),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=make_environment(text),
            **options,
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                with trio.CancelScope(shield=True):
                    await _end(process)


async def _end(process: trio.Process) -> None:
    """End a command, and what it has started, soon; one of another user's, as of sudo, is left to itself."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(OSError):
            if os.name == "nt":
                process.terminate()
            else:
                os.killpg(process.pid, number)
        with trio.move_on_after(_LAST_WORDS_S):
            await process.wait()
