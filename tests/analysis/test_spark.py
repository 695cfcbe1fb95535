"""The summary on Spark is that of the recording, in every figure; what it cannot take is refused in a sentence."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from command import run_main_here
from readings import START, Reading
from recordings import make_recording
from room_batches import PEOPLE, assert_equal, day_with_everything, fill, heart_rate_of, names_of
from sql_archive import make_archive

pytest.importorskip("pyspark", reason="Spark is not installed")

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from pulsoid_rec.analysis.cli.spark import main
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.analysis.spark import _require_unique, summarize
from pulsoid_rec.recorder.contract.errors import ExitCode, UsageError

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "3",
    "spark.sql.adaptive.enabled": "false",  # or all rooms would be in one partition
    "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than so few rows
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.session.timeZone": "America/New_York",
    "spark.log.level": "OFF",
}
PLAIN_TYPES = "room_id string, profile_id string, bpm int, occurred_at timestamp, received_at timestamp"


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """Set what the one JVM of all tests, and its workers, are started with."""
    arguments = " ".join(f'--conf "{key}={value}"' for key, value in SETTINGS.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"--master local[2] {arguments} pyspark-shell")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield
        if (session := SparkSession.getActiveSession()) is not None:
            session.stop()


@pytest.fixture
def spark() -> SparkSession:
    """Return the session; a new one if a command has stopped it."""
    return SparkSession.builder.getOrCreate()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make rooms with everything in them, of names that are numbers, blanks or letters, in all years."""
    rows = [row._replace(room_id=room) for row in day_with_everything() for room in (row.room_id, "7", " né ö😀")]
    steps = [timedelta(seconds=step) for step in range(40)]
    rows += [Reading("first", "ann", 80, FIRST + step, START + step) for step in steps]
    rows += [Reading("last", "bob", 90, LAST - step, START - step) for step in steps]
    heart_rate = heart_rate_of(rows)
    path = make_recording(tmp_path_factory.mktemp("spark") / "a.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        fill(connection, heart_rate, names_of(heart_rate))
    return path


@pytest.fixture(scope="module")
def archive(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive it in a folder whose name would be a pattern, with files that are none of the archive's."""
    folder = make_archive(database, tmp_path_factory.mktemp("spark") / "of [1] {2026} ü%41")
    day = folder / "v1" / "heart_rate" / "day=2026-03-01"
    for name in ("_a-1.parquet", ".a-1.parquet", "a-1.parquet.part", "notes.txt"):
        (day / name).write_text("nothing", encoding="utf-8")
    return folder


def frame_of(spark: SparkSession, archive: Path, table: str, columns: str) -> DataFrame:
    files = sorted(map(str, (archive / "v1" / table).rglob("abc123-1.parquet")))
    escaped = [file.replace("[", "\\[").replace("]", "\\]").replace("{", "\\{").replace("}", "\\}") for file in files]
    return spark.read.schema(columns).parquet(*escaped)


def summary_of(frame: DataFrame) -> pl.DataFrame:
    return pl.DataFrame(frame.toArrow()).cast(SCHEMA).sort("room_id", "session", "name", "profile_id")


@needs_java
@pytest.mark.parametrize(("split_rows", "bpm"), [(None, "int"), (300, "bigint"), (0, "int")])
def test_every_figure_is_that_of_the_recording(
    spark: SparkSession, archive: Path, database: Path, split_rows: int | None, bpm: str
) -> None:
    columns = f"{PLAIN_TYPES}, connection_id string"
    readings = frame_of(spark, archive, "heart_rate", columns).selectExpr("*", f"CAST(bpm AS {bpm}) AS b")
    readings = readings.drop("bpm").withColumnRenamed("b", "bpm")
    events = frame_of(spark, archive, "member_events", columns.replace("bpm int", "name string"))
    found = summary_of(summarize(readings, events, PEOPLE, split_rows=split_rows))
    expected = Recording(database).summary(members=PEOPLE)
    assert expected["untimely"].sum() == 9
    assert expected["duplicates"].sum() == 3
    assert {"007", "7", " né ö😀", "first", "last"} < set(expected["room_id"])
    assert_equal(found, expected)


@needs_java
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("CAST(occurred_at AS TIMESTAMP_NTZ) AS occurred_at", "occurred_at of heart_rate is timestamp_ntz, not timest"),
        ("CAST(bpm AS DOUBLE) AS bpm", "bpm of heart_rate is double, not int"),
        ("bpm AS heart_rate", "heart_rate has no bpm, connection_id"),
    ],
)
def test_columns_of_other_types_are_named(spark: SparkSession, expression: str, message: str) -> None:
    kept = [name for name in ("room_id", "profile_id", "bpm", "occurred_at", "received_at") if name not in expression]
    columns = PLAIN_TYPES if "heart_rate" in expression else f"{PLAIN_TYPES}, connection_id string"
    kept += ["connection_id"] if "connection_id" in columns else []
    frame = spark.createDataFrame([], columns).selectExpr(*kept, expression)
    with pytest.raises(UsageError, match=message):
        summarize(frame)


