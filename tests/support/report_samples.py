"""Reports to draw, put together from readings without any database."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from pulsoid_rec.analysis.findings.checks import READINGS as SLICE
from pulsoid_rec.analysis.findings.checks import Checks, make_checks
from pulsoid_rec.analysis.findings.report_data import ReportData
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.analysis.metrics.untimely import UNTIMELY

INSTANT = pl.Datetime("us", "UTC")
START = datetime(2026, 3, 4, 13, 0, tzinfo=UTC)
READINGS = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "name": pl.String(),
        "occurred_at": INSTANT,
        "received_at": INSTANT,
        "bpm": pl.Int32(),
        "plausible": pl.Boolean(),
    }
)
MEMBER_EVENTS = pl.Schema(
    {
        "room_id": pl.String(),
        "profile_id": pl.String(),
        "event": pl.String(),
        "name": pl.String(),
        "config": pl.String(),
        "occurred_at": INSTANT,
        "received_at": INSTANT,
        "connection_id": pl.String(),
    }
)
CONNECTION_EVENTS = pl.Schema(
    {
        "room_id": pl.String(),
        "connection_id": pl.String(),
        "event": pl.String(),
        "changed_at": INSTANT,
        "code": pl.Int32(),
        "reason": pl.String(),
    }
)
LAST_RECEIVED = pl.Schema({"room_id": pl.String(), "connection_id": pl.String(), "last_received_at": INSTANT})
_MEMBER = ["room_id", "session", "profile_id"]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def readings_of(
    series: Mapping[str, Iterable[tuple[float, int]]],
    *,
    room_id: str = "room",
    session: int = 1,
    names: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Make readings from each member's (seconds since START, bpm)."""
    rows = [
        (room_id, session, id_, (names or {}).get(id_, id_), at(s), at(s), bpm, 30 <= bpm <= 230)
        for id_, pairs in series.items()
        for s, bpm in pairs
    ]
    return pl.DataFrame(rows, schema=READINGS, orient="row").sort(*_MEMBER, "occurred_at", maintain_order=True)


def report_of(
    readings: pl.DataFrame,
    *,
    rooms: Mapping[str, str] | None = None,
    hr_max: Mapping[str, float] | None = None,
    member_events: Iterable[tuple[str, str, float]] = (),
    connection_events: Iterable[tuple[str, str, float]] = (),
    last_received: Iterable[tuple[str, float]] = (),
    known_names: Mapping[str, str] | None = None,
    definitions: Definitions | None = None,
) -> ReportData:
    """Make a report; events are (profile or connection, event, seconds since START), all of the room `room`."""
    definitions = definitions or Definitions()
    hr_max = hr_max or {}
    held = _held(readings, definitions)
    time_at_bpm = (
        held.filter("plausible")
        .group_by(*_MEMBER, "bpm")
        .agg(held_s=pl.col("held_s").sum(), readings=pl.len().cast(pl.Int64))
        .sort(*_MEMBER, "bpm")
    )
    sessions = (
        readings.group_by("room_id", "session")
        .agg(
            started_at=pl.col("occurred_at").min(),
            ended_at=pl.col("occurred_at").max(),
            members=pl.col("profile_id").n_unique().cast(pl.Int64),
            readings=pl.len().cast(pl.Int64),
        )
        .sort("room_id", "session")
    )
    found = dict.fromkeys(readings["room_id"].unique(maintain_order=True))
    events = [("room", id_, event, None, None, at(s), at(s), "c1") for id_, event, s in member_events]
    connections = [("room", id_, event, at(s), None, None) for id_, event, s in connection_events]
    return ReportData(
        generated_at=at(90_000),
        rooms=rooms or {room: room for room in found},
        known_names={("room", id_): name for id_, name in (known_names or {}).items()},
        sessions=sessions,
        summary=_summary(held, time_at_bpm, hr_max),
        time_at_bpm=time_at_bpm,
        readings=readings,
        untimely=pl.DataFrame(schema=UNTIMELY),
        checks=checks_of(readings, definitions, member_events=pl.DataFrame(events, schema=MEMBER_EVENTS, orient="row")),
        member_events=pl.DataFrame(events, schema=MEMBER_EVENTS, orient="row"),
        connection_events=pl.DataFrame(connections, schema=CONNECTION_EVENTS, orient="row"),
        last_received=pl.DataFrame(
            [("room", id_, at(s)) for id_, s in last_received], schema=LAST_RECEIVED, orient="row"
        ),
        definitions=definitions,
        filter="",
    )


def checks_of(
    readings: pl.DataFrame,
    definitions: Definitions,
    *,
    member_events: pl.DataFrame | None = None,
    slice_rows: int = 1_000_000,
) -> Checks:
    """Check readings in slices of so many rows."""
    keyed = readings.with_columns(key=pl.struct(_MEMBER).rank("dense").cast(pl.UInt32))
    of_session = pl.col("occurred_at")
    members = (
        keyed.with_columns(
            started_at=of_session.min().over("room_id", "session"), ended_at=of_session.max().over("room_id", "session")
        )
        .select("key", *_MEMBER, "started_at", "ended_at")
        .unique()
        .sort("key")
    )
    rows = keyed.sort("occurred_at", maintain_order=True).select(*SLICE)

    def read(keys: pl.Series | None) -> Iterable[pl.DataFrame]:
        chosen = rows if keys is None else rows.filter(pl.col("key").is_in(keys.implode()))
        return chosen.iter_slices(slice_rows)

    events = pl.DataFrame(schema=MEMBER_EVENTS) if member_events is None else member_events
    return make_checks(read, members, definitions, events)


