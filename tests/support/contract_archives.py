"""Archives for tests, written from the contract by code that shares nothing with the recorder's."""

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.archive_files import METADATA_PREFIX, ArchiveFile, table_of
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.tables import ARCHIVE_NOTES, TABLES, Table

_QUARTER = "(epoch_us({}) + 100000000800000000) // 900000000"
_ACTIVITY = (
    f"room_id, profile_id, {_QUARTER.format('occurred_at')}, {_QUARTER.format('received_at')}, min(occurred_at),"
    " max(occurred_at), min(received_at), max(received_at), count(*)"
)
_LATEST = "(name IS NOT NULL, occurred_at, received_at)"


def any_day(_table: Table, _day: date) -> bool:
    """Choose all of them."""
    return True


def archive_days(path: Path, folder: Path, batch: str, choose: Callable[[Table, date], bool] = any_day) -> list[Path]:
    """Move the rows of the tables and days that are chosen from a database to an archive; return its new files."""
    written = []
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for note in ARCHIVE_NOTES:
            connection.execute(note.ddl)
        name = hashlib.sha256(str(path).encode()).hexdigest()[:8]
        connection.execute("INSERT INTO archive_identity VALUES (?, ?, now())", [name, str(folder)])
        for table in TABLES:
            rows = f"SELECT DISTINCT {table.time_column}::DATE AS day FROM {table.name} ORDER BY day"
            for (day,) in connection.execute(rows).fetchall():
                if choose(table, day):
                    file = ArchiveFile(table.name, day, name, f"{batch}{table.name.replace('_', '')}{day:%Y%m%d}")
                    written.append(_move(connection, table, file, folder))
    return written


def _move(connection: duckdb.DuckDBPyConnection, table: Table, file: ArchiveFile, folder: Path) -> Path:
    rows = f"{table.name} WHERE {table.time_column}::DATE = DATE '{file.day.isoformat()}'"
    path = folder / file.path
    write_file(connection, file, rows, path)
    count = connection.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0]
    connection.execute("BEGIN")
    connection.execute(
        "INSERT INTO archive_batches VALUES (?, ?, ?, ?, now(), now(), ?, ?, ?)",
        [
            *(file.recorder, file.batch, file.table, file.day, count, path.stat().st_size),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        ],
    )
    columns = {column.name for column in table.columns}
    batch, noted = f"'{file.batch}'", f"SELECT '{file.batch}', room_id,"
    if table.name == "heart_rate":
        imported = f"count(*) FILTER ({IS_IMPORTED})"
        connection.execute(
            f"INSERT INTO archived_activity SELECT {batch}, {_ACTIVITY}, {imported} FROM {rows} GROUP BY ALL"
        )
    if table.name in {"member_events", "room_events"}:
        who = "profile_id" if "profile_id" in columns else "NULL"
        latest = ", ".join(f"arg_max({column}, {_LATEST})" for column in ("name", "occurred_at", "received_at"))
        connection.execute(f"INSERT INTO archived_names {noted} {who}, {latest} FROM {rows} GROUP BY ALL")
    if table.name == "connection_events":
        connection.execute(f"INSERT INTO archived_connections {noted} connection_id, event, changed_at FROM {rows}")
    elif {"connection_id", "received_at"} <= columns:
        received = f"{noted} connection_id, 'received', max(received_at) FROM {rows} AND connection_id IS NOT NULL"
        connection.execute(f"INSERT INTO archived_connections {received} GROUP BY ALL")
    connection.execute(f"DELETE FROM {rows}")
    connection.execute("COMMIT")
    return path


def write_file(
    connection: duckdb.DuckDBPyConnection, file: ArchiveFile, rows: str, path: Path, *, columns: str = ""
) -> None:
    """Write rows, as SQL, to a file of an archive; `columns` are SQL, by default those of the table."""
    table = table_of(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f'"{c.name}"::VARCHAR AS "{c.name}"' if c.type == "JSON" else f'"{c.name}"' for c in table.columns]
    about = {"table": file.table, "day": file.day.isoformat(), "recorder": file.recorder, "batch": file.batch}
    metadata = ", ".join(f"'{METADATA_PREFIX}{key}': '{value}'" for key, value in about.items())
    order = ", ".join(name for name in ("room_id", "profile_id", table.time_column) if f'"{name}"' in names)
    connection.execute(
        f"COPY (SELECT {columns or ', '.join(names)} FROM {rows} ORDER BY {order}) TO '{path}' (FORMAT parquet,"
        f" PARQUET_VERSION v2, COMPRESSION zstd, KV_METADATA {{{metadata}}})"
    )
