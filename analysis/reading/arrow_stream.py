"""A stream of Arrow data on its way from DuckDB to polars."""


class ArrowStream:
    """A capsule of Arrow data, as polars takes it.

    It stands in a module of its own since polars keeps the types of what it was given to the end of the process: of
    DuckDB's own type, or one whose module imports DuckDB, DuckDB would then complain on stderr that it leaked.

    Parameters
    ----------
    capsule
        What `__arrow_c_stream__` of a DuckDB relation gave; it is read once.
    """

    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the stream over."""
        return self._capsule
