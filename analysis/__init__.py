"""Analysis: from recorded tables to figures that can be trusted. It only reads a recording, and never changes it.

    import pulsoid_rec.analysis as pr

    recording = pr.explore("data/pulsoid.duckdb")

The rooms of this package, from top to bottom; each may import those below it, and none above or beside it:

- `cli`: the command `pulsoid-rec`; it alone imports more of the recorder than its contract.
- `notebook`, `report`, `export`: what users see; `spark`: the summary of any number of rooms on a cluster.
- `charts`: the charts of the notebooks and the page.
- `findings`: what to know before trusting a figure.
- `reading`: from the DuckDB file to frames.
- `metrics`: the definitions, as pure functions.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulsoid_rec.analysis.metrics.definitions import Definitions
    from pulsoid_rec.analysis.notebook.explore import Excerpt, explore
    from pulsoid_rec.analysis.notebook.rendering import show_offline

__all__ = ["Definitions", "Excerpt", "explore", "show_offline"]

_MODULES = {"Definitions": "metrics.definitions", "show_offline": "notebook.rendering"}


def __getattr__(name: str) -> object:
    """Import a name of `__all__` when it is first used: the command line, which needs none, starts sooner."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES.get(name, 'notebook.explore')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
