"""What came of a member before they were forgotten is not stored again, and all else is."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from journal_rows import as_stored, reading, stored, write_segment

from pulsoid_rec.recorder.contract.forgotten import Forgotten, hash_id, key_path
from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.ingest.forgotten_lines import is_forgotten
from pulsoid_rec.recorder.ingest.ingest import ingest
from pulsoid_rec.recorder.ingest.segment_ingest import Ingested
from pulsoid_rec.recorder.journal.rows import AnyRow, HeartRateRow, MemberEventRow, RejectedMessageRow, RoomEventRow
from pulsoid_rec.recorder.journal.segment import encode_line

KEY = b"k" * 32
ODD = 'a "quoted" \\ idü'
FORGOTTEN = Forgotten({hash_id(KEY, "p1"): 100, hash_id(KEY, ODD): 50}, KEY)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (HeartRateRow("r", "c", "p1", 60, 500, 100, "raw"), True),
        (HeartRateRow("r", "c", "p1", 60, 5, 101, "raw"), False),
        (HeartRateRow("r", "c", "p12", 60, 5, 6, "raw"), False),
        (HeartRateRow("r", "c", ODD, 60, 5, 50, "raw"), True),
        (HeartRateRow("r", "c", ODD, 60, 5, 51, "raw"), False),
        (HeartRateRow("r", "import:x", "p1", 60, 100, 1000, ""), True),
        (HeartRateRow("r", "import:x", "p1", 60, 101, 1000, ""), False),
        (MemberEventRow("r", "c", "p1", "removed", None, None, 1, 2, "raw"), True),
        ({"table": "marks", "room_id": "r", "profile_id": "p1", "label": "run", "marked_at": 100}, True),
        ({"table": "marks", "room_id": "r", "profile_id": None, "label": "run", "marked_at": 100}, False),
        (RoomEventRow("r", "c", None, '{"owner":"p1"}', 1, 2, "raw"), False),
        (RejectedMessageRow("r", "c", 2, "odd", json.dumps({"profile_id": ODD})), True),
        (RejectedMessageRow("r", "c", 2, "no member p1", "x"), True),
        (RejectedMessageRow("r", "c", 101, "odd", '{"profile_id":"p1"}'), False),
        (RejectedMessageRow("r", "c", 2, "odd", '{"profile_id":"p12"}'), False),
        (RejectedMessageRow(None, None, 10**15, "damaged", '{"profile_id":"p1","received_at":7'), True),
        (RejectedMessageRow(None, None, 10**15, "damaged", '{"profile_id":"p1","received_at":700'), False),
        (RejectedMessageRow(None, None, 10**15, "damaged", '"p1"'), True),
    ],
)
def test_what_is_left_out(row: AnyRow | dict[str, Any], expected: bool) -> None:
    line = encode_line(row)
    assert is_forgotten(line, FORGOTTEN) == expected
    assert not is_forgotten(line, Forgotten())
    assert not is_forgotten(line, Forgotten(FORGOTTEN.until_us))


def test_a_segment_is_stored_without_them_as_a_whole_damaged_or_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, journal = tmp_path / "t.duckdb", tmp_path / "t.duckdb.journal"
    with open_database(database) as connection:
        connection.execute("INSERT INTO forgotten VALUES (make_timestamptz(100), ?, NULL, '{}')", [hash_id(KEY, "p1")])
    monkeypatch.setattr(database_module, "_checked", {})
    key_path(database).write_text(KEY.hex())
    old, late = reading(1), HeartRateRow("r", "c", "p1", 60, 5, 101, "raw")
    too_large = HeartRateRow("room", "c", "p10", 2**40, 10, 11, "raw")
    write_segment(journal, "a-0", [reading(0), old, reading(2)])
    damaged = write_segment(journal, "a-1", [old, reading(3)])
    damaged.write_bytes(
        damaged.read_bytes() + b'{"table":"heart_rate","profile_id":"p1","received_at":3\nother damage\n'
    )
    write_segment(journal, "a-2", [old, reading(4), too_large, old, late, reading(5)])
    write_segment(journal, "a-3", [old])
    total = Ingested()
    ingest(database, sorted(journal.iterdir()), total, keep=True)
    found = stored(database)
    rejected = [row for row in found.elements() if row[0] == "rejected_messages"]
    assert sorted(row[5] for row in rejected) == ["other damage", "raw"]
    expected = [reading(0), reading(2), reading(3), reading(4), late, reading(5)]
    assert found - Counter(rejected) == Counter(map(as_stored, expected))
    assert (total.forgotten, total.count) == (6, 8)
    [kept] = (journal / "kept").iterdir()
    lines = gzip.decompress(kept.read_bytes())
    assert lines.count(b'"profile_id":"p1"') == lines.count(b'"received_at":101,') == 1
    assert lines.count(b'"p3"') == 1
