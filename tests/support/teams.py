"""Teams of made-up hearts for tests: each with a share of one common signal, and much of its own."""

import math
import random
from collections.abc import Mapping

import numpy as np
from readings import Reading, at

from pulsoid_rec.analysis.group.synchrony import FloatArray


def team_bpm(seconds: int, common: Mapping[str, float], seed: int = 1) -> FloatArray:
    """Make heart rates of shape (seconds, members): a common wave times each member's share, and own wandering."""
    random_ = random.Random(seed)
    bpm = np.empty((seconds, len(common)))
    for number, share in enumerate(common.values()):
        own, phase = 0.0, random_.random() * 100
        for second in range(seconds):
            own = 0.9 * own + random_.gauss(0, 1)
            wave = math.sin(second / 5) + math.sin(second / 3.1 + 1)
            bpm[second, number] = round(85 + 4 * share * wave + 2 * own + 5 * math.sin(second / 90 + phase))
    return bpm


def team_readings(
    seconds: int, common: Mapping[str, float], seed: int = 1, from_s: int = 0, room: str = "r1"
) -> list[Reading]:
    """Make a reading a second of each member, by name, from `from_s` on."""
    bpm = team_bpm(seconds, common, seed)
    return [
        Reading(room, member, int(bpm[second, number]), at(from_s + second), at(from_s + second + 0.05))
        for second in range(seconds)
        for number, member in enumerate(common)
    ]
