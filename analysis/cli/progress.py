"""Progress on stderr of what takes long: only on a terminal, and only after a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Timer

_DELAY_S = 1.0


@contextmanager
def open_progress(label: str) -> Iterator[Callable[[float], None] | None]:
    """Yield a function that shows a share of 1 as a bar, with a sign of life between its calls; None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn

    columns = SpinnerColumn("line"), *Progress.get_default_columns()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=1.0, visible=False)
        timer = Timer(_DELAY_S, partial(progress.update, task, visible=True))
        timer.daemon = True
        timer.start()
        try:
            yield lambda share: progress.update(task, completed=share)
        finally:
            timer.cancel()
