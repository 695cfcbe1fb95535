"""Checks whether a file of an archive is what its path says, by its metadata and statistics: no rows are read."""

import re
from collections.abc import Iterator, Mapping, Sequence

import duckdb

from pulsoid_rec.recorder.contract.archive_files import METADATA_PREFIX, ArchiveFile, parse_archive_path, table_of

_TYPES = {"JSON": "VARCHAR", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
_SAME_AS_PATH = ("table", "day")
_IN_RANGE = re.compile(r"\d{4}-\d\d-\d\d [\d:.+]+")  # the years 1 to 9999


def find_faults(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find files that are damaged, or lack the table, day and columns that their paths say.

    `paths` are as `read_parquet` has to be given them; the time zone of `connection` is UTC. Yields the path of each
    such file, and what is wrong with it, such as `lacks the column ...`.
    """
    try:
        columns = connection.execute(
            "SELECT file_name, map(list(name), list([duckdb_type, repetition_type])) FROM parquet_schema(?)"
            " WHERE duckdb_type IS NOT NULL GROUP BY ALL",
            [paths],
        ).fetchall()
        metadata = connection.execute(
            "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata(?)", [paths]
        ).fetchall()
        statistics = connection.execute(
            "SELECT file_name, path_in_schema, bool_or(stats_null_count IS DISTINCT FROM 0),"
            " list(stats_min_value) FILTER (type = 'INT64'), list(stats_max_value) FILTER (type = 'INT64')"
            " FROM parquet_metadata(?) GROUP BY ALL",
            [paths],
        ).fetchall()
    except duckdb.Error as error:
        if len(paths) == 1:
            yield paths[0], f"is damaged: {str(error).splitlines()[0]}"
            return
        for path in paths:
            yield from find_faults(connection, [path])  # which one it is
        return
    values = {(name, key): value for name, key, value in metadata}
    of_rows: dict[str, dict[str, tuple[bool, list[str | None]]]] = {}
    for name, column, may_be_null, lowest, highest in statistics:
        of_rows.setdefault(name, {})[column] = may_be_null, [*(lowest or ()), *(highest or ())]
    for name, found in columns:
        file = _file_of(name)
        says = {key: values.get((name, METADATA_PREFIX + key)) for key in _SAME_AS_PATH}
        fault = _find_fault(file, found, says) or _find_fault_of_rows(file, of_rows.get(name, {}))
        if fault is not None:
            yield name, fault


def _find_fault(file: ArchiveFile, columns: Mapping[str, Sequence[str]], says: Mapping[str, str | None]) -> str | None:
    """Return what is wrong with a file by its columns (their types, and whether they may be null) and its metadata."""
    expected = {column.name: _TYPES.get(column.type, column.type) for column in table_of(file).columns}
    # A later program may have added columns that may be null.
    found = {name: type_ for name, (type_, kind) in columns.items() if name in expected or kind != "OPTIONAL"}
    for which, odd in (("has a", found.items() - expected.items()), ("lacks the", expected.items() - found.items())):
        if odd:
            return f"{which} column {' '.join(min(odd))}, unlike the table {file.table}"
    for key, value in zip(_SAME_AS_PATH, (file.table, file.day.isoformat()), strict=True):
        if says[key] != value:
            return f"is of the {key} {says[key]}, by its metadata" if says[key] else f"has no {key} in its metadata"
    return None


def _find_fault_of_rows(file: ArchiveFile, statistics: Mapping[str, tuple[bool, list[str | None]]]) -> str | None:
    """Return what is wrong with the rows of a file, by whether a column may have nulls, and its lowest and highest."""
    table = table_of(file)
    for column in table.columns if statistics else ():  # a file without rows has none
        may_be_null, ends = statistics[column.name]
        if may_be_null and not column.null:
            return f"has rows without a value of {column.name}, or no count of them"
        known = [end for end in ends if end is not None]
        if column.name == table.time_column:
            if others := [end[:10] for end in known if not end.startswith(file.day.isoformat())]:
                return f"has rows of {others[0]}"
        elif column.type == "TIMESTAMPTZ" and (odd := [end for end in known if not _IN_RANGE.fullmatch(end)]):
            return f"has {odd[0]} as a value of {column.name}"
    return None


def _file_of(path: str) -> ArchiveFile:
    """Return what the end of a path says."""
    file = parse_archive_path("/".join(path.replace("\\", "/").split("/")[-4:]))
    assert file is not None, "only such files are listed"
    return file
