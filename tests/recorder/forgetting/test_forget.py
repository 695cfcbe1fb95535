"""Members are taken out of everything, and nothing else is changed."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from archives import DAY_US, all_rows, archive_all, files_of
from forgettable import ADA, MASK, NAMES, Recording, bring_in_rows, files_with, forget
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_rows import as_stored, stored, write_segment

from pulsoid_rec.recorder.archiving.access import only_run, open_when_free, spill_folder
from pulsoid_rec.recorder.archiving.check import check_archive
from pulsoid_rec.recorder.archiving.notes import read_notes
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.forgotten import hash_id, key_path
from pulsoid_rec.recorder.forgetting.forget import Forgetting
from pulsoid_rec.recorder.ingest import database as database_module
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.rows import (
    AnyRow,
    HeartRateRow,
    MarkRow,
    MemberEventRow,
    RejectedMessageRow,
    RoomEventRow,
)


def faults(database: Path, archive: Path) -> list[str]:
    with only_run(database), open_when_free(database) as connection:
        store = open_store(open_place(archive), database, spill_folder(database))
        return [fault for _, fault in check_archive(read_notes(connection), store) if fault]


def with_ids(rows: Counter[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    """Leave out messages without an id: of these nobody can see whose they were."""
    return Counter({row: count for row, count in rows.items() if "no id" not in row})


@pytest.mark.slow
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(list(NAMES)), min_size=1, max_size=2, unique=True),
    st.booleans(),
    st.integers(0, 36),
)
@settings(max_examples=8, deadline=None)
def test_all_rows_of_others_are_left_and_no_byte_of_the_members(
    seed: int, gone: list[str], is_archived: bool, later: int
) -> None:
    """Wherever they are: in the database, its archive, the kept journal, and in a segment that a crash left."""
    recording = Recording(seed)
    rows = recording.all()
    with TemporaryDirectory() as name:
        folder = Path(name)
        database, archive = folder / "t.duckdb", folder / "archive"
        bring_in_rows(database, rows[:later], keep=True)
        if is_archived:
            archive_all(database, archive)
        write_segment(folder / "t.duckdb.journal", "b-0", rows[later:], is_open=True)
        done = forget(database, *gone)
        assert all_rows(database, archive) == recording.left(*gone)
        assert not done.left
        if ADA not in gone:  # whose id is a part of another one
            assert files_with(folder, *(text for each in gone for text in (each, NAMES[each]))) == []
        if archive.exists():
            assert faults(database, archive) == []
        before = stored(database)
        bring_in_rows(database, rows, "c-0")  # the same from a journal that was put back
        came = stored(database) - before
        assert with_ids(came) == with_ids(recording.left(*gone))


def test_ids_in_texts_of_others_are_masked_and_their_rows_stay(tmp_path: Path) -> None:
    database, archive = tmp_path / "t.duckdb", tmp_path / "archive"
    rows = [
        RoomEventRow("room", "c", f"of {ADA}", f'{{"owner":"{ADA}","x":[1, 2]}}', at, at + 1, "raw")
        for at in (5, DAY_US)
    ]
    rows.append(RoomEventRow("room", "c", "another", '{"owner":"somebody"}', 7, 8, "raw"))
    bring_in_rows(database, [*rows, HeartRateRow("room", "c", ADA, 60, 1, 2, "raw")])
    copy = tmp_path / "copy" / "t.duckdb"
    copy.parent.mkdir()
    shutil.copy(database, copy)
    archive_all(database, archive)
    expected = Counter(
        (
            "room_events",
            *(str(part).replace(ADA, MASK) if isinstance(part, str) else part for part in as_stored(row)[1:]),
        )
        for row in rows
    )
    for each in (database, copy):
        assert not forget(each, ADA).left
        assert all_rows(each, archive) == expected
    assert faults(database, archive) == []
    assert files_with(tmp_path, ADA) == []


def test_a_receipt_says_what_went_without_saying_who(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    rows = [HeartRateRow("room", "c", ADA, 60, at, at + 1, "raw") for at in range(7)]
    bring_in_rows(database, [*rows, RejectedMessageRow("room", "c", 3, "odd", f'"{ADA}"')])
    before = datetime.now(UTC)
    forget(database, ADA)
    with duckdb.connect(database, read_only=True) as connection:
        sql = "SELECT epoch_us(forgotten_at), hash, before, removed::VARCHAR FROM forgotten"
        [(at_us, hashed, day, removed)] = connection.execute(sql).fetchall()
    assert before.timestamp() * 1e6 <= at_us <= datetime.now(UTC).timestamp() * 1e6
    assert hashed == hash_id(bytes.fromhex(key_path(database).read_text()), ADA)
    assert day is None
    assert json.loads(removed) == {"heart_rate": 7, "rejected_messages": 1}
    assert key_path(database).stat().st_mode & 0o777 == 0o600


def test_what_comes_later_is_new(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    bring_in_rows(database, [HeartRateRow("room", "c", ADA, 60, 1, 2, "raw")])
    at_us = forget(database, ADA).at_us
    late = [HeartRateRow("room", "c", ADA, 61, 1, at_us + offset, "raw") for offset in (0, 1)]
    bring_in_rows(database, late, "b-0")
    assert stored(database) == Counter([as_stored(late[1])])


def test_a_clock_that_was_put_back_does_not_bring_them_back(tmp_path: Path) -> None:
    database = tmp_path / "t.duckdb"
    ahead = int(datetime.now(UTC).timestamp() * 1e6) + 3_600_000_000
    row = HeartRateRow("room", "c", ADA, 60, ahead, ahead, "raw")
    bring_in_rows(database, [row])
    assert forget(database, ADA).at_us == ahead
    bring_in_rows(database, [row], "b-0")
    assert not stored(database)


def test_names_of_others_are_not_taken_for_the_members(tmp_path: Path) -> None:
    """Ada's and Bo's names are the same; a message without an id may be of either."""
    database = tmp_path / "t.duckdb"
    message = RejectedMessageRow("room", "c", 3, "odd", '{"name":"Same name"}')
    config = '{"name":"Same name"}'
    rows = [MemberEventRow("room", "c", each, "updated", "Same name", config, 1, 2, "raw") for each in (ADA, "bo")]
    bring_in_rows(database, [*rows, message])
    with only_run(database):
        assert Forgetting(database, None, None).plan([ADA]).shared == ["Same name"]
    assert not forget(database, ADA).left
    assert stored(database) == Counter([as_stored(rows[1]), as_stored(message)])


def test_where_it_still_is_is_said(tmp_path: Path) -> None:
    """In an export beside the database, and the files of another recorder in the same archive."""
    database, other, archive = tmp_path / "t.duckdb", tmp_path / "other" / "t.duckdb", tmp_path / "archive"
    other.parent.mkdir()
    for each in (database, other):
        bring_in_rows(each, [HeartRateRow("room", "c", ADA, 60, 1, 2, "raw")])
        archive_all(each, archive)
    (tmp_path / "export.csv").write_text(f"profile_id,bpm\n{ADA},60\n")
    (tmp_path / "large.bin").write_bytes(b"\0" * 2**20 + ADA.encode())
    (tmp_path / "room.csv").write_text(f"{ADA}0,60\n")
    left = {each.file: each.where for each in forget(database, ADA).left}
    (file,) = files_of(archive)
    assert left.keys() == {str(tmp_path / "export.csv"), str(tmp_path / "large.bin"), f"{archive}/{file.path}"}
    assert f"written by another database ({file.recorder})" in left[f"{archive}/{file.path}"]
    assert not forget(other, ADA).left[2:]
    assert not files_of(archive)


def test_an_archive_that_is_not_there_stops_it_before_anything_is_changed(tmp_path: Path) -> None:
    database, archive = tmp_path / "t.duckdb", tmp_path / "archive"
    rows = [HeartRateRow("room", "c", each, 60, at, at + 1, "raw") for each in (ADA, "bo") for at in (1, DAY_US)]
    bring_in_rows(database, rows)
    archive_all(database, archive)
    archive.rename(tmp_path / "moved")
    with pytest.raises(StorageError, match="is not there"):
        forget(database, ADA)
    (tmp_path / "moved" / files_of(tmp_path / "moved")[0].path).unlink()
    with pytest.raises(StorageError, match=r"Of the 2 files .* 1 are not in .*Nothing was changed"):
        forget(database, ADA, archive=str(tmp_path / "moved"))
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE archive_identity SET place = 's3://bucket/folder'")
    with pytest.raises(UsageError, match="--archive s3://bucket/folder"):
        forget(database, ADA)
    assert not key_path(database).exists()


def test_without_the_key_nobody_comes_back_unnoticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "t.duckdb"
    rows = [HeartRateRow("room", "c", each, 60, 1, 2, "raw") for each in (ADA, "bo")]
    bring_in_rows(database, rows)
    forget(database, ADA)
    key = key_path(database).read_text()
    key_path(database).unlink()
    monkeypatch.setattr(database_module, "_checked", {})  # as in another process
    with pytest.raises(StorageError, match=r"forgotten.key is missing"):
        forget(database, "bo")
    old = write_segment(tmp_path / "t.duckdb.journal", "b-0", rows)
    new = HeartRateRow("room", "c", "bo", 60, 1, int(datetime.now(UTC).timestamp() * 1e6) + 10**6, "raw")
    write_segment(tmp_path / "t.duckdb.journal", "b-1", [new])
    assert recover(database).ingested.skipped == [old]
    assert "is from before a member was forgotten" in caplog.text
    assert stored(database) == Counter(map(as_stored, [rows[1], new]))
    key_path(database).write_text(key)
    monkeypatch.setattr(database_module, "_checked", {})
    assert recover(database).ingested.forgotten == 1
    assert stored(database) == Counter(map(as_stored, [rows[1], rows[1], new]))


def test_a_run_that_was_stopped_goes_on_with_the_same_members(tmp_path: Path) -> None:
    """Killed when the database had no name of theirs any more; the next run names somebody else."""
    database = tmp_path / "t.duckdb"
    rows = [HeartRateRow("room", "c", each, 60, 1, 2, "raw") for each in (ADA, "bo", "cy")]
    bring_in_rows(database, rows)
    (tmp_path / "t.duckdb.forgetting").write_text(json.dumps({ADA: ["Ada Lovelace"]}))
    (tmp_path / "t.duckdb.logs").mkdir()
    log = tmp_path / "t.duckdb.logs" / "run.log"
    log.write_text("odd: Ada Lovelace said so\n")
    with only_run(database):
        assert Forgetting(database, None, None).plan(["bo"]).is_resumed
    forget(database, "bo")
    assert stored(database) == Counter([as_stored(rows[2])])
    assert log.read_text() == "odd: ************ said so\n"
    assert files_with(tmp_path, ADA, "Ada Lovelace") == []


def test_an_id_that_is_the_name_of_another_member_takes_nothing_from_them(tmp_path: Path) -> None:
    """Of an import, ids may be names."""
    database, archive = tmp_path / "t.duckdb", tmp_path / "archive"
    imported = [HeartRateRow("room", "c", "Bruno", 60, at, at + 1, "raw") for at in (5, DAY_US)]
    said = '{"name":"Bruno"}'
    others: list[AnyRow] = [
        MemberEventRow("room", "c", ADA, "updated", "Bruno", said, at, at + 2, "raw") for at in (6, DAY_US)
    ]
    others.append(RejectedMessageRow("room", "c", 9, "odd", said))
    bring_in_rows(database, [*imported, *others], keep=True)
    archive_all(database, archive)
    (tmp_path / "members.toml").write_text(f'["{ADA}"]\nname = "Bruno"\n["Bruno"]\nhr_max = 190\n')
    with only_run(database):
        run = Forgetting(database, tmp_path / "members.toml", None)
        plan = run.plan(["Bruno"])
        assert plan.others == {"Bruno": [ADA]}
        assert plan.shared == ["Bruno"]
        assert not run.carry_out(plan).left
    assert all_rows(database, archive) == Counter(map(as_stored, others))
    assert (tmp_path / "members.toml").read_text() == f'["{ADA}"]\nname = "Bruno"\n'


def test_what_a_table_of_the_users_own_has_of_the_member_is_listed(tmp_path: Path) -> None:
    """Its texts are compressed, so that a search of the file's bytes does not find them."""
    database = tmp_path / "t.duckdb"
    bring_in_rows(database, [HeartRateRow("room", "c", each, 60, 1, 2, "raw") for each in (ADA, "user-12")])
    with duckdb.connect(database) as connection:
        some = "SELECT 'heart of ' || profile_id || ' at ' || i AS said FROM range(20000) AS t(i), heart_rate"
        connection.execute(f'CREATE SCHEMA "my own"; CREATE TABLE "my own"."a ""b""" AS {some} ORDER BY hash(i)')
    left = forget(database, ADA).left
    assert [str(each) for each in left] == [f'{database}: 20,000 of the rows of my own.a "b", a table of your own']
    with duckdb.connect(database) as connection:
        connection.execute(f'DELETE FROM "my own"."a ""b""" WHERE said LIKE \'%{ADA}%\'')
    assert not forget(database, ADA).left


