"""Runs of a command: how long the whole process takes, and how much memory at most."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import psutil

HERE = Path(__file__).parent
PROGRAM = (sys.executable, "-c", "from pulsoid_rec.analysis.cli.app import main; main()")
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Ran:
    """What a process printed, took, and needed."""

    printed: str
    took_s: float
    most_mb: float


def run(command: Sequence[object]) -> Ran:
    """Run a command to its end.

    Raises
    ------
    subprocess.CalledProcessError
        It failed.
    """
    most_bytes = 0
    with TemporaryFile() as output:
        began_at = time.perf_counter()
        process = psutil.Popen(list(map(str, command)), stdout=output)
        while process.poll() is None:
            try:
                most_bytes = max(most_bytes, process.memory_info().rss)
                process.wait(_LOOK_EVERY_S)
            except (psutil.TimeoutExpired, psutil.NoSuchProcess):
                continue
        took_s = time.perf_counter() - began_at
        output.seek(0)
        printed = output.read().decode()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(map(str, command)), printed)
    return Ran(printed, took_s, most_bytes / 1e6)


def run_program(*arguments: object) -> Ran:
    """Run `pulsoid-rec`."""
    return run([*PROGRAM, *arguments])


def run_script(name: str, *arguments: object) -> Ran:
    """Run one of the scripts beside this file."""
    return run([sys.executable, HERE / name, *arguments])
