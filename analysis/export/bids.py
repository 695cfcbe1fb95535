"""A dataset by BIDS, the Brain Imaging Data Structure, which labs exchange recordings in.

Of a member and session there are, in `sub-MEMBER/ses-SESSION/beh/`: `_physio.tsv.gz`, the grid of 1 s; with gaps,
`_physioevents.tsv.gz`; with marks or phases, `_events.tsv`. All times of a session count from one instant, for all of
its members. Names of fields, files and columns are those of https://bids-specification.readthedocs.io (1.11).
"""

import csv
import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import polars as pl

from pulsoid_rec.analysis.export.bids_texts import (
    EVENTS,
    HEART_RATE,
    PARTICIPANTS,
    PHYSIOEVENTS,
    README,
    SESSIONS,
    TIMESTAMP,
)
from pulsoid_rec.analysis.export.file_names import FileNames, alphanumeric
from pulsoid_rec.analysis.export.series import NO_READING, Series, move_back
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.recorder.contract.display import is_visible, plain

Dates = Literal["true", "moved"] | None

_BIDS_VERSION = "1.11.1"
_TASK = "task-room"
_OLDEST = 89  # an age above it is not to be published (BIDS)
_TO_ANOTHER_CENTURY = timedelta(weeks=6300)  # BIDS: moved dates are in 1925 or before, to be told from true ones
_MISSING = "n/a"
_FIGURES = ("span_s", "observed_s", "coverage", "readings", "duplicates", "implausible", "untimely", "gaps")


class _Labels:
    """The labels of members or sessions, a label for each id: letters and digits, all different."""

    def __init__(self) -> None:
        self._names, self._labels = FileNames(), dict[tuple[str, ...], str]()

    def of(self, id_: tuple[str, ...], *texts: str) -> str:
        """Return the label of an id; a new one is made of the first text that has letters or digits."""
        if id_ not in self._labels:
            text = next(filter(None, map(alphanumeric, (*texts, *id_))), "X")
            self._labels[id_] = self._names.reserve(text, "x")
        return self._labels[id_]


def write_bids(
    series: Iterable[Series], folder: Path, definitions: Definitions, members: pl.DataFrame, *, dates: Dates
) -> tuple[int, int]:
    """Write a dataset into an empty folder, and return the number of series in it, and of those that are empty.

    `members` is what is known of them (`members.SCHEMA`): age and sex are in `participants.tsv`. `dates` are those of
    the series, true or moved, or None to leave them out. If all series are empty, nothing is written.
    """
    people, rooms = _Labels(), _Labels()
    sessions = dict[str, list[dict[str, Any]]]()  # by member
    participants = dict[str, dict[str, Any]]()
    known = {row["profile_id"]: row for row in members.iter_rows(named=True)}
    written, left_out, has_events = 0, 0, False
    for each in series:
        if not each.bpm.size:
            left_out += 1
            continue
        member = f"sub-{people.of((each.profile_id,), each.name)}"
        session = f"ses-{rooms.of((each.room_id,), each.room_name)}{each.session:04}"
        beh = folder / member / session / "beh"
        beh.mkdir(parents=True)
        has_events |= _write_series(each, beh / f"{member}_{session}_{_TASK}", definitions)
        participants.setdefault(member, _participant(member, each, known.get(each.profile_id, {})))
        started = each.zero_at + timedelta(seconds=each.first_s)
        row: dict[str, Any] = {"session_id": session}
        if dates is not None:
            shown = move_back(started, _TO_ANOTHER_CENTURY) if dates == "moved" else started
            row["acq_time"] = shown.isoformat().replace("+00:00", "Z")
        row |= {
            "room": _shown(each.room_name),
            "session": each.session,
            **{name: each.figures[name] for name in _FIGURES},
        }
        sessions.setdefault(member, []).append(row)
        written += 1
    if written:
        _write_dataset(folder, participants, sessions, definitions, has_events=has_events)
    return written, left_out


