"""The summary in plain Python, written down from the definitions alone: slow, exact, and sharing no code with them.

Instants are datetimes, lengths of time whole microseconds, and what is divided stays a fraction until the end.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from readings import Reading

Key = tuple[str, int, str]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rules:
    max_hold_us: int = 5_000_000
    min_bpm: int = 30
    max_bpm: int = 230
    session_gap_us: int = 15 * 60 * 1_000_000
    max_clock_error_us: int = 24 * 60 * 60 * 1_000_000


@dataclass(frozen=True)
class Person:
    name: str | None = None
    birth_year: int | None = None
    sex: str | None = None
    hr_max: float | None = None
    hr_rest: float | None = None


@dataclass
class Held:
    """A reading, not a duplicate, with what follows it."""

    at: datetime
    bpm: int
    plausible: bool
    held_us: int = 0
    gap_us: int | None = None


@dataclass(frozen=True)
class Untimely:
    """A reading whose time is wrong, and when it would have occurred by the lead of its room."""

    row: Reading
    at: datetime


@dataclass
class Session:
    """When the readings of a session occurred, and when they were received: the first and the last."""

    started_at: datetime
    ended_at: datetime
    first_received_at: datetime
    last_received_at: datetime


@dataclass
class SessionView:
    """A member's part in a session: all of it."""

    readings: list[Held] = field(default_factory=list)
    duplicates_at: list[datetime] = field(default_factory=list)


