"""Kill an ingest at a line of its code, and see afterwards that each row is in the database once.

Run as a program of its own, since it forks: python kill_at_line.py FOLDER SEED TRIALS [migration]. A trial makes a
journal as crashes leave it, and kills an ingest at a random line of its code (twice, at different ones): one that makes
a checkpoint as `recover` does, or one that leaves all in the WAL, and keeps the journal or not. Then `recover` runs to
its end. With `migration` there is a recording of version 1 beside the journal, the lines are those of the migration,
and there is a trial for each. It prints how many lines there are to be killed at.
"""

import gzip
import random
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from journal_rows import as_stored, reading, stored, write_segment
from killed_child import in_child
from version_1 import RECORDING

from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest import ingest as ingest_module
from pulsoid_rec.recorder.ingest import kept as kept_module
from pulsoid_rec.recorder.ingest import migration as migration_module
from pulsoid_rec.recorder.ingest import recover as recover_module
from pulsoid_rec.recorder.ingest import segment_ingest, segment_rows
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal import segment as segment_module
from pulsoid_rec.recorder.journal.rows import HeartRateRow
from pulsoid_rec.recorder.journal.segment import HEADER

_MIGRATES = sys.argv[4:] == ["migration"]
_MODULES = [
    database_module,
    ingest_module,
    kept_module,
    recover_module,
    segment_ingest,
    segment_module,
    segment_rows,
]
_WATCHED = {module.__file__ for module in ([migration_module] if _MIGRATES else _MODULES)}
_MANY_BYTES = 2**40
_ROWS_NOT_STORED = 1  # of `make_journal`; two more lines are damaged


def make_journal(folder: Path) -> Counter[tuple[Any, ...]]:
    """Write segments: closed, damaged, torn, and with a row that DuckDB does not store.

    Returns what is to be stored, but for the rejected lines. With `migration` also the recording, whose rows are not
    among them.
    """
    journal = folder / "t.duckdb.journal"
    write_segment(journal, "a-0", map(reading, range(3)))
    damaged = write_segment(journal, "a-1", map(reading, range(3, 6)))
    damaged.write_bytes(damaged.read_bytes().replace(b'"profile_id":"p4"', b'"profile_id":"p9"'))
    torn = write_segment(journal, "a-2", map(reading, range(6, 9)), is_open=True)
    torn.write_bytes(torn.read_bytes()[:-30])
    too_large = HeartRateRow("room", "connection", "p10", 2**40, 10, 11, "raw")
    write_segment(journal, "a-3", [reading(9), too_large, reading(11), reading(12)])
    write_segment(journal, "a-4", [reading(13)])
    if _MIGRATES:
        shutil.copy(RECORDING, folder / "t.duckdb")
    return Counter(as_stored(reading(number)) for number in (0, 1, 2, 3, 5, 6, 7, 9, 11, 12, 13))


def leave_in_wal(database: Path, *, keep: bool) -> None:
    """Ingest the journal without a checkpoint."""
    waiting = segment_module.find_segments(database.with_name(f"{database.name}.journal"))
    ingest(database, waiting, segment_ingest.Ingested(), wal_bytes=_MANY_BYTES, keep=keep)


_WORK = (recover, partial(leave_in_wal, keep=False), partial(leave_in_wal, keep=True))


def main(folder: Path, seed: int, trials: int) -> None:
    rng = random.Random(seed)
    make_journal(folder / "whole")
    in_child(partial(recover, folder / "whole" / "t.duckdb"), _WATCHED, report_to=folder / "lines")
    lines = int((folder / "lines").read_text())
    trials = trials or lines  # 0: each line
    step = lines / trials
    done: list[Path] = []
    for trial in range(trials):
        there = folder / str(trial)
        make_journal(there)
        for kill_at in (1 + int((trial + rng.random()) * step), rng.randint(1, lines)):
            in_child(partial(rng.choice(_WORK), there / "t.duckdb"), _WATCHED, kill_at)
        in_child(partial(recover, there / "t.duckdb"), _WATCHED)
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
        assert len(rejected) == 2 + _ROWS_NOT_STORED, (there, rejected)
        assert found - Counter(rejected) == expected, there
        # An incomplete database may stay, and its WAL; there is no reading in it.
        left = {path.name for path in there.iterdir() if not path.name.endswith((".part", ".part.wal"))}
        assert left - {"t.duckdb.journal"} == {"t.duckdb"}, (there, left)
        kept = list(there.glob("t.duckdb.journal/*"))
        assert [path.name for path in kept] in ([], ["kept"]), (there, kept)
        for path in there.glob("t.duckdb.journal/kept/*"):
            lines_kept = Counter(gzip.decompress(path.read_bytes()).splitlines())
            most = max(lines_kept.values(), default=0)  # empty if that was killed at once
            assert most == lines_kept[HEADER.rstrip()], (there, "a segment is kept twice")
        shutil.rmtree(there)
    sys.stdout.write(f"{lines}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