def crowd(members: int, seconds: int) -> ReportData:
    """Make people of readings a second, with dropouts, without going through Python rows."""
    grid = pl.DataFrame({"n": pl.int_range(members, eager=True)}).join(
        pl.DataFrame({"s": pl.int_range(seconds, eager=True)}), how="cross"
    )
    n, s = pl.col("n"), pl.col("s")
    wave = (s / 300 + n).sin() * 25 + (s / 7 + n * 3).sin() * 4
    readings = (
        grid.filter((s + n * 37) % 1800 > n * 2)
        .select(
            room_id=pl.lit("room"),
            session=pl.lit(1, pl.Int64),
            profile_id=pl.format("p{}", n.cast(pl.String).str.zfill(3)),
            name=pl.format("Member {}", n + 1),
            occurred_at=(pl.lit(START) + pl.duration(seconds=s)).cast(INSTANT),
            received_at=(pl.lit(START) + pl.duration(seconds=s)).cast(INSTANT),
            bpm=(100 + n % 30 + wave).cast(pl.Int32),
            plausible=pl.lit(value=True),
        )
        .cast(READINGS)
    )
    return report_of(readings, hr_max={f"p{i:03}": 185.0 for i in range(0, members, 2)})


def _held(readings: pl.DataFrame, definitions: Definitions) -> pl.DataFrame:
    until = (pl.col("occurred_at").shift(-1) - pl.col("occurred_at")).over(_MEMBER)
    seconds = until.dt.total_microseconds() / 1e6
    return readings.with_columns(held_s=seconds.clip(0, definitions.max_hold_s).fill_null(0.0))


def _summary(held: pl.DataFrame, time_at_bpm: pl.DataFrame, hr_max: Mapping[str, float]) -> pl.DataFrame:
    """Summarize closely enough to be drawn; the definitions themselves are tested elsewhere."""
    ok = pl.col("plausible")
    bpm = pl.col("bpm").filter(ok)
    span_s = (pl.col("last_at") - pl.col("first_at")).dt.total_microseconds() / 1e6
    summary = (
        held.group_by(*_MEMBER, "name")
        .agg(
            first_at=pl.col("occurred_at").filter(ok).min(),
            last_at=pl.col("occurred_at").filter(ok).max(),
            observed_s=pl.col("held_s").filter(ok).sum(),
            readings=ok.sum().cast(pl.Int64),
            duplicates=pl.lit(0, pl.Int64),
            implausible=(~ok).sum().cast(pl.Int64),
            untimely=pl.lit(0, pl.Int64),
            gaps=(pl.col("occurred_at").filter(ok).diff() > timedelta(seconds=5)).sum().cast(pl.Int64),
            longest_gap_s=pl.col("occurred_at").filter(ok).diff().max().dt.total_microseconds() / 1e6,
            bpm_mean=bpm.mean(),
            bpm_sd=bpm.std(ddof=0),
            bpm_min=bpm.min(),
            bpm_floor=bpm.min(),
            bpm_p05=bpm.quantile(0.05).cast(pl.Int32),
            bpm_median=bpm.median().cast(pl.Int32),
            bpm_p95=bpm.quantile(0.95).cast(pl.Int32),
            bpm_peak=bpm.max(),
            bpm_max=bpm.max(),
        )
        .with_columns(
            span_s=span_s, hr_max=pl.col("profile_id").replace_strict(hr_max, default=None, return_dtype=pl.Float64)
        )
        .with_columns(
            coverage=pl.when(pl.col("span_s") > 0).then(pl.col("observed_s") / pl.col("span_s")),
            hr_max_source=pl.when(pl.col("hr_max").is_not_null()).then(pl.lit("given")),
        )
    )
    zones = (
        time_at_bpm.join(summary.select(*_MEMBER, "hr_max").drop_nulls(), on=_MEMBER)
        .group_by(_MEMBER)
        .agg(**{f"zone{z}_s": pl.col("held_s").filter(_in_zone(z)).sum() for z in range(6)})
    )
    lacking = {c: t for c, t in SCHEMA.items() if c not in summary.columns and not c.startswith("zone")}
    return (
        summary.join(zones, on=_MEMBER, how="left")
        .with_columns(pl.lit(None, t).alias(c) for c, t in lacking.items())
        .select(pl.col(c).cast(t) for c, t in SCHEMA.items())
        .sort("room_id", "session", "name", "profile_id")
    )


def _in_zone(zone: int) -> pl.Expr:
    percent = pl.col("bpm") * 100 / pl.col("hr_max")
    begun = sum((percent >= start).cast(pl.Int8) for start in (50, 60, 70, 80, 90))
    return pl.lit(value=zone) == begun
