"""`make torture`: kill the recorder hundreds of times, and print what that cost.

KILLS (200), TRIALS at single lines of code (150) and SEED can be set in the environment.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from kills import kill_again_and_again


def say(what: str, figure: object) -> None:
    sys.stdout.write(f"{what:<56}{figure:>12}\n")
    sys.stdout.flush()


def kill_at_lines(seed: int, trials: int, *what: str, script: str = "kill_at_line.py") -> int:
    """Kill at lines of code, with 0 trials at each; return how many there are."""
    path = str(Path(__file__).with_name("support") / script)
    with TemporaryDirectory() as folder:
        command = [sys.executable, path, folder, str(seed), str(trials), *what]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    count, trials = int(os.environ.get("KILLS", "200")), int(os.environ.get("TRIALS", "150"))
    say("seed (SEED=... repeats the choices)", seed)
    began_at = time.monotonic()
    with TemporaryDirectory() as folder:
        figures = trio.run(kill_again_and_again, Path(folder), count, seed)
        lost, doubled = figures.marks.compare()
    found = figures.balance
    for phase, kills in sorted(figures.phases.items()):
        say(f"killed while {phase}", kills)
    for what, times in figures.left.most_common():
        say(f"left behind: {what}", times)
    say("readings sent", f"{found.sent:,}")
    say("readings stored", f"{found.stored:,}")
    say("never read from the socket", f"{found.in_flight:,}")
    say("read and missing, at most 100 ms before the kill", f"{len(found.missing) - len(found.lost):,}")
    say("age of the oldest of these, in ms", f"{1000 * max(found.missing, default=0):.0f}")
    say("MISSING, older than 100 ms", f"{len(found.lost):,}")
    say("DUPLICATES", f"{found.duplicates:,}")
    say("marks acknowledged", f"{len(figures.marks.acknowledged):,}")
    say("killed while marking", f"{len(figures.marks.killed):,}")
    say("MARKS LOST", f"{len(lost):,}")
    say("MARKS DOUBLED", f"{len(doubled):,}")
    say("the last run ended with", figures.ended.code)
    say(f"twice killed at one of {kill_at_lines(seed, trials)} lines of code, nothing lost", trials)
    say("twice killed at each line of a migration, nothing lost", kill_at_lines(seed, 0, "migration"))
    say("twice killed while archiving, each row in one place", kill_at_lines(seed, trials, script="kill_archive.py"))
    say("twice killed while forgetting, nothing lost", kill_at_lines(seed, trials, script="kill_forget.py"))
    what = "killed at each line of making a file smaller, nothing lost"
    say(what, kill_at_lines(seed, 0, "compact", script="kill_archive.py"))
    say("took, in seconds", f"{time.monotonic() - began_at:.0f}")
    return bool(found.lost or found.duplicates or lost or doubled or figures.ended.code)


if __name__ == "__main__":
    sys.exit(main())
