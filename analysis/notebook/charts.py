"""Charts of an excerpt of a recording, for notebooks; altair is loaded when the first one is drawn."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pulsoid_rec.analysis.findings.local_time import format_instant, to_local
from pulsoid_rec.analysis.findings.session_view import SessionView, session_views
from pulsoid_rec.analysis.notebook.mark_frames import MarkFrames
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count, format_list

if TYPE_CHECKING:
    import altair as alt

    from pulsoid_rec.analysis.notebook.rendering import Chart

_MAX_NAMES = 20


class Charts(MarkFrames):
    """The charts of an excerpt. Each one is an altair chart: show it, change it, or `save` it.

    A notebook keeps a picture of it, too, unless `show_offline(png=False)` was called.

    A chart of one session is of the excerpt's latest one, named in its title; choose another with `only(session=...)`.
    """

    __slots__ = ()

    def last_session(self, *, readings: bool = True) -> SessionView:
        """Read the data of a chart of the last session; parameters and errors as of `report`."""
        with self.snapshot() as now:
            sessions, wanted = now.sessions(), self.wanted
            if not sessions.is_empty():
                room_id, session = sessions.sort("last_received_at", "session").row(-1)[:2]
                wanted = replace(wanted, rooms=(room_id,), session=session)
            *_, view = session_views(replace(now, wanted=wanted).report(readings=readings))
        started_at = max(filter(None, (view.started_at, wanted.since)))
        return replace(view, started_at=started_at, ended_at=min(filter(None, (view.ended_at, wanted.until))))

    def timeline(self, *, width: int = 760) -> "alt.LayerChart":
        """Draw all members' heart rates over the last session; `width` is in pixels.

        Lines break where a member was silent for longer than a reading holds, and than is usual for the sensor. Up to
        six members have a colour each; more are drawn together, and a menu brings one at a time forward. Hover to read
        values.

        Examples
        --------
        >>> recording.timeline()
        >>> recording.only(session=2, since="2026-01-31 20:15").timeline(width=1200)
        """
        from pulsoid_rec.analysis.charts.timeline import timeline_drawing

        view = self.last_session()
        drawing = timeline_drawing(view, view, buckets=max(120, round(width * 480 / 760)), chooser=True)
        return name_session(drawing.chart(width=width), view)

    def zone_bars(self, *, width: int = 640) -> "alt.LayerChart":
        """Draw each member's time in zones in the last session, if the HRmax is known; `width` is in pixels.

        The share beside a name is the member's coverage. Zones need `birth_year` or `hr_max` in `members.toml`.
        """
        from pulsoid_rec.analysis.charts.amounts import zone_drawing

        view = self.last_session(readings=False)
        return name_session(zone_drawing(view, legend=True).chart(width=width), view)

    def distribution(self, *, width: int = 640) -> "alt.LayerChart":
        """Draw how long each member's heart was at each rate in the last session; `width` is in pixels.

        A line marks the median. Shapes and places compare between members; heights do not, since each row has its own
        scale.
        """
        from pulsoid_rec.analysis.charts.amounts import distribution_drawing

        view = self.last_session(readings=False)
        return name_session(distribution_drawing(view).chart(width=width), view)

    def small_multiples(self, *, columns: int = 3) -> "alt.ConcatChart":
        """Draw each member's heart rate in the last session in a small chart with zones, so many `columns` of them."""
        from pulsoid_rec.analysis.charts.members import small_multiples

        view = self.last_session()
        chart = small_multiples(view, columns=columns)
        chart.description = f"Heart rate of {format_count(len(view.names), 'member')} over time, each alone"
        return name_session(chart, view)

    def calendar(self, *, width: int = 640) -> "alt.LayerChart":
        """Draw the sessions as bars on a clock, a row for each day that has one; `width` is in pixels."""
        from pulsoid_rec.analysis.charts.history import calendar

        return _add_title(calendar(self.sessions()).chart(width=width), "Sessions by day")

    def history(self, *, width: int = 760) -> "alt.LayerChart":
        """Draw one member's heart rate in each session: the mean, and the range of the middle nine tenths of the time.

        `width` is in pixels.

        Raises
        ------
        UsageError
            The excerpt has several members, or none.

        Examples
        --------
        >>> recording.only(member="Ada").history()
        """
        from pulsoid_rec.analysis.charts.history import member_history

        members = dict(self.members().select("profile_id", "name").iter_rows())
        if len(members) != 1:
            names = format_list(list(members.values()), _MAX_NAMES) or "none"
            raise UsageError(
                f"A history is about one member, and this excerpt has {names}",
                "Choose one: .only(member=...).history().",
            )
        [(profile_id, name)] = members.items()
        return _add_title(member_history(self.summary(), profile_id).chart(width=width), name)


def name_session(chart: "Chart", view: SessionView) -> "Chart":
    """Add a title and a subtitle that name the session."""
    weekday = f"{to_local(view.started_at, view.local_zone):%a}"
    begin, end = format_instant(view.started_at, view.local_zone), view.clock(view.ended_at)
    when = f"{weekday} {begin} to {end} ({view.zone})"
    return _add_title(chart, f"{view.room_id}, session {view.session}", when)


def _add_title(chart: "Chart", title: str, subtitle: str = "") -> "Chart":
    from pulsoid_rec.analysis.notebook.rendering import add_title

    return add_title(chart, title, subtitle)