def _write_series(series: Series, path: Path, definitions: Definitions) -> bool:
    """Write the files of a series, whose names begin as `path`; return whether it has events."""
    rows = ((series.first_s + i, bpm) for i, bpm in enumerate(series.bpm.tolist()))
    _write_gz(path, "physio", [[at, _MISSING if bpm == NO_READING else bpm] for at, bpm in rows])
    _write_json(path, "physio", _physio(series, definitions))
    runs = series.runs()
    if len(runs) > 1:
        gaps = [[end, following - end, "gap"] for (_, end), (following, _) in pairwise(runs)]
        _write_gz(path, "physioevents", gaps)
        _write_json(path, "physioevents", PHYSIOEVENTS)
    events = _events(series)
    if events:
        text = _tsv([["onset", "duration", "trial_type", "kind"], *events])
        path.with_name(f"{path.name}_events.tsv").write_bytes(text)
    return bool(events)


def _events(series: Series) -> list[list[Any]]:
    """Return marks, and phases while the member was there, in the order of time."""
    events: list[list[Any]] = [[mark.at_s, 0, _shown(mark.label), "mark"] for mark in series.marks]
    for phase in series.phases:
        begins, ends = max(phase.start_s, series.first_s), min(phase.end_s, series.end_s)
        if phase.label is not None and begins < ends:
            events.append([begins, round(ends - begins, 6), _shown(phase.label), "phase"])
    return sorted(events, key=lambda event: (event[0], event[3] == "mark"))


def _shown(text: str) -> str:
    """Return a text as it may be displayed; one that draws nothing is missing, as BIDS allows no empty value."""
    return plain(text) if is_visible(text) else _MISSING


def _physio(series: Series, definitions: Definitions) -> dict[str, Any]:
    """Return what is to be known of a series, and how much it leaves out."""
    figures = {_camel_case(name): series.figures[name] for name in _FIGURES}
    held = f"{definitions.min_bpm} to {definitions.max_bpm} bpm, held for at most {definitions.max_hold_s:g} s"
    return {
        "SamplingFrequency": 1.0,
        "StartTime": float(series.first_s),
        "Columns": ["timestamp", "heart_rate"],
        "TaskName": "room",
        "PhysioType": "generic",
        "timestamp": TIMESTAMP,
        "heart_rate": {**HEART_RATE, "Plausible": held},
        **figures,
    }


def _participant(member: str, series: Series, known: Mapping[str, Any]) -> dict[str, Any]:
    birth_year = known.get("birth_year")
    age = None if birth_year is None else series.figures["first_at"].year - birth_year
    return {
        "participant_id": member,
        "species": "homo sapiens",
        "age": None if age is None or age < 0 else min(age, _OLDEST),
        "sex": known.get("sex"),
        "handedness": None,
    }


def _write_dataset(
    folder: Path,
    participants: Mapping[str, dict[str, Any]],
    sessions: Mapping[str, list[dict[str, Any]]],
    definitions: Definitions,
    *,
    has_events: bool,
) -> None:
    """Write what is of the whole dataset."""
    description = {
        "Name": "Heart rates of a room",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "pulsoid-rec", "Version": version("pulsoid-rec"), "Description": "export"}],
    }
    _write_json(folder / "dataset", "description", description)
    (folder / "README").write_bytes(README.format(definitions=definitions).encode())
    (folder / "participants.tsv").write_bytes(_table([participants[member] for member in sorted(participants)]))
    _write_json(folder / "participants", "", PARTICIPANTS)
    for member, rows in sessions.items():
        (folder / member / f"{member}_sessions.tsv").write_bytes(_table(rows))
        _write_json(folder / member / member, "sessions", {name: SESSIONS[name] for name in rows[0]})
    if has_events:
        _write_json(folder / _TASK, "events", EVENTS)


def _table(rows: Sequence[Mapping[str, Any]]) -> bytes:
    values = [[_MISSING if value is None else value for value in row.values()] for row in rows]
    return _tsv([list(rows[0]), *values])


def _tsv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, "excel-tab", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _write_gz(path: Path, suffix: str, rows: Iterable[Sequence[Any]]) -> None:
    """Write a table without its header, the same bytes for the same rows: with no time and name of a file in it."""
    compressed = zlib.compress(_tsv(rows), wbits=31)
    path.with_name(f"{path.name}_{suffix}.tsv.gz").write_bytes(compressed)


def _write_json(path: Path, suffix: str, content: Mapping[str, Any]) -> None:
    name = f"{path.name}_{suffix}" if suffix else path.name
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    path.with_name(f"{name}.json").write_bytes(text.encode())


def _camel_case(name: str) -> str:
    """Return a name of the summary as fields of BIDS are written; they have no units in their names."""
    return {"span_s": "SpanDuration", "observed_s": "ObservedDuration"}.get(name, name.capitalize())
