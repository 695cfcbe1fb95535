"""The recording that a command reads, and the message if it holds nothing for it, perhaps not yet."""

import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from pulsoid_rec.analysis.cli.output import print_message
from pulsoid_rec.analysis.findings.what_exists import no_match_error
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.notebook.select import choose_ids
from pulsoid_rec.analysis.reading.pseudonym_key import FILE_NAME, read_or_make_key
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.defaults import ARCHIVE_VARIABLE, DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.contract.journal_files import journal_folder


def open_pseudonyms(database: Path, key: Path | None, *, wanted: bool, shift_times: bool) -> Pseudonyms | None:
    """Return what gives pseudonyms, by the key named or the one beside the database, made if there is none yet.

    None if no option asks for any. Raises `UsageError` if the key cannot be used.
    """
    if not (wanted or shift_times or key is not None):
        return None
    return Pseudonyms(read_or_make_key(key or database.with_name(FILE_NAME), _print_sentence), shift_times)


def open_recording(database: Path, archive: str | None = None, pseudonyms: Pseudonyms | None = None) -> Recording:
    """Return a recording, of an archive alone if one is named and there is no database at the default place.

    Then PULSOID_REC_ARCHIVE may name the archive, too: with a database, it only allows to read the one that is noted.
    It raises `StorageError` if a recorder has not made the database yet. Other faults show at a read.
    """
    if not database.exists():
        is_running = _is_recorded_into(database)
        alone = os.environ.get(ARCHIVE_VARIABLE) or None if archive is None and not is_running else archive
        if alone is not None and database == DEFAULT_DB:
            return Recording(None, archive=alone, warn=_print_sentence, pseudonyms=pseudonyms)
        if is_running:
            raise StorageError(
                f"There is no {database} yet: a recorder is running, but has stored no rows",
                "Try again when the room has sent something.",
            )
    return Recording(database, archive=archive, warn=_print_sentence, pseudonyms=pseudonyms)


def choose_members(
    typed: list[str], recording: Recording, wanted: Filter, definitions: Definitions, known: pl.DataFrame
) -> Filter:
    """Return a filter with members that were named by name or id, of those that it selects.

    `known` is what is known of them (`members.SCHEMA`). Raises `UsageError` unless each name is one member's.
    """
    names = dict(recording.members(wanted, definitions, known).select("profile_id", "name").iter_rows())
    return replace(wanted, members=choose_ids(typed, names, "member", recording.where, recording.pseudonyms))


def _print_sentence(text: str) -> None:
    print_message(f"{text}.")


def print_no_match(recording: Recording, wanted: Filter, definitions: Definitions) -> None:
    """Print why a filter matches nothing, and what the recording holds. This is not an error."""
    with recording.snapshot() as now:
        rooms = {room: name or room for room, name in now.rooms(definitions).iter_rows()}
        sessions = now.move(now.sessions(definitions=definitions))
    found = no_match_error(wanted, rooms, sessions, recording.where)
    if sessions.is_empty() and _is_recorded_into(recording.path):
        found.hint = "A recorder is running: try again when the room has sent some."
    print_message(str(found))


def _is_recorded_into(database: Path) -> bool:
    from pulsoid_rec.recorder.journal.segment import is_recording  # msgspec takes 25 ms, for what is rarely needed

    return is_recording(journal_folder(database))
