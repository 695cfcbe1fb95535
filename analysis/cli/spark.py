"""`python -m pulsoid_rec.analysis.spark`: the summary of an archive, computed by Spark."""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.app import run
from pulsoid_rec.analysis.cli.output import NewFile, print_message
from pulsoid_rec.recorder.cli.options import path_option
from pulsoid_rec.recorder.contract.archive_files import table_folder
from pulsoid_rec.recorder.contract.archive_place import ArchiveFolder, open_place
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.paths import parse_path
from pulsoid_rec.recorder.contract.tables import HEART_RATE, MEMBER_EVENTS, Table
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame, SparkSession

    from pulsoid_rec.analysis.export.write import Export

_TYPES = {"VARCHAR": "string", "JSON": "string", "INTEGER": "int", "TIMESTAMPTZ": "timestamp"}
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",  # DuckDB wrote them, which has one calendar
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",  # an error is printed as one sentence
}
_WILDCARD = re.compile(r"[*?{}\[\]\\]")
_REASON = re.compile(r"^pulsoid_rec\.[\w.]+: (.*)$|\[[A-Z_.]+\] (.*)$", re.MULTILINE)
"""What our code on a worker raised, or Spark's own sentence, among stack traces."""


def summarize_archive(
    archive: Annotated[
        str, typer.Argument(metavar="ARCHIVE", help="The folder of the archive; or a URL that Spark can read.")
    ],
    *,
    output: Annotated[Path, path_option("Write to this file.", False, "--output", "-o")],
    members: Annotated[Path | None, path_option("The file with what is known of the members.")] = None,
    max_hold: options.MaxHoldOption = options.DEFAULTS.max_hold_s,
    min_bpm: options.MinBpmOption = options.DEFAULTS.min_bpm,
    max_bpm: options.MaxBpmOption = options.DEFAULTS.max_bpm,
    session_gap: options.SessionGapOption = options.DEFAULTS.session_gap_s,
    max_clock_error: options.MaxClockErrorOption = options.DEFAULTS.max_clock_error_s,
    force: options.ForceOption = False,
) -> None:
    """Summarize all members of all rooms and sessions of an archive on Spark, into one Parquet file.

    By `spark-submit` it runs on its cluster; each worker needs pulsoid-rec, and has to reach the archive.
    """
    from pulsoid_rec.analysis.export.write import Export, write_summary
    from pulsoid_rec.analysis.metrics.filters import Filter
    from pulsoid_rec.analysis.reading.members_file import read_members

    file = NewFile(path=output, force=force, database=parse_path(archive), members=members)
    file.check()
    if "://" not in archive:
        place = open_place(archive)
        assert isinstance(place, ArchiveFolder)
        if place.folder.resolve() in output.resolve().parents:
            raise UsageError(f"{output} is in the archive", "Choose another file with -o.")
        # Before Spark starts, which takes long.
        if not any(file.table == HEART_RATE.name for file in place.list_files()):
            raise _no_readings(place.text)
        archive = f"file://{place.folder}"
    definitions = options.parse_definitions(session_gap, max_hold, min_bpm, max_bpm, max_clock_error)
    export = Export(table="summary", wanted=Filter(), definitions=definitions, members=read_members(members))
    with _open_session() as session:
        summary = _summarize(session, archive, export)
    with file.open_() as temporary:
        rows = write_summary(summary, export, archive, temporary, "parquet")
    print_message(f"Wrote {format_count(rows, 'row')} of summary to {output}.")


@contextmanager
def _open_session() -> Iterator["SparkSession"]:
    """Open a session of Spark, as its environment and `spark-submit` have set it, and stop it in the end."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # not by `spark-submit`: the workers are on this machine
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else they are the first python3 of the PATH
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # which is not used here
    builder = SparkSession.builder.appName("pulsoid-rec")
    for key, value in _SETTINGS.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
        try:
            yield session
        finally:
            session.stop()
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if "JAVA_GATEWAY_EXITED" in text:
            hint = "It needs Java 17 or newer: install it, or set JAVA_HOME."
            raise StorageError("Spark did not start", hint) from error
        found = _REASON.search(text)
        reason = (found[1] or found[2] if found else text.splitlines()[0]).strip().rstrip(".")
        raise StorageError(f"Spark failed: {reason}", "The archive was not changed.") from error


def _summarize(session: "SparkSession", archive: str, export: "Export") -> "pl.DataFrame":
    """Compute the summary of an archive, ordered as that of a recording."""
    import polars as pl

    from pulsoid_rec.analysis.metrics.summary import SCHEMA
    from pulsoid_rec.analysis.spark import summarize

    readings = _read_table(session, archive, HEART_RATE)
    if readings is None:
        raise _no_readings(archive)
    events = _read_table(session, archive, MEMBER_EVENTS)
    found = summarize(readings, events, export.members, export.definitions).toArrow()
    return pl.DataFrame(found).cast(SCHEMA).sort("room_id", "session", "name", "profile_id")


def _no_readings(archive: str) -> StorageError:
    return StorageError(f"There are no readings in {archive}", "Name the folder that `pulsoid-rec archive` wrote.")


def _read_table(session: "SparkSession", archive: str, table: Table) -> "DataFrame | None":
    """Read a table of an archive; None if it has no files. Only files with a name as in an archive are read."""
    from pyspark.errors import AnalysisException

    columns = ", ".join(f"{column.name} {_TYPES[column.type]}" for column in table.columns)
    path = _WILDCARD.sub(r"\\\g<0>", f"{archive}/{table_folder(table.name)}")
    try:
        return session.read.schema(f"{columns}, day string").option("pathGlobFilter", "*-*.parquet").parquet(path)
    except AnalysisException as error:
        if error.getCondition() == "PATH_NOT_FOUND":
            return None
        raise


def main() -> None:
    """Run the command."""
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(summarize_archive)
    run(app, "python -m pulsoid_rec.analysis.spark")
