"""Reads `members.toml`, the file in which a recording's owner describes the members, as a frame."""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pulsoid_rec.analysis.metrics.members import SCHEMA
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.recorder.contract.errors import UsageError

if TYPE_CHECKING:
    from pulsoid_rec.recorder.contract.members_file import Member


def read_members(path: Path | None, pseudonyms: Pseudonyms | None = None) -> pl.DataFrame:
    """Read a members file; None gives no rows.

    Returns `members.SCHEMA`, one row a member in the file's order, null for keys that are missing. With pseudonyms
    these are in place of ids, names are left out, and rows are in their order.

    Raises `UsageError` if the file cannot be read, is not TOML, or has an invalid line.
    """
    members = _read(path, pseudonyms).items()
    rows = [(id_, m.name and m.name.strip(), m.birth_year, m.sex, m.hr_max, m.hr_rest) for id_, m in members]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame if pseudonyms is None else pseudonyms.hide_members(frame)


def read_withdrawn(path: Path | None, pseudonyms: Pseudonyms | None = None) -> dict[str, str]:
    """Read whose consent is withdrawn: the name in a members file, or the id, by id; raises as `read_members`."""
    found = {id_: m.name or id_ for id_, m in _read(path, pseudonyms).items() if m.consent == "withdrawn"}
    return found if pseudonyms is None else {id_: id_ for id_ in pseudonyms.make("profile", found)}


def _read(path: Path | None, pseudonyms: Pseudonyms | None) -> "dict[str, Member]":
    if path is None:
        return {}
    from pulsoid_rec.recorder.contract.members_file import read_members_file  # noqa: PLC0415 - msgspec takes 25 ms

    try:
        return read_members_file(path)
    except UsageError:
        if pseudonyms is None:
            raise
        raise UsageError(f"{path} cannot be used", "Without pseudonyms the message says why.") from None  # with an id
