"""Lengths of time: whole microseconds inside, seconds at the end."""

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import MICROSECONDS


def in_seconds(microseconds: pl.Expr) -> pl.Expr:
    """Convert whole microseconds to seconds, the nearest float there is."""
    # Rounded, since polars multiplies by the reciprocal instead of dividing, which is off in the last digit.
    return (microseconds / MICROSECONDS).round(6)
