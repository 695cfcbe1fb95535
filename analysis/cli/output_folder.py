"""A folder that a command writes: as a whole or not at all, and over nothing but files of the same names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from pulsoid_rec.analysis.cli.output import NewFile
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder that a command writes, named, and guarded against what was recorded, as a file would be."""

    named: NewFile

    def check(self) -> None:
        """Raise `UsageError` unless a folder may be written there."""
        path = self.named.path
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is not a folder", "Choose a folder with -o.")
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent}", "Create it, or choose another folder with -o.")
        if kept := self.named.within().find_recorded():
            raise UsageError(f"{path} is {kept}, where nothing else is written", "Choose another folder with -o.")
        if path.is_dir() and any(path.iterdir()) and not self.named.force:
            raise UsageError(
                f"{path} is not empty",
                "Choose a new folder with -o, or add --force to replace an earlier export there.",
            )

    @contextmanager
    def open_(self) -> Iterator[Path]:
        """Yield a temporary folder beside it, for its owner alone, which takes its place when the block is done.

        If the block raises, or writes nothing, the temporary folder is removed, and an existing one is unchanged. One
        with files that are not written anew is not replaced. Raises `StorageError` if files cannot be written, and what
        `check` does.
        """
        try:
            self.check()
            target = Path(os.path.realpath(self.named.path))
            temporary = Path(mkdtemp(".part", f".{target.name}.", target.parent))
            try:
                yield temporary
                if any(temporary.iterdir()):
                    self.check()
                    self._replace(target, temporary)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StorageError(f"Cannot write {self.named.path}: {reason}", "Choose another folder with -o.") from error

    def _replace(self, target: Path, new: Path) -> None:
        if not target.exists():
            new.rename(target)
            return
        written = set(_files(new))
        if others := sorted(str(file) for file in _files(target) if file not in written):
            raise UsageError(
                f"{self.named.path} has other files, such as {others[0]}",
                "Choose a new folder with -o, or remove that one.",
            )
        old = new.with_name(f"{new.name}.old")
        target.rename(old)
        try:
            new.rename(target)
        except BaseException:  # also Ctrl-C
            old.rename(target)
            raise
        shutil.rmtree(old)


def _files(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder and in those below, but for folders, as paths from it."""
    return (path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
