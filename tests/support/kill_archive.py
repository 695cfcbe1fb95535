"""Kill the archiving of a recording at lines of its code, and see that each row is in one of the two, once.

Run as a program of its own, since it forks: python kill_archive.py FOLDER SEED TRIALS [compact]. In a trial a recording
is archived, and that is killed at a random line; rows of the same days come in late; it is killed again, and then runs
to its end. After each kill, and at the end, every row is compared. With `compact` the database is written anew instead.
It prints how many lines there are to be killed at; with 0 trials there is one for each.
"""

import random
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from archives import all_rows, append_rows, archive_all, archived_rows, files_of, some_rows
from journal_rows import as_stored, stored
from killed_child import in_child

from pulsoid_rec.recorder.archiving import access, move, notes, parquet, store
from pulsoid_rec.recorder.archiving import archive as archive_module
from pulsoid_rec.recorder.archiving import rewrite as rewrite_module
from pulsoid_rec.recorder.archiving.access import only_run
from pulsoid_rec.recorder.disk import replace
from pulsoid_rec.recorder.ingest import database as database_module

_COMPACTS = sys.argv[4:] == ["compact"]
_MODULES = [rewrite_module] if _COMPACTS else [access, archive_module, move, notes, parquet, store]
_WATCHED = {module.__file__ for module in (*_MODULES, replace, database_module)}


def _compact(database: Path) -> None:
    with only_run(database):
        rewrite_module.rewrite(database)


def _work(there: Path) -> None:
    if _COMPACTS:
        _compact(there / "t.duckdb")
    else:
        archive_all(there / "t.duckdb", there / "archive")


def _begin(there: Path) -> None:
    there.mkdir(parents=True)
    in_child(partial(append_rows, there / "t.duckdb", some_rows()), ())


def main(folder: Path, seed: int, trials: int) -> None:
    rng = random.Random(seed)
    _begin(folder / "whole")
    in_child(partial(_work, folder / "whole"), _WATCHED, report_to=folder / "lines")
    lines = int((folder / "lines").read_text())
    trials = trials or lines
    for trial in range(trials):
        there = folder / str(trial)
        _begin(there)
        in_child(partial(_work, there), _WATCHED, 1 + trial if trials == lines else rng.randint(1, lines))
        shutil.copytree(there, folder / f"{trial}-killed")
        in_child(partial(append_rows, there / "t.duckdb", some_rows(100, 3), "a-1"), ())
        in_child(partial(_work, there), _WATCHED, rng.randint(1, lines))
        shutil.copytree(there, folder / f"{trial}-killed-again")
        in_child(partial(_work, there), _WATCHED)
    # DuckDB is not opened in this process before the last fork.
    first = Counter(map(as_stored, some_rows()))
    both = first + Counter(map(as_stored, some_rows(100, 3)))
    for trial in range(trials):
        there = folder / str(trial)
        for name, expected in ((f"{trial}-killed", first), (f"{trial}-killed-again", both), (f"{trial}", both)):
            found = all_rows(folder / name / "t.duckdb", folder / name / "archive")
            assert found == expected, (name, found - expected, expected - found)
        left = sorted(path.name for path in there.rglob("*") if path.is_file() and path.suffix != ".parquet")
        assert left == ["t.duckdb"], left
        if not _COMPACTS:
            assert not stored(there / "t.duckdb"), "not all was archived"
            assert archived_rows(there / "archive", files_of(there / "archive")) == both, "a file is not noted"
        for name in (f"{trial}", f"{trial}-killed", f"{trial}-killed-again"):
            shutil.rmtree(folder / name)
    sys.stdout.write(f"{lines}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
