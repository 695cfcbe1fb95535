"""How often responses to marks are found: in real matches, at random instants, with a response added and with none.

`python tests/bench/responses.py FOLDER [RUNS]`, of files `match_*.csv` with `time_s`, `member` and `bpm`. Each run has
one of the matches, in turn, and 20 marks of the whole room at random instants of it. The response rises to so many bpm
within 5 s and falls back within the next 25; it is added for all members, where responses meet they add up, and the sum
is rounded to whole bpm. Then come marks that are not at random instants, with no response: every 30 s in the matches;
and in 30 min of five made-up members (autoregressive, as in group_chance.py) who share a trend, marks that gather at
one of its ends. At the end it measures the time for ten members, two hours, 50 marks and 1,000 shifts.
"""

import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from pulsoid_rec.analysis.group.mark_windows import IntArray, Window
from pulsoid_rec.analysis.group.responses import MarkedSession, compute_responses
from pulsoid_rec.analysis.group.session_grid import FloatArray, SessionGrid

MARKS = 20
SURROGATES = 1000
HOLD_S = 5
RUNS = 200
ADDED_BPM = (0.0, 2.0, 4.0)


def read_match(path: Path) -> FloatArray:
    """Read a match as an array of seconds and members, a value held for `HOLD_S` at most; NaN in gaps."""
    rows = pl.read_csv(path).filter(pl.col("bpm").is_between(30, 230))
    wide = rows.with_columns(second=pl.col("time_s").floor().cast(pl.Int64)).pivot(
        on="member", index="second", values="bpm", aggregate_function="last"
    )
    seconds = pl.DataFrame({"second": range(wide["second"].max() + 1)})  # type: ignore[operator, arg-type] # a number
    held = seconds.join(wide, on="second", how="left", maintain_order="left").drop("second")
    return held.select(pl.all().forward_fill(limit=HOLD_S).cast(pl.Float64)).fill_null(float("nan")).to_numpy()


def response(seconds: IntArray) -> FloatArray:
    """Return the response's share of its peak, so many seconds after a mark."""
    falling = np.clip(1 - (seconds - 5) / 25, 0, 1)
    return np.where(seconds < 0, 0.0, np.where(seconds < 5, seconds / 5, falling))


def find(bpm: FloatArray, marks: IntArray, seed: int) -> float:
    """Return the p of marks of the whole room."""
    names = tuple(map(str, range(bpm.shape[1])))
    session = MarkedSession(SessionGrid("match", 1, 0, bpm, names, names), marks, (None,) * len(marks))
    p = compute_responses([session], Window(), surrogates=SURROGATES, seed=seed).p
    return 1.0 if p is None else p


def gathered(trend: FloatArray, at_end: bool, run: int) -> float:
    """Return the p of marks at one end of a trend that five members share, who have nothing else in common."""
    rng = np.random.default_rng([run, at_end])
    noise = rng.normal(size=(len(trend), 5))
    noise[0] *= 5
    for second in range(1, len(noise)):
        noise[second] += 0.98 * noise[second - 1]
    share = rng.beta(1, 4, MARKS)
    marks = ((1 - share if at_end else share) * (len(trend) - 1)).astype(np.int64)
    return find(np.round(80 + trend[:, None] + noise), marks, run)


def main(folder: str, runs: int) -> None:
    """Print how often p is below 0.05, and the time that one takes."""
    matches = [read_match(path) for path in sorted(Path(folder).glob("match_*[0-9].csv"))]
    for added in ADDED_BPM:
        found = []
        for run in range(runs):
            rng = np.random.default_rng([run, int(added)])
            bpm = matches[run % len(matches)]
            marks = rng.integers(0, len(bpm), MARKS)
            changed = np.round(bpm + added * response(np.arange(len(bpm))[:, None] - marks).sum(axis=1)[:, None])
            found.append(find(changed, marks, run) < 0.05)
        by_match = ", ".join(f"{np.mean(found[place :: len(matches)]):.0%}" for place in range(len(matches)))
        print(f"+{added:g} bpm: found in {np.mean(found):.1%} of {runs} runs (by match: {by_match})", flush=True)
    every_30_s = [
        find(matches[run % len(matches)], np.arange(run % 30, len(matches[run % len(matches)]), 30), run)
        for run in range(runs)
    ]
    print(f"marks every 30 s: found in {np.mean(np.array(every_30_s) < 0.05):.1%}", flush=True)
    part = np.arange(1800) / 1800
    trends = {
        "a steady rise": (30 * part, True),
        "a rise that grows": (40 * part**3, True),
        "a warm-up": (40 * (1 - np.exp(-6 * part)), False),
    }
    for name, (trend, at_end) in trends.items():
        found = [gathered(trend, at_end, run) < 0.05 for run in range(runs)]
        print(f"marks that gather at one end of {name}: found in {np.mean(found):.1%}", flush=True)
    rng = np.random.default_rng(0)
    walks = 100 + np.round(np.cumsum(rng.normal(size=(7200, 10)), axis=0) / 4)
    begun = time.perf_counter()
    find(walks, rng.integers(0, len(walks), 50), 0)
    print(f"10 members, 2 h, 50 marks, {SURROGATES:,} shifts: {time.perf_counter() - begun:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS)
