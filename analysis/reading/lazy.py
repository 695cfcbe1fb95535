"""Lazy frames that read the file at each `collect`."""

from collections.abc import Callable, Iterator

import polars as pl
from polars.io.plugins import register_io_source


def lazily(schema: pl.Schema, read: Callable[[], pl.DataFrame]) -> pl.LazyFrame:
    """Return a LazyFrame that reads when it is collected.

    Parameters
    ----------
    schema
        What the read will give.
    read
        Reads it; called once by each `collect`.

    Returns
    -------
    pl.LazyFrame
        Whatever `read` raises comes out of its `collect`.
    """

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        frame = read().cast(schema)
        frame = frame if predicate is None else frame.filter(predicate)
        frame = frame if columns is None else frame.select(columns)
        yield frame if rows is None else frame.head(rows)

    return register_io_source(source, schema=schema)
