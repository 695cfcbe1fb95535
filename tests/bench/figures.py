"""What a benchmark found: one line of the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """Measurements of one thing, made in turns with what it is compared with.

    Parameters
    ----------
    number
        The line of the table.
    what, compared_with, target
        In words; `target` as it stands in the table: ">= 0.8", "<= 2 GB".
    values
        A measurement of each turn: a ratio, or a number of `unit`.
    limit
        What the median is held against.
    at_least
        Whether `limit` is the lowest that will do, not the highest.
    unit
        Empty for a ratio.
    details
        The absolute figures behind the values, and what was counted.
    """

    number: int
    what: str
    compared_with: str
    target: str
    values: Sequence[float]
    limit: float
    at_least: bool = False
    unit: str = ""
    details: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the median keeps to the limit."""
        return median(self.values) >= self.limit if self.at_least else median(self.values) <= self.limit

    @property
    def measured(self) -> str:
        """The median, and the lowest and highest of several."""
        unit = f" {self.unit}" if self.unit else ""
        middle = f"{_short(median(self.values))}{unit}"
        if len(self.values) == 1:
            return middle
        return f"{middle} ({_short(min(self.values))} to {_short(max(self.values))})"


def to_markdown(figures: Sequence[Figure]) -> str:
    """Lay figures out as a table of Markdown, by number."""
    lines = ["| # | what | compared with | target | measured | met | behind it |", "|---|---|---|---|---|---|---|"]
    lines += [
        f"| {each.number} | {each.what} | {each.compared_with or '-'} | {each.target} | {each.measured}"
        f" | {'yes' if each.is_met else '**no**'} | {each.details} |"
        for each in sorted(figures, key=lambda figure: figure.number)
    ]
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    """Three figures, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
