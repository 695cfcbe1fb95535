"""Frames as JSON for programs: an array with an object a row, keyed as the columns."""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pulsoid_rec.recorder.contract.display import CONTROLS

_NOT_ASCII = re.compile("[^ -~]+")


def rows_json(frame: pl.DataFrame, encoding: str = "utf-8") -> str:
    """Encode a frame as a JSON array, a line a row, with instants as ISO 8601 with `Z` and null for NaN.

    What a terminal would obey is escaped, and all that is not ASCII where the reader's `encoding` is not UTF-8.
    """
    rows = ({key: _value(value) for key, value in row.items()} for row in frame.iter_rows(named=True))
    escaped = CONTROLS if encoding.lower().replace("-", "") == "utf8" else _NOT_ASCII
    lines = ",\n".join(escaped.sub(_escape, json.dumps(row, ensure_ascii=False, allow_nan=False)) for row in rows)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
