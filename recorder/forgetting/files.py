"""All files of a recording but the database itself and its archive: where they are, and members taken out of them."""

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pulsoid_rec.recorder.archiving.access import open_when_free
from pulsoid_rec.recorder.contract.errors import DatabaseBusyError
from pulsoid_rec.recorder.contract.forgotten import Forgotten, key_path
from pulsoid_rec.recorder.contract.journal_files import KEPT, STATUS_SUFFIX, journal_folder, segment_paths
from pulsoid_rec.recorder.contract.owned_files import require_own_folder
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS
from pulsoid_rec.recorder.disk.replace import remove_leftovers
from pulsoid_rec.recorder.forgetting.lines import clean_kept, clean_log, clean_members_file, clean_segment
from pulsoid_rec.recorder.forgetting.texts import Texts
from pulsoid_rec.recorder.health.note import read_note
from pulsoid_rec.recorder.ingest.database import NO_CHECKPOINT
from pulsoid_rec.recorder.ingest.forgotten_lines import is_forgotten
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.segment import is_recording


def bring_in(database: Path) -> list[Path]:
    """Ingest what dead recorders left; return the segments that cannot be ingested."""
    with open_when_free(database, NO_CHECKPOINT):
        pass  # it waits longer, and says so
    return recover(database).ingested.skipped


def clean_kept_journal(database: Path, texts: Texts, *, dry: bool = False) -> Counter[str]:
    """Take members out of the kept journal, and remove what was left by kills; return how many lines changed.

    Nobody else may have the database open: whoever has, writes there.
    """
    folder = journal_folder(database)
    require_own_folder(folder)
    if not dry:
        for leftover in (*folder.rglob("*.repaired"), *folder.rglob(".*.part")):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(_beside(database, ".tmp"), ignore_errors=True)  # of a reader that was killed
    kept = [path for path in (folder / KEPT).glob("*") if _is_own_file(path)]
    return Counter({"in the kept journal": sum(clean_kept(path, texts, dry=dry) for path in kept)})


def clean_segments(segments: Iterable[Path], texts: Texts) -> Counter[str]:
    """Take members out of segments that nobody writes and that cannot be ingested; return how many lines changed."""
    changed = 0
    for path in segments:
        with suppress(OSError):  # what cannot be read is found by the search
            changed += clean_segment(path, texts)
    return Counter({"in the journal": changed})


def clean_others(database: Path, members_file: Path | None, texts: Texts, *, dry: bool = False) -> Counter[str]:
    """Take members out of the logs and the members file; return in how many places they were."""
    places = sum(clean_log(path, texts, dry=dry) for path in logs_of(database))
    if members_file is not None and not dry:
        remove_leftovers(members_file)
    entries = clean_members_file(members_file, texts, dry=dry) if members_file else 0
    return Counter({"in logs": places, "in the members file": entries})


def count_waiting(database: Path, texts: Texts) -> int:
    """Return how many lines of members are in segments, which are not in the database yet."""
    return sum(clean_segment(path, texts, dry=True) for path in segment_paths(journal_folder(database)))


def wait_for_recorders(database: Path, forgotten: Forgotten) -> bool:
    """Wait until running recorders have nothing left in their journals from before; return whether that is so.

    What they received before is left out when it is ingested, and at a checkpoint its files are removed.
    """
    folder = journal_folder(database)
    give_up_at = time.monotonic() + DEFAULT_TIMINGS.forget_timeout_s
    while is_recording(folder) and time.monotonic() < give_up_at:
        time.sleep(DEFAULT_TIMINGS.write_every_s * 4)  # until what was received last is in a file
        if not _has_older(folder, forgotten):
            return True
        try:
            ingest(database, [], Ingested())
        except DatabaseBusyError:
            continue
    return not _has_older(folder, forgotten)


def files_around(database: Path, members_file: Path | None) -> Iterator[Path]:
    """Yield all files beside the database but itself and its key, and those of journal, logs and members file."""
    database = follow_link(database).absolute()
    own = {database, database.with_name(f"{database.name}.wal"), key_path(database), intent_path(database)}
    folders = (journal_folder(database), _beside(database, ".logs"))
    beside = [path for path in database.parent.iterdir() if path not in own]
    inside = [path for folder in folders for path in folder.rglob("*") if not _is_written(path, folder)]
    for path in dict.fromkeys((*beside, *inside, *([members_file.absolute()] if members_file else []))):
        if _is_own_file(path):
            yield path


def logs_of(database: Path) -> list[Path]:
    """Return the logs of a database's recorders."""
    return [path for path in _beside(database, ".logs").glob("*") if _is_own_file(path)]


def intent_path(database: Path) -> Path:
    """Return the file that says whom a run takes out, until it is done: the next run goes on with it."""
    return _beside(database, ".forgetting")


def _has_older(folder: Path, forgotten: Forgotten) -> bool:
    for path in segment_paths(folder):
        try:
            with path.open("rb") as file:
                if any(is_forgotten(line, forgotten) for line in file if line.endswith(b"\n")):
                    return True
        except FileNotFoundError:
            continue
    return _remove_older_statuses(folder, forgotten)


def _remove_older_statuses(folder: Path, forgotten: Forgotten) -> bool:
    """Remove the status files that list somebody forgotten; recorders that miss theirs write it without them."""
    found = False
    for path in folder.glob(f"[!.]*{STATUS_SUFFIX}"):
        note = read_note(path)
        for member in note.members if note else []:
            until_us, heard_at = forgotten.until(member.profile_id), member.last_reading_at
            if until_us is not None and (heard_at is None or heard_at.timestamp() * 1e6 <= until_us):
                path.unlink(missing_ok=True)
                found = True
    return found


def _is_written(path: Path, folder: Path) -> bool:
    """Return whether a recorder may be writing a file, in which members may be heard anew."""
    return path in segment_paths(folder) or path.suffix == STATUS_SUFFIX


def _is_own_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _beside(database: Path, suffix: str) -> Path:
    database = follow_link(database)
    return database.with_name(database.name + suffix)
