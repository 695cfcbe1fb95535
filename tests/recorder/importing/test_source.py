"""Files as users have them: encodings, separators, quotes, lines before the header, and damaged lines."""

import csv
import io
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.importing.source import open_source

HEADER = "member,time,bpm"


def rows_of(path: Path) -> list[tuple[int, list[str], str]]:
    """Read a file: each row's line, cells and fault; readings are rows whose third cell is a number."""
    with open_source(path, {}) as source:
        rows = source.rows(lambda cells: len(cells) == 3 and cells[2].isdigit())
        return [(source.line, list(cells), source.fault) for cells in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_line_ends_are_recognized(
    path: Path, separator: str, encoding: str, ending: str
) -> None:
    lines = [HEADER, "Jürgen Müller,1,70", '"a ""b""",2,71']
    path.write_bytes((ending.join(lines) + ending).replace(",", separator).encode(encoding))
    assert rows_of(path) == [(2, ["Jürgen Müller", "1", "70"], ""), (3, ['a "b"', "2", "71"], "")]


def test_lines_before_the_header_are_passed_over(path: Path) -> None:
    path.write_text("Name,Sport,Date\nAda,RUNNING,24-03-2019\n\nSample rate,Time,HR (bpm)\n1,00:00:00,85\n", "utf-8")
    assert rows_of(path) == [(5, ["1", "00:00:00", "85"], "")]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@settings(max_examples=50)
@given(st.lists(st.tuples(cells, cells, cells.filter(lambda text: not text.isdigit())), max_size=8))
def test_what_a_csv_writer_writes_is_read_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows([HEADER.split(","), *rows])
    path = _scratch / "a.csv"
    path.write_bytes(text.getvalue().encode())
    assert [tuple(found) for _, found, fault in rows_of(path) if not fault] == rows


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _scratch  # noqa: PLW0603 - hypothesis takes no fixture of a function
    _scratch = tmp_path_factory.mktemp("csv")


_scratch = Path()


def test_a_quote_that_is_left_open_takes_no_other_line_with_it(path: Path) -> None:
    lines = [HEADER, 'Ada,1,"70', *(f"Ada,{n},71" for n in range(2, 9000)), '"Ada,9000,72', "Ada,9001,73"]
    path.write_text("\n".join(lines), "utf-8")
    found = rows_of(path)
    assert [line for line, _, fault in found if fault] == [2, 9001]
    assert len(found) == 9001
    assert found[-1] == (9002, ["Ada", "9001", "73"], "")


def test_a_cell_of_more_than_128_kib_takes_no_other_line_with_it(path: Path) -> None:
    path.write_text(f"{HEADER}\nAda,1,{'7' * 2**18}\nAda,2,71\n", "utf-8")
    assert [(line, bool(fault)) for line, _, fault in rows_of(path)] == [(2, True), (3, False)]


def test_a_line_with_too_few_or_too_many_cells_is_named(path: Path) -> None:
    path.write_text(f"{HEADER}\nAda,1\n\nAda,1,70,5\nAda,1,70,,\n", "utf-8")
    faults = [(line, fault) for line, _, fault in rows_of(path)]
    assert faults == [
        (2, "it has 2 cells, and the header 3"),
        (3, ""),
        (4, "it has 4 cells, and the header 3"),
        (5, ""),
    ]


def test_a_parquet_file_gives_its_values_as_texts(tmp_path: Path) -> None:
    path = tmp_path / "a[1].parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'Ada' AS member, TIMESTAMPTZ '2024-01-01 10:00:00.5+00' AS time, 70.0 AS bpm, 1 AS \"x\"\"y\""
            f" UNION ALL SELECT NULL, NULL, NULL, 2) TO '{path}' (FORMAT parquet)"
        )
    assert rows_of(path) == [
        (1, ["Ada", "2024-01-01 10:00:00.5+00", "70.0", ""], ""),
        (2, ["", "", "", ""], ""),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.csv is empty"),
        (b"no table", "a.csv has no column known for time and bpm. Add --time-column and --bpm-column."),
        (b"PAR1 and no more", "is not a whole Parquet file"),
        (bytes(range(256)) * 99, "has no column known for time and bpm"),
    ],
)
def test_what_is_no_table_is_wrong_usage(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        rows_of(path)


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read .*: no such file"):
        rows_of(tmp_path / "none.csv")
