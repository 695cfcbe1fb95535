"""Read a recording from a CSV file, as a play."""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file
from pulsoid_rec.recorder.simulator.play import Play, Reading

COLUMNS = ("time_s", "member", "bpm")
LONGEST_S = 10 * 365 * 24 * 3600.0
LARGEST_BPM = 2**31 - 1  # what the table can hold
HOLES = {"", "nan", "na", "null", "none"}  # how pandas, R and others write that there is no value, in any case
_WHOLE = re.compile(r"([0-9]{1,10})(?:\.0*)?")
_HINT = f"A replay is a CSV file with a header line and the columns {','.join(COLUMNS)}."


def read_replay(path: Path) -> Play:
    """Read a CSV of `time_s,member,bpm` as a play.

    It is UTF-8, with a header line; `time_s` in seconds, fractional or not, in any order and from any start; `bpm` a
    whole number, 0 or more, such as 75 or 75.0. Lines without a time or bpm are left out, and counted as `holes`; other
    columns are ignored. The play has every reading once, by time, the first one at 0 s; rows of one instant stay in the
    file's order. `member` is both profile id and name. Raises `UsageError` if the file cannot be read, lacks a column,
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
    readings = sorted(filter(None, lines), key=lambda reading: reading.time_s)
    if not readings:
        raise UsageError(f"The replay {path} holds no reading", _HINT)
    first_s = readings[0].time_s
    if readings[-1].time_s - first_s > LONGEST_S:
        raise UsageError(f"The replay {path} spans more than ten years", "Give time_s in seconds.")
    return Play(
        members={reading.profile_id: {"name": reading.profile_id} for reading in readings},
        readings=tuple(reading._replace(time_s=reading.time_s - first_s) for reading in readings),
        length_s=readings[-1].time_s - first_s,
        holes=len(lines) - len(readings),
    )


def _parse(lines: Iterator[str], path: Path) -> Iterator[Reading | None]:
    """Yield the reading of each line, or None for a hole."""
    rows = csv.DictReader(lines)
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise UsageError(f"The replay {path} has no column {' and no column '.join(missing)}", _HINT)
    for row in rows:
        where = f"Line {rows.line_num} of the replay {path}"
        if any(row[name] is None for name in COLUMNS):
            raise UsageError(f"{where} has too few columns", _HINT)
        if not row["member"].strip():
            raise UsageError(f"{where} has no member", _HINT)
        if any(row[name].strip().lower() in HOLES for name in ("time_s", "bpm")):
            yield None
            continue
        yield Reading(_parse_time_s(row["time_s"], where), row["member"].strip(), _parse_bpm(row["bpm"], where))


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
