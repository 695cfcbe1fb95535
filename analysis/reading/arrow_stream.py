"""Passes a stream of Arrow data from DuckDB to polars."""


class ArrowStream:
    """A capsule of Arrow data, as polars takes it.

    In a module of its own, since polars keeps the types it was given until the process ends: were it DuckDB's own type,
    or one whose module imports DuckDB, DuckDB would report a leak on stderr then.

    Parameters
    ----------
    capsule
        What `__arrow_c_stream__` of a DuckDB relation gave; it is read once.
    """

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the capsule."""
        return self._capsule
