"""Take members, or all that is older than a day, out of the database: it is written anew without their rows."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.archiving.parquet import day_us
from pulsoid_rec.recorder.archiving.rewrite import rewrite
from pulsoid_rec.recorder.contract.forgotten import hash_id
from pulsoid_rec.recorder.contract.table_check import quote_name
from pulsoid_rec.recorder.contract.tables import BOOKKEEPING, HEART_RATE, MEMBER_EVENTS, TABLES, Table
from pulsoid_rec.recorder.forgetting.receipts import add_receipts
from pulsoid_rec.recorder.forgetting.rows import SEARCHED, count_in, masked_sql, named_sql, own_sql
from pulsoid_rec.recorder.forgetting.search import Finding, find_bytes
from pulsoid_rec.recorder.forgetting.texts import Texts
from pulsoid_rec.recorder.ingest.migration import NAME, SCHEMA

_DAY_US = 86_400_000_000
_TABLES = f"SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = '{NAME}' AND NOT temporary"


def count_rows(connection: duckdb.DuckDBPyConnection, texts: Texts) -> tuple[Counter[str], Counter[str]]:
    """Return by table how many rows are the members' own, and how many others have their ids in a text."""
    own, named = Counter[str](), Counter[str]()
    for table in _searched(connection):
        own[table.name], named[table.name] = count_in(connection, table, f"{SCHEMA}{table.name}", texts)
    return own, named


def forget_rows(
    database: Path, texts: Texts, key: bytes, removed: Counter[str], clean_files: Callable[[], Mapping[str, int]]
) -> tuple[int, list[Finding]]:
    """Write the database anew without the members' rows, and with a receipt for each of them, hashed with the key.

    What is removed is added to `removed`. `clean_files` is called while nobody else has the database open, to clean
    what is written only then, and returns what it removed.

    Returns the instant, in microseconds since 1970, up to which what comes of these members is left out from now on;
    and where an id or a name still is in the new file.
    """
    with open_when_free(database) as connection:
        _, named = count_rows(connection, texts)
    at_us = 0
    found: list[Finding] = []

    def add(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        nonlocal at_us
        at_us = _last_receipt_us(connection, texts)
        removed.update(_count_removed(connection, schema))
        removed.update(clean_files())
        add_receipts(connection, schema, [(hash_id(key, each), None) for each in texts.ids], at_us, removed)
        for table in _searched(connection):
            theirs = f"{own_sql(table, texts)} OR {named_sql(table, texts, ids_only=False)}"
            [(rows,)] = connection.execute(f"SELECT count(*) FILTER ({theirs}) FROM {schema}{table.name}").fetchall()
            if rows:
                found.append(Finding(str(database), f"{rows:,} of the rows of {table.name}"))
        found.extend(_search_others(connection, database, texts))

    def inspect(new: Path) -> None:
        if find_bytes(new, texts):
            found.append(Finding(str(database), "bytes of the file"))

    kept = {table.name: f"NOT {own_sql(table, texts)}" for table in SEARCHED}
    changed = {table.name: masked_sql(table, texts) for table in SEARCHED if named[table.name]}
    rewrite(database, kept, changed=changed, add=add, inspect=inspect)
    return at_us, found


def remove_older(database: Path, before: date, removed: Counter[str]) -> None:
    """Write the database anew without rows of days before another one, and with a receipt, if there are any."""
    kept = {table.name: f"{table.time_column} >= make_timestamptz({day_us(before)})" for table in TABLES}
    with open_when_free(database) as connection:
        counts = [f"SELECT 1 FROM {SCHEMA}{name} WHERE NOT ({condition})" for name, condition in kept.items()]
        if not removed and not connection.execute(f"{' UNION ALL '.join(counts)} LIMIT 1").fetchall():
            return

    def add(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        removed.update(_count_removed(connection, schema))
        add_receipts(connection, schema, [(None, before)], time.time_ns() // 1000, removed)

    rewrite(database, kept, add=add)


def count_older(connection: duckdb.DuckDBPyConnection, before: date) -> Counter[str]:
    """Return by table how many rows there are of days before another one."""
    counts = Counter[str]()
    for table in TABLES:
        older = f"{table.time_column} < make_timestamptz({day_us(before)})"
        [(counts[table.name],)] = connection.execute(
            f"SELECT count(*) FILTER ({older}) FROM {SCHEMA}{table.name}"
        ).fetchall()
    return counts


def _searched(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    """Return the tables that may name members, of those that there are."""
    there = connection.execute(_TABLES).fetchall()
    return [table for table in SEARCHED if ("main", table.name) in there]


def _search_others(connection: duckdb.DuckDBPyConnection, database: Path, texts: Texts) -> Iterator[Finding]:
    """Look into tables that are none of ours, whose texts are compressed in the file."""
    ours = {("main", table.name) for table in (*TABLES, *BOOKKEEPING)}
    for place in connection.execute(_TABLES).fetchall():
        if place not in ours:
            source = ".".join(map(quote_name, (NAME, *place)))
            rows = f"SELECT count(*) FILTER ({texts.sql('to_json(t)')}) FROM {source} AS t"
            [(count,)] = connection.execute(rows).fetchall()
            if count:
                yield Finding(str(database), f"{count:,} of the rows of {'.'.join(place)}, a table of your own")


def _count_removed(connection: duckdb.DuckDBPyConnection, schema: str) -> Counter[str]:
    """Return by table how many rows a new file lacks."""
    counts = Counter[str]()
    for table in TABLES:
        rows = f"(SELECT count(*) FROM {{}}{table.name})"
        [(before, after)] = connection.execute(f"SELECT {rows.format(SCHEMA)}, {rows.format(schema)}").fetchall()
        counts[table.name] = before - after
    return counts


def _last_receipt_us(connection: duckdb.DuckDBPyConnection, texts: Texts) -> int:
    """Return now; or, of a clock that was put back since, the last receipt."""
    now_us = time.time_ns() // 1000
    own = texts.is_own_sql("profile_id")
    receipts = " UNION ALL ".join(
        f"SELECT epoch_us(received_at) AS received_us FROM {SCHEMA}{table.name} WHERE {own}"
        for table in (HEART_RATE, MEMBER_EVENTS)
    )
    [(last_us,)] = connection.execute(
        f"SELECT max(received_us) FROM ({receipts}) WHERE received_us < {now_us + _DAY_US}"
    ).fetchall()
    return max(now_us, last_us or 0)
