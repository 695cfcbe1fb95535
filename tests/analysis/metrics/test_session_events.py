"""Events are told by the session they fall in, or the nearest."""

from datetime import timedelta

import hypothesis.strategies as st
import polars as pl
from hypothesis import given
from readings import at

from pulsoid_rec.analysis.metrics.session_events import number_events, session_bounds

_AT = {"room_id": pl.String(), "at": pl.Datetime("us", "UTC")}


@given(
    bounds=st.lists(st.integers(0, 1000), min_size=2, max_size=8, unique=True).map(sorted),
    events=st.lists(st.integers(-200, 1200), max_size=10),
)
def test_event_belongs_to_the_session_it_falls_in_or_else_the_nearest(bounds: list[int], events: list[int]) -> None:
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    sessions = pl.DataFrame(
        {
            "room_id": ["r"] * len(spans),
            "session": pl.Series(range(1, len(spans) + 1), dtype=pl.Int64),
            "started_at": [at(start) for start, _ in spans],
            "ended_at": [at(end) for _, end in spans],
        }
    )
    rows = pl.DataFrame({"room_id": ["r"] * len(events), "at": [at(s) for s in events]}, schema_overrides=_AT)
    numbered = number_events(rows, "at", sessions)
    assert numbered["at"].to_list() == sorted(at(s) for s in events)
    for session, when in numbered.select("session", "at").iter_rows():
        away = [max((at(start) - when), (when - at(end)), timedelta()) for start, end in spans]
        assert away[session - 1] == min(away)


def test_sessions_divide_all_of_their_rooms_time() -> None:
    sessions = pl.DataFrame(
        {
            "room_id": ["r", "r", "s"],
            "session": [1, 2, 1],
            "started_at": [at(0), at(200), at(50)],
            "ended_at": [at(100), at(300), at(60)],
        }
    )
    assert session_bounds(sessions).rows() == [("r", 1, None, at(150)), ("r", 2, at(150), None), ("s", 1, None, None)]
