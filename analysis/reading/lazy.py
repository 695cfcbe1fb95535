"""Lazy frames that read the file at each `collect`."""

from collections.abc import Callable, Iterable, Iterator

import polars as pl
from polars.io.plugins import register_io_source


def read_lazily(schema: pl.Schema, read: Callable[[], Iterable[pl.DataFrame]]) -> pl.LazyFrame:
    """Return a LazyFrame that calls `read` at each `collect`, and takes no more of its frames than the query needs."""

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        for batch in read():
            frame = batch.cast(schema)
            frame = frame if predicate is None else frame.filter(predicate)
            frame = frame if columns is None else frame.select(columns)
            if rows is not None:
                frame = frame.head(rows)
                rows -= frame.height
            yield frame
            if rows == 0:
                return

    return register_io_source(source, schema=schema)
