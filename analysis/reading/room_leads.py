"""Which readings are untimely, as SQL: their own time minus that of their receipt differs from their room's median.

Imported readings have no lead, as their receipt is that of the import: they are never untimely, and do not count in the
median. Most recordings have no untimely readings. Whether a quarter of an hour can have any is seen from the first and
last times of its buckets; only of those that can, the readings themselves are looked at.
"""

from collections.abc import Sequence

import duckdb
import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.metrics.untimely import UNTIMELY, receipt_ranges
from pulsoid_rec.analysis.reading.archive import days_of, show
from pulsoid_rec.analysis.reading.database import read_frame, write_temporary
from pulsoid_rec.recorder.contract.activity import QUARTER
from pulsoid_rec.recorder.contract.ids import IS_IMPORTED
from pulsoid_rec.recorder.contract.tables import HEART_RATE

ROOM_LEADS = pl.Schema({"room_id": pl.String(), "quarter": pl.Int64(), "room_lead_us": pl.Int64()})

_MOST_ROWS = 5_000_000
"""Readings whose median is computed at once, which needs some 16 bytes for each."""

_LEAD_US = f"CASE WHEN NOT {IS_IMPORTED} THEN epoch_us(occurred_at) - epoch_us(received_at) END"


def judge_buckets(buckets: pl.DataFrame, definitions: Definitions) -> pl.DataFrame:
    """Judge by first and last times alone which buckets are untimely.

    All leads of a bucket lie between `first_at - last_received_at` and `last_at - first_received_at`. So the median of
    a quarter's leads lies between the medians of these two, and a bucket that is far from both is judged without its
    readings. Buckets are half an hour wide at most, and clocks are wrong by days: few are left.

    `buckets` have `room_id`, `quarter` (of receipt), `first_at`, `last_at`, `first_received_at`, `last_received_at`,
    `readings`, `imported` (how many of them were imported).

    Returns the rows of each room and quarter that may have untimely readings, with `is_timely`: null where only the
    readings can tell.
    """
    most_us, quarter = definitions.max_clock_error_us, ["room_id", "quarter"]
    low, high = pl.col("first_at") - pl.col("last_received_at"), pl.col("last_at") - pl.col("first_received_at")
    weight = pl.col("readings") - pl.col("imported")
    judged = buckets.with_columns(
        low_us=low.dt.total_microseconds(), high_us=high.dt.total_microseconds(), weight=weight
    ).filter(pl.col("weight") > 0)
    spread_us = pl.col("high_us").max() - pl.col("low_us").min()
    wide = judged.group_by(quarter).agg(spread_us.alias("spread_us")).filter(pl.col("spread_us") > most_us)
    judged = judged.join(wide.drop("spread_us"), on=quarter, how="semi")
    for edge in ("low_us", "high_us"):
        is_half = 2 * pl.col("weight").cum_sum().over(quarter) >= pl.col("weight").sum().over(quarter)
        medians = judged.sort(edge).filter(is_half).group_by(quarter).agg(pl.col(edge).min().alias(f"median_{edge}"))
        judged = judged.join(medians, on=quarter)
    off_by = pl.max_horizontal(pl.col("low_us") - pl.col("median_high_us"), pl.col("median_low_us") - pl.col("high_us"))
    at_most = pl.max_horizontal(
        pl.col("high_us") - pl.col("median_low_us"), pl.col("median_high_us") - pl.col("low_us")
    )
    is_whole = pl.col("imported") == 0  # imported ones are never untimely
    is_timely = pl.when(at_most <= most_us).then(pl.lit(value=True)).when(is_whole & (off_by > most_us)).then(False)
    judged = judged.select(*buckets.columns, is_timely=is_timely)
    return judged.filter(~pl.col("is_timely").fill_null(value=False).all().over(quarter))


def read_room_leads(
    connection: duckdb.DuckDBPyConnection, buckets: pl.DataFrame, definitions: Definitions
) -> pl.DataFrame:
    """Compute the median lead of each room and quarter of an hour in which some readings are untimely.

    Only the quarters of `buckets` are looked at, as `judge_buckets` returns them. Returns `ROOM_LEADS`, of which
    `room_lead_us` is the lower median, in microseconds.
    """
    most_us = definitions.max_clock_error_us
    having = f"HAVING max(lead_us) - room_lead_us > {most_us} OR room_lead_us - min(lead_us) > {most_us}"
    return read_leads(connection, buckets, having)


