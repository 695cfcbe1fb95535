"""Shares and figures of the summary as text, the same in every table, note and chart."""

import math
from typing import Any, Final

from pulsoid_rec.analysis.metrics.columns import SummaryColumn
from pulsoid_rec.recorder.contract.wording import format_duration

DASH: Final = "\N{EM DASH}"  # stands for an unknown value
_ONE_PERCENT = 0.01


def format_share(share: float | None) -> str:
    """Format a share of 1 in percent, rounded neither up to 100 % nor down to 0 %; a dash for an unknown one."""
    if share is None:
        return DASH
    if 0 < share < _ONE_PERCENT:
        return "< 1 %"
    if 1 - _ONE_PERCENT < share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def is_unknown(value: Any) -> bool:
    """Return whether a value is null or not a number."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def format_figure(value: Any, column: SummaryColumn) -> str:
    """Format a known value of a column of the summary, without its unit; instants are not for this function."""
    match column.format:
        case "duration":
            return format_duration(value)
        case "share":
            return format_share(value)
        case "minutes":
            return f"{value / 60:,.{column.decimals}f}"
        case _:
            return f"{value:,.{column.decimals}f}"
