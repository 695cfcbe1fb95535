"""Read a recording from a CSV file, as a play."""

import csv
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file
from pulsoid_rec.recorder.simulator.events import Event, parse_event
from pulsoid_rec.recorder.simulator.play import Play, Reading
from pulsoid_rec.recorder.simulator.wire import Config

COLUMNS = ("time_s", "member", "bpm")
EVENT_COLUMN = "event"
LONGEST_S = 10 * 365 * 24 * 3600.0
LARGEST_BPM = 2**31 - 1  # what the table can hold
HOLES = {"", "nan", "na", "null", "none"}  # how pandas, R and others write that there is no value, in any case
_WHOLE = re.compile(r"([0-9]{1,10})(?:\.0*)?")
_HINT = f"A replay is a CSV file with a header line and the columns {','.join(COLUMNS)}, and perhaps {EVENT_COLUMN}."


def read_replay(path: Path) -> Play:
    """Read a CSV of `time_s,member,bpm`, and perhaps `event` in the grammar of `events`, as a play.

    It is UTF-8, with a header line; `time_s` in seconds, fractional or not, in any order and from any start; `bpm` a
    whole number, 0 or more, such as 75 or 75.0. Lines without a time or bpm are left out, and counted as `holes`; other
    columns are ignored. A line with an event is a reading, too, if it has a bpm. The play has everything once, by time,
    the first at 0 s; rows of one instant stay in the file's order. `member` is both profile id and name, and is a
    member from the start unless a `join` comes first. Raises `UsageError` if the file cannot be read, lacks a column,
    holds no reading, or has an invalid line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="", opener=open_file) as file:
            lines = list(_parse(file, path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Cannot read the replay {path}: {reason}", _HINT) from None
    except UnicodeDecodeError:
        raise UsageError(f"The replay {path} is not UTF-8 text", _HINT) from None
    except csv.Error as error:
        raise UsageError(f"The replay {path} is not a CSV file: {error}", _HINT) from None
    steps = sorted(itertools.chain.from_iterable(lines), key=lambda step: step.time_s)
    if not any(isinstance(step, Reading) for step in steps):
        raise UsageError(f"The replay {path} holds no reading", _HINT)
    first_s = steps[0].time_s
    length_s = steps[-1].time_s - first_s
    if length_s > LONGEST_S:
        raise UsageError(f"The replay {path} spans more than ten years", "Give time_s in seconds.")
    readings = tuple(step._replace(time_s=step.time_s - first_s) for step in steps if isinstance(step, Reading))
    events = tuple(step._replace(time_s=step.time_s - first_s) for step in steps if isinstance(step, Event))
    return Play(
        dict(_first_members(events, readings)), readings, length_s, events, holes=sum(not line for line in lines)
    )


def _first_members(events: Sequence[Event], readings: Sequence[Reading]) -> Iterator[tuple[str, Config]]:
    """Yield who is a member from the start: those with a reading before they join, if they join at all."""
    joined_s: dict[str, float] = {}
    for event in events:
        if event.action == "join":
            joined_s.setdefault(event.member, event.time_s)
    for reading in readings:
        if reading.time_s < joined_s.get(reading.profile_id, math.inf):
            yield reading.profile_id, {"name": reading.profile_id}


def _parse(lines: Iterator[str], path: Path) -> Iterator[list[Reading | Event]]:
    """Yield what each line has: a reading, an event, or both; nothing for a hole."""
    rows = csv.DictReader(lines)
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise UsageError(f"The replay {path} has no column {' and no column '.join(missing)}", _HINT)
    for row in rows:
        where = f"Line {rows.line_num} of the replay {path}"
        if any(row[name] is None for name in COLUMNS):
            raise UsageError(f"{where} has too few columns", _HINT)
        event = row.get(EVENT_COLUMN) or ""
        has_event, has_bpm = (text.strip().lower() not in HOLES for text in (event, row["bpm"]))
        if not row["member"].strip() and (has_bpm or not has_event):
            raise UsageError(f"{where} has no member", _HINT)
        if row["time_s"].strip().lower() in HOLES:
            yield []
            continue
        time_s = _parse_time_s(row["time_s"], where)
        steps: list[Reading | Event] = []
        if has_event:
            try:
                steps.append(parse_event(event, time_s))
            except UsageError as error:
                raise UsageError(f"{where}: {error.message}", error.hint) from None
        if has_bpm:
            steps.append(Reading(time_s, row["member"].strip(), _parse_bpm(row["bpm"], where)))
        yield steps


def _parse_time_s(text: str, where: str) -> float:
    try:
        time_s = float(text)
    except ValueError:
        time_s = math.nan
    if not math.isfinite(time_s):
        raise UsageError(f"{where} has {text[:20]!r} as time_s", "Give seconds, such as 12 or 12.5.")
    return time_s


def _parse_bpm(text: str, where: str) -> int:
    whole = _WHOLE.fullmatch(text.strip())
    if whole and int(whole[1]) <= LARGEST_BPM:
        return int(whole[1])
    raise UsageError(f"{where} has {text[:20]!r} as bpm", "Give a whole number, 0 or more.")