def us(length: timedelta) -> int:
    return (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds


def tell_apart(rows: Iterable[Reading], rules: Rules) -> tuple[list[Reading], list[Untimely]]:
    """Tell timely readings from those whose lead differs too much from the median of their room and quarter hour."""
    leads: dict[tuple[str, int], list[tuple[timedelta, Reading]]] = defaultdict(list)
    for row in rows:
        quarter = (row.received_at - EPOCH) // timedelta(minutes=15)
        leads[row.room_id, quarter].append((row.occurred_at - row.received_at, row))
    timely, untimely = list[Reading](), list[Untimely]()
    for received in leads.values():
        usual = sorted(lead for lead, _ in received)[(len(received) - 1) // 2]
        for lead, row in received:
            if us(abs(lead - usual)) > rules.max_clock_error_us:
                untimely.append(Untimely(row, row.received_at + usual))
            else:
                timely.append(row)
    return timely, untimely


def find_sessions(timely: Iterable[Reading], rules: Rules) -> dict[str, list[Session]]:
    """Find the sessions of each room, in the order of their numbers: that of their first receipt."""
    by_room: dict[str, list[Reading]] = defaultdict(list)
    for row in timely:
        by_room[row.room_id].append(row)
    found = {}
    for room, rows in by_room.items():
        sessions = list[Session]()
        for row in sorted(rows, key=lambda row: row.occurred_at):
            at, received_at = row.occurred_at, row.received_at
            if not sessions or us(at - sessions[-1].ended_at) > rules.session_gap_us:
                sessions.append(Session(at, at, received_at, received_at))
            last = sessions[-1]
            last.ended_at = at
            last.first_received_at = min(last.first_received_at, received_at)
            last.last_received_at = max(last.last_received_at, received_at)
        found[room] = sorted(sessions, key=lambda each: (each.first_received_at, each.started_at))
    return found


def number_sessions(timely: Iterable[Reading], rules: Rules) -> dict[tuple[str, datetime], int]:
    """Give the session of each room and instant."""
    timely = list(timely)
    sessions = find_sessions(timely, rules)
    return {
        (row.room_id, row.occurred_at): number
        for row in timely
        for number, session in enumerate(sessions[row.room_id], 1)
        if session.started_at <= row.occurred_at <= session.ended_at
    }


def session_of_untimely(received_at: datetime, sessions: list[Session]) -> int:
    """Give the session that was being received then, the later of several; else the one received before, or after."""
    begun = [n for n, each in enumerate(sessions, 1) if each.first_received_at <= received_at]
    if not begun:
        return 1
    being_received = [n for n in begun if sessions[n - 1].last_received_at >= received_at]
    if being_received:
        return max(being_received)
    return max(begun, key=lambda n: (sessions[n - 1].last_received_at, n))


def take_apart(timely: Iterable[Reading], rules: Rules) -> dict[Key, SessionView]:
    """Sort timely readings by room, session and member, and work out holds and gaps."""
    timely = list(timely)
    sessions = number_sessions(timely, rules)
    parts: dict[Key, SessionView] = defaultdict(SessionView)
    seen: set[tuple[Any, ...]] = set()
    for row in sorted(timely, key=lambda row: (row.occurred_at, row.received_at, row.bpm)):
        part = parts[row.room_id, sessions[row.room_id, row.occurred_at], row.profile_id]
        if (row.room_id, row.profile_id, row.occurred_at, row.bpm) in seen:
            part.duplicates_at.append(row.occurred_at)
            continue
        seen.add((row.room_id, row.profile_id, row.occurred_at, row.bpm))
        part.readings.append(Held(row.occurred_at, row.bpm, rules.min_bpm <= row.bpm <= rules.max_bpm))
    for part in parts.values():
        for one, following in zip(part.readings, part.readings[1:], strict=False):
            one.held_us = min(us(following.at - one.at), rules.max_hold_us)
        plausible = [one for one in part.readings if one.plausible]
        for one, following in itertools.pairwise(plausible):
            if us(following.at - one.at) > rules.max_hold_us:
                one.gap_us = us(following.at - one.at)
    return dict(parts)


def summarize(
    rows: Iterable[Reading],
    rules: Rules,
    people: Mapping[str, Person],
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[Key, dict[str, Any]]:
    """Summarize what occurred in the range, as the design defines it: one dict a room, session and member."""

    def is_in(at: datetime) -> bool:
        return (since is None or at >= since) and (until is None or at < until)

    timely, untimely = tell_apart(rows, rules)
    sessions = find_sessions(timely, rules)
    left_out, repeated, seen = defaultdict[Key, int](int), defaultdict[Key, int](int), set[tuple[Any, ...]]()
    for one in sorted(untimely, key=lambda one: one.row.received_at):
        number = session_of_untimely(one.row.received_at, sessions[one.row.room_id])
        session = sessions[one.row.room_id][number - 1]
        key = one.row.room_id, number, one.row.profile_id
        which = *key, one.row.occurred_at, one.row.bpm
        if is_in(min(max(one.at, session.started_at), session.ended_at)):
            (repeated if which in seen else left_out)[key] += 1
        seen.add(which)
    parts = take_apart(timely, rules)
    result = {}
    for key in {**parts, **left_out, **repeated}:
        part = parts.get(key, SessionView())
        readings = [one for one in part.readings if is_in(one.at)]
        if not readings and key not in left_out and key not in repeated:
            continue
        person = people.get(key[2], Person())
        hr_max_tenths, source = hr_max(person, sessions[key[0]][key[1] - 1].started_at.year)
        row = {
            "name": person.name or key[2][:8],
            "duplicates": sum(is_in(at) for at in part.duplicates_at) + repeated.get(key, 0),
            "implausible": sum(not one.plausible for one in readings),
            "untimely": left_out.get(key, 0),
            "hr_max": None if hr_max_tenths is None else hr_max_tenths / 10,
            "hr_max_source": source,
        }
        plausible = [one for one in readings if one.plausible]
        row |= times(plausible) | rates(plausible) | loads(plausible, hr_max_tenths, person)
        row["hrr60"] = hrr60(part, hr_max_tenths, rules, is_in)
        result[key] = row
    return result


def times(plausible: list[Held]) -> dict[str, Any]:
    gaps = [one.gap_us for one in plausible if one.gap_us is not None]
    row: dict[str, Any] = {"readings": len(plausible), "gaps": len(gaps)}
    if not plausible:
        return row | dict.fromkeys(["first_at", "last_at", "span_s", "observed_s", "coverage", "longest_gap_s"])
    span = us(plausible[-1].at - plausible[0].at) + plausible[-1].held_us
    observed = sum(one.held_us for one in plausible)
    return row | {
        "first_at": plausible[0].at,
        "last_at": plausible[-1].at,
        "span_s": span / 1e6,
        "observed_s": observed / 1e6,
        "coverage": observed / span if span else None,
        "longest_gap_s": max(gaps, default=0) / 1e6,
    }


def rates(plausible: list[Held]) -> dict[str, Any]:
    held: dict[int, int] = defaultdict(int)
    for one in plausible:
        held[one.bpm] += one.held_us
    total = sum(held.values())
    row: dict[str, Any] = {
        "bpm_min": min(held, default=None),
        "bpm_max": max(held, default=None),
        "bpm_peak": max((b for b in held if sum(held[c] for c in held if c >= b) >= 5_000_000), default=None),
        "bpm_floor": min((b for b in held if sum(held[c] for c in held if c <= b) >= 60_000_000), default=None),
    }
    weighted = ["bpm_mean", "bpm_sd", "bpm_p05", "bpm_median", "bpm_p95"]
    if total == 0:
        return row | dict.fromkeys(weighted)

    def quantile(q: Fraction) -> int:
        return min(b for b in held if sum(held[c] for c in held if c <= b) >= q * total)

    mean = Fraction(sum(b * h for b, h in held.items()), total)
    variance = sum((b - mean) ** 2 * h for b, h in held.items()) / total
    quantiles = [quantile(Fraction(percent, 100)) for percent in (5, 50, 95)]
    return row | dict(zip(weighted, [float(mean), math.sqrt(variance), *quantiles], strict=True))


def hr_max(person: Person, year: int) -> tuple[int | None, str | None]:
    """Give HRmax in tenths of a beat per minute, and where it is from."""
    if person.hr_max is not None:
        return round(person.hr_max * 10), "given"
    if person.birth_year is not None and year >= person.birth_year:
        return 2080 - 7 * (year - person.birth_year), "age"
    return None, None


def zone(bpm: int, hr_max_tenths: int) -> int:
    return sum(bpm * 1000 >= percent * hr_max_tenths for percent in (50, 60, 70, 80, 90))


def loads(plausible: list[Held], hr_max_tenths: int | None, person: Person) -> dict[str, Any]:
    names = [*(f"zone{n}_s" for n in range(6)), "trimp_edwards", "trimp_banister"]
    row: dict[str, Any] = dict.fromkeys(names)
    if hr_max_tenths is None or not plausible:
        return row
    zoned = [(zone(one.bpm, hr_max_tenths), one.held_us) for one in plausible]
    for n in range(6):
        row[f"zone{n}_s"] = sum(held_us for number, held_us in zoned if number == n) / 1e6
    row["trimp_edwards"] = sum(held_us / 60e6 * number for number, held_us in zoned)
    top = hr_max_tenths / 10
    if person.sex is not None and person.hr_rest is not None and top > person.hr_rest:
        a, k = {"male": (0.64, 1.92), "female": (0.86, 1.67)}[person.sex]
        total = 0.0
        for one in plausible:
            x = max(0.0, (one.bpm - person.hr_rest) / (top - person.hr_rest))
            total += one.held_us / 60e6 * x * a * math.exp(k * x)
        row["trimp_banister"] = total
    return row


def hrr60(part: SessionView, hr_max_tenths: int | None, rules: Rules, is_in: Any) -> float | None:
    """Give the largest fall after an effort that ends in the range."""
    if hr_max_tenths is None:
        return None
    plausible = [one for one in part.readings if one.plausible]
    falls, run = [], list[Held]()
    for one in plausible:
        follows = bool(run) and us(one.at - run[-1].at) <= rules.max_hold_us
        if zone(one.bpm, hr_max_tenths) >= 3:
            run = [*run, one] if follows else [one]
            continue
        if follows and us(run[-1].at - run[0].at) >= 120_000_000 and is_in(run[-1].at):
            falls.append(fall_after(run, plausible))
        run = []
    return max((fall for fall in falls if fall is not None), default=None)


def fall_after(run: list[Held], plausible: list[Held]) -> float | None:
    end = run[-1].at
    last = [one.bpm for one in run if us(end - one.at) < 5_000_000]
    later = [one.bpm for one in plausible if 57_500_000 <= us(one.at - end) < 62_500_000]
    if not later:
        return None
    return float(Fraction(sum(last), len(last)) - Fraction(sum(later), len(later)))
