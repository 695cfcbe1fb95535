"""Archives made by SQL alone: of any days, those to come too, which `pulsoid-rec archive` leaves in the database."""

from pathlib import Path

import duckdb

from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.tables import TABLES


def make_archive(database: Path, folder: Path, recorder: str = "abc123") -> Path:
    """Write all rows of a recording to an archive, a file for each table and day; return its folder."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '4GB'")
        for table in TABLES:
            day = f"{table.time_column}::DATE"
            for (each,) in connection.execute(f"SELECT DISTINCT {day} FROM {table.name}").fetchall():
                file = folder / ArchiveFile(table.name, each, recorder, "1").path
                file.parent.mkdir(parents=True, exist_ok=True)
                order = f"room_id, {'profile_id, ' if 'profile_id' in table.ddl else ''}{table.time_column}"
                rows = f"SELECT * FROM {table.name} WHERE {day} = DATE '{each}' ORDER BY {order}"
                name = str(file).replace("'", "''")
                connection.execute(f"COPY ({rows}) TO '{name}' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd)")
    return folder