def read_leads(
    connection: duckdb.DuckDBPyConnection, buckets: pl.DataFrame, having: str = "HAVING room_lead_us IS NOT NULL"
) -> pl.DataFrame:
    """Compute the median lead of each room and quarter of an hour of these buckets, or of some (`having`, as SQL).

    Returns what `read_room_leads` does.
    """
    suspects = (
        buckets.group_by("room_id", "quarter")
        .agg(pl.col("readings").sum())
        .sort("quarter", "room_id")
        .with_columns(part=pl.col("readings").cum_sum() // _MOST_ROWS)
    )
    found = [pl.DataFrame(schema=ROOM_LEADS)]
    for part in suspects.partition_by("part"):
        write_temporary(connection, "suspects", "room_id VARCHAR, quarter BIGINT", part.select("room_id", "quarter"))
        show(connection, HEART_RATE, days=days_of(buckets.join(part, on=["room_id", "quarter"], how="semi")))
        found.append(
            read_frame(
                connection,
                f"SELECT room_id, quarter, quantile_disc(lead_us, 0.5) AS room_lead_us"
                f" FROM {_received_sql(part)} SEMI JOIN suspects USING (room_id, quarter) GROUP BY ALL {having}",
            )
        )
    return pl.concat(found)


def needed_for(suspects: pl.DataFrame, chosen: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets of the quarters that have to be known to read some sessions, and to count what is untimely.

    These are the quarters with a reading, timely or not, in a session's time, and those that were received in it.
    `suspects` are as `judge_buckets` returns them; `chosen` are the sessions to be read, of all `sessions` of these
    rooms (`sessions.SCHEMA`).
    """
    if suspects.is_empty():
        return suspects
    ranges = receipt_ranges(sessions).sort("room_id", "from_us")
    ranges = ranges.with_columns(until_us=pl.col("from_us").shift(-1).over("room_id").fill_null(2**62))
    of_chosen = (
        ranges.join(chosen, on=["room_id", "session"], how="semi")
        .group_by("room_id")
        .agg(pl.col("from_us", "started_us").min(), pl.col("until_us", "ended_us").max())
    )
    start_us = pl.col("quarter") * QUARTER.width_us + QUARTER.start_us(0)
    first_us, last_us = (pl.col(edge).dt.epoch("us") for edge in ("first_at", "last_at"))
    is_received = (start_us < pl.col("until_us")) & (start_us + QUARTER.width_us > pl.col("from_us"))
    is_within = (first_us <= pl.col("ended_us")) & (last_us >= pl.col("started_us"))
    needed = suspects.join(of_chosen, on="room_id").filter(is_received | is_within)
    return suspects.join(needed, on=["room_id", "quarter"], how="semi")


def write_room_leads(connection: duckdb.DuckDBPyConnection, room_leads: pl.DataFrame) -> None:
    """Write the medians to a temporary table, for `timely_sql` and `read_untimely`."""
    write_temporary(connection, "room_leads", "room_id VARCHAR, quarter BIGINT, room_lead_us BIGINT", room_leads)


def timely_sql(definitions: Definitions, within: pl.DataFrame | None = None) -> str:
    """Return the SQL of the timely readings, with `quarter` and `lead_us`, of no other time than these quarters'.

    It needs the table of `write_room_leads`.
    """
    return (
        f"(FROM {_received_sql(within)} LEFT JOIN room_leads USING (room_id, quarter)"
        f" WHERE coalesce(abs(lead_us - room_lead_us) <= {definitions.max_clock_error_us}, true))"
    )


def read_untimely(
    connection: duckdb.DuckDBPyConnection,
    room_leads: pl.DataFrame,
    sessions: pl.DataFrame,
    definitions: Definitions,
    wanted: Filter,
    *,
    cuts: Sequence[int] | None = None,
) -> pl.DataFrame:
    """Count the untimely readings of each member, in the session that was being received when they came.

    `room_leads` are as `read_room_leads` returns them, and written to a temporary table; `sessions` are all of these
    rooms (`sessions.SCHEMA`). Of `wanted` the range of time counts: a reading is at the instant when it would have
    occurred by its room's median lead, or at the nearest one of its session. What lies between two `cuts` (microseconds
    since 1970, ascending) is counted apart.

    Returns `UNTIMELY`, in no order; with `cuts` also `cut_us`, the last one up to then, or null.
    """
    schema = UNTIMELY if cuts is None else pl.Schema(UNTIMELY | {"cut_us": pl.Int64()})
    if room_leads.is_empty():
        return pl.DataFrame(schema=schema)
    write_room_leads(connection, room_leads)
    ranges = receipt_ranges(sessions)
    columns = "room_id VARCHAR, session BIGINT, from_us BIGINT, started_us BIGINT, ended_us BIGINT"
    write_temporary(connection, "receipt_ranges", columns, ranges)
    at_us = "greatest(least(epoch_us(received_at) + room_lead_us, ended_us), started_us)"
    bounds = ["true"]
    if wanted.since_us is not None:
        bounds.append(f"{at_us} >= {wanted.since_us}")
    if wanted.until_us is not None:
        bounds.append(f"{at_us} < {wanted.until_us}")
    cut = ""
    if cuts is not None:
        cut = f", list_max(list_filter({list(cuts)}::BIGINT[], lambda cut: cut <= {at_us}))::BIGINT AS cut_us"
    return read_frame(
        connection,
        "SELECT room_id, session, profile_id, count_if(repeated = 1) AS untimely, count_if(repeated > 1) AS duplicates,"
        " min(lead_us - room_lead_us) AS least_error_us, max(lead_us - room_lead_us) AS most_error_us"
        f"{cut}"
        " FROM (SELECT untimely.*, session, started_us, ended_us, row_number() OVER (PARTITION BY untimely.room_id,"
        " session, profile_id, occurred_at, bpm ORDER BY received_at) AS repeated"
        f" FROM (FROM {_received_sql(room_leads)} JOIN room_leads USING (room_id, quarter)"
        f" WHERE abs(lead_us - room_lead_us) > {definitions.max_clock_error_us}) AS untimely"
        " ASOF JOIN receipt_ranges ON untimely.room_id = receipt_ranges.room_id"
        f" AND epoch_us(received_at) >= from_us) WHERE {' AND '.join(bounds)} GROUP BY ALL",
    ).cast(schema)


def _received_sql(within: pl.DataFrame | None = None) -> str:
    """Return the SQL of all readings with `quarter` and `lead_us`, of no other time than that of the quarters given."""
    between = ""
    if within is not None:
        quarters = within["quarter"].sort()
        from_us, until_us = QUARTER.start_us(quarters[0]), QUARTER.start_us(quarters[-1] + 1)
        between = f" WHERE received_at >= make_timestamptz({from_us}) AND received_at < make_timestamptz({until_us})"
    quarter = QUARTER.sql("received_at")
    return f"(SELECT *, {quarter} AS quarter, {_LEAD_US} AS lead_us FROM heart_rate{between})"
