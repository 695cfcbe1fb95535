"""Made-up people of different fitness who rest, train and recover together.

Pure and reproducible: the same seed and room give the same people and the same heart rates, on every machine.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from string import ascii_uppercase
from uuid import UUID

from pulsoid_rec.recorder.simulator.events import Event
from pulsoid_rec.recorder.simulator.play import Play, Reading, Readings
from pulsoid_rec.recorder.simulator.wire import Config

NAMES = (
    "Ada", "Bruno", "Chioma", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kavya", "Liam",
    "Mei", "Nadia", "Omar", "Paula", "Quentin", "Rosa", "Sven", "Tala", "Umut", "Vera", "Wanja", "Yara",
)  # fmt: skip
COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075")
_PHASES = (  # name, shortest and longest in s, lowest and highest share of the heart rate reserve
    ("rest", 60, 150, 0.02, 0.08),
    ("warm-up", 90, 180, 0.28, 0.42),
    ("effort", 90, 240, 0.62, 0.86),
    ("recovery", 60, 150, 0.25, 0.38),
    ("effort", 60, 180, 0.70, 0.95),
    ("recovery", 90, 180, 0.20, 0.32),
)


@dataclass(frozen=True)
class Person:
    """A made-up person."""

    profile_id: str
    name: str
    color: str
    rest_bpm: float  # the lowest heart rate
    max_bpm: float  # the highest
    effort: float  # of their training, as a factor on the group's load
    rise_s: float  # time constant at which the heart follows a harder load
    fall_s: float  # and an easier one
    delay_s: int  # how much later than the group they change
    phase_ms: int  # when within a second their sensor reports

    @property
    def config(self) -> Config:
        """Their config in the room."""
        return {"name": self.name, "color": self.color}


def make_people(count: int, seed: int, room_id: str) -> list[Person]:
    """Make up people, who differ from one another and from those of another seed or room.

    A larger count keeps the same people and adds more.
    """
    return [_make_person(index, Random(f"{seed}/{room_id}/person/{index}")) for index in range(count)]


def _make_person(index: int, random: Random) -> Person:
    lap, place = divmod(index, len(NAMES))
    return Person(
        profile_id=str(UUID(int=random.getrandbits(128), version=4)),
        name=NAMES[place] if lap == 0 else f"{NAMES[place]} {lap + 1}",
        color=COLORS[index % len(COLORS)],
        rest_bpm=random.uniform(50, 76),
        max_bpm=random.uniform(172, 202),
        effort=random.uniform(0.8, 1.05),
        rise_s=random.uniform(18, 40),
        fall_s=random.uniform(35, 75),
        delay_s=random.randrange(20),
        phase_ms=random.randrange(1000),
    )


def format_members_toml(people: Sequence[Person]) -> str:
    """Write a members file for reports with zones and loads; for the last person it has only the name."""
    year = datetime.now(UTC).year
    tables = []
    for index, person in enumerate(people):
        lines = [f"[{person.profile_id}]", f'name = "{person.name}"']
        if index < len(people) - 1:
            age = round((208 - person.max_bpm) / 0.7)  # Tanaka's formula, solved for the age
            lines += [f"birth_year = {year - age}", f"hr_rest = {person.rest_bpm:.0f}"]
            lines += [f'sex = "{"female" if index % 2 == 0 else "male"}"']
        tables.append("\n".join(lines))
    return "\n\n".join(["# Facts that Pulsoid does not provide; docs/recording.md explains each line.", *tables, ""])


def play_people(count: int, seed: int, room_id: str) -> Play:
    """Make an endless play of made-up people, each with a reading a second except in occasional dropouts."""
    people = make_people(count, seed, room_id)
    members = {person.profile_id: person.config for person in people}

    def invite(name: str) -> tuple[str, Config]:
        person = replace(_make_person(len(people), Random(f"{seed}/{room_id}/person/{name}")), name=name)
        people.append(person)
        return person.profile_id, person.config

    return Play(members, Readings(lambda: _make_readings(people, seed, room_id)), math.inf, invite=invite)


def _make_readings(people: list[Person], seed: int, room_id: str) -> Iterator[Reading]:
    in_turn: list[tuple[Person, Iterator[int | None]]] = []
    for second in itertools.count():
        for person in people[len(in_turn) :]:  # at first all, later those invited meanwhile
            in_turn.append((person, itertools.islice(heart_rates(person, seed, room_id), second, None)))
            in_turn.sort(key=lambda each: each[0].phase_ms)
        for person, heart in in_turn:
            if (bpm := next(heart)) is not None:
                yield Reading(second + person.phase_ms / 1000, person.profile_id, bpm)


def make_visits(count: int, seed: int, room_id: str) -> Iterator[Event]:
    """Yield without end who of the people leaves, comes back and is renamed: each about once in ten minutes."""
    people = make_people(count, seed, room_id)
    random = Random(f"{seed}/{room_id}/visits")
    time_s = 0.0
    while len(people) > 1:  # the room of one would fall silent
        person, renamed = random.sample(people, 2)
        for action, shortest_s, longest_s in (("remove", 90, 300), ("join", 30, 120)):
            time_s += random.randint(shortest_s, longest_s)
            yield Event(float(time_s), action, person.profile_id)
        time_s += random.randint(60, 180)
        yield Event(float(time_s), "rename", renamed.profile_id, f"{renamed.name} {random.choice(ascii_uppercase)}.")


def loads(seed: int, room_id: str) -> Iterator[float]:
    """Yield the group's load for each second without end, as a share of the heart rate reserve (0 to 1)."""
    random = Random(f"{seed}/{room_id}/loads")
    for _name, shortest_s, longest_s, lowest, highest in itertools.cycle(_PHASES):
        load = random.uniform(lowest, highest)
        yield from itertools.repeat(load, random.randint(shortest_s, longest_s))


def heart_rates(person: Person, seed: int, room_id: str) -> Iterator[int | None]:
    """Yield a person's heart rate for each second without end; None in a dropout.

    The heart follows the load with first-order kinetics, quicker up than down. Added to it are a slow drift (a
    mean-reverting random walk), the swing of breathing, which effort reduces, and the sensor's smoothed jitter.
    """
    random = Random(f"{seed}/{room_id}/heart/{person.profile_id}")
    reserve_bpm = person.max_bpm - person.rest_bpm
    group = itertools.chain(itertools.repeat(0.05, person.delay_s), loads(seed, room_id))
    level, drift_bpm, jitter_bpm, breath = 0.05, 0.0, 0.0, random.uniform(0, math.tau)
    dropout_s = 0
    for group_load in group:
        load = min(group_load * person.effort, 0.97)
        level += (load - level) / (person.rise_s if load > level else person.fall_s)
        drift_bpm += -drift_bpm / 90 + random.gauss(0, 0.35)
        jitter_bpm += (random.gauss(0, 1.6) - jitter_bpm) * 0.4
        breath += math.tau / random.uniform(3.5, 6.0)
        swing_bpm = 2.5 * (1 - level) ** 2 * math.sin(breath)
        bpm = person.rest_bpm + reserve_bpm * level + drift_bpm + jitter_bpm + swing_bpm
        if dropout_s == 0 and random.random() < 1 / 900:
            dropout_s = random.randint(6, 30)
        if dropout_s > 0:
            dropout_s -= 1
            yield None
        else:
            yield min(round(max(bpm, 40.0)), int(person.max_bpm))
