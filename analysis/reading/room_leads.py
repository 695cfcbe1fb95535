"""Which readings are untimely, as SQL: their own time minus that of their receipt differs from their room's median.

Imported readings have no lead, as their receipt is that of the import: they are never untimely, and do not count in the
median. Most recordings have no untimely readings. Whether a quarter of an hour can have any is seen from the first and
last times of its buckets; only of those that can, the readings themselves are looked at.
"""

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

_MOST_ROWS = 5_000_000
"""Readings whose median is computed at once, which needs some 16 bytes for each."""

_LEAD_US = f"CASE WHEN NOT {IS_IMPORTED} THEN epoch_us(occurred_at) - epoch_us(received_at) END"


def read_room_leads(
    connection: duckdb.DuckDBPyConnection, buckets: pl.DataFrame, definitions: Definitions
) -> pl.DataFrame:
    """Compute the median lead of each room and quarter of an hour in which some readings are untimely.

    Parameters
    ----------
    connection
        Open on a recording.
    buckets
        `room_id`, `quarter` (of receipt), `first_at`, `last_at`, `first_received_at`, `last_received_at`, `readings`,
        `imported` (how many of them were imported).
    definitions
        Largest error of a clock.

    Returns
    -------
    `room_id`, `quarter`, `room_lead_us` (the lower median, in microseconds).
    """
    buckets = buckets.filter(pl.col("imported") < pl.col("readings"))
    most_us = definitions.max_clock_error_us
    least_lead, most_lead = (
        (pl.col("first_at") - pl.col("last_received_at")),
        pl.col("last_at") - pl.col("first_received_at"),
    )
    spread = most_lead.max() - least_lead.min()
    suspects = (
        buckets.group_by("room_id", "quarter")
        .agg(pl.col("readings").sum(), spread_us=spread.dt.total_microseconds())
        .filter(pl.col("spread_us") > most_us)
        .sort("quarter", "room_id")
        .with_columns(part=pl.col("readings").cum_sum() // _MOST_ROWS)
    )
    found = [pl.DataFrame(schema={"room_id": pl.String(), "quarter": pl.Int64(), "room_lead_us": pl.Int64()})]
    for part in suspects.partition_by("part"):
        write_temporary(connection, "suspects", "room_id VARCHAR, quarter BIGINT", part.select("room_id", "quarter"))
        show(connection, HEART_RATE, days=days_of(buckets.join(part, on=["room_id", "quarter"], how="semi")))
        found.append(
            read_frame(
                connection,
                f"SELECT room_id, quarter, quantile_disc(lead_us, 0.5) AS room_lead_us"
                f" FROM {_received_sql(part)} SEMI JOIN suspects USING (room_id, quarter) GROUP BY ALL"
                f" HAVING max(lead_us) - room_lead_us > {most_us} OR room_lead_us - min(lead_us) > {most_us}",
            )
        )
    return pl.concat(found)


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
) -> pl.DataFrame:
    """Count the untimely readings of each member, in the session that was being received when they came.

    Parameters
    ----------
    connection
        Open on a recording.
    room_leads
        As `read_room_leads` returns them; written to a temporary table by this function.
    sessions
        All sessions of these rooms: `sessions.SCHEMA`.
    definitions
        Largest error of a clock.
    wanted
        Its range of time: a reading counts at the instant when it would have occurred by its room's median lead, or at
        the nearest one of its session.

    Returns
    -------
    `UNTIMELY`, in no order.
    """
    if room_leads.is_empty():
        return pl.DataFrame(schema=UNTIMELY)
    write_room_leads(connection, room_leads)
    ranges = receipt_ranges(sessions)
    columns = "room_id VARCHAR, session BIGINT, from_us BIGINT, started_us BIGINT, ended_us BIGINT"
    write_temporary(connection, "receipt_ranges", columns, ranges)
    at_us = "greatest(least(epoch_us(received_at) + room_lead_us, ended_us), started_us)"
    bounds = [
        *([f"{at_us} >= {wanted.since_us}"] if wanted.since_us is not None else []),
        *([f"{at_us} < {wanted.until_us}"] if wanted.until_us is not None else []),
    ]
    return read_frame(
        connection,
        "SELECT untimely.room_id, session, profile_id, count(*) AS untimely,"
        " min(lead_us - room_lead_us) AS least_error_us, max(lead_us - room_lead_us) AS most_error_us"
        f" FROM (FROM {_received_sql(room_leads)} JOIN room_leads USING (room_id, quarter)"
        f" WHERE abs(lead_us - room_lead_us) > {definitions.max_clock_error_us}) AS untimely"
        " ASOF JOIN receipt_ranges ON untimely.room_id = receipt_ranges.room_id"
        " AND epoch_us(received_at) >= from_us"
        f" WHERE {' AND '.join(bounds) or 'true'} GROUP BY ALL",
    ).cast(UNTIMELY)


def _received_sql(within: pl.DataFrame | None = None) -> str:
    """Return the SQL of all readings with `quarter` and `lead_us`, of no other time than that of the quarters given."""
    between = ""
    if within is not None:
        quarters = within["quarter"].sort()
        from_us, until_us = QUARTER.start_us(quarters[0]), QUARTER.start_us(quarters[-1] + 1)
        between = f" WHERE received_at >= make_timestamptz({from_us}) AND received_at < make_timestamptz({until_us})"
    quarter = QUARTER.sql("received_at")
    return f"(SELECT *, {quarter} AS quarter, {_LEAD_US} AS lead_us FROM heart_rate{between})"
