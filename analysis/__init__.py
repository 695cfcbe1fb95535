"""Analysis: from recorded tables to figures that can be trusted. It reads; nothing here writes to a recording.

    import pulsoid_rec.analysis as pr

    recording = pr.explore("data/pulsoid.duckdb")

The rooms of this package, from top to bottom; each may import those below it, and none those above or beside it:

- `cli`: the command `pulsoid-rec`, put together; it alone knows the recorder's commands, too.
- `notebook`, `report`, `export`: what users see.
- `charts`: what notebooks and pages draw.
- `findings`: what to know before trusting a figure.
- `reading`: from the DuckDB file to frames.
- `metrics`: the definitions, pure.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulsoid_rec.analysis.metrics.definitions import Definitions
    from pulsoid_rec.analysis.notebook.explore import Excerpt, explore

__all__ = ["Definitions", "Excerpt", "explore"]


def __getattr__(name: str) -> object:
    """Import what a notebook needs when it is first used: the command line would wait for it otherwise."""
    if name == "Definitions":
        from pulsoid_rec.analysis.metrics import definitions  # noqa: PLC0415 - see above

        return definitions.Definitions
    if name in __all__:
        from pulsoid_rec.analysis.notebook import explore  # noqa: PLC0415 - see above

        return getattr(explore, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
