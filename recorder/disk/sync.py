"""Making sure that a power failure takes neither a file's content nor its name."""

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def sync_file(file: int) -> None:
        """Return when the disk has what was written to an open file."""
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync stops at the drive's own cache there

else:

    def sync_file(file: int) -> None:
        """Return when the disk has what was written to an open file."""
        os.fsync(file)


def sync_folder(folder: Path) -> None:
    """Return when the disk has the names of new files in a folder, where the system can tell."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # some network drives cannot
            file = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
