"""Make the matches of `tests/data/matches`: five teams of five made-up people, with the faults that real sensors have.

`python tests/support/make_matches.py` writes the files again; a test checks that they are what it writes.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pulsoid_rec.recorder.simulator.people import heart_rates, make_people

FOLDER = Path(__file__).parents[1] / "data" / "matches"
LENGTHS_S = {"late_and_zeros": 900, "early_end": 780, "gaps": 720, "decimal_times": 600, "stuck": 660}
MEMBERS = 5
SEED = 12
FAULTS: dict[tuple[str, int], list[tuple[range, int | None]]] = {
    ("late_and_zeros", 1): [(range(200), None)],
    ("late_and_zeros", 4): [(range(900), 0)],
    ("early_end", 2): [(range(690, 780), None)],
    ("gaps", 0): [(range(301, 390), None)],
    ("gaps", 3): [(range(begin, begin + 7), None) for begin in range(100, 720, 100)],
    ("stuck", 2): [(range(120, 361), 111)],
    ("stuck", 3): [(range(400, 410), 255)],
}
"""What the sensor of a match's member sends in these seconds instead of the heart rate; None is nothing."""


def make_match(match: str) -> Iterator[str]:
    """Yield the lines of a match: a reading of each member a second, in order of time."""
    rows = []
    for member, person in enumerate(make_people(MEMBERS, SEED, match)):
        for second, heart_rate in enumerate(islice(heart_rates(person, SEED, match), LENGTHS_S[match])):
            sent = [bpm for seconds, bpm in FAULTS.get((match, member), []) if second in seconds]
            bpm = sent[0] if sent else heart_rate
            offset_ms = (person.phase_ms + second * (member + 1)) % 1000 if match == "decimal_times" else 0
            if bpm is not None:
                rows.append((second * 1000 + offset_ms, member, bpm))
    yield "time_s,member,bpm\n"
    for time_ms, member, bpm in sorted(rows):
        yield f"{time_ms / 1000:g},player_{member},{bpm}\n"


if __name__ == "__main__":
    for match in LENGTHS_S:
        with (FOLDER / f"{match}.csv").open("w", encoding="utf-8", newline="") as file:
            file.writelines(make_match(match))
