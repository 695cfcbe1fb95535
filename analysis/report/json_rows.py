"""Frames as JSON for programs: an array with an object a row, keyed as the columns."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl


def instant_text(instant: datetime) -> str:
    """Write an instant as ISO 8601 with `Z`, with microseconds only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def rows_json(frame: pl.DataFrame) -> str:
    """Write a frame as a JSON array, a line a row; null for what is unknown.

    Parameters
    ----------
    frame
        Any number of rows; none give `[]`.

    Returns
    -------
    Valid JSON with a newline at the end; it holds no NaN.
    """
    lines = ",\n".join(_objects(frame))
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _objects(frame: pl.DataFrame) -> Iterator[str]:
    for row in frame.iter_rows(named=True):
        yield json.dumps({key: _value(value) for key, value in row.items()}, ensure_ascii=False, allow_nan=False)


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