def test_a_label_that_names_the_member_stays_without_the_name_wherever_the_mark_is(tmp_path: Path) -> None:
    """Nobody could delete it there: a mark is only undone."""
    database, archive, name = tmp_path / "t.duckdb", tmp_path / "archive", NAMES[ADA]
    rows: list[AnyRow] = [MemberEventRow("room", "c", ADA, "updated", name, None, 1, 2, "raw")]
    marks = [
        MarkRow("room", None, label, kind, at + n, f"m-{at}-{n}", "cli")
        for at in (5, DAY_US, 2 * DAY_US)
        for n, (label, kind) in enumerate(
            [(f"goal by {name}!", "mark"), (name, "phase"), (f"{name} {name}", "mark"), (f"of {ADA}", "undo")]
        )
    ]
    others = [MarkRow("room", "user-12", f"{name}'s goal", "mark", 9, "o", "cli")]
    others += [
        MarkRow("room", None, "Lovelace", "mark", 9, "p", "page"),
        MarkRow("room", None, "1", "mark", 9, "q", "api"),
    ]
    bring_in_rows(database, [*rows, *marks[:4], *others], keep=True)
    archive_all(database, archive)
    bring_in_rows(database, marks[4:8], "b-0", keep=True)
    write_segment(tmp_path / "t.duckdb.journal", "c-0", marks[8:], is_open=True)
    assert not forget(database, ADA).left
    left = Counter(
        ("marks", *(part.replace(ADA, MASK).replace(name, MASK) if isinstance(part, str) else part for part in row[1:]))
        for row in map(as_stored, [*marks, *others])
    )
    assert all_rows(database, archive) == left
    assert faults(database, archive) == []
    assert files_with(tmp_path, ADA, name) == []


