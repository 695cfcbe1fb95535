"""A page that goes to others names no profile id of a member with a name, and no file; and gives its licenses."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import vl_convert
from command import run_here
from recordings import at, make_recording, steady

from pulsoid_rec.analysis.notebook.explore import explore

pytestmark = pytest.mark.process  # the scripts of a page are put together by another process

IDS = [f"{letter}0c9c1e{letter}-6f0b-4a53-9a52-2d5a0c7c3d1{letter}" for letter in "abcd"]
UNNAMED = "e0c9c1ee-6f0b-4a53-9a52-2d5a0c7c3d1e"
SLIP = IDS[0].upper()[:-1] + "F"


def recording(folder: Path, sessions: int) -> Path:
    """Record three with names and one without; the fourth with a name sends no reading, and another id is a slip."""
    rows = [
        row
        for number in range(sessions)
        for place, id_ in enumerate([*IDS[:3], UNNAMED])
        for row in steady(id_, 80 + 10 * place, 2000 * number + place, 2000 * number + (1500 if number == 0 else 20))
        if not (number == 0 and id_ == IDS[0] and at(300) < row[3] < at(500))
    ]
    config = '{"name": "%s"}'
    events: list[tuple[str | datetime | None, ...]] = [
        ("room-of-secrets", id_, "updated", config % name, at(100), at(100), "c1")
        for id_, name in zip(IDS[1:], ("Bo", "Cy", "Di"), strict=True)
    ]
    events += [("room-of-secrets", id_, "removed", None, at(600), at(600), "c1") for id_ in (IDS[1], IDS[3])]
    path = make_recording(
        folder / "file-of-secrets.duckdb",
        [row._replace(room_id="room-of-secrets") for row in rows],
        member_events=events,
        room_events=[("room-of-secrets", config % "Gym", at(0), at(0), "c1")],
    )
    members = "".join(f"[{id_}]\nhr_max = 160\n" for id_ in (*IDS[1:], UNNAMED, SLIP))
    (folder / "members.toml").write_text(f'[{IDS[0]}]\nname = "Ann"\nhr_max = 150\n{members}', encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sessions", "choice"),
    [(1, ()), (3, ("--session", "all", "--room", "room-of-secrets")), (70, ("--session", "all"))],
)
def test_no_byte_of_a_page_has_an_id_of_who_has_a_name_nor_a_path(
    tmp_path: Path, sessions: int, choice: tuple[str, ...]
) -> None:
    page = tmp_path / "page.html"
    done = run_here("report", "--db", recording(tmp_path, sessions), *choice, "-o", page)
    assert done.returncode == 0, done.stderr
    assert (SLIP in done.stderr) == ("--room" not in choice), "whoever makes the page sees it"
    html = page.read_bytes().lower()
    assert all(name in html for name in (b"ann", b"bo", b"cy", b"gym"))
    for secret in (*(id_[:8] for id_ in IDS), UNNAMED, SLIP[:13], "file-of-secrets", "room-of-secrets", str(tmp_path)):
        assert secret.lower().encode() not in html, secret
    assert UNNAMED[:8].encode() in html, "who has no name goes by the beginning of the id"


@pytest.mark.slow
def test_charts_of_a_notebook_have_no_id_of_who_has_a_name(tmp_path: Path) -> None:
    excerpt = explore(recording(tmp_path, 2))
    charts = [getattr(excerpt, name)() for name in ("timeline", "zone_bars", "distribution", "small_multiples")]
    charts.append(excerpt.only(member="Ann").history())
    for chart in charts:
        text = chart.to_json()
        assert "Ann" in text
        assert not [id_ for id_ in (*IDS, UNNAMED) if id_ in text]


def test_a_page_gives_the_licenses_of_the_versions_that_it_contains(tmp_path: Path) -> None:
    """When vl-convert bundles others, see which ones, and bring the list up to date."""
    page = tmp_path / "page.html"
    run_here("report", "--db", recording(tmp_path, 1), "-o", page)
    html = page.read_text(encoding="utf-8")
    for program in (
        f"Vega {vl_convert.get_vega_version()}",
        f"Vega-Lite {latest(vl_convert.get_vegalite_versions())}.",
        f"Vega-Embed {vl_convert.get_vega_embed_version()}",
        f"vega-themes {vl_convert.get_vega_themes_version()}",
    ):
        assert program in html
    for text in ("University of Washington Interactive Data Lab", "Mike Bostock", "THIS SOFTWARE IS PROVIDED BY THE"):
        assert text in html
    empty = run_here("report", "--db", make_recording(tmp_path / "empty.duckdb"), "--format", "html").stdout
    assert "Bostock" not in empty, "a page without charts contains no programs"


def latest(versions: list[str]) -> str:
    return max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