@needs_java
def test_a_stream_is_refused(spark: SparkSession) -> None:
    with pytest.raises(UsageError, match="heart_rate is a stream"):
        summarize(spark.readStream.format("rate").load())


@needs_java
def test_a_member_that_would_be_there_twice_ends_the_job(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("r1", 1, "ann"), ("r1", 1, "ann")], "room_id string, session int, profile_id string")
    with pytest.raises(PySparkException, match="two rows of one member in one session: r1 1 ann"):
        _require_unique(rows).collect()


def run_spark(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return run_main_here(main, arguments)


@needs_java
def test_an_archive_is_summarized_into_a_file_of_its_owner(
    archive: Path, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (session := SparkSession.getActiveSession()) is not None:
        session.stop()
    monkeypatch.delenv("PYSPARK_PYTHON")  # as of a user, whose first python3 is another one
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != folder))
    out, toml = tmp_path / "out.parquet", tmp_path / "members.toml"
    toml.write_text('[ann]\nname = "Ann"\nhr_max = 187.5\nhr_rest = 55\nsex = "female"\n', encoding="utf-8")
    done = run_spark(archive, "-o", out, "--members", toml, "--max-hold", "4")
    expected = Recording(database).summary(definitions=Definitions(max_hold_s=4), members=PEOPLE.head(1))
    assert (done.returncode, done.stderr) == (0, f"pulsoid-rec: Wrote {len(expected)} rows of summary to {out}.\n")
    assert out.stat().st_mode & 0o777 == 0o600
    assert_equal(pl.read_parquet(out), expected)
    assert SparkSession.getActiveSession() is None
    assert str(run_spark(archive, "-o", out).stderr).endswith("or add --force to overwrite it.\n")


@needs_java
@pytest.mark.parametrize(
    ("change", "reason"),
    [(pl.lit(None, pl.Int32).alias("bpm"), "heart_rate.bpm"), (None, "a-2.parquet")],
    ids=["a null", "no Parquet"],
)
def test_a_file_that_cannot_be_summarized_is_said_in_a_sentence(
    archive: Path, tmp_path: Path, change: pl.Expr | None, reason: str
) -> None:
    folder = tmp_path / "archive" / "v1" / "heart_rate" / "day=2026-03-01"
    folder.mkdir(parents=True)
    (folder / "a-2.parquet").write_text("PAR", encoding="utf-8")
    if change is not None:
        rows = pl.read_parquet(archive / "v1" / "heart_rate" / "day=2026-03-01" / "abc123-1.parquet", glob=False)
        rows.with_columns(change).write_parquet(folder / "a-2.parquet")
    done = run_spark(tmp_path / "archive", "-o", tmp_path / "out.parquet")
    assert done.returncode == ExitCode.STORAGE
    assert done.stderr.startswith("pulsoid-rec: Spark failed: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.parquet").exists()


def test_what_is_no_archive_is_said_before_spark_starts(tmp_path: Path, archive: Path) -> None:
    missing = run_spark(tmp_path / "none", "-o", tmp_path / "out.parquet")
    assert missing.returncode == ExitCode.STORAGE
    assert "none is not there" in missing.stderr
    (tmp_path / "other").mkdir()
    empty = run_spark(tmp_path / "other", "-o", tmp_path / "out.parquet")
    assert empty.returncode == ExitCode.STORAGE
    assert empty.stderr.startswith(f"pulsoid-rec: There are no readings in {tmp_path / 'other'}. Name the folder ")
    inside = run_spark(archive, "-o", archive / "v1" / "out.parquet")
    assert inside.returncode == ExitCode.USAGE
    assert "is in the archive" in inside.stderr


def test_without_java_one_sentence_says_what_is_missing(archive: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pulsoid_rec.analysis.spark", str(archive), "-o", str(tmp_path / "o.parquet")]
    variables = {key: value for key, value in os.environ.items() if key != "JAVA_HOME"} | {"PATH": "/nowhere"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == ExitCode.STORAGE
    assert done.stderr.splitlines()[-1].endswith(
        "Spark did not start. It needs Java 17 or newer: install it, or set JAVA_HOME."
    )


def test_without_pyspark_one_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    monkeypatch.delitem(sys.modules, "pulsoid_rec.analysis.spark")
    for name, kind in (("pulsoid_rec.analysis.spark", ImportError), ("__main__", SystemExit)):
        with pytest.raises(kind, match=r"pip install pulsoid-rec\[spark\]"):
            runpy.run_module("pulsoid_rec.analysis.spark", run_name=name)
