"""An archive in a bucket, on a server of our own that speaks S3."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import boto3
import pytest
from archives import append_rows, archive_all, archived_rows, some_rows
from command import run_here
from journal_rows import as_stored, stored
from moto.server import ThreadedMotoServer

from pulsoid_rec.recorder.archiving.notes import note_intent, read_notes
from pulsoid_rec.recorder.archiving.parquet import portion, write_parquet
from pulsoid_rec.recorder.archiving.store import open_store
from pulsoid_rec.recorder.contract.archive_files import ArchiveFile
from pulsoid_rec.recorder.contract.archive_place import open_place
from pulsoid_rec.recorder.contract.errors import ExitCode, StorageError, UsageError
from pulsoid_rec.recorder.ingest.database import open_database
from pulsoid_rec.recorder.journal.rows import HeartRateRow

ROWS = some_rows()[:2]
LATE = some_rows(99)[:2]  # of the same day

pytestmark = [pytest.mark.process, pytest.mark.slow]


@dataclass
class Bucket:
    """An empty bucket, and its client, which is none of ours."""

    url: str
    client: Any

    def objects(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket="archive").get("Contents", [])
        return [entry["Key"] for entry in found]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="archive")
    yield Bucket("s3://archive/rooms/2026", client)
    for entry in client.list_objects_v2(Bucket="archive").get("Contents", []):
        client.delete_object(Bucket="archive", Key=entry["Key"])
    client.delete_bucket(Bucket="archive")


def rows_of(bucket: Bucket) -> Counter[tuple[Any, ...]]:
    """Fetch all objects, and count their rows."""
    with TemporaryDirectory() as folder:
        for key in bucket.objects():
            path = Path(folder) / key.removeprefix("rooms/2026/")
            path.parent.mkdir(parents=True, exist_ok=True)
            bucket.client.download_file("archive", key, str(path))
        return archived_rows(Path(folder), open_place(folder).list_files())


def recorder_of(database: Path) -> str:
    with open_database(database) as connection:
        return read_notes(connection).recorder


@pytest.fixture
def database(tmp_path: Path) -> Path:
    append_rows(tmp_path / "t.duckdb", ROWS)
    return tmp_path / "t.duckdb"


def test_rows_are_in_the_bucket_and_nowhere_else(tmp_path: Path, database: Path, bucket: Bucket) -> None:
    archived = archive_all(database, bucket.url)
    assert sum(archived.rows.values()) == len(ROWS)
    assert not sum(stored(database).values())
    assert sorted(bucket.objects()) == sorted(f"rooms/2026/{file.path}" for file in open_place(bucket.url).list_files())
    assert len(bucket.objects()) == archived.files
    assert [path.name for path in tmp_path.iterdir()] == ["t.duckdb"]


def test_its_rows_are_read_back_as_they_were(database: Path, bucket: Bucket) -> None:
    archive_all(database, bucket.url)
    assert rows_of(bucket) == Counter(map(as_stored, ROWS))


def test_a_report_reads_the_bucket_that_is_named_and_no_other(database: Path, bucket: Bucket) -> None:
    before = run_here("report", "--session", "all", "--db", database)
    archive_all(database, bucket.url)
    options = ("report", "--session", "all", "--db", database)
    assert run_here(*options, "--archive", bucket.url).stdout == before.stdout
    done = run_here("export", "--db", database, "-o", database.with_name("out.csv"))
    assert done.returncode == ExitCode.STORAGE
    assert f"--archive {bucket.url}, or for good PULSOID_REC_ARCHIVE={bucket.url}." in done.stderr
    assert run_here(*options, PULSOID_REC_ARCHIVE=f"{bucket.url}/").stdout == before.stdout
    assert run_here(*options, PULSOID_REC_ARCHIVE=f"{bucket.url}-of-others").returncode == ExitCode.STORAGE
    assert run_here(*options[:3], cwd=database.parent, PULSOID_REC_ARCHIVE=bucket.url).stdout == before.stdout


def test_late_rows_make_a_second_object(database: Path, bucket: Bucket) -> None:
    archive_all(database, bucket.url)
    append_rows(database, LATE, "a-1")
    archive_all(database, bucket.url)
    assert rows_of(bucket) == Counter(map(as_stored, [*ROWS, *LATE]))


def test_an_object_that_was_sent_and_not_noted_is_sent_again_under_its_name(database: Path, bucket: Bucket) -> None:
    file = ArchiveFile("heart_rate", date(1970, 1, 1), recorder_of(database), "killed")
    store = open_store(open_place(bucket.url), database, database.parent)
    with open_database(database) as connection:
        note_intent(connection, file)
        store.put(file, partial(write_parquet, connection, file, portion(connection, file)))
    append_rows(database, LATE, "a-1")  # late ones, before it is run again
    archive_all(database, bucket.url)
    assert rows_of(bucket) == Counter(map(as_stored, [*ROWS, *LATE]))
    assert f"rooms/2026/{file.path}" in bucket.objects()


def test_a_copy_is_refused(tmp_path: Path, database: Path, bucket: Bucket) -> None:
    copy = tmp_path / "copy.duckdb"
    shutil.copyfile(database, copy)
    archive_all(database, bucket.url)
    with pytest.raises(StorageError, match="is a copy, or an older state"):
        archive_all(copy, bucket.url)
    assert sum(stored(copy).values()) == len(ROWS)


def test_check_finds_a_damaged_and_a_missing_object(database: Path, bucket: Bucket) -> None:
    archive_all(database, bucket.url)
    assert run_here("archive", bucket.url, "--check", "--db", str(database)).returncode == 0
    damaged, missing, *_ = bucket.objects()
    bucket.client.put_object(Bucket="archive", Key=damaged, Body=b"PAR1")
    bucket.client.delete_object(Bucket="archive", Key=missing)
    done = run_here("archive", bucket.url, "--check", "--db", str(database))
    assert done.returncode == 4
    assert f"s3://archive/{damaged} has 4 bytes" in done.stderr
    assert f"s3://archive/{missing} is missing" in done.stderr


def test_a_bucket_that_is_not_there_loses_nothing(database: Path, bucket: Bucket) -> None:
    done = run_here("archive", "s3://elsewhere/rooms", "--db", str(database))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "The archive s3://elsewhere/rooms cannot be reached: The specified bucket does not exist." in done.stderr
    assert stored(database) == Counter(map(as_stored, ROWS))


class _Refusal(BaseHTTPRequestHandler):
    def _refuse(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = _refuse  # noqa: N815 - as the library names them

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_bucket_that_says_no_loses_nothing(database: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusal) as server:
        Thread(target=server.serve_forever).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        done = run_here("archive", "s3://archive/no", "--db", str(database))
        server.shutdown()
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "The archive s3://archive/no cannot be reached: Access Denied. See that" in done.stderr
    assert stored(database) == Counter(map(as_stored, ROWS))


def test_a_server_that_is_gone_is_one_sentence(database: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    done = run_here("archive", "s3://archive/no", "--db", str(database))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "Could not connect" in done.stderr


@pytest.mark.parametrize("url", ["s3://", "s3:///folder", "s3://bucket/a*", "gs://bucket/a"])
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is no place for an archive"):
        open_place(url)


def test_without_s3fs_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"pip install pulsoid-rec\[s3\]"):
        open_place("s3://bucket/a").list_files()


def test_the_latest_report_needs_neither_the_bucket_nor_s3fs(
    database: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_all(database, bucket.url)
    at_us = int(datetime.now(UTC).timestamp() * 1e6)
    append_rows(database, [HeartRateRow("007", "c", "p", 60, at_us, at_us, "raw")], "a-1")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    done = run_here("report", "--db", str(database), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 1
    archived = run_here("report", "--db", str(database), "--session", "all")
    assert (archived.returncode, archived.stderr.count("\n")) == (4, 1)
    assert f"--archive {bucket.url}" in archived.stderr


def test_a_member_is_taken_out_of_a_bucket_that_is_named(database: Path, bucket: Bucket) -> None:
    rows = [HeartRateRow("007", "c", member, 60, at, at + 1, "raw") for at in range(3) for member in ("anna", "bert")]
    append_rows(database, rows, "a-1")
    archive_all(database, bucket.url)
    done = run_here("forget", "anna", "--db", database, "--yes")
    assert done.returncode == ExitCode.USAGE
    assert f"--archive {bucket.url}" in done.stderr
    done = run_here("forget", "anna", "--db", database, "--yes", "--archive", bucket.url)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert rows_of(bucket) == Counter(map(as_stored, [*ROWS, *rows[1::2]]))
    assert run_here("archive", bucket.url, "--db", database, "--check").returncode == ExitCode.DONE
    assert run_here("forget", "--older-than", "1d", "--db", database, "--yes", "--archive", bucket.url).returncode == 0
    assert bucket.objects() == []
