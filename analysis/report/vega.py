"""The scripts that draw charts in a page. Bundling them takes seconds, so another process does it meanwhile."""

import atexit
import os
import re
import subprocess
import sys
from functools import cache

_VARIABLES = re.compile("PATH|HOME|LANG|LC_.*|TMPDIR|TMP|TEMP|SYSTEMROOT|PYTHON.*|VIRTUAL_ENV|(DY)?LD_.*|CONDA_PREFIX")
"""What an interpreter may need to start. Others may be secrets, such as tokens, and are not passed on."""

_CODE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


@cache
def vega_scripts() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed, some 900 kB."""
    worker = prepare_scripts()
    if worker is not None:
        scripts, _ = worker.communicate()
        if worker.returncode == 0:
            return scripts.decode()
    # If it failed there, it may succeed here, or raise an error that explains why.
    import vl_convert  # noqa: PLC0415 - large, and hardly ever needed in this process

    return vl_convert.javascript_bundle()  # type: ignore[call-arg] # its stub requires an argument that is optional


@cache
def prepare_scripts() -> subprocess.Popen[bytes] | None:
    """Start to bundle the scripts, so that `vega_scripts` returns sooner.

    The worker is a process, since in a thread V8 would block this interpreter; None if it cannot be started.
    """
    command = [sys.executable, "-P", "-c", _CODE]
    variables = {name: value for name, value in os.environ.items() if _VARIABLES.fullmatch(name.upper())}
    quiet, no_window = subprocess.DEVNULL, getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a window
    try:
        worker = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, creationflags=no_window, env=variables
        )
    except OSError:
        return None
    # If the report fails, the worker must not outlive it.
    atexit.register(worker.kill)
    return worker
