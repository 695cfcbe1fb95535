"""Charts whose specification depends on little, so that it is made once and filled with the data of many sessions.

Making one takes altair some 50 ms. A chart's function is given a `Source`, and refers with it to data by name, and to
values by an expression: on the page, where the data comes later, that is the value's name, in a notebook the value.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import altair as alt

from pulsoid_rec.analysis.charts.style import colours_to_variables, encode, inline, styled


class Source(Protocol):
    """Where a chart has its data and values from."""

    def data(self, name: str) -> alt.Data:
        """Return data by its name."""

    def value(self, name: str) -> str:
        """Return an expression of Vega's for a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart's shape, and what it is filled with; as a `Source`, what it is filled with itself."""

    make: Callable[..., alt.LayerChart]  # makes the chart from a source and `shape`
    shape: tuple[Hashable, ...] = ()  # all else that its specification depends on
    description: str  # for those who do not see it
    datasets: Mapping[str, str]  # its data as JSON, by name
    values: Mapping[str, Any] = field(default_factory=dict)  # numbers, texts and lists, by name
    height: int | None = None  # in pixels; None if it is part of the shape

    def data(self, name: str) -> alt.Data:
        """Return the data itself."""
        return inline(self.datasets[name])

    def value(self, name: str) -> str:
        """Return the value as a literal."""
        return encode(self.values[name])

    def chart(self, **properties: Any) -> alt.LayerChart:
        """Make the chart with its data; `properties` are its own, such as `width`."""
        height = {} if self.height is None else {"height": self.height}
        chart = self.make(self, *self.shape).properties(description=self.description, **height | properties)
        return styled(chart)

    def template(self, **properties: Any) -> str:
        """Return the specification without data and values, as JSON, the same for all drawings of this shape.

        The colours are CSS variables. Whoever draws it adds `datasets`, `height`, and a parameter for each value.
        """
        return _template(self.make, self.shape, tuple(properties.items()))


class _Names:
    """Refers to data and values by their names alone."""

    def data(self, name: str) -> alt.Data:
        return alt.NamedData(name=name, format=alt.JsonDataFormat(type="json"))

    def value(self, name: str) -> str:
        return name


@lru_cache(200)
def _template(
    make: Callable[..., alt.LayerChart], shape: tuple[Hashable, ...], properties: tuple[tuple[str, Any], ...]
) -> str:
    chart = styled(make(_Names(), *shape).properties(**dict(properties)))
    return encode(colours_to_variables(chart.to_dict(validate=False)))
