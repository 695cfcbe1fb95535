"""The tables for people: as many columns as fit, nothing cut off, nothing a terminal would obey."""

import io
from datetime import UTC, tzinfo
from pathlib import Path

import polars as pl
import pytest
from recordings import at, make_recording, reading, steady
from report_samples import readings_of
from report_samples import report_of as sample_of
from rich.cells import cell_len
from rich.console import Console

from pulsoid_rec.analysis.findings.report_data import ReportData, read_report
from pulsoid_rec.analysis.findings.season import MOST_SESSIONS
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.members import SCHEMA as MEMBERS
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.report.terminal import plain_text, show_report, show_sessions
from pulsoid_rec.analysis.report.terminal_columns import TableColumn, zone_bars
from pulsoid_rec.analysis.report.text_table import FittingTable

ZONES = [f"zone{zone}_s" for zone in range(6)]


def report_of(path: Path, *people: tuple[str, str, float | None]) -> ReportData:
    rows = [reading(second, 100 + second % 60, id_) for id_, _, _ in people for second in range(0, 1200, 2)]
    rows += [reading(second, 0, "zero") for second in range(10)]
    rows += steady("later", 80, 9000, 9100)
    members = pl.DataFrame([(id_, name, None, None, top, None) for id_, name, top in people], MEMBERS, orient="row")
    recording = Recording(make_recording(path / "a.duckdb", rows))
    return read_report(recording, Filter(), members, Definitions(), at_most=10**6)


def report_text(report: ReportData, zone: tzinfo) -> str:
    return plain_text(lambda console: show_report(report, console, zone))


def shown(report: ReportData, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=True, color_system="standard")
    show_report(report, console, UTC)
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_every_width_shows_whole_columns_and_never_wraps(tmp_path: Path, width: int) -> None:
    report = report_of(tmp_path, ("a", "Ann", 190.0), ("b", "Bartholomew the very long-named indeed", None))
    console = Console(file=io.StringIO(), width=width, highlight=False, no_color=True)
    show_report(report, console, UTC)
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = file.getvalue().splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) <= width
    line = next(index for index, line in enumerate(lines) if "Member" in line)
    heads = [*lines[line - 1].split(), *lines[line].split()]
    ann = next(line for line in lines if line.startswith(" Ann"))
    assert "129.0" in ann  # the mean stays the longest
    assert ("Banister" in heads) is False  # nobody's rest and sex are known
    assert ("Floor" in heads) == (width >= 100)
    assert "…" not in ann


def test_no_column_is_cut_off_where_the_totals_are_the_widest(tmp_path: Path) -> None:
    report = report_of(tmp_path, *((f"id{number}", f"Ann{number}", 190.0) for number in range(9)))
    for width in range(40, 161, 3):
        text = shown(report, width)
        assert "10 members" in text
        assert "…" not in text, width


def test_wider_terminals_show_more(tmp_path: Path) -> None:
    report = report_of(tmp_path, ("a", "Ann", 190.0))
    counts = [
        len(next(line for line in shown(report, w).splitlines() if "Member" in line).split()) for w in (60, 100, 200)
    ]
    assert counts == sorted(set(counts))


def test_unknown_is_a_dash_and_members_are_by_name(tmp_path: Path) -> None:
    text = report_text(report_of(tmp_path, ("1", "Zoe", None), ("2", "Ann", 190.0)), UTC)
    rows = [line.split() for line in text.splitlines()]
    names = [row[0] for row in rows if row and row[0] in {"Ann", "Zoe", "zero"}]
    assert names == ["Ann", "Zoe", "zero"]
    zero = next(row for row in rows if row and row[0] == "zero")
    assert zero.count("—") == len(zero) - 3  # its name, no readings, no gaps


