"""Kill a run of `forget` at lines of its code, and see that others' rows are there once, and that the next finishes it.

Run as a program of its own, since it forks: python kill_forget.py FOLDER SEED TRIALS. In a trial a member is taken out
of a database, its archive, the kept journal, a log and the members file; that is killed at a random line, again at
another, and then runs to its end. After each kill, and at the end, every row is compared, and at the end every byte is
searched. It prints how many lines there are to be killed at; with 0 trials there is one for each.
"""

import random
import shutil
import sys
from functools import partial
from pathlib import Path

from archives import all_rows, archive_all, files_of, noted_files
from forgettable import ADA, NAMES, Recording, bring_in_rows, files_with, forget
from killed_child import in_child

from pulsoid_rec.recorder.archiving import access, notes, rewrite, store
from pulsoid_rec.recorder.disk import replace
from pulsoid_rec.recorder.forgetting import archived, database, files, lines, receipts
from pulsoid_rec.recorder.forgetting import forget as forget_module
from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest import kept

_MODULES = [access, notes, rewrite, store, replace, archived, database, files, forget_module, lines, receipts, kept]
_WATCHED = {module.__file__ for module in (*_MODULES, database_module)}
_IN_ORDER = {module.__file__ for module in (archived, notes, rewrite, forget_module, receipts, replace)}
"""Those in which the order of lines matters most; most lines are in loops of the others."""

_RECORDING = Recording(1, days=2, each=15)
_GONE = "user-12"


def _make(there: Path) -> None:
    rows = _RECORDING.all()
    bring_in_rows(there / "t.duckdb", rows[:20], keep=True)
    archive_all(there / "t.duckdb", there / "archive")
    bring_in_rows(there / "t.duckdb", rows[20:], "a-1", keep=True)


def _begin(there: Path) -> None:
    there.mkdir(parents=True)
    in_child(partial(_make, there), ())
    (there / "members.toml").write_text(f'[{_GONE}]\nhr_max = 190\n\n[{ADA}]\nname = "Ada"\n')
    (there / "t.duckdb.logs").mkdir()
    (there / "t.duckdb.logs" / "run.log").write_text(f"{_GONE} and {ADA}\n")


def _work(there: Path) -> None:
    forget(there / "t.duckdb", _GONE, members_file=there / "members.toml")


def main(folder: Path, seed: int, trials: int) -> None:
    rng = random.Random(seed)
    counts = []
    for name, watched in (("whole", _WATCHED), ("again", _IN_ORDER)):
        _begin(folder / name)
        in_child(partial(_work, folder / name), watched, report_to=folder / "lines")
        counts.append(int((folder / "lines").read_text()))
    lines_, in_order = counts
    trials = trials or lines_
    for trial in range(trials):
        there = folder / str(trial)
        _begin(there)
        for number in range(2):
            if number == 0 and trials < lines_:
                in_child(partial(_work, there), _IN_ORDER, rng.randint(1, in_order))
            else:
                in_child(partial(_work, there), _WATCHED, rng.randint(1, lines_) if number else 1 + trial)
            shutil.copytree(there, folder / f"{trial}-killed-{number}")
        in_child(partial(_work, there), _WATCHED)
    # DuckDB is not opened in this process before the last fork.
    left, everything = _RECORDING.left(_GONE), _RECORDING.left()
    for trial in range(trials):
        there = folder / str(trial)
        for number in range(2):
            killed = folder / f"{trial}-killed-{number}"
            found = all_rows(killed / "t.duckdb", killed / "archive")
            assert left <= found <= everything, (killed, left - found, found - everything)
        assert all_rows(there / "t.duckdb", there / "archive") == left, there
        assert sorted(noted_files(there / "t.duckdb")) == files_of(there / "archive"), there
        assert files_with(there, _GONE, NAMES[_GONE]) == [], there
        beside = {path.name for path in there.iterdir()}
        parts = {"", ".journal", ".logs", ".forgotten.key"}
        assert beside == {"archive", "members.toml", *(f"t.duckdb{part}" for part in parts)}, beside
        inside = [path.name for path in there.rglob("*") if path.name.endswith((".part", ".repaired"))]
        assert inside == [], inside
        for path in (there, *folder.glob(f"{trial}-killed-*")):
            shutil.rmtree(path)
    sys.stdout.write(f"{lines_}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
