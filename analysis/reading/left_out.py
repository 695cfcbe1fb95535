"""Rows of members that a database has forgotten, in files of its archive that it has no notes of: they are left out.

Such files are of other databases, or were put back from a backup. Noted files have no row of theirs.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.forgotten import Forgotten, key_path, read_forgotten
from pulsoid_rec.recorder.contract.paths import sql_literal
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MARKS, MEMBER_EVENTS, Table

_RECEIPTS = {HEART_RATE: "received_at", MEMBER_EVENTS: "received_at", MARKS: "marked_at"}


def note_forgotten(connection: duckdb.DuckDBPyConnection, warn: Callable[[str], None]) -> None:
    """Note for `left_out_sql` whom an open database has forgotten; warn if the key is missing that tells."""
    [(path,)] = connection.execute("SELECT any_value(path) FROM duckdb_databases() WHERE NOT internal").fetchall()
    forgotten = read_forgotten(connection, Path(path)) if path else Forgotten()
    if forgotten and forgotten.key is None:
        warn(f"{key_path(Path(path))} is missing: rows of forgotten members in files of others cannot be left out")
    elif forgotten:
        assert forgotten.key is not None
        noted = json.dumps([forgotten.key.hex(), forgotten.until_us])
        connection.execute("SET VARIABLE forgotten = ?", [noted])


def left_out_sql(connection: duckdb.DuckDBPyConnection, table: Table, paths: Sequence[str]) -> str:
    """Return the SQL condition for the rows of some files that are left out; an empty text if none are."""
    [(noted,)] = connection.execute("SELECT getvariable('forgotten')").fetchall()
    if noted is None or table not in _RECEIPTS or not paths:
        return ""
    key, until_us = json.loads(noted)
    forgotten = Forgotten(until_us, bytes.fromhex(key))
    ids = "SELECT DISTINCT profile_id FROM read_parquet(?, hive_partitioning = false) WHERE profile_id IS NOT NULL"
    found = [
        f"(profile_id = {sql_literal(each)} AND {_RECEIPTS[table]} <= make_timestamptz({until}))"
        for (each,) in connection.execute(ids, [list(paths)]).fetchall()
        if (until := forgotten.until(each)) is not None
    ]
    return " OR ".join(found)
