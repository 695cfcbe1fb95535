"""Look for ids and names in the bytes of all files of a recording and around it, once members were taken out."""

import gzip
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

from pulsoid_rec.recorder.archiving.parquet import parquet_sql
from pulsoid_rec.recorder.archiving.store import ArchiveStore
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile, table_of
from pulsoid_rec.recorder.contract.archive_place import ArchiveFolder
from pulsoid_rec.recorder.forgetting.rows import named_sql, own_sql
from pulsoid_rec.recorder.forgetting.texts import Texts

_RECEIVED = re.compile(rb'"received_at":(\d+)')
_BLOCK = 2**20
_OVERLAP = 2**12  # more than an id or a name has, however it is written


class Finding(NamedTuple):
    """A place where an id or a name still is."""

    file: str
    where: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}"


def find_bytes(path: Path, texts: Texts) -> bool:
    """Return whether a file that is no text has an id or a name in it."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(form) >= 0 for form in texts.in_bytes)


def find_text(path: Path, texts: Texts) -> bool:
    """Return whether a file, be it a text or not, has an id or a name in it."""
    before = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            content = before + block
            if b"\0" in content:
                return find_bytes(path, texts)
            if texts.regex.search(content.decode(errors="replace")):
                return True
            before = content[-_OVERLAP:]
    return False


def find_compressed(path: Path, texts: Texts, at_us: int) -> bool:
    """Return whether a compressed file has an id or a name in a line that was not received later than an instant."""
    with gzip.open(path) as file:
        for line in file:
            if texts.regex.search(line.decode(errors="replace")):
                received = _RECEIVED.search(line)
                if received is None or int(received[1]) <= at_us:
                    return True
    return False


def search_files(paths: Iterator[Path], texts: Texts, at_us: int) -> Iterator[Finding]:
    """Look into files, and yield those that have an id or a name in them, or cannot be read.

    What a recorder has kept of the members since `at_us` is not looked at: it is new.
    """
    for path in paths:
        try:
            is_found = find_compressed(path, texts, at_us) if path.suffix == ".gz" else find_text(path, texts)
        except FileNotFoundError:  # a recorder has removed it
            continue
        except (OSError, EOFError) as error:
            yield Finding(str(path), f"cannot be read ({error})")
            continue
        if is_found:
            yield Finding(str(path), "an id or a name")


def search_archive(
    connection: duckdb.DuckDBPyConnection, store: ArchiveStore, own: set[ArchiveFile], texts: Texts
) -> Iterator[Finding]:
    """Look into all files of an archive: their rows, and where it is a folder their bytes; `own` are those noted."""
    place = store.place
    for file in sorted(place.list_files()):
        table = table_of(file)
        theirs = f"{own_sql(table, texts)} OR {named_sql(table, texts, ids_only=False)}"
        try:
            rows = connection.execute(f"SELECT count(*) FILTER ({theirs}) FROM {parquet_sql(place.duckdb_path(file))}")
            [(count,)] = rows.fetchall()
        except duckdb.Error as error:
            yield Finding(place.name_of(file), f"cannot be read ({str(error).splitlines()[0]})")
            continue
        what = f"{count:,} of its rows" if count else ""
        if not count and isinstance(place, ArchiveFolder) and find_bytes(place.path_of(file), texts):
            what = "its bytes"
        if what:
            whose = "" if file in own else f", written by another database ({file.recorder}): forget there, too"
            yield Finding(place.name_of(file), what + whose)