def test_sessions_have_headings_in_local_time(tmp_path: Path) -> None:
    text = report_text(report_of(tmp_path, ("1", "Ann", None)), UTC)
    assert "r1, session 1\n Sun 2026-03-01 18:00:00 to 18:19:58 (UTC), 19 min 58 s\n" in text
    assert "r1, session 2\n Sun 2026-03-01 20:30:00 to 20:31:39 (UTC), 1 min 39 s\n" in text
    assert "HRmax is unknown for all members" in text


def test_zone_bars_show_every_zone_that_has_any_time() -> None:
    row = dict(zip(ZONES, [0.0, 0.5, 500.0, 1000.0, 1.0, 0.0], strict=True))
    assert str(zone_bars(row, "utf-8")) == "·▁▄█▁·"
    assert str(zone_bars(row, "ascii")) == "_.=@._"
    assert zone_bars(dict.fromkeys(ZONES), "utf-8") is None
    assert zone_bars(dict.fromkeys(ZONES, 0.0), "utf-8") is None


@pytest.mark.parametrize("width", [40, 60, 120])
def test_sessions_fit_too(width: int) -> None:
    frame = pl.DataFrame(
        {"room_id": ["a-room-with-quite-a-long-id"], "session": [12], "started_at": [at(0)]}
    ).with_columns(
        ended_at=pl.lit(at(90_000)), duration_s=90_000.0, members=3, readings=1_000_000, untimely=0, rejected=0
    )
    console = Console(file=io.StringIO(), width=width, highlight=False, no_color=True)
    show_sessions(frame, console, UTC)
    file = console.file
    assert isinstance(file, io.StringIO)
    text = file.getvalue()
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= width
    assert "12" in text
    assert ("2026-03-02 19:00:00" in text) == (width == 120)


def test_nothing_is_written_as_nothing(tmp_path: Path) -> None:
    report = read_report(
        Recording(make_recording(tmp_path / "a.duckdb")),
        Filter(),
        pl.DataFrame(schema=MEMBERS),
        Definitions(),
        at_most=9,
    )
    assert report_text(report, UTC) == ""
    assert plain_text(lambda console: show_sessions(report.sessions, console)) == ""


def test_a_season_is_a_line_a_session_and_a_line_a_member() -> None:
    count = MOST_SESSIONS + 1
    parts = [
        readings_of({id_: [(9000.0 * n + s, 80 + s) for s in range(9)] for id_ in ("ada", "bob")}, session=n + 1)
        for n in range(count)
    ]
    lines = report_text(sample_of(pl.concat(parts)), UTC).splitlines()
    begun = [line.split()[:4] for line in lines if line.startswith(" room ")]
    assert [number for _, number, *_ in begun] == [str(number + 1) for number in range(count)]
    assert begun[1][2:] == ["2026-03-04", "15:30:00"]
    (ada,) = [line.split() for line in lines if line.startswith(" ada ")]
    assert ada[1] == str(count)
    assert "--session N" in " ".join(lines)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_table_is_as_wide_as_its_longest_cells_and_cuts_off_nothing_but_labels(encoding: str) -> None:
    rows = pl.DataFrame({"name": ["Zo\u00eb", "\u65e5\u672c\u8a9e", "x" * 60], "beats": ["1", "22,222", ""]})
    label = TableColumn(unit="Member", cell=lambda row, _: row["name"], justify="left", total="3 members")
    beats = TableColumn(head="Beats", unit="bpm", cell=lambda row, _: row["beats"])
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    console = Console(file=file, width=60, highlight=False)
    with console.capture() as capture:
        console.print(FittingTable(label, [beats], rows))
    lines = capture.get().splitlines()
    assert {cell_len(line) for line in lines if line.strip()} == {25}
    assert lines[2] == " Member              bpm "
    assert lines[3] == " " + ("-" if encoding == "ascii" else "\u2500") * 24
    assert lines[5] == " \u65e5\u672c\u8a9e           22,222 "
    assert lines[6] == f" {'x' * 14}\u2026       \u2014 "
    assert lines[8] == " 3 members               "
