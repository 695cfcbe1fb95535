"""Whether a file's tables are those that pulsoid-rec makes: a recording may have come from somebody else.

What SQL a file brings would run as ours: a view in a table's place, a column that is computed, a default, a trigger, or
a macro called `max`. So only DuckDB's own tables are asked here, by their full names, and without functions.
"""

from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.tables import (
    ADDED_LATER,
    INGESTED_SEGMENTS,
    SCHEMA_VERSION,
    SCHEMA_VERSIONS,
    TABLES,
    Table,
)
from pulsoid_rec.recorder.contract.version_1 import ADDED, table_in_version_1

_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


def check_tables(connection: duckdb.DuckDBPyConnection, database: str, path: Path) -> int | None:
    """Check the tables of an open database, and return their version; None if it is not one of pulsoid-rec.

    Those of a newer version are not looked at. Tables that were added later may be missing. The connection, in which
    `database` is the file's name, needs no search path; `path` is for messages. Raises `StorageError` if a table is a
    view, is missing, has a trigger, or other columns than it should.
    """
    made = _describe(connection, database)
    if SCHEMA_VERSIONS.name not in made:
        return None
    _check(SCHEMA_VERSIONS, made, path)
    source = f"{quote_name(database)}.main.{SCHEMA_VERSIONS.name}"
    versions = connection.execute(f"SELECT version FROM {source}").fetchall()
    version: int | None = max((number for (number,) in versions if number is not None), default=None)
    if version is None or version > SCHEMA_VERSION:
        return version
    for table in (*TABLES, INGESTED_SEGMENTS, *ADDED_LATER):
        is_optional = table in ADDED_LATER or (version < SCHEMA_VERSION and table in ADDED)
        if table.name in made or not is_optional:
            _check(table if version == SCHEMA_VERSION else table_in_version_1(table), made, path)
    return version


def require_readable(version: int | None, path: Path, *, hint: str) -> int:
    """Return the version that `check_tables` found; raise `StorageError` if there is none, or a newer one (`hint`)."""
    if version is None:
        raise StorageError(
            f"{path} is a DuckDB file, but not a recording of pulsoid-rec", "Choose another file with --db."
        )
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{path} was written by a newer pulsoid-rec (its tables have version {version}, this program reads up to "
            f"{SCHEMA_VERSION})",
            hint,
        )
    return version


def require_instants(connection: duckdb.DuckDBPyConnection, database: str, path: Path) -> None:
    """Raise `StorageError` if a row has an instant outside the years 1 to 9999, or an endless one; parameters as above.

    Python and polars have no such instants. By statistics of the columns: some 10 ms for ten million readings.
    """
    listed = connection.execute(
        "SELECT table_name, column_name FROM system.main.duckdb_columns()"
        " WHERE database_name = ? AND schema_name = 'main' AND data_type = 'TIMESTAMP WITH TIME ZONE'",
        [database],
    ).fetchall()
    ours = {table.name for table in (*TABLES, *ADDED_LATER)}
    selects = [
        f"(SELECT '{table}', '{column}', \"{column}\"::VARCHAR FROM {quote_name(database)}.main.{table}"
        f" WHERE \"{column}\" < '0001-01-01 00:00:00+00' OR \"{column}\" >= '10000-01-01 00:00:00+00' LIMIT 1)"
        for table, column in listed
        if table in ours
    ]
    for table, column, odd in connection.execute(" UNION ALL ".join(selects)).fetchall():
        raise StorageError(
            f"{path} is not as pulsoid-rec makes it: `{table}` has {odd} as a value of {column}",
            "Only the years 1 to 9999 can be read. Remove such rows with DuckDB, or choose another file with --db.",
        )


def prefer_builtin(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Let a connection take DuckDB's own functions and types before those of the same name in a database."""
    connection.execute("SET search_path = ?", [f"system.main,{quote_name(database)}.main"])


def quote_name(name: str) -> str:
    """Return a name as SQL has it."""
    quoted = name.replace('"', '""')
    return f'"{quoted}"'


def _describe(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, str]:
    """Return the statement that made each table or view, and what else it has, by its name in small letters."""
    made: dict[str, str] = {}
    for source, name, sql in (
        ("tables", "table_name", "sql"),
        ("views", "view_name", "'VIEW'"),
        ("triggers", "table_name", "'TRIGGER'"),
    ):
        listed = f"SELECT database_name, schema_name, {name}, {sql} FROM system.main.duckdb_{source}()"
        for *schema, table, text in connection.execute(listed).fetchall():
            if schema == [database, "main"]:
                made[table.lower()] = text
    return made


def _check(table: Table, made: dict[str, str], path: Path) -> None:
    columns = ", ".join(f"{column.name} {_TYPES.get(column.type, column.type)}" for column in table.columns)
    found = made.get(table.name)
    if found is None:
        fault = "is missing"
    elif found in {"VIEW", "TRIGGER"}:
        fault = f"{'is' if found == 'VIEW' else 'has'} a {found.lower()}"
    # A copy by other tools may have lost what may not be null.
    elif found.replace('"', "").replace(" NOT NULL", "") != f"CREATE TABLE {table.name}({columns});":
        fault = "has other columns, or values that SQL computes"
    else:
        return
    raise StorageError(
        f"{path} is not as pulsoid-rec makes it: `{table.name}` {fault}",
        "Such a file can run SQL of whoever changed it, so it is not used. Choose another with --db.",
    )
