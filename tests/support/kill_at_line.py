"""Kill `recover` at a line of its code, and see afterwards that each row is in the database once.

Run as a program of its own, since it forks: python kill_at_line.py FOLDER SEED TRIALS [migration]. A trial makes a
journal as crashes leave it, kills `recover` at a random line of ingest, database or segment (twice, at different ones),
lets it run to its end, and compares. With `migration` there is a recording of version 1 beside the journal, the lines
are those of the migration, and there is a trial for each. It prints how many lines there are to be killed at.
"""

import os
import random
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from journal_rows import as_stored, reading, stored, write_segment
from version_1 import RECORDING

from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest import ingest as ingest_module
from pulsoid_rec.recorder.ingest import migration as migration_module
from pulsoid_rec.recorder.ingest import recover as recover_module
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal import segment as segment_module

_MIGRATES = sys.argv[4:] == ["migration"]
_MODULES = [migration_module] if _MIGRATES else [database_module, ingest_module, recover_module, segment_module]
_WATCHED = {module.__file__ for module in _MODULES}


def make_journal(folder: Path) -> Counter[tuple[Any, ...]]:
    """Write a closed segment, a damaged one and a torn one; return what is to be stored, but for the damaged lines.

    With `migration` also the recording, whose rows are not among them.
    """
    journal = folder / "t.duckdb.journal"
    write_segment(journal, "a-0", map(reading, range(3)))
    damaged = write_segment(journal, "a-1", map(reading, range(3, 6)))
    damaged.write_bytes(damaged.read_bytes().replace(b'"profile_id":"p4"', b'"profile_id":"p9"'))
    torn = write_segment(journal, "a-2", map(reading, range(6, 9)), is_open=True)
    torn.write_bytes(torn.read_bytes()[:-30])
    if _MIGRATES:
        shutil.copy(RECORDING, folder / "t.duckdb")
    return Counter(as_stored(reading(number)) for number in (0, 1, 2, 3, 5, 6, 7))


def in_child(database: Path, kill_at: int, report_to: Path | None = None) -> None:
    """Recover in a child process, which is killed at so many lines."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.waitstatus_to_exitcode(status) == 0, f"recover failed, killed at {kill_at}: {status}"
        return
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in _WATCHED:
            return None
        if event == "line":
            lines += 1
            if lines == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    try:
        recover(database)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is to see it
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    sys.settrace(None)
    if report_to is not None:
        report_to.write_text(str(lines))
    os._exit(0)


def main(folder: Path, seed: int, trials: int) -> None:
    rng = random.Random(seed)
    make_journal(folder / "whole")
    in_child(folder / "whole" / "t.duckdb", 0, folder / "lines")
    lines = int((folder / "lines").read_text())
    trials = lines if _MIGRATES else trials
    step = lines / trials
    done: list[Path] = []
    for trial in range(trials):
        there = folder / str(trial)
        make_journal(there)
        in_child(there / "t.duckdb", 1 + int((trial + rng.random()) * step))
        in_child(there / "t.duckdb", rng.randint(1, lines))
        in_child(there / "t.duckdb", 0)
        done.append(there)
    # DuckDB is not opened in this process before the last fork.
    expected = make_journal(folder / "expected")
    recorded: Counter[tuple[Any, ...]] = Counter()
    if _MIGRATES:
        alone = shutil.copy(RECORDING, folder / "alone.duckdb")
        recover(Path(alone))
        recorded = stored(Path(alone))
    for there in done:
        found = stored(there / "t.duckdb")
        assert recorded <= found, there
        found -= recorded
        rejected = [row for row in found.elements() if row[0] == "rejected_messages"]
        assert len(rejected) == 2, (there, rejected)
        assert found - Counter(rejected) == expected, there
        # An incomplete database may stay, and its WAL; there is no reading in it.
        left = [path.name for path in there.iterdir() if not path.name.endswith((".part", ".part.wal"))]
        assert left == ["t.duckdb"], (there, left)
        shutil.rmtree(there)
    sys.stdout.write(f"{lines}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
