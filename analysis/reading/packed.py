"""The tally of a slice packed into whole numbers: what `holds` and `time_at_bpm` work out, in half the time.

Member, instant and bpm of a reading are one 64-bit number, so that to order a slice is to sort numbers, and a member's
next reading is the next number. This serves slices in which no member has two readings at one instant, nearly all of
them; in others the order of receipt matters, and they go the long way.
"""

from dataclasses import dataclass

import polars as pl

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.sessions import INSTANT
from pulsoid_rec.analysis.metrics.time_at_bpm import TALLY
from pulsoid_rec.analysis.reading.slices import Slice

_BPM_BITS = 10
_CODES = 1 << _BPM_BITS
_IMPLAUSIBLE = _CODES - 1
_BITS = 62
_NEVER = 1 << _BITS
"""A place after all others."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How a slice is packed: from high to low bits `key`, microseconds since the slice's start, and bpm.

    Parameters
    ----------
    part
        The slice.
    time_bits
        Bits for the time: one more than it needs, so that the step from a member's last reading to another member's
        first is always longer than any within the slice.
    definitions
        What is plausible (all that is not is packed alike), and how long readings hold.
    """

    part: Slice
    time_bits: int
    definitions: Definitions

    @property
    def member_sql(self) -> str:
        """The part of the number that is the member's, as SQL over `key`."""
        return f"key::BIGINT << {self.time_bits + _BPM_BITS}"

    @property
    def sql(self) -> str:
        """The number, as SQL over `member` (which `member_sql` says), `occurred_at` and `bpm`."""
        time = f"(epoch_us(occurred_at) - {self.part.from_us}) << {_BPM_BITS}"
        is_plausible = f"bpm BETWEEN {self.definitions.min_bpm} AND {self.definitions.max_bpm}"
        bpm = f"CASE WHEN {is_plausible} THEN bpm ELSE {_IMPLAUSIBLE} END"
        return f"member | ({time}) | ({bpm})"

    @property
    def key(self) -> pl.Expr:
        """The key, of the number."""
        return (pl.col("packed") // (1 << self.time_bits + _BPM_BITS)).cast(pl.UInt32)

    @property
    def bpm(self) -> pl.Expr:
        """The bpm, of the number; null where it is not plausible."""
        code = pl.col("packed") % _CODES
        return pl.when(code != _IMPLAUSIBLE).then(code).cast(TALLY["bpm"])

    @property
    def occurred_at(self) -> pl.Expr:
        """The instant, of the number."""
        return (self.part.from_us + pl.col("packed") // _CODES % (1 << self.time_bits)).cast(INSTANT)


def choose_packing(part: Slice, highest_key: int, definitions: Definitions) -> Packing | None:
    """Choose how to pack a slice; None where it does not fit into 64 bits."""
    time_bits = (part.until_us - part.from_us).bit_length() + 1
    fits = highest_key.bit_length() + time_bits + _BPM_BITS <= _BITS
    is_small = definitions.min_bpm >= 0 and definitions.max_bpm < _IMPLAUSIBLE
    return Packing(part, time_bits, definitions) if fits and is_small else None


def step_packed(packed: pl.Series, packing: Packing) -> pl.DataFrame | None:
    """Work out when each reading's next one comes, and what runs of readings there are.

    A run is of plausible readings of one member, none of them a gap after the one before.

    Parameters
    ----------
    packed
        The slice's readings, sorted.
    packing
        How they were packed.

    Returns
    -------
    `packed`; `held_us`, 0 for a member's last reading in the slice; `has_next`, whether it is not that;
    `runs_on`, whether the run goes on after it. None where a member has two readings at one instant.
    """
    place, is_plausible = pl.col("packed") // _CODES, pl.col("packed") % _CODES != _IMPLAUSIBLE
    steps = pl.DataFrame({"packed": packed}).with_columns(step_us=place.shift(-1, fill_value=_NEVER) - place)
    if steps["step_us"].min() == 0:
        return None
    max_hold_us = packing.definitions.max_hold_us
    has_next = pl.col("step_us") < 1 << packing.time_bits - 1
    is_close = pl.col("step_us") <= max_hold_us
    return steps.select(
        "packed",
        held_us=pl.when(has_next).then(pl.col("step_us").clip(upper_bound=max_hold_us)).otherwise(0),
        has_next=has_next,
        runs_on=has_next & is_close & is_plausible & is_plausible.shift(-1, fill_value=False),
    )


def tally_packed(
    steps: pl.DataFrame, packing: Packing, later: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tally a slice.

    Parameters
    ----------
    steps
        As `step_packed` gives them.
    packing
        How the readings were packed.
    later
        What this function, or `holds.next_readings`, told of the slices after this one.

    Returns
    -------
    `key` and `TALLY`, to be added up, as several rows may be of one member and bpm; and what earlier slices need to
    know, as `holds.next_readings` gives it.
    """
    member_and_bpm = pl.col("packed") // (1 << packing.time_bits + _BPM_BITS) * _CODES + pl.col("packed") % _CODES
    counted = (
        steps.lazy()
        .group_by(member_and_bpm)
        .agg(pl.col("held_us").sum(), readings=pl.len().cast(pl.Int64))
        .with_columns(
            packed=pl.col("packed") // _CODES * (1 << packing.time_bits + _BPM_BITS) + pl.col("packed") % _CODES
        )
        .select(packing.key.alias("key"), packing.bpm.alias("bpm"), "held_us", "readings")
        .collect()
    )
    edges = _edges(steps, packing, later)
    tally = pl.concat([counted, _tally_edges(edges, packing.definitions.max_hold_us)], how="diagonal")
    counts = pl.col("held_us", "readings", "duplicates", "gaps").fill_null(0)
    return tally.with_columns(counts).select("key", *TALLY), _next(edges, later)


def _edges(steps: pl.DataFrame, packing: Packing, later: pl.DataFrame | None) -> pl.DataFrame:
    """Take the readings at which a run begins or ends, with what comes after: few, and all that gaps depend on."""
    is_edge = ~pl.col("runs_on") | ~pl.col("runs_on").shift(1, fill_value=False)
    edges = (
        steps.lazy()
        .filter(is_edge)
        .select(
            packing.key.alias("key"),
            packing.bpm.alias("bpm"),
            packing.occurred_at.alias("occurred_at"),
            "has_next",
            "runs_on",
        )
    )
    edges = edges.with_columns(plausible_at=pl.when(pl.col("bpm").is_not_null()).then("occurred_at"))
    nothing = pl.LazyFrame(schema={"key": pl.UInt32(), "occurred_at": INSTANT, "plausible_at": INSTANT})
    return (
        edges.with_columns(next_plausible_at=pl.col("plausible_at").shift(-1).backward_fill().over("key"))
        .join(nothing if later is None else later.lazy(), on="key", how="left", suffix="_later", maintain_order="left")
        .with_columns(pl.coalesce("next_plausible_at", "plausible_at_later").alias("next_plausible_at"))
        .collect()
    )


def _tally_edges(edges: pl.DataFrame, max_hold_us: int) -> pl.DataFrame:
    """Tally what only the edges tell: gaps, first and last instants, and holds that last into the next slice."""
    silence_us = (pl.col("next_plausible_at") - pl.col("plausible_at")).dt.total_microseconds()
    gap_us = silence_us.filter(~pl.col("runs_on") & (silence_us > max_hold_us))
    hold_us = (pl.col("occurred_at_later") - pl.col("occurred_at")).dt.total_microseconds()
    return edges.group_by("key", "bpm").agg(
        held_us=hold_us.filter(~pl.col("has_next")).clip(upper_bound=max_hold_us).sum(),
        duplicates=pl.lit(0, pl.Int64),
        first_at=pl.col("plausible_at").min(),
        last_at=pl.col("plausible_at").max(),
        gaps=gap_us.count().cast(pl.Int64),
        longest_gap_us=gap_us.max(),
    )


def _next(edges: pl.DataFrame, later: pl.DataFrame | None) -> pl.DataFrame:
    """Tell each member's first readings, of this slice and later ones."""
    first = edges.group_by("key").agg(pl.col("occurred_at").min(), pl.col("plausible_at").min())
    if later is None:
        return first
    return pl.concat([first, later]).group_by("key").agg(pl.col("occurred_at").min(), pl.col("plausible_at").min())
