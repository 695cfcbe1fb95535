"""Which file of an archive is damaged: looked for when a read has failed, so that reading costs nothing more.

Damaged bytes make DuckDB raise almost any error, or whoever receives its rows, and hardly one of them names the file.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from pulsoid_rec.analysis.reading.archive_listing import PUT_BACK, Listed, require_sound
from pulsoid_rec.analysis.reading.database import CONFIG
from pulsoid_rec.recorder.contract.archive_check import find_faults
from pulsoid_rec.recorder.contract.archive_files import rows_sql, table_of
from pulsoid_rec.recorder.contract.archive_place import ArchivePlace
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.paths import sql_literal

MOVE_OUT = "Put the file back as it was written, or move it out of the archive: the rest is read without it."

POSSIBLE_FAULTS = (duckdb.Error, pl.exceptions.PolarsError, UnicodeError, OverflowError)
"""What a read of damaged files may raise: of DuckDB, of polars, or where Python or Arrow takes the rows."""

_NEVER = (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.ParserException, duckdb.CatalogException)


def raise_for_damage(error: Exception, place: ArchivePlace, files: Sequence[Listed]) -> None:
    """Raise `StorageError` if one of an archive's files is damaged, which may be why `error` was raised.

    Those are looked at that were not compared with a checksum before: by reading them; on another machine, and if a
    statement does not fit the columns, as one of the user's own may not, only by their metadata.
    """
    if isinstance(error, _NEVER):
        return
    in_full = not (place.is_remote or isinstance(error, duckdb.BinderException))
    with duckdb.connect(config=CONFIG) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        place.register(connection)
        for each in files:
            is_known = each.fault or (each.is_noted and not place.is_remote)
            fault = None if is_known else _find_fault(connection, place, each, in_full=in_full)
            if fault is None:
                continue
            named = f"{place.name_of(each.file)} {fault}"
            if each.is_noted:
                require_sound([each._replace(fault=named, remedy=PUT_BACK)])
            raise StorageError(named, MOVE_OUT) from error
    if place.text in str(error):
        reason = str(error).splitlines()[0]
        raise StorageError(f"Cannot read the archive {place.text}: {reason}", PUT_BACK) from error


def _find_fault(
    connection: duckdb.DuckDBPyConnection, place: ArchivePlace, listed: Listed, *, in_full: bool
) -> str | None:
    """Return what is wrong with a file; None if nothing is."""
    path = place.duckdb_path(listed.file)
    try:
        for _, fault in find_faults(connection, [path]):
            return fault
        if in_full:
            rows = rows_sql(table_of(listed.file), sql_literal(path))
            connection.execute(f"SELECT sum(hash(t)) FROM ({rows}) AS t").fetchall()
    except POSSIBLE_FAULTS as error:
        return f"is damaged: {str(error).splitlines()[0]}"
    return None
