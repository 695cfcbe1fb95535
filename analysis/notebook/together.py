"""How alike the members of an excerpt moved, for notebooks: frames and charts; altair is loaded by those who draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from pulsoid_rec.analysis.findings.session_view import SessionView
from pulsoid_rec.analysis.group.course import name_pairs
from pulsoid_rec.analysis.group.figures import course_frame, figures_frame, measure_with_pairs
from pulsoid_rec.analysis.group.sessions_together import Choices, SessionTogether, measure_groups, read_groups
from pulsoid_rec.analysis.group.synchrony import MeasureName, Preparation
from pulsoid_rec.analysis.group.together import MEASURES, parse_measures
from pulsoid_rec.analysis.notebook.charts import Charts, name_session
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    import altair as alt

_IDS = ("profile_id", "name", "other_profile_id", "other_name")


@dataclass(frozen=True, slots=True, repr=False)
class Together:
    """What was found in each session of an excerpt; a notebook displays it as its `table`."""

    sessions: tuple[SessionTogether, ...]
    view: SessionView  # the last session, with its readings

    @property
    def figures(self) -> pl.DataFrame:
        """All figures, a row each: `pulsoid-rec together --format json` has the same columns."""
        return figures_frame(each.result for each in self.sessions)

    @property
    def table(self) -> pl.DataFrame:
        """The figure of the group by each measure and session, with its test against chance."""
        return self.figures.filter(pl.col("figure") == "group").drop("figure", *_IDS)

    @property
    def members(self) -> pl.DataFrame:
        """How alike each member moved to the others, by the measures that have it."""
        return self.figures.filter(pl.col("figure") == "member").drop(
            "figure", "other_profile_id", "other_name", "reason"
        )

    @property
    def pairs(self) -> pl.DataFrame:
        """How alike each two members moved; p is of each pair alone, not corrected for their number."""
        return self.figures.filter(pl.col("figure") == "pair").drop("figure", "reason")

    @property
    def course(self) -> pl.DataFrame:
        """The correlation in each half minute: of all, where `name` is null, and of each pair where the two are.

        Returns `room_id`, `session`, `started_at`, `members` (who were observed), `name`, `other_name`, `correlation`.
        """
        return course_frame(self.sessions)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the figures do not show, in words."""
        return self._last.result.cautions

    def pairs_chart(self, *, width: int = 480) -> "alt.LayerChart":
        """Draw the correlations of all pairs of the last session as a matrix, members by likeness; `width` in pixels.

        Raises `UsageError` if no measure with pairs was wanted, or none could be compared.
        """
        from pulsoid_rec.analysis.charts.pairs import pairs_drawing

        measure = measure_with_pairs(self._last.result)
        if measure is None:
            raise UsageError(
                "There are no pairs to draw", "Measure isc or wcc of two members or more; .table has the reason."
            )
        return name_session(pairs_drawing(measure.pairs).chart(width=width), self.view)

    def course_chart(self, *, width: int = 760) -> "alt.ConcatChart":
        """Draw the heart rates of the last session, and below them how alike they moved; `width` in pixels."""
        from pulsoid_rec.analysis.charts.course import timeline_with_course

        course = self._last.course
        names = [] if course is None else name_pairs(course.profile_ids, self.view.names)
        return name_session(timeline_with_course(self.view, course, names, width), self.view)

    @property
    def _last(self) -> SessionTogether:
        where = (self.view.room_id, self.view.session)
        found = [each for each in self.sessions if (each.result.room_id, each.result.session) == where]
        if not found:
            raise UsageError("The last session lasted less than a second", "Choose one with .only(session=...).")
        return found[0]

    def __repr__(self) -> str:
        return (
            f"How alike members moved in {format_count(len(self.sessions), 'session')}: table, members, pairs, course"
        )

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


class WithTogether(Charts):
    """An excerpt's charts and frames, with how alike its members moved."""

    __slots__ = ()

    def together(
        self,
        *,
        measures: Sequence[MeasureName] = MEASURES,
        preparation: Preparation = "high-pass",
        surrogates: int = 1000,
        seed: int = 0,
    ) -> Together:
        """Measure how alike the members moved in each session, each measure against chance.

        Parameters
        ----------
        measures
            `"isc"`, `"eigenvalue"`, `"wcc"`, `"wcc-absolute"`, `"mdrqa"`; docs/group.md explains them.
        preparation
            What is taken out of the heart rates first: `"high-pass"` the mean of the 60 s around, `"differences"` the
            value a second before, `"raw"` nothing, which takes any common rise for synchrony.
        surrogates
            How many times chance is tried, at least 1,000.
        seed
            Where chance begins: the same one gives the same figures.

        Raises
        ------
        UsageError
            The excerpt has no readings, a measure is unknown, or the surrogates are too few.

        Examples
        --------
        >>> together = recording.only(session="latest").together()
        >>> together.table
        >>> together.course_chart()
        >>> together.pairs_chart()
        """
        wanted = parse_measures(measures)
        choices = Choices(measures=wanted, preparation=preparation, surrogates=surrogates, seed=seed)
        with self.snapshot() as now:
            view = now.last_session()
            groups = read_groups(now.recording, now.wanted, now.definitions, now.known_members())
        return Together(tuple(measure_groups(groups, choices, self.recording)), view)
