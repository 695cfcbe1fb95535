"""Responses to the marks of an excerpt, for notebooks; numpy and altair are loaded when they are asked for."""

from dataclasses import dataclass
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING

import polars as pl

from pulsoid_rec.analysis.notebook.charts import Charts

if TYPE_CHECKING:
    import altair as alt

    from pulsoid_rec.analysis.group.response_result import Responses


_WIDTH = 96  # characters of a line in a notebook and its page


@dataclass(frozen=True, slots=True, repr=False)
class ShownResponses:
    """What heart rates did around marks: shown by a notebook in words, with frames and a chart."""

    result: "Responses"  # all figures and parameters

    @property
    def p(self) -> float | None:
        """How often chance is as far from the baseline after the mark; None with fewer than two used marks."""
        return self.result.p

    def course(self) -> pl.DataFrame:
        """Return the mean changes by second.

        Returns
        -------
        pl.DataFrame
            `profile_id` and `name` (null: the mean over members), `second`, `change_bpm`; of the mean over members
            also `low_bpm` and `high_bpm` (95 % interval), `chance_low_bpm` and `chance_high_bpm` (shifted marks).
        """
        return self.result.course

    def members(self) -> pl.DataFrame:
        """Return each member's windows: `profile_id`, `name`, `windows`, `used`, `unobserved`, `overlapping`."""
        return self.result.members

    def frame(self) -> pl.DataFrame:
        """Return all of it as one row, as `pulsoid-rec responses --format json` prints it."""
        from pulsoid_rec.analysis.group.response_frame import result_frame

        return result_frame(self.result)

    def chart(self, *, width: int = 760) -> "alt.LayerChart":
        """Draw the mean over members with its interval, and each member's mean; `width` is in pixels.

        Dotted: the middle 95 % of what shifted marks give. Shaded: the baseline.
        """
        from pulsoid_rec.analysis.charts.responses import response_drawing
        from pulsoid_rec.analysis.group.response_words import describe_amount, describe_title
        from pulsoid_rec.analysis.notebook.rendering import add_title

        chart = response_drawing(self.result).chart(width=width)
        return add_title(chart, describe_title(self.result), describe_amount(self.result))

    def __repr__(self) -> str:
        from pulsoid_rec.analysis.group.response_words import (
            LIMITS,
            describe_amount,
            describe_finding,
            describe_notes,
            describe_title,
        )

        found = self.result
        head = f"{describe_title(found)}: {describe_amount(found)}."
        texts = [head, describe_finding(found), "", *describe_notes(found), "", *LIMITS]
        return "\n".join(fill(text, _WIDTH, break_on_hyphens=False) for text in texts)


class WithResponses(Charts):
    """An excerpt's frames and charts, with the responses to its marks."""

    __slots__ = ()

    def responses(
        self,
        label: str,
        *,
        before_s: int = 30,
        after_s: int = 60,
        baseline_s: tuple[int, int] = (-30, -5),
        surrogates: int = 1000,
        seed: int = 0,
    ) -> ShownResponses:
        """Compute what heart rates did around the marks of a label, and whether chance does the same.

        Parameters
        ----------
        label
            Of which marks. A mark of a member is about that member, one of the room about everybody.
        before_s, after_s
            From how long before a mark to how long after it, in whole seconds.
        baseline_s
            The first and last second, from the mark, of what is taken for no change.
        surrogates
            How often the marks are shifted around their sessions, at least 1,000 times, for p.
        seed
            Where chance begins: the same one gives the same figures.

        Returns
        -------
        ShownResponses
            With `p`, `course()`, `members()`, `frame()` and `chart()`.

        Raises
        ------
        UsageError
            There is no such mark in the excerpt (the message lists those that exist), or the baseline is not before
            the mark.

        Examples
        --------
        >>> recording.responses("goal")
        >>> recording.only(session="latest").responses("goal", after_s=90).chart()
        """
        from pulsoid_rec.analysis.group.response_reading import parse_window, read_responses

        window = parse_window(before_s, after_s, baseline_s)
        read = partial(read_responses, window=window, surrogates=surrogates, seed=seed)
        return ShownResponses(read(self.recording, label, self.wanted, self.definitions, self.known_members()))
