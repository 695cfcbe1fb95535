"""How alike the members of a session moved, in words: the same on the terminal and on the page."""

import polars as pl

from pulsoid_rec.analysis.findings.wording import DASH
from pulsoid_rec.analysis.group.figures import figures_frame, measure_with_pairs
from pulsoid_rec.analysis.group.sessions_together import SessionTogether
from pulsoid_rec.analysis.group.synchrony import MeasureName, Tested, TogetherResult
from pulsoid_rec.recorder.contract.wording import format_count, format_duration, format_list

LABELS: dict[MeasureName, str] = {
    "isc": "ISC",
    "eigenvalue": "Largest eigenvalue",
    "wcc": "Windows, mean z",
    "wcc-absolute": "Windows, mean |z|",
    "mdrqa": "MdRQA",
}
"""Short names of the measures: no longer than a narrow terminal's first column."""

LEGEND = (
    "By chance: the mean of the same figure when each heart is taken at other times of the session than the others, "
    "and what 95 % of them stay below. Effect: how far the value is from chance, in standard deviations. p: how often "
    "chance gives as much or more; none is below 1 / (1 + surrogates)."
)

COURSE_REMARK = (
    "The thick line is the mean of all pairs, each thin one a pair: 1 where two rise and fall together, -1 where one "
    "rises as the other falls. Chance alone moves it up and down: it is to look at, and not tested."
)

_PSEUDO = "pseudo_groups"  # the figure that compares with members of different sessions
_PSEUDO_LABEL = "- pseudo-groups"
_MOST_PAIRS = 3
_SIGNIFICANT = 0.05


def group_rows(each: SessionTogether) -> pl.DataFrame:
    """Return a row for the group by each measure, and below it one for pseudo-groups: `figures.SCHEMA` and `label`."""
    rows = figures_frame([each.result])
    is_group = pl.col("figure") == "group"
    label = pl.when(is_group).then(pl.col("measure").replace_strict(LABELS, return_dtype=pl.String))
    return rows.filter(is_group | (pl.col("figure") == _PSEUDO)).with_columns(
        label=label.otherwise(pl.lit(_PSEUDO_LABEL))
    )


def describe_basis(each: SessionTogether) -> list[str]:
    """Say who was compared, over which part of the session, and who was not."""
    result = each.result
    dropped = format_duration(60 * result.minutes_dropped)
    lines = [
        (
            f"{format_count(len(result.names), 'member')} compared over {format_duration(60 * result.minutes_used)}; "
            f"{dropped} dropped: a member not observed, or too close to a gap or an end."
        )
    ]
    if len(result.names) < 2:  # noqa: PLR2004 - nobody was compared, and the reason is given
        lines.clear()
    if lines and result.minutes_dropped > result.minutes_used:
        lines.append("To compare more of the time, name with --member all but who was observed least.")
    if result.windows_constant:
        lines.append(
            f"In {format_count(result.windows_constant, 'window')} a heart rate did not change: undefined there."
        )
    lines += _describe_pseudo_groups(result)
    lines += [f"Left out: {left.name}, {left.reason}." for left in result.left_out]
    return lines


def describe_pairs(each: SessionTogether) -> list[str]:
    """Name the pairs that were most alike, if there are several."""
    measure = measure_with_pairs(each.result)
    if measure is None or len(measure.pairs) < 2:  # noqa: PLR2004 - one pair is the group
        return []
    known = [pair for pair in measure.pairs if pair.tested.value is not None]
    known.sort(key=lambda pair: pair.tested.value or 0.0, reverse=True)
    named = [
        f"{pair.names[0]} and {pair.names[1]} {format_value(pair.tested.value)} (p {format_value(pair.tested.p, 3)})"
        for pair in known[:_MOST_PAIRS]
    ]
    return [f"Most alike of {len(known)} pairs, by {LABELS[measure.measure]}: {format_list(named)}."] if named else []


def format_value(value: float | None, decimals: int = 2) -> str:
    """Format a figure, and an unknown one as a dash."""
    if value is None:
        return DASH
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def describe_findings(each: SessionTogether) -> str:
    """Say by which measures the members were more alike than by chance; empty if nothing was compared."""
    tested = {LABELS[m.measure]: m.group.p for m in each.result.measures if m.group.p is not None}
    return _list_found(tested, "by chance") if tested else ""


def _describe_pseudo_groups(result: TogetherResult) -> list[str]:
    """Say what pseudo-groups are, and by which measures the members were more alike than these."""
    of_measures = pseudo_groups(result)
    if not of_measures:
        return []
    null = next(iter(of_measures.values())).null
    what = null.method if null else ""
    basis = f"Below each measure: {what} members, each of another session, who share a programme at most."
    tested = {LABELS[measure]: each.p for measure, each in of_measures.items() if each.p is not None}
    if null is None or 1 / (1 + null.surrogates) >= _SIGNIFICANT:
        return [f"{basis} They are too few for p < 0.05."]
    return [f"{basis} {_list_found(tested, 'these')}"]


def _list_found(tested: dict[str, float], than: str) -> str:
    """Say by which of some measures, with their p, the members were more alike than others."""
    found = [label for label, p in tested.items() if p < _SIGNIFICANT]
    if not found:
        return f"By no measure were they more alike than {than} (p < 0.05)."
    if len(tested) == 1:
        return f"More alike than {than} (p < 0.05) by {found[0]}."
    share = f"{len(found)} of {format_count(len(tested), 'measure')}"
    return f"More alike than {than} (p < 0.05) by {share}: {'; '.join(found)}."


def pseudo_groups(result: TogetherResult) -> dict[MeasureName, Tested]:
    """Return what each measure is against pseudo-groups, of those that have been compared with some."""
    tested = (
        (each.measure, figure.tested) for each in result.measures for figure in each.figures if figure.key == _PSEUDO
    )
    return {measure: each for measure, each in tested if each.null is not None}
