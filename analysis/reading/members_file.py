"""Reads `members.toml`, the file in which a recording's owner describes the members, as a frame."""

from pathlib import Path

import polars as pl

from pulsoid_rec.analysis.metrics.members import SCHEMA


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
    from pulsoid_rec.recorder.contract.members_file import read_members_file  # noqa: PLC0415 - msgspec takes 25 ms

    members = read_members_file(path).items()
    rows = [(id_, m.name and m.name.strip(), m.birth_year, m.sex, m.hr_max, m.hr_rest) for id_, m in members]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
