"""How alike members moved, as frames: a row a figure, the same in JSON and notebooks; each column described once."""

import itertools
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import polars as pl

from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.group.synchrony import MeasureResult, Tested, TogetherResult
from pulsoid_rec.analysis.group.windows import WINDOW_S
from pulsoid_rec.analysis.metrics.columns import SummaryColumn
from pulsoid_rec.analysis.metrics.sessions import INSTANT

_TEXT, _INTEGER, _FLOAT = pl.String(), pl.Int64(), pl.Float64()

FIGURES = (
    SummaryColumn("room_id", _TEXT, "the room"),
    SummaryColumn("session", _INTEGER, "number of the room's session, in the order of receipt"),
    SummaryColumn("measure", _TEXT, "the measure: isc, eigenvalue, wcc, wcc-absolute or mdrqa"),
    SummaryColumn(
        "figure",
        _TEXT,
        "what it is about: `group`, it against `pseudo_groups`, `member`, `pair`, or a further figure by its name",
    ),
    SummaryColumn("profile_id", _TEXT, "the member, or the first one of the pair; null for a figure of the group"),
    SummaryColumn("name", _TEXT, "the member's name"),
    SummaryColumn("other_profile_id", _TEXT, "the other member of the pair; their order has no meaning"),
    SummaryColumn("other_name", _TEXT, "the other member's name"),
    SummaryColumn("value", _FLOAT, "the figure; null where it is undefined", "Value", decimals=3, rank=1),
    SummaryColumn(
        "chance",
        _FLOAT,
        "what it is by chance: the mean of the surrogates, or of the pseudo-groups",
        "mean",
        decimals=3,
        rank=4,
    ),
    SummaryColumn("chance_p95", _FLOAT, "what 95 % of the surrogates are at most", "95 %", decimals=3, rank=3),
    SummaryColumn(
        "effect_size",
        _FLOAT,
        "value minus chance, in standard deviations of the surrogates",
        "Effect",
        decimals=1,
        rank=2,
    ),
    SummaryColumn(
        "p",
        _FLOAT,
        "(1 + surrogates of at least the value) / (1 + surrogates): more alike than by chance?",
        "p",
        decimals=3,
        rank=0,
    ),
    SummaryColumn("members", _INTEGER, "members compared"),
    SummaryColumn("minutes_used", _FLOAT, "minutes of the session in which all of them were observed"),
    SummaryColumn("minutes_dropped", _FLOAT, "minutes that were left out"),
    SummaryColumn(
        "preparation", _TEXT, "what was taken out of the readings first: high-pass, differences, or raw for nothing"
    ),
    SummaryColumn("surrogates", _INTEGER, "how many times chance was tried"),
    SummaryColumn("parameters", _TEXT, "what else was chosen, as NAME=VALUE"),
    SummaryColumn("seed", _INTEGER, "where chance began: the same one gives the same figures"),
    SummaryColumn("reason", _TEXT, "why there is no value; null where there is one"),
)
"""In their order, which users build on."""

SCHEMA = pl.Schema({column.name: column.type for column in FIGURES})
COURSE = pl.Schema(
    {
        "room_id": _TEXT,
        "session": _INTEGER,
        "started_at": INSTANT,
        "members": _INTEGER,
        "name": _TEXT,
        "other_name": _TEXT,
        "correlation": _FLOAT,
    }
)
"""The columns of `course_frame`."""


def figures_frame(results: Iterable[TogetherResult]) -> pl.DataFrame:
    """Make a frame of all figures: `SCHEMA`, ordered as the results are; of each measure first the group's figure."""
    rows = [row for result in results for measure in result.measures for row in _rows(result, measure)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(result: TogetherResult, measure: MeasureResult) -> Iterator[dict[str, Any]]:
    alike = {
        "room_id": result.room_id,
        "session": result.session,
        "measure": measure.measure,
        "members": len(result.names),
        "minutes_used": result.minutes_used,
        "minutes_dropped": result.minutes_dropped,
        "preparation": result.preparation,
        "surrogates": result.surrogates,
        "parameters": ", ".join(f"{name}={value}" for name, value in measure.parameters.items()),
        "seed": result.seed,
    }
    yield alike | {"figure": "group", "reason": measure.reason} | tested_row(measure.group)
    for figure in measure.figures:
        yield alike | {"figure": figure.key} | tested_row(figure.tested)
    for member in measure.members:
        yield (
            alike
            | {"figure": "member", "profile_id": member.profile_id, "name": member.name}
            | tested_row(member.tested)
        )
    for pair in measure.pairs:
        ids, names = pair.profile_ids, pair.names
        who = {"profile_id": ids[0], "name": names[0], "other_profile_id": ids[1], "other_name": names[1]}
        yield alike | {"figure": "pair"} | who | tested_row(pair.tested)


def tested_row(tested: Tested) -> dict[str, float | None]:
    """Return the columns of `FIGURES` that a statistic and its test fill."""
    null = tested.null
    return {
        "value": tested.value,
        "effect_size": tested.effect_size,
        "p": tested.p,
        "chance": None if null is None else null.mean,
        "chance_p95": None if null is None else null.p95,
    }


def measure_with_pairs(result: TogetherResult) -> MeasureResult | None:
    """Return the measure whose pairs are drawn and named: one with figures above and below 0, ISC if it was wanted."""
    signed = (each for each in result.measures if each.measure in {"isc", "wcc"} and each.pairs)
    return next(signed, None)


def course_frame(sessions: Iterable[SessionTogether]) -> pl.DataFrame:
    """Make a frame of the courses: `COURSE`, a row a half minute for the group (no names), and for each pair."""
    frames = [pl.DataFrame(schema=COURSE)]
    for each in sessions:
        if (course := each.course) is None:
            continue
        names = dict(zip(each.result.profile_ids, each.result.names, strict=True))
        starts = [course.first_at + timedelta(seconds=WINDOW_S * place) for place in range(len(course.group))]
        pairs = itertools.combinations((names[id_] for id_ in course.profile_ids), 2)
        for (name, other_name), values in zip([(None, None), *pairs], [course.group, *course.pairs], strict=True):
            columns = {
                "room_id": each.result.room_id,
                "session": each.result.session,
                "started_at": pl.Series(starts, dtype=INSTANT),
                "members": course.members,
                "name": name,
                "other_name": other_name,
                "correlation": pl.Series(values, dtype=_FLOAT).fill_nan(None),
            }
            frames.append(pl.DataFrame(columns, schema=COURSE))
    return pl.concat(frames)
