"""Checks whether a file of an archive is what its path says, by its metadata and statistics: no rows are read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb

from pulsoid_rec.recorder.contract.archive_files import METADATA_PREFIX, ArchiveFile, parse_archive_path, table_of

_TYPES = {"JSON": "VARCHAR", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
_SAME_AS_PATH = ("table", "day")


def find_faults(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find files that are damaged, or lack the table, day and columns that their paths say.

    `paths` are as `read_parquet` has to be given them; the time zone of `connection` is UTC. Yields the path of each
    such file, and what is wrong with it, such as `lacks the column ...`.
    """
    try:
        columns = connection.execute(
            "SELECT file_name, list(name || ' ' || duckdb_type) FROM parquet_schema(?) WHERE duckdb_type IS NOT NULL"
            " GROUP BY ALL",
            [paths],
        ).fetchall()
        metadata = connection.execute(
            "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata(?)", [paths]
        ).fetchall()
        ranges = connection.execute(
            "SELECT file_name, path_in_schema, min(stats_min_value), max(stats_max_value) FROM parquet_metadata(?)"
            " WHERE type = 'INT64' GROUP BY ALL",
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
    instants = {(name, column): (first, last) for name, column, first, last in ranges}
    for name, found in columns:
        file = _file_of(name)
        says = {key: values.get((name, METADATA_PREFIX + key)) for key in _SAME_AS_PATH}
        fault = _find_fault(file, found, says, instants.get((name, table_of(file).time_column), ()))
        if fault is not None:
            yield name, fault


def _find_fault(
    file: ArchiveFile, columns: list[str], says: Mapping[str, str | None], instants: Iterable[str | None]
) -> str | None:
    """Return what is wrong with a file, by its columns, its metadata, and the first and last instant of its rows."""
    expected = {f"{column.name} {_TYPES.get(column.type, column.type)}" for column in table_of(file).columns}
    for which, odd in (("has a", set(columns) - expected), ("lacks the", expected - set(columns))):
        if odd:
            return f"{which} column {min(odd)}, unlike the table {file.table}"
    day = file.day.isoformat()
    for key, value in zip(_SAME_AS_PATH, (file.table, day), strict=True):
        if says[key] != value:
            return f"is of the {key} {says[key]}, by its metadata" if says[key] else f"has no {key} in its metadata"
    others = [instant[:10] for instant in instants if instant is not None and not instant.startswith(day)]
    return f"has rows of {others[0]}" if others else None


def _file_of(path: str) -> ArchiveFile:
    """Return what the end of a path says."""
    file = parse_archive_path("/".join(path.replace("\\", "/").split("/")[-4:]))
    assert file is not None, "only such files are listed"
    return file
