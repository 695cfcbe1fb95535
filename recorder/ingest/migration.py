"""Bring a recording of version 1 up to today's tables: all at once or not at all."""

import logging
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.tables import SCHEMA_VERSION, SCHEMA_VERSIONS
from pulsoid_rec.recorder.contract.version_1 import ADDED, CHANGED, select_as_current

log = logging.getLogger(__name__)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Migrate the file at `path`, which is in use, in one transaction; whoever fails or dies in it leaves version 1.

    Rows keep their order, and readings are not touched. Tables with other columns are copied, since DuckDB adds columns
    only at the end: for a moment the file holds them twice.
    """
    log.info("The tables of %s are brought to version %d; a large file takes a minute.", path, SCHEMA_VERSION)
    connection.execute("BEGIN")
    for table in CHANGED:
        new = replace(table, name=f"new_{table.name}")
        connection.execute(new.ddl)
        connection.execute(f"INSERT INTO {new.name} {select_as_current(table, table.name)}")
        connection.execute(f"DROP TABLE {table.name}")
        connection.execute(f"ALTER TABLE {new.name} RENAME TO {table.name}")
    for table in ADDED:
        connection.execute(table.ddl)
    note_version(connection)
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")  # rather than at each opening, from the WAL


def note_version(connection: duckdb.DuckDBPyConnection) -> None:
    """Note in the file that its tables have today's version."""
    connection.execute(
        f"INSERT INTO {SCHEMA_VERSIONS.name} VALUES (?, now(), ?)", [SCHEMA_VERSION, version("pulsoid-rec")]
    )
