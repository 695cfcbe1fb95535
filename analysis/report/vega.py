"""The scripts that draw charts in a page, which take seconds to put together: another process does it meanwhile."""

import atexit
import subprocess
import sys
from functools import cache

_CODE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


def prepare_scripts() -> None:
    """Begin to put the scripts together, so that `vega_scripts` need not wait as long."""
    _begin()


@cache
def vega_scripts() -> str:
    """Give the JavaScript of Vega, Vega-Lite and Vega-Embed, some 900 kB."""
    worker = _begin()
    if worker is not None:
        scripts, _ = worker.communicate()
        if worker.returncode == 0:
            return scripts.decode()
    # What kept it from running there need not keep it from running here; else it says why.
    import vl_convert  # noqa: PLC0415 - large, and hardly ever needed in this process

    return vl_convert.javascript_bundle()  # type: ignore[call-arg] # its stub asks for an argument that it can do without


@cache
def _begin() -> subprocess.Popen[bytes] | None:
    """Start the worker: a process, since V8 would hold this one's interpreter all the while."""
    command = [sys.executable, "-P", "-c", _CODE]
    quiet, no_window = subprocess.DEVNULL, getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open one
    try:
        worker = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, creationflags=no_window
        )
    except OSError:
        return None
    # A report that fails leaves nothing running behind it.
    atexit.register(worker.kill)
    return worker
