"""Heart-rate recovery: how far the heart rate falls in the minute after an effort."""

import polars as pl

SCHEMA = pl.Schema({"room_id": pl.String(), "session": pl.Int64(), "profile_id": pl.String(), "hrr60": pl.Float64()})
