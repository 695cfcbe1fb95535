"""Bring a recording of version 1 up to today's tables: all at once or not at all."""

import logging
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.tables import ADDED_LATER, SCHEMA_VERSION, SCHEMA_VERSIONS
from pulsoid_rec.recorder.contract.version_1 import ADDED, CHANGED, parts_of, select_as_current

NAME = "recording"
"""The name under which a file is attached."""

SCHEMA = f"{NAME}.main."

log = logging.getLogger(__name__)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Migrate the attached file in one transaction: after an error or a crash in it the file has version 1 still.

    Rows keep their order, and readings are not touched. Tables with other columns are copied, since DuckDB adds columns
    only at the end; meanwhile the file holds both copies.
    """
    log.info("%s: migrating its tables to version %d. This takes about 10 s per million events.", path, SCHEMA_VERSION)
    connection.execute("BEGIN")
    for table in CHANGED:
        new = replace(table, name=f"_migrated_{table.name}")
        connection.execute(new.ddl_in(SCHEMA))
        insert = f"INSERT INTO {new.name} {select_as_current(table, table.name)} WHERE rowid BETWEEN ? AND ?"
        for first_and_last in parts_of(connection, table, table.name):
            connection.execute(insert, first_and_last)
        connection.execute(f"DROP TABLE {table.name}")
        connection.execute(f"ALTER TABLE {new.name} RENAME TO {table.name}")
    for table in (*ADDED, *ADDED_LATER):
        connection.execute(table.ddl_in(SCHEMA))
    note_version(connection)
    connection.execute("COMMIT")
    connection.execute(f"CHECKPOINT {NAME}")  # rather than at each opening, from the WAL


def note_version(connection: duckdb.DuckDBPyConnection) -> None:
    """Note in the file that its tables have today's version."""
    connection.execute(
        f"INSERT INTO {SCHEMA_VERSIONS.name} VALUES (?, now(), ?)", [SCHEMA_VERSION, version("pulsoid-rec")]
    )
