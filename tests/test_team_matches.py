"""Recordings of teams, played through a real socket, recorded and reported: equal to what their CSV says.

The expected figures are worked out here in plain Python, from the file and the written definitions alone.
"""

import csv
import itertools
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import trio
from command import run_command
from make_matches import FOLDER, LENGTHS_S, make_match
from readings import MATCHES

from pulsoid_rec.recorder.simulator.replay import read_replay
from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig, open_simulator
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN

MAX_HOLD_S = 5.0


def expected_figures(path: Path) -> dict[str, dict[str, Any]]:
    """Work out a summary from the CSV, member by member."""
    members: dict[str, list[tuple[float, int]]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            members[row["member"]].append((float(row["time_s"]), int(row["bpm"])))
    return {member: figures_of(sorted(readings)) for member, readings in members.items()}


def figures_of(readings: list[tuple[float, int]]) -> dict[str, Any]:
    plausible = [(at, bpm) for at, bpm in readings if 30 <= bpm <= 230]
    figures: dict[str, Any] = {
        "readings": len(plausible),
        "implausible": len(readings) - len(plausible),
        "duplicates": 0,
        "gaps": 0,
    }
    nothing = (
        "span_s",
        "observed_s",
        "coverage",
        "bpm_mean",
        "bpm_sd",
        "bpm_min",
        "bpm_floor",
        "bpm_p05",
        "bpm_median",
    )
    figures |= dict.fromkeys((*nothing, "bpm_p95", "bpm_peak", "bpm_max", "longest_gap_s"))
    if not plausible:
        return figures
    held_s: dict[int, float] = defaultdict(float)
    for (at, bpm), (following, _) in zip(readings, [*readings[1:], (readings[-1][0], 0)], strict=True):
        if 30 <= bpm <= 230:
            held_s[bpm] += min(following - at, MAX_HOLD_S)
    gaps = [late - early for (early, _), (late, _) in itertools.pairwise(plausible) if late - early > MAX_HOLD_S]
    total_s = math.fsum(held_s.values())
    mean = math.fsum(bpm * s for bpm, s in held_s.items()) / total_s
    figures["span_s"] = plausible[-1][0] - plausible[0][0]
    figures["observed_s"] = total_s
    figures["coverage"] = total_s / figures["span_s"]
    figures["gaps"] = len(gaps)
    figures["longest_gap_s"] = max(gaps, default=0.0)
    figures["bpm_mean"] = mean
    figures["bpm_sd"] = math.sqrt(math.fsum(s * (bpm - mean) ** 2 for bpm, s in held_s.items()) / total_s)
    figures["bpm_min"] = min(bpm for _, bpm in plausible)
    figures["bpm_max"] = max(bpm for _, bpm in plausible)
    for name, share in (("bpm_p05", 0.05), ("bpm_median", 0.5), ("bpm_p95", 0.95)):
        figures[name] = next(
            b for b in sorted(held_s) if sum(s for c, s in held_s.items() if c <= b) >= share * total_s
        )
    figures["bpm_peak"] = max((b for b in held_s if sum(s for c, s in held_s.items() if c >= b) >= 5), default=None)
    figures["bpm_floor"] = min((b for b in held_s if sum(s for c, s in held_s.items() if c <= b) >= 60), default=None)
    return figures


@pytest.mark.slow
@pytest.mark.process
async def test_matches_recorded_over_the_socket_are_reported_as_their_files_say(tmp_path: Path) -> None:
    expected = {match: expected_figures(path) for match, path in MATCHES.items()}
    assert expected.keys() >= LENGTHS_S.keys()
    database = tmp_path / "matches.duckdb"
    plays = {match: read_replay(path) for match, path in MATCHES.items()}
    async with open_simulator(SimulatorConfig(rooms=plays, speed=1500.0)) as simulator:
        record = ["record", *MATCHES, "--server", simulator.url, "--db", str(database), "--duration", "5"]
        done = await trio.to_thread.run_sync(lambda: run_command(*record, PULSOID_TOKEN=DEMO_TOKEN))
    assert done.returncode == 0, done.stderr
    total = sum(row["readings"] + row["implausible"] for match in expected.values() for row in match.values())
    members = sum(len(rows) for rows in expected.values())
    assert f"Recorded {total:,} readings of {members} members in {len(MATCHES)} rooms" in done.stderr
    report = await trio.to_thread.run_sync(lambda: run_command("report", "--db", database, "--format", "json"))
    assert report.returncode == 0, report.stderr
    reported = {(row["room_id"], row["profile_id"]): row for row in json.loads(report.stdout)}
    assert len(reported) == members
    for match, rows in expected.items():
        for member, figures in rows.items():
            for name, value in figures.items():
                close = None if value is None else pytest.approx(value, rel=1e-12)
                assert reported[match, member][name] == close, (match, member, name)


@pytest.mark.parametrize("match", LENGTHS_S)
def test_our_own_matches_are_those_that_their_script_makes(match: str) -> None:
    assert "".join(make_match(match)) == (FOLDER / f"{match}.csv").read_text(encoding="utf-8")
