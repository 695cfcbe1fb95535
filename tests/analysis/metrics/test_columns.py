"""A column of the summary is described once, and whoever shows it takes it from there."""

from report_samples import readings_of, report_of

from pulsoid_rec.analysis.metrics.columns import SUMMARY
from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.analysis.report.html_tables import make_tables
from pulsoid_rec.analysis.report.terminal_columns import member_columns

REPORT = report_of(readings_of({"a": [(float(second), 80 + second % 60) for second in range(600)]}))
NEVER_SHOWN = {"room_id", "session", "profile_id", "name", "span_s", "hr_max_source"}


def test_the_schema_is_the_columns_in_their_order() -> None:
    assert list(SCHEMA.items()) == [(column.name, column.type) for column in SUMMARY]
    assert all(column.meaning for column in SUMMARY)


def test_every_column_with_a_head_is_on_the_page_once() -> None:
    heads = [head for table in make_tables(REPORT.summary, str) for head in table.heads]
    beside = [("Member", ""), ("Coverage", "")]
    assert [head for head in heads if head in beside] == 3 * beside
    assert sorted(head for head in heads if head not in beside) == sorted(
        (c.head, c.unit) for c in SUMMARY if c.head and c.name != "coverage"
    )
    assert {column.name for column in SUMMARY if not column.head} == NEVER_SHOWN


def test_every_column_with_a_rank_is_in_the_terminal_unless_nobody_has_it() -> None:
    names = " | ".join(column.head or column.unit for column in member_columns(REPORT.summary))
    assert names == "Observed | Coverage | Readings | Gaps | Mean | SD | Min | Floor | 5 % | Median | 95 % | Peak | Max"
    shown = [column for column in SUMMARY if column.rank is not None and not column.is_optional]
    assert len(shown) == names.count("|") + 1
