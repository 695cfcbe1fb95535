"""Pictures of an excerpt of a recording, for notebooks; altair is loaded when the first one is drawn."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.findings.wording import format_offset
from pulsoid_rec.analysis.notebook.frames import Frames
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    import altair as alt

_MOST = 20


class Drawings(Frames):
    """What can be drawn of an excerpt. Each picture is an altair chart: show it, change it, or `save` it.

    A picture of one session is of the excerpt's last one, and its title says which that is; choose another with
    `only(session=...)`.
    """

    __slots__ = ()

    def last_part(self, *, readings: bool = True) -> SessionView:
        """Gather what a picture of the last session is drawn from.

        Parameters
        ----------
        readings
            False where its figures are enough.

        Raises
        ------
        UsageError
            There are no readings, or too many to be drawn.
        """
        sessions = self.sessions()
        wanted = self.wanted
        if not sessions.is_empty():
            room_id, session = sessions.sort("ended_at").row(-1)[:2]
            wanted = replace(wanted, rooms=(room_id,), session=session)
        *_, part = session_views(replace(self, wanted=wanted).report(readings=readings))
        return replace(
            part,
            started_at=max(filter(None, (part.started_at, wanted.since))),
            ended_at=min(filter(None, (part.ended_at, wanted.until))),
        )

    def timeline(self, *, width: int = 760) -> "alt.LayerChart":
        """Draw everybody's heart rate over the last session.

        Lines break where a member was silent. Up to six members have a colour each; more are drawn together, and a
        menu brings one at a time forward. Hover to read values.

        Parameters
        ----------
        width
            Pixels.

        Examples
        --------
        >>> explore("data/pulsoid.duckdb").timeline()
        >>> explore("data/pulsoid.duckdb").only(session=2, since="2026-01-31 20:15").timeline(width=1200)
        """
        from pulsoid_rec.analysis.charts.timeline import timeline
        from pulsoid_rec.analysis.notebook.rendering import shown

        part = self.last_part()
        buckets = max(120, round(width * 480 / 760))
        chart = timeline(part, max_hold_s=self.definitions.max_hold_s, width=width, buckets=buckets)
        return shown(chart, *_title(part))

    def zone_bars(self, *, width: int = 640) -> "alt.LayerChart":
        """Draw each member's time in zones in the last session, for those whose HRmax is known.

        The share beside a name is the member's coverage. Zones need `birth_year` or `hr_max` in `members.toml`.

        Parameters
        ----------
        width
            Pixels.
        """
        from pulsoid_rec.analysis.charts.amounts import zone_bars
        from pulsoid_rec.analysis.notebook.rendering import shown

        part = self.last_part(readings=False)
        return shown(zone_bars(part, width=width), *_title(part))

    def distribution(self, *, width: int = 640) -> "alt.LayerChart":
        """Draw how long each member's heart was at each rate in the last session, with the median marked.

        Shapes and places compare between members; heights do not, since each row has its own scale.

        Parameters
        ----------
        width
            Pixels.
        """
        from pulsoid_rec.analysis.charts.amounts import distribution
        from pulsoid_rec.analysis.notebook.rendering import shown

        part = self.last_part(readings=False)
        return shown(distribution(part, width=width), *_title(part))

    def small_multiples(self, *, columns: int = 3) -> "alt.ConcatChart":
        """Draw each member's heart rate in the last session in a small chart of its own, zones behind it.

        Parameters
        ----------
        columns
            Charts side by side.
        """
        from pulsoid_rec.analysis.charts.members import small_multiples
        from pulsoid_rec.analysis.notebook.rendering import shown

        part = self.last_part()
        chart = small_multiples(part, max_hold_s=self.definitions.max_hold_s, columns=columns)
        return shown(chart, *_title(part))

    def calendar(self, *, width: int = 640) -> "alt.LayerChart":
        """Draw the sessions as bars on a clock, a row for each day that has one.

        Parameters
        ----------
        width
            Pixels.
        """
        from pulsoid_rec.analysis.charts.history import calendar
        from pulsoid_rec.analysis.notebook.rendering import shown

        return shown(calendar(self.sessions(), width=width), "Sessions")

    def history(self, *, width: int = 760) -> "alt.LayerChart":
        """Draw one member's heart rate in each session: the mean, and the range of the middle nine tenths of the time.

        Parameters
        ----------
        width
            Pixels.

        Raises
        ------
        UsageError
            The excerpt has several members, or none.

        Examples
        --------
        >>> explore("data/pulsoid.duckdb").only(member="Ada").history()
        """
        from pulsoid_rec.analysis.charts.history import member_history
        from pulsoid_rec.analysis.notebook.rendering import shown

        members = dict(self.members().select("profile_id", "name").iter_rows())
        if len(members) != 1:
            raise UsageError(
                f"A history is about one member, and this excerpt has {_names(list(members.values()))}",
                "Choose one: .only(member=...).history().",
            )
        [(profile_id, name)] = members.items()
        return shown(member_history(self.summary(), profile_id, width=width), name)


def _title(part: SessionView) -> tuple[str, str]:
    """Say which session a picture is of."""
    begin, end = (at.astimezone(part.zone) for at in (part.started_at, part.ended_at))
    day = "" if begin.date() == end.date() else f"{end:%a %d %b} "
    when = f"{begin:%a %d %b %Y, %H:%M:%S} to {day}{end:%H:%M:%S} ({format_offset(part.zone)})"
    return f"{part.room_id}, session {part.session}", when


def _names(names: list[str]) -> str:
    if len(names) > _MOST:
        return f"{', '.join(names[:_MOST])} and {len(names) - _MOST} more"
    return ", ".join(names) or "none"