@pytest.mark.parametrize("place", ["data", "end"])
def test_a_damaged_file_of_the_archive_is_not_written_anew_as_if_it_was_sound(tmp_path: Path, place: str) -> None:
    database, archive = tmp_path / "t.duckdb", tmp_path / "archive"
    bring_in_rows(database, [HeartRateRow("room", "c", ADA, 60 + at % 9, at, at + 1, "raw") for at in range(99)])
    archive_all(database, archive)
    [path] = archive.rglob("*.parquet")
    content = bytearray(path.read_bytes())
    content[-1 if place == "end" else 20] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"\.parquet is damaged: it is not as it was written") as caught:
        forget(database, ADA)
    assert "Put it back from a backup" in caught.value.hint
    assert path.read_bytes() == content
    content[-1 if place == "end" else 20] ^= 1
    path.write_bytes(content)
    assert not forget(database, ADA).left


def test_a_damaged_file_of_another_database_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for name in ("a", "b"):
        rows = [MemberEventRow("room", "c", ADA, "updated", NAMES[ADA], None, at, at + 1, "raw") for at in range(3)]
        bring_in_rows(tmp_path / name / "t.duckdb", rows)
        archive_all(tmp_path / name / "t.duckdb", archive)
    with open_when_free(tmp_path / "b" / "t.duckdb") as connection:
        [theirs] = read_notes(connection).noted
    path = open_place(archive).path_of(theirs)  # type: ignore[attr-defined] # a folder
    path.write_bytes(path.read_bytes()[:-9])
    [left] = forget(tmp_path / "a" / "t.duckdb", NAMES[ADA]).left
    assert str(path) == left.file
    assert left.where.startswith("cannot be read")
