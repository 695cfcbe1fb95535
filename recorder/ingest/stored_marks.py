"""Read back the marks that are in the database: other processes write some beside a recorder."""

import contextlib
from collections.abc import Callable

import duckdb

from pulsoid_rec.recorder.contract.tables import MARKS
from pulsoid_rec.recorder.journal.rows import MarkRow

_MOST = 1_000
_COLUMNS = ", ".join(
    f"epoch_us({column.name})" if column.type == "TIMESTAMPTZ" else column.name for column in MARKS.columns
)


class StoredMarks:
    """Delivers the latest marks of a database, as rows in the order in which they were written, when there are others.

    `deliver` is called in the thread that calls `read`.
    """

    def __init__(self, deliver: Callable[[list[MarkRow]], object]) -> None:
        self._deliver = deliver
        self._rows = 0

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Look at an open database; a fault there is for ingest itself to report."""
        with contextlib.suppress(duckdb.Error):
            [(rows,)] = connection.execute(f"SELECT count(*) FROM {MARKS.name}").fetchall()
            if rows != self._rows:
                latest = f"SELECT {_COLUMNS} FROM {MARKS.name} ORDER BY rowid DESC LIMIT {_MOST}"
                self._deliver([MarkRow(*row) for row in reversed(connection.execute(latest).fetchall())])
                self._rows = rows
