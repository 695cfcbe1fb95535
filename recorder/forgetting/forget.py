"""Take members out of a recording: archive, journal, database, logs, members file; then search what is left.

The order makes a run that was killed finish when it is run again: whom it takes out is in a file beside the database
until all is done, since their names may be gone from the database by then.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pulsoid_rec.recorder.archiving.access import open_when_free, spill_folder
from pulsoid_rec.recorder.archiving.notes import Notes, read_notes, remove_leaving
from pulsoid_rec.recorder.archiving.store import ArchiveStore, open_store
from pulsoid_rec.recorder.contract.archive_place import ArchiveFolder, open_place
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.forgotten import Forgotten, hash_id, read_forgotten
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.disk.replace import open_replacement
from pulsoid_rec.recorder.forgetting import archived, files, search
from pulsoid_rec.recorder.forgetting import database as database_module
from pulsoid_rec.recorder.forgetting.members import Names, find_member, other_meanings, read_names, texts_of
from pulsoid_rec.recorder.forgetting.receipts import require_key
from pulsoid_rec.recorder.forgetting.search import Finding
from pulsoid_rec.recorder.forgetting.texts import Texts
from pulsoid_rec.recorder.ingest.database import translate_errors

_OTHERS = "others with the id in a text"


@dataclass(frozen=True)
class Plan:
    """Who goes, and what is known before: counts by table, and of lines and places in files."""

    texts: Texts
    counts: Counter[str]
    named: dict[str, set[str]]  # all names of each
    shared: list[str]  # names, and ids, that are names of others, too
    others: dict[str, list[str]]  # whom else each name may mean
    is_resumed: bool  # whether a run that was killed had begun with some of them


@dataclass
class Done:
    """What was removed, and what is left."""

    removed: Counter[str]
    at_us: int
    left: list[Finding] = field(default_factory=list)
    received_since: int = 0  # lines that are in the journal again


def open_archive(database: Path, notes: Notes, archive: str | None) -> ArchiveStore | None:
    """Return the archive that was named, or that a database has noted; None if there is none.

    Raises `UsageError` if it is on another machine, and was not named; `StorageError` if it or its files are not there.
    """
    if archive is None and notes.place is None:
        return None
    place = open_place(archive or str(notes.place))
    if archive is None and place.is_remote:
        raise UsageError(
            f"The archive {place.text} is on another machine, and only the file names it",
            f"If it is this recording's, name it: --archive {place.text}.",
        )
    store = open_store(place, database, spill_folder(follow_link(database)))
    if not notes.noted and archive is None and isinstance(place, ArchiveFolder) and not place.folder.exists():
        return None
    if missing := len(notes.noted.keys() - place.list_files().keys()):
        raise StorageError(
            f"Of the {len(notes.noted):,} files archived from this database {missing:,} are not in {place.text}",
            "Connect its disk, put them back, or name the place where they are with --archive. Nothing was changed.",
        )
    return store


class Forgetting:
    """One run that takes members out of a database; `only_run` keeps others away.

    Raises `StorageError` if the database or its archive cannot be used, `UsageError` if the archive has to be named.
    """

    def __init__(self, database: Path, members_file: Path | None, archive: str | None) -> None:
        self.database = database
        self.members_file = members_file
        with open_when_free(database) as connection:
            self._notes = read_notes(connection)
            self._forgotten = read_forgotten(connection, database)
        self._store = open_archive(database, self._notes, archive)

    def plan(self, wanted: Iterable[str]) -> Plan:
        """Find who is meant, and count what is there of them; nothing is changed.

        Raises `UsageError` if somebody is nobody, or may be several.
        """
        self._require_sound_archive()
        place = self._store.place if self._store else None
        listed = place.list_files() if place else {}
        with open_when_free(self.database) as connection:
            names = read_names(connection, place, listed, self.members_file)
        intent = self._read_intent()
        for each, more in intent.items():
            names.setdefault(each, set()).update(more)
        by_text = {text: find_member(text, names, self._forgotten) for text in wanted}
        ids = list(dict.fromkeys((*by_text.values(), *intent)))
        texts, shared = texts_of(ids, names)
        others = {text: found for text in by_text if (found := other_meanings(text, ids, names))}
        named = {each: names.get(each, set()) for each in ids}
        return Plan(texts, self._count(texts), named, shared, others, bool(intent))

    def carry_out(self, plan: Plan) -> Done:
        """Take them out; killed anywhere, the next run finishes it."""
        texts = plan.texts
        self._write_intent(plan.named)
        key = require_key(self.database, self._forgotten)
        removed = self._forget_archived(texts)
        with translate_errors(self.database):
            done = Done(removed, 0)
            done.at_us, done.left = database_module.forget_rows(
                self.database, texts, key, removed, lambda: files.clean_kept_journal(self.database, texts)
            )
            removed.update(files.clean_segments(files.bring_in(self.database), texts))
            removed.update(files.clean_others(self.database, self.members_file, texts))
            forgotten = Forgotten({hash_id(key, each): done.at_us for each in texts.ids}, key)
            if not files.wait_for_recorders(self.database, forgotten):
                done.left.append(Finding(f"{self.database}.journal", "what a running recorder has not stored yet"))
            done.received_since = files.count_waiting(self.database, texts)
            done.left += self._search(texts, done.at_us)
        files.intent_path(self.database).unlink(missing_ok=True)
        return done

    def _require_sound_archive(self) -> None:
        """Raise `StorageError` for a damaged file: written anew, its wrong numbers would look like right ones."""
        if self._store is None:
            return
        for file, noted in self._notes.noted.items():
            try:
                fault = "" if self._store.sha256_of(file) == noted.sha256 else "it is not as it was written"
            except OSError as error:
                fault = str(error)
            if fault:
                raise StorageError(
                    f"{self._store.place.name_of(file)} is damaged: {fault}",
                    "Put it back from a backup, and run this again; nothing was changed.",
                )

    def _count(self, texts: Texts) -> Counter[str]:
        with translate_errors(self.database), open_when_free(self.database) as connection:
            counts, named = database_module.count_rows(connection, texts)
            counts[_OTHERS] = named.total()
            counts.update(files.clean_kept_journal(self.database, texts, dry=True))
            counts.update(files.clean_others(self.database, self.members_file, texts, dry=True))
            counts["in the journal"] = files.count_waiting(self.database, texts)
            if self._store is not None:
                self._store.place.register(connection)
                for file in self._notes.noted:
                    own, others = archived.count_rows(connection, self._store, file, texts)
                    counts[file.table] += own
                    counts[_OTHERS] += others
        return counts

    def _forget_archived(self, texts: Texts) -> Counter[str]:
        removed = Counter[str]()
        store = self._store
        if store is None:
            return removed
        if isinstance(store.place, ArchiveFolder):
            for leftover in store.place.folder.rglob(f".{self._notes.recorder}-*.part"):
                leftover.unlink(missing_ok=True)
        with open_when_free(self.database) as connection:
            remove_leaving(connection, store)  # of a run that was killed
            noted = read_notes(connection).noted
        for file in noted:
            with open_when_free(self.database) as connection:
                store.place.register(connection)
                own, _ = archived.forget_in_file(connection, store, file, texts)
            removed[file.table] += own
        return removed

    def _search(self, texts: Texts, at_us: int) -> Iterator[Finding]:
        yield from search.search_files(files.files_around(self.database, self.members_file), texts, at_us)
        if self._store is not None:
            with open_when_free(self.database) as connection:
                self._store.place.register(connection)
                noted = set(read_notes(connection).noted)
                yield from search.search_archive(connection, self._store, noted, texts)

    def _read_intent(self) -> Names:
        try:
            return msgspec.json.decode(files.intent_path(self.database).read_bytes(), type=Names)
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}

    def _write_intent(self, named: Names) -> None:
        with translate_errors(self.database), open_replacement(files.intent_path(self.database), sync=True) as new:
            new.write_bytes(msgspec.json.encode(named))
