"""Recordings of members of whom one is forgotten: rows of which it is known by construction whose they are."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from archives import DAY_US
from journal_rows import as_stored, write_segment

from pulsoid_rec.recorder.archiving.access import only_run
from pulsoid_rec.recorder.forgetting.files import bring_in
from pulsoid_rec.recorder.forgetting.forget import Done, Forgetting
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.rows import (
    AnyRow,
    ConnectionEventRow,
    HeartRateRow,
    MemberEventRow,
    RejectedMessageRow,
    RoomEventRow,
)
from pulsoid_rec.recorder.journal.segment import find_segments

ADA = "3f0c9c1e-6f0b-4a53-9a52-2d5a0c7c3d11"
NAMES = {
    ADA: "Ada Lovelace",
    "3f0c9c1e-6f0b-4a53-9a52-2d5a0c7c3d110": "Adele",  # begins like Ada's
    'a "quoted" \\ idü': 'Zoë \\ "Z"',
    "ünïcode-\U0001f600-id": "\U0001f3c3 Runner",
    "user-12": "user-1",
}
"""Members' names by their ids."""

MASK = "[forgotten]"


class Recording:
    """Rows of members, in an order of receipt; ties of their times among them."""

    def __init__(self, seed: int, days: int = 3, each: int = 12) -> None:
        rng = random.Random(seed)
        self.rows: list[tuple[str | None, AnyRow]] = []
        """Whose each row is, and the row."""
        for number, (member, name) in enumerate(NAMES.items()):  # so that all names are known
            config = json.dumps({"name": name})
            self.rows.append((member, MemberEventRow("room", "c", member, "updated", name, config, 0, number, "raw")))
        received = len(NAMES)
        for number in range(days * each):
            whose = rng.choice([*NAMES, None])
            at = number // each * DAY_US + rng.randrange(3) * 1_000_000
            received = max(received + 1, at + rng.randrange(5))
            self.rows.append((whose, self._row(rng, whose, at, received)))

    def _row(self, rng: random.Random, member: str | None, at: int, received: int) -> AnyRow:
        if member is None:
            choices: list[AnyRow] = [
                RoomEventRow("room", "c", "A room", '{"name":"A room"}', at, received, "raw"),
                ConnectionEventRow("room", "c", "lost", received, None, "no answer"),
                RejectedMessageRow("room", "c", received, "not JSON", "\x00 nonsense"),
            ]
            return rng.choice(choices)
        name = NAMES[member]
        message = json.dumps({"profile_id": member, "bpm": 60}, ensure_ascii=rng.random() < 0.5)
        config = json.dumps({"name": name, "age": 3}, ensure_ascii=False)
        own: list[AnyRow] = [
            HeartRateRow("room", "c", member, rng.choice([60, 61]), at, received, message),
            HeartRateRow("room", "c", member, 62, at, received, message),
            MemberEventRow("room", "c", member, "updated", name, config, at, received, message),
            MemberEventRow("room", "c", member, "removed", None, None, at, received, message),
            RejectedMessageRow("room", "c", received, "bpm is a text", message),
            RejectedMessageRow("room", "c", received, "no id", config),
        ]
        return rng.choice(own)

    def all(self) -> list[AnyRow]:
        return [row for _, row in self.rows]

    def left(self, *gone: str) -> Counter[tuple[Any, ...]]:
        """What the tables must hold when some members are gone."""
        return Counter(as_stored(row) for member, row in self.rows if member not in gone)


def bring_in_rows(database: Path, rows: Iterable[AnyRow], name: str = "a-0", *, keep: bool = False) -> None:
    write_segment(database.with_name(f"{database.name}.journal"), name, rows)
    ingest(database, find_segments(database.with_name(f"{database.name}.journal")), Ingested(), keep=keep)


def forget(database: Path, *wanted: str, members_file: Path | None = None, archive: str | None = None) -> Done:
    """Forget members, as the command does."""
    with only_run(database):
        bring_in(database)
        run = Forgetting(database, members_file, archive)
        return run.carry_out(run.plan(wanted))


def files_with(folder: Path, *texts: str) -> list[str]:
    """Name the files below a folder in whose bytes, or in what is compressed in them, a text is, however written."""
    forms = {
        form.encode()
        for text in texts
        for plain in (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        for form in (plain, json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1])
    }
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".gz":
                content += gzip.decompress(content)
            if any(form in content for form in forms):
                found.append(str(path.relative_to(folder)))
    return sorted(found)
