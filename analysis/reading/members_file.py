"""Finds and reads `members.toml`, the file in which a recording's owner describes the members."""

from pathlib import Path

import polars as pl

from pulsoid_rec.analysis.metrics.members import SCHEMA
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.owned_files import open_file

FILE_NAME = "members.toml"
"""Its name, beside the database."""


def find_members_file(database: Path, named: Path | None = None) -> Path | None:
    """Return the members file named, else the one beside the database, else None."""
    beside = database.with_name(FILE_NAME)
    return named if named is not None else beside if beside.is_file() else None


def read_members(path: Path | None) -> pl.DataFrame:
    """Read a members file; None gives no rows.

    Returns
    -------
    `members.SCHEMA`, one row a member in the file's order, null for keys that are missing.

    Raises
    ------
    UsageError
        The file cannot be read, is not TOML, or has an invalid line.
    """
    if path is None:
        return pl.DataFrame(schema=SCHEMA)
    from pulsoid_rec.analysis.metrics.members_toml import parse_members  # noqa: PLC0415 - msgspec takes 25 ms

    try:
        with open(path, encoding="utf-8-sig", opener=open_file) as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"Cannot read {path}: {reason}", "Choose another members file with --members.") from error
    return parse_members(text, str(path))
