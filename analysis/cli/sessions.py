"""`pulsoid-rec sessions`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.destination import Destination
from pulsoid_rec.analysis.cli.output import print_message
from pulsoid_rec.recorder.cli.options import DbOption, TableFormatOption
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError


@contextmanager
def _without_counts(what: str) -> Iterator[None]:
    """Go on without these counts, and print why, if the archive's files that they need cannot be read."""
    try:
        yield
    except StorageError as error:
        print_message(f"The {what} are not counted: {error.message}. {error.hint}")


def sessions(
    *,
    db: DbOption = DEFAULT_DB,
    archive: options.ArchiveOption = None,
    room: options.RoomOption = None,
    session_gap: options.SessionGapOption = options.DEFAULTS.session_gap_s,
    max_clock_error: options.MaxClockErrorOption = options.DEFAULTS.max_clock_error_s,
    pseudonyms: options.PseudonymsOption = False,
    pseudonym_key: options.PseudonymKeyOption = None,
    shift_times: options.ShiftTimesOption = False,
    format_: TableFormatOption = "table",
) -> None:
    """List the sessions recorded, by room and number.

    A session ends when nobody in its room sends a heart rate for 15 minutes. Sessions are numbered in the order in
    which they were received: neither a filter nor what is recorded later changes a number, unless readings that arrive
    late join two sessions.
    """
    import polars as pl

    from pulsoid_rec.analysis.cli.recording import open_pseudonyms, open_recording, print_no_match
    from pulsoid_rec.analysis.findings.rejected import describe_unplaced, describe_withheld
    from pulsoid_rec.analysis.findings.withdrawn import describe_withdrawn
    from pulsoid_rec.analysis.metrics.durations import in_seconds
    from pulsoid_rec.analysis.reading.rejected import REJECTED, read_rejected
    from pulsoid_rec.analysis.report.terminal import show_sessions

    definitions = options.parse_definitions(session_gap, max_clock_error=max_clock_error)
    hidden = open_pseudonyms(db, pseudonym_key, wanted=pseudonyms, shift_times=shift_times)
    recording = open_recording(db, archive, hidden)
    wanted = options.parse_filter(room, recording=recording)
    rejected = pl.DataFrame(schema=REJECTED)
    with recording.snapshot() as snapshot:
        found = snapshot.sessions(wanted, definitions)
        with _without_counts("untimely readings"), snapshot.selection(wanted, definitions) as selection:
            left_out = selection.untimely.group_by("room_id", "session").agg(pl.col("untimely").sum())
            found = found.join(left_out, on=["room_id", "session"], how="left", maintain_order="left")
            found = found.with_columns(pl.col("untimely").fill_null(0))
        with _without_counts("rejected messages"):
            rejected = read_rejected(snapshot, wanted, definitions)
            counts = rejected.select("room_id", "session", rejected=pl.sum_horizontal("messages", "withheld"))
            found = found.join(counts, on=["room_id", "session"], how="left", maintain_order="left")
            found = found.with_columns(pl.col("rejected").fill_null(0))
        withdrawn: dict[str, str] = {}
        with suppress(UsageError):  # a mistake in the members file: no name of it is needed here
            withdrawn = options.read_withdrawn_beside(db, None, hidden)
        recorded = snapshot.profile_ids(definitions) if withdrawn else set()
    found = (
        recording.move(found)
        .with_columns(
            *(pl.lit(None, pl.Int64).alias(name) for name in ("untimely", "rejected") if name not in found.columns),
            duration_s=in_seconds((pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds()),
        )
        .select(
            "room_id", "session", "started_at", "ended_at", "duration_s", "members", "readings", "untimely", "rejected"
        )
    )
    if found.is_empty():
        print_no_match(recording, wanted, definitions)
    hint = describe_withdrawn(withdrawn, recorded, is_hidden=hidden is not None)
    for text in filter(None, [*describe_unplaced(rejected, {}), *describe_withheld(rejected), hint]):
        print_message(f"{text}.")
    destination = Destination(format_)
    if format_ == "json":
        destination.write_rows(found)
    else:
        destination.show(lambda console: show_sessions(found, console))
