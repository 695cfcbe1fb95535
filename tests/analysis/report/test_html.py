"""The report is one file that asks no network, holds hostile names harmlessly, and draws itself in a browser."""

import base64
import hashlib
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from report_samples import INSTANT, READINGS, START, crowd, readings_of, report_of

from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.findings.season import REMARK
from pulsoid_rec.analysis.reading.rejected import REJECTED
from pulsoid_rec.analysis.report.html import render_report
from pulsoid_rec.analysis.report.html_charts import history_charts

pytestmark = pytest.mark.process  # the scripts of a page are put together by another process

HOSTILE = [
    "<script>document.documentElement.dataset.hacked = 1</script>",
    "</script><script>document.documentElement.dataset.hacked = 1</script>",
    '<!--<script>\n\\": now(), "title',
    "]]>--></style></title><b>bold",
    "<img src=x onerror='document.documentElement.dataset.hacked = 1'>",
    "\"'`${document.documentElement.dataset.hacked = 1}{{ 7 * 7 }}{% raw %}\\",
]
SHOWN = [name.replace("\n", "\ufffd") for name in HOSTILE]
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """The page as a browser takes it apart: tags with their attributes, and the text of each element."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def text_of(self, tag: str) -> list[str]:
        return [text.strip() for within, text in self.texts if within == tag and text.strip()]

    @property
    def scripts(self) -> list[str]:
        return [text for within, text in self.texts if within == "script"]

    @property
    def policy(self) -> str:
        (policy,) = [a["content"] for t, a in self.tags if t == "meta" and "http-equiv" in a]
        return policy or ""


def hostile_report() -> ReportData:
    series = {f"p{i}": [(float(s), 80 + i + s % 9) for s in range(120)] for i in range(len(HOSTILE))}
    return report_of(
        readings_of(series, names={f"p{i}": name for i, name in enumerate(HOSTILE)}),
        rooms={"room": HOSTILE[1]},
        hr_max={f"p{i}": 190.0 for i in range(3)},
        member_events=[("p0", "removed", 60), (HOSTILE[1], "updated", 60)],
    )


def sessions(count: int) -> ReportData:
    parts = [
        readings_of({m: [(9000.0 * n + s, 80 + n + s % 5) for s in range(90)] for m in ("a", "b")}, session=n + 1)
        for n in range(count)
    ]
    return report_of(pl.concat(parts))


def season(count: int, rooms: int = 1, members: int = 2) -> ReportData:
    """Make sessions of ten readings a member, a week and an hour apart, round about in the rooms."""
    grid = pl.DataFrame({"n": pl.int_range(count, eager=True)})
    grid = grid.join(pl.DataFrame({"m": pl.int_range(members, eager=True)}), how="cross")
    grid = grid.join(pl.DataFrame({"s": pl.int_range(10, eager=True)}), how="cross")
    n, m = pl.col("n"), pl.col("m")
    readings = grid.select(
        room_id=pl.format("room{}", n % rooms),
        session=n // rooms + 1,
        profile_id=pl.format("p{}", m),
        name=pl.lit(HOSTILE[0]),
        occurred_at=(at := (pl.lit(START) + pl.duration(hours=6 * n, seconds="s")).cast(INSTANT)),
        received_at=at,
        bpm=80 + (m + n + pl.col("s")) % 40,
        plausible=pl.lit(value=True),
    ).cast(READINGS)
    return report_of(readings.sort("room_id", "session", "profile_id", "occurred_at"))


REPORTS: dict[str, Callable[[], ReportData]] = {
    "hostile names": hostile_report,
    "no session": lambda: report_of(readings_of({})),
    "one reading": lambda: report_of(readings_of({"a": [(0.0, 80)]})),
    "one member": lambda: report_of(readings_of({"a": [(float(s), 80 + s % 9) for s in range(180)]})),
    "all zeros": lambda: report_of(readings_of({"a": [(float(s), 0) for s in range(180)], "b": [(0.0, 0)]})),
    "one of zeros": lambda: report_of(
        readings_of({"a": [(float(s), 0) for s in range(180)], "b": [(float(s), 80 + s % 9) for s in range(180)]}),
        hr_max={"b": 180.0},
    ),
    "several sessions": lambda: sessions(4),
    "forty members": lambda: crowd(40, 600),
    "a season": lambda: season(130, rooms=2),
}
every_report = pytest.mark.parametrize("name", REPORTS)


@cache
def rendered(name: str) -> str:
    return render_report(REPORTS[name](), UTC)


@every_report
def test_the_page_is_whole_and_refers_to_nothing_outside(name: str) -> None:
    html = rendered(name)
    page = Page(html)
    assert page.open == []
    assert page.unbalanced == []
    for tag, attributes in page.tags:
        for attribute in ("src", "href", "srcset", "action", "data", "poster", "background", "ping"):
            value = attributes.get(attribute)
            assert value is None or value.startswith(("#", "data:")), (tag, attribute, value)
        assert tag not in {"iframe", "object", "embed", "base", "form", "img", "audio", "video"}
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
    style = "".join(text for within, text in page.texts if within == "style")
    assert "url(" not in style
    assert "@import" not in style
    assert page.policy.startswith("default-src 'none'; script-src ")
    assert "unsafe-eval" not in page.policy


@every_report
def test_only_our_scripts_may_run(name: str) -> None:
    page = Page(rendered(name))
    code = [
        text for (tag, a), text in zip([t for t in page.tags if t[0] == "script"], page.scripts, strict=True) if not a
    ]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in code]
    allowed = re.search(r"script-src ([^;]*);", page.policy)
    assert allowed
    assert allowed[1].split() == (hashes or ["'none'"])


def test_hostile_names_are_just_names() -> None:
    html = rendered("hostile names")
    page = Page(html)
    assert page.text_of("h1") == [HOSTILE[1]]
    assert sorted(page.text_of("h4")) == sorted(SHOWN)
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert not [tag for tag, _ in page.tags if tag in {"img", "b"} and tag != "b"]
    assert sum(tag == "b" for tag, _ in page.tags) == 1, "the hours alone are bold"


def test_hostile_names_in_the_charts_data_are_text_too() -> None:
    html = rendered("hostile names")
    (data,) = [text for text in Page(html).scripts if text.lstrip().startswith("{")]
    assert "<" not in data
    charts = json.loads(data)
    names = {
        row["name"]
        for chart in charts["charts"]
        for rows in chart["datasets"].values()
        for row in rows
        if "name" in row
    }
    assert names == set(SHOWN)
    assert all(name in json.dumps(charts["specs"]) for name in [json.dumps(HOSTILE[0])[1:-1]])


def test_notes_stand_before_the_charts_with_names_escaped() -> None:
    html = rendered("hostile names")
    assert html.index("left the room at 13:01:00") < html.index('class="chart"')
    assert "<bdi>&lt;script&gt;document.documentElement.dataset.hacked = 1&lt;/script&gt;</bdi>: left the room" in html


def test_names_from_right_to_left_do_not_turn_the_numbers_behind_them() -> None:
    name, zeros = "\u0639\u0644\u06cc", [(float(s), 0) for s in range(9)]
    html = render_report(report_of(readings_of({name: [*zeros, (9.0, 80), (12.0, 80)], "ada": [(0.0, 80)]})))
    assert f"<bdi>{name}</bdi>: 9 readings of 0 bpm" in html
    assert f"<bdi>{name}</bdi> <small>" in html
    assert json.dumps(f"\u2068{name}\u2069 \u00b7 100 %") in html


def test_histories_name_rooms_not_their_ids_unless_two_have_one_name() -> None:
    readings = [readings_of({"ada": [(0.0, 80), (3.0, 80)]}, room_id=room) for room in ("id-1", "id-2")]
    for other, shown in (("Track", "Gym"), ("Gym", "id-1")):
        charts = history_charts(report_of(pl.concat(readings), rooms={"id-1": "Gym", "id-2": other}), UTC)
        text = str([(chart.spec, chart.drawing.datasets) for chart in charts])
        assert {name for name in ("Gym", "id-1") if name in text} == {shown}


def test_figures_have_coverage_beside_them_and_a_reason_for_each_dash() -> None:
    report = report_of(
        readings_of({"a": [(float(s), 80) for s in range(200) if not 50 < s < 100], "b": [(0.0, 0), (60.0, 0)]})
    )
    page = Page(render_report(report, UTC))
    cells = page.text_of("td")
    assert cells.count("77 %") == 3
    assert "no plausible reading" in page.text_of("li")
    assert "HRmax is unknown: give hr_max or birth_year in members.toml" in page.text_of("li")
    assert any(text.startswith("Unknown for all members, since") for text in page.text_of("p"))


def test_times_are_those_of_the_place() -> None:
    html = render_report(REPORTS["one member"](), timezone(timedelta(hours=-3, minutes=-30)))
    assert "Wednesday 4 March 2026" in html
    assert "09:30:00 to 09:32:59" in html
    assert "UTC-03:30" in html
    assert "began 2026-03-04 13:00:00 UTC" in html


def test_not_a_number_is_a_dash() -> None:
    full = REPORTS["one member"]()
    broken = full.summary.with_columns(bpm_mean=pl.lit(math.nan), bpm_sd=pl.lit(math.nan))
    report = ReportData(**{name: getattr(full, name) for name in full.__dataclass_fields__} | {"summary": broken})
    assert "nan" not in re.sub(r"<script.*?</script>", "", render_report(report, UTC), flags=re.DOTALL).lower()


def test_several_sessions_are_listed_and_each_is_there() -> None:
    page = Page(render_report(sessions(4), UTC))
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert links == ["#s0", "#s1", "#s2", "#s3"]
    assert [a["id"] for tag, a in page.tags if tag == "article"] == ["s0", "s1", "s2", "s3"]


def test_a_session_that_is_not_there_is_said_in_words() -> None:
    page = Page(render_report(report_of(readings_of({})), UTC))
    assert page.text_of("h1") == ["No session"]
    assert page.scripts == []


@pytest.mark.slow
def test_twelve_hours_of_forty_members_are_five_megabytes_at_most() -> None:
    html = render_report(crowd(40, 12 * 3600), UTC)
    assert len(html.encode()) <= 5_000_000
    assert sum('"chart"' in line for line in html.splitlines()) == 43


@pytest.mark.slow
def test_a_thousand_members_of_many_sessions_stay_small() -> None:
    parts = [crowd(50, 400).readings.with_columns(session=pl.lit(n, pl.Int64)) for n in range(1, 21)]
    moved = [rows.with_columns(pl.col("occurred_at") + timedelta(hours=n)) for n, rows in enumerate(parts)]
    assert len(render_report(report_of(pl.concat(moved)), UTC).encode()) <= 5_000_000


def test_a_season_has_a_row_for_each_session_and_names_the_way_to_one() -> None:
    page = Page(rendered("a season"))
    assert "article" not in {tag for tag, _ in page.tags}
    rows = page.text_of("th")
    assert [rows.count(str(number)) for number in (1, 65, 66)] == [2, 2, 0]
    (remark,) = [text for text in page.text_of("li") if "--session N" in text]
    assert remark == REMARK
    assert any(text == "130 sessions" for text in page.text_of("p"))


def test_rejected_messages_stand_in_the_row_of_their_session_of_a_season() -> None:
    report = season(130)
    of_one = {"room_id": "room0", "session": 7, "messages": 1234, "reason": "it is not JSON", "of_reason": 1234}
    rejected = pl.DataFrame([{**of_one, "first_at": START, "last_at": START}], schema=REJECTED)
    page = Page(render_report(replace(report, rejected=rejected), UTC))
    assert "Rejected" in page.text_of("th")
    assert "1,234" in page.text_of("td")


def test_charts_of_one_shape_have_one_specification() -> None:
    (data,) = [text for text in Page(rendered("several sessions")).scripts if text.lstrip().startswith("{")]
    charts = json.loads(data)
    of_sessions = [chart["spec"] for chart in charts["charts"] if re.fullmatch(r"s\d+-.*", chart["id"])]
    assert len(of_sessions) == 4 * 4
    assert len(set(of_sessions)) == 3, "over time, each member, distribution"


@pytest.mark.slow
def test_three_thousand_sessions_and_twenty_thousand_members_are_five_megabytes_at_most() -> None:
    assert len(render_report(season(3000, rooms=3), UTC).encode()) <= 5_000_000
    html = render_report(season(1, members=20_000), UTC)
    assert len(html.encode()) <= 5_000_000
    assert "Of 20,000 members those 500 are shown by name" in html
    assert len(render_report(season(60, members=400), UTC).encode()) <= 5_000_000


def looked_at(html: str, folder: Path) -> tuple[str, list[str]]:
    """Give the page as Chromium has it once drawn, without its scripts, and what it said on its console."""
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")))
    browser = next(found, None)
    if browser is None:
        pytest.skip("no Chromium is installed to look at the page with")
    page = folder / "report.html"
    page.write_text(html, encoding="utf-8")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    ended = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            *quiet,
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=60000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    drawn = re.sub(r"<script.*?</script>", "", ended.stdout, flags=re.DOTALL)
    return drawn, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("name", [name for name in REPORTS if name not in {"no session", "one member", "all zeros"}])
def test_a_browser_draws_every_chart_and_complains_of_nothing(name: str, tmp_path: Path) -> None:
    html = rendered(name)
    drawn, said = looked_at(html, tmp_path)
    assert said == []
    charts = html.count('class="chart" id=')
    assert drawn.count("<svg") == charts
    root = drawn[: drawn.index("<head>")]
    assert (f'data-drawn="{charts}"' in root) == bool(charts)
    assert "data-hacked" not in root


def test_a_browser_leaves_gaps_open(tmp_path: Path) -> None:
    series = [(float(s), 80 + s % 9) for s in range(300) if s < 100 or 120 < s < 200 or s == 210 or s > 230]
    drawn, _ = looked_at(render_report(report_of(readings_of({"a": series})), UTC), tmp_path)
    line = max(re.findall(r'<path[^>]* d="(M[^"]*)"', drawn), key=len)
    assert line.count("M") == 4
    assert re.search(r"M[\d.]+,[\d.]+Z", line), "a reading alone between two gaps is a dot"


def test_a_browser_runs_no_script_that_is_not_ours(tmp_path: Path) -> None:
    html = rendered("one member")
    slipped = html.replace("</body>", "<script>document.documentElement.dataset.hacked = 1</script></body>")
    drawn, said = looked_at(slipped, tmp_path)
    assert "data-hacked" not in drawn[: drawn.index("<head>")]
    assert any("Content Security Policy" in line for line in said)
