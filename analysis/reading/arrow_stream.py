"""Passes a stream of Arrow data from DuckDB to polars."""


class ArrowStream:
    """The capsule that `__arrow_c_stream__` of a DuckDB relation returned, for polars to read once.

    It has its own module because polars keeps the types it was given until the process ends. If the type were DuckDB's,
    or its module imported DuckDB, DuckDB would then report a leak on stderr.
    """

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the capsule."""
        return self._capsule
