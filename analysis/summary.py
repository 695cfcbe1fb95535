"""The summary: one row per room, session and member."""

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

SCHEMA = pl.Schema(
    {
        "room_id": pl.String(),
        "session": pl.Int64(),
        "profile_id": pl.String(),
        "name": pl.String(),
        "first_at": INSTANT,
        "last_at": INSTANT,
        "span_s": pl.Float64(),
        "observed_s": pl.Float64(),
        "coverage": pl.Float64(),
        "readings": pl.Int64(),
        "duplicates": pl.Int64(),
        "implausible": pl.Int64(),
        "gaps": pl.Int64(),
        "longest_gap_s": pl.Float64(),
        "bpm_mean": pl.Float64(),
        "bpm_sd": pl.Float64(),
        "bpm_min": pl.Int32(),
        "bpm_floor": pl.Int32(),
        "bpm_p05": pl.Int32(),
        "bpm_median": pl.Int32(),
        "bpm_p95": pl.Int32(),
        "bpm_peak": pl.Int32(),
        "bpm_max": pl.Int32(),
        **{f"zone{zone}_s": pl.Float64() for zone in range(6)},
        "hr_max": pl.Float64(),
        "hr_max_source": pl.String(),
        "trimp_edwards": pl.Float64(),
        "trimp_banister": pl.Float64(),
        "hrr60": pl.Float64(),
    }
)
"""Columns in their order, which users build on."""
