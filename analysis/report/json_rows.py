"""Frames as JSON for programs: an array with an object a row, keyed as the columns."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import polars as pl


def rows_json(frame: pl.DataFrame) -> str:
    """Encode a frame as a JSON array, a line a row, with instants as ISO 8601 with `Z` and null for NaN."""
    rows = ({key: _value(value) for key, value in row.items()} for row in frame.iter_rows(named=True))
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
