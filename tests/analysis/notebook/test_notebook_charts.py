"""Pictures from a notebook: of which session they are, that they stay small, and that nothing is fetched for them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import pytest
from recordings import START, Reading, at, make_recording, reading, steady

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.notebook.explore import Excerpt, explore
from pulsoid_rec.analysis.notebook.rendering import show_offline
from pulsoid_rec.recorder.contract.errors import UsageError

OF_A_SESSION = ("timeline", "zone_bars", "distribution", "small_multiples")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    rows = [
        *steady("ann", 80, 0, 120),
        *steady("ann", 90, 4000, 4100),
        *steady("bob", 120, 4000, 4100),
        *steady("cid", 100, 2000, 2100, room="r2"),
    ]
    path = make_recording(tmp_path_factory.mktemp("made") / "pulsoid.duckdb", rows)
    path.with_name("members.toml").write_text("[ann]\nhr_max = 150\n[bob]\nhr_max = 160\n", encoding="utf-8")
    return explore(path)


def draw(excerpt: Excerpt, picture: str) -> dict[str, Any]:
    spec: dict[str, Any] = getattr(excerpt, picture)().to_dict()
    return spec


@pytest.mark.slow
@pytest.mark.parametrize("picture", OF_A_SESSION)
def test_picture_is_of_the_last_session_chosen_and_says_so(whole: Excerpt, picture: str) -> None:
    assert draw(whole, picture)["title"]["text"] == "r1, session 2"
    assert draw(whole.only(room="r1", session=1), picture)["title"]["text"] == "r1, session 1"
    assert draw(whole.only(until=at(3000)), picture)["title"]["text"] == "r2, session 1"


def test_picture_of_a_range_shows_that_range_alone(whole: Excerpt) -> None:
    view = whole.only(room="r1", since=at(4010), until=at(4020)).last_session()
    assert (view.started_at, view.ended_at) == (at(4010), at(4019)), "its first and last reading"
    assert view.readings["occurred_at"].min() == at(4010)
    assert view.readings.height == 20


def test_picture_is_of_the_chosen_members_alone(whole: Excerpt) -> None:
    assert whole.only(member="bob").last_session().names == {"bob": "bob"}


def test_history_is_of_one_member_and_asks_which(whole: Excerpt) -> None:
    assert draw(whole.only(member="ann"), "history")["title"]["text"] == "ann"
    with pytest.raises(UsageError, match=r"this excerpt has ann, bob, cid\. Choose one"):
        whole.history()


def test_calendar_has_a_bar_for_each_session(whole: Excerpt) -> None:
    [values] = draw(whole, "calendar")["datasets"].values()
    assert len(json.loads(values)) == 3


def test_renderer_that_somebody_chose_is_kept() -> None:
    before = alt.renderers.active
    try:
        alt.renderers.enable("png")
        show_offline()
        assert alt.renderers.active == "png"
        alt.renderers.enable("default")
        show_offline()
        assert alt.renderers.active == "pulsoid-rec"
    finally:
        alt.renderers.enable(before)


@pytest.mark.slow
def test_pictures_of_forty_members_over_twelve_hours_stay_small(tmp_path: Path) -> None:
    rows = [
        Reading("gym", f"m{member:02}", 60 + (7 * second // 10 + member) % 120, when, when)
        for second in range(0, 12 * 3600, 20)
        for when in [START + timedelta(seconds=second)]
        for member in range(40)
    ]
    path = make_recording(tmp_path / "pulsoid.duckdb", rows)
    (tmp_path / "members.toml").write_text(
        "\n".join(f"[m{member:02}]\nhr_max = {170 + member}" for member in range(40)), encoding="utf-8"
    )
    whole = explore(path, definitions=Definitions(max_hold_s=30))
    assert whole.readings().select(pl.len()).collect().item() == 40 * 2160
    for picture in OF_A_SESSION:
        assert 1_000 < len(json.dumps(draw(whole, picture))) < 3_000_000, picture


@pytest.mark.slow
def test_session_of_one_reading_can_be_drawn(tmp_path: Path) -> None:
    whole = explore(make_recording(tmp_path / "pulsoid.duckdb", [reading(0, 80)]))
    for picture in OF_A_SESSION:
        assert draw(whole, picture)["title"]["text"] == "r1, session 1"
