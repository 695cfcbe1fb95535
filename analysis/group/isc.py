"""Inter-subject correlation (ISC): how alike each member's series is to those of the others, over all seconds used."""

from dataclasses import replace

import numpy as np

from pulsoid_rec.analysis.group.correlations import correlate_all, fisher_z, pearson
from pulsoid_rec.analysis.group.surrogates import SHIFTS, compare_with_chance, draw_shifts
from pulsoid_rec.analysis.group.synchrony import FloatArray, MeasureResult, MemberFigure
from pulsoid_rec.analysis.group.windows import Sample, Windows

ISC = MeasureResult(
    measure="isc",
    title="Inter-subject correlation (ISC)",
    method="For each member the mean of the correlations with each of the others (as Fisher's z, turned back), over "
    "all windows joined; the group is the mean over members (Hasson et al. 2004; Nastase et al. 2019). "
    f"By chance: {SHIFTS}.",
    range="1: all the same; 0: no more alike than strangers; below 0: one rises as others fall.",
)


def shifted_correlations(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return Pearson's r of two series of N samples for every circular shift of the other: N values.

    Value d is the correlation of `one[t]` with `other[t - d]`, indices taken modulo N, over the samples that both have:
    a gap (NaN) moves with its series. NaN where fewer than 3 are left or one of the two does not vary. All shifts
    at once by Fourier transforms of the values, their squares and what is there, in N log N instead of N * N.
    """
    length = len(one)
    terms = []
    for series in (one, other):
        there = ~np.isnan(series)
        centred = np.where(there, series - np.nanmean(series) if there.any() else 0.0, 0.0)
        terms.append(np.fft.rfft([there.astype(np.float64), centred, centred * centred]))
    (n_1, x, xx), (n_2, y, yy) = terms
    products = np.array(
        [n_1 * n_2.conj(), x * n_2.conj(), n_1 * y.conj(), xx * n_2.conj(), n_1 * yy.conj(), x * y.conj()]
    )
    sums = np.fft.irfft(products, length)
    sums[0] = np.rint(sums[0])
    return pearson(sums)


def isc_of(windows: Windows) -> float:
    """Return the ISC of a group."""
    z = fisher_z(correlate_all(windows.joined, windows.joined))
    np.fill_diagonal(z, 0)
    return float(np.tanh(z.sum(axis=1) / (len(z) - 1)).mean())


def measure_isc(sample: Sample) -> tuple[MeasureResult, ...]:
    """Measure the ISC of a group, of its members and its pairs; pairs have r as their value."""
    joined, members = sample.windows.joined, len(sample.names)
    length = joined.shape[1]
    shifts = draw_shifts(sample.random(1), sample.surrogates, members, length)
    sums = np.zeros((1 + sample.surrogates, members))  # of z over the others; the first row is the members as they were
    pairs = []
    for i, j in sample.pairs():
        r = shifted_correlations(joined[i], joined[j])
        drawn = r[np.concatenate([[0], (shifts[:, j] - shifts[:, i]) % length])]
        sums[:, [i, j]] += fisher_z(drawn)[:, None]
        pairs.append(sample.pair_figure((i, j), compare_with_chance(drawn[0], drawn[1:], SHIFTS)))
    by_member = np.tanh(sums / (members - 1))
    tested = [compare_with_chance(values[0], values[1:], SHIFTS) for values in by_member.T]
    by_group = by_member.mean(axis=1)
    result = replace(
        ISC,
        group=compare_with_chance(by_group[0], by_group[1:], SHIFTS),
        members=tuple(
            MemberFigure(profile_id=profile_id, name=name, tested=one)
            for profile_id, name, one in zip(sample.profile_ids, sample.names, tested, strict=True)
        ),
        pairs=tuple(pairs),
        parameters={"seconds": length},
    )
    return (result,)
