"""The scripts that draw charts in a page. Bundling them takes seconds: another process does it in the meantime."""

import atexit
import subprocess
import sys
from functools import cache

_CODE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


def prepare_scripts() -> None:
    """Start to bundle the scripts, so that `vega_scripts` returns sooner."""
    _begin()


@cache
def vega_scripts() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed, some 900 kB."""
    worker = _begin()
    if worker is not None:
        scripts, _ = worker.communicate()
        if worker.returncode == 0:
            return scripts.decode()
    # It failed there, and may succeed here, or raise an error that explains it.
    import vl_convert  # noqa: PLC0415 - large, and hardly ever needed in this process

    return vl_convert.javascript_bundle()  # type: ignore[call-arg] # its stub requires an argument that is optional


@cache
def _begin() -> subprocess.Popen[bytes] | None:
    """Start the worker: a process and no thread, since V8 would block this interpreter."""
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
