"""Sync files and folders, so that their content and names survive a power failure."""

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def sync_file(file: int) -> None:
        """Write an open file to the disk."""
        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # fsync stops at the drive's cache there

else:

    def sync_file(file: int) -> None:
        """Write an open file to the disk."""
        os.fsync(file)


def sync_folder(folder: Path) -> None:
    """Write the names of new files in a folder to the disk, where the system supports that."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # some network drives cannot
            file = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
