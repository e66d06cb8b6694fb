"""Conditions made of evidence: which part of a dimension is worth keeping, as script text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.agents.builtin.writing import number
from lab.agents.enrich import EXPRESSIONS
from lab.agents.evidence import Bucket, EvidencePack

Writer = Callable[[float | None, float | None], tuple[str, str] | None]
"""From the bounds of what is kept (None: open) to condition and title; None where it can't be said."""

MIN_KEPT = 12
"""A filter that leaves fewer trades than this on the selection part is not worth a trial."""
MIN_KEPT_SHARE = 0.2
MIN_SCORE = 1.0
MIN_SCORES = {"weekday": 2.5}
"""Where there is rarely a reason for a difference, it has to be the clearer."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition, the trades it would have kept and how far they differ from those it drops."""

    column: str
    condition: str
    title: str
    evidence_ids: tuple[str, ...]
    kept: int
    kept_mean_r: float
    dropped_mean_r: float
    score: float
    """Difference of mean R between kept and dropped trades, in standard errors as if trades were independent: it ranks, no more."""


def filters(pack: EvidencePack) -> tuple[Filter, ...]:
    """The best filter of each dimension that promises anything, best first.

    Only splits along a dimension's order are tried (a threshold, or an unbroken stretch of hours): a single bucket in
    the middle that happens to look good is far more often luck.
    """
    deviation = _deviation(pack)
    if deviation is None:
        return ()
    found = [best for column, write in _WRITERS.items() if (best := _best(pack.dimension(column), write, deviation)) is not None]
    return tuple(sorted(found, key=lambda f: -f.score))


def condition_for(column: str, low: float | None, high: float | None) -> tuple[str, str] | None:
    """Condition and title for keeping `low <= value < high` of a context column; None where none can be written."""
    writer = _WRITERS.get(column)
    return writer(low, high) if writer else None


def _deviation(pack: EvidencePack) -> float | None:
    """Standard deviation of a trade's R."""
    spread = pack.figure("spread of R")
    return spread.value if spread is not None and pack.trades >= MIN_KEPT and spread.value > 0 else None


def _best(buckets: Sequence[Bucket], write: Writer, deviation: float) -> Filter | None:
    """The unbroken stretch of buckets whose trades beat the other ones most clearly."""
    total = sum(b.trades for b in buckets)
    best: Filter | None = None
    stretches = [(i, j) for i in range(len(buckets)) for j in range(i + 1, len(buckets) + 1) if j - i < len(buckets)]
    for i, j in stretches:
        if i > 0 and j < len(buckets) and buckets[0].column != "hour":
            continue
        inside, outside = buckets[i:j], [*buckets[:i], *buckets[j:]]
        kept, dropped = sum(b.trades for b in inside), sum(b.trades for b in outside)
        if kept < max(MIN_KEPT, MIN_KEPT_SHARE * total) or not dropped:
            continue
        kept_r, dropped_r = sum(b.total_r for b in inside) / kept, sum(b.total_r for b in outside) / dropped
        score = (kept_r - dropped_r) / (deviation * math.sqrt(1 / kept + 1 / dropped))
        written = write(inside[0].low if i else None, _upper(inside[-1]) if j < len(buckets) else None)
        if written is not None and score >= MIN_SCORES.get(buckets[0].column, MIN_SCORE) and (best is None or score > best.score):
            condition, title = written
            cited = inside if len(inside) <= len(outside) else outside
            best = Filter(buckets[0].column, condition, title, tuple(b.id for b in cited), kept, kept_r, dropped_r, score)
    return best


def _upper(bucket: Bucket) -> float | None:
    """Where the bucket ends: a category ends before the next whole number."""
    if bucket.low is not None and bucket.low == bucket.high:
        return bucket.low + 1
    return bucket.high


def _hour(low: float | None, high: float | None) -> tuple[str, str]:
    start, end = f"{int(low):02d}:00" if low is not None else "09:30", f"{int(high):02d}:00" if high is not None else "16:00"
    return f'time_between("{start}", "{end}")', f"only from {start} to {end}"


def _weekday(low: float | None, high: float | None) -> tuple[str, str] | None:
    if low is not None and low in _WEEKDAYS:
        return f"day_of_week() >= {number(low)}", f"only from {_WEEKDAYS[low]} on"
    if high is not None and high in _WEEKDAYS:
        return f"day_of_week() < {number(high)}", f"only before {_WEEKDAYS[high]}"
    return None


_WEEKDAYS = {2.0: "Tuesday", 3.0: "Wednesday", 4.0: "Thursday", 5.0: "Friday"}


def _category(from_below: dict[float, tuple[str, str]], from_above: dict[float, tuple[str, str]]) -> Writer:
    """Keeps one end of an ordered category: `from_below` by the lowest value kept, `from_above` by the highest."""

    def write(low: float | None, high: float | None) -> tuple[str, str] | None:
        if low is not None and high is not None:
            return None
        return from_below.get(low) if low is not None else from_above.get((high or 0.0) - 1)

    return write


def _threshold(value: str, subject: str, unit: str, step: float, times: str = "") -> Writer:
    """Keeps one side of a number, written as a parameter so that later refinements can move it."""

    def write(low: float | None, high: float | None) -> tuple[str, str] | None:
        edge = low if low is not None else high
        if edge is None or (low is not None and high is not None):
            return None
        reach = max(abs(edge), 4 * step)
        varied = f"param({number(edge)}, low={number(edge - reach)}, high={number(edge + reach)}, step={number(step)})"
        sign, word = (">", "above") if low is not None else ("<", "below")
        return f"{value} {sign} {varied}{times}", f"only with {subject} {word} {number(edge)}{unit}"

    return write


def _counted(value: str, subject: str) -> Writer:
    """Keeps one side of a count."""

    def write(low: float | None, high: float | None) -> tuple[str, str] | None:
        if (low is None) == (high is None):
            return None
        if low is not None:
            return f"{value} >= {number(low)}", f"only with {number(low)} or more {subject}"
        assert high is not None
        return f"{value} < {number(high)}", f"only with fewer than {number(high)} {subject}" if high > 1 else f"only without {subject}"

    return write


_WRITERS: dict[str, Writer] = {
    "hour": _hour,
    "weekday": _weekday,
    "market.trend": _category(
        {0.0: ("market.trend >= 0", "only when the market is not falling"), 1.0: ("market.trend == 1", "only in a rising market")},
        {0.0: ("market.trend <= 0", "only when the market is not rising"), -1.0: ("market.trend == -1", "only in a falling market")},
    ),
    "market.volatility": _category(
        {1.0: ("market.volatility >= 1", "not in a calm market"), 2.0: ("market.volatility == 2", "only in a volatile market")},
        {1.0: ("market.volatility <= 1", "not in a volatile market"), 0.0: ("market.volatility == 0", "only in a calm market")},
    ),
    "market.change": _threshold("market.change", "the market's day", " %", 0.25),
    "support_distance_percent": _threshold(EXPRESSIONS["support_distance_percent"], "support distance", " %", 0.25),
    "resistance_distance_percent": _threshold(EXPRESSIONS["resistance_distance_percent"], "resistance distance", " %", 0.25),
    "relative_volume": _threshold(EXPRESSIONS["relative_volume"], "relative volume", "x", 0.25),
    "volume_burst": _threshold("volume", "bar volume", "x the recent mean", 0.25, " * sma(volume, 20)"),
    "rsi": _threshold(EXPRESSIONS["rsi"], "RSI(14)", "", 1),
    "vwap_distance_percent": _threshold(EXPRESSIONS["vwap_distance_percent"], "VWAP distance", " %", 0.1),
    "gap_percent": _threshold(EXPRESSIONS["gap_percent"], "an overnight gap", " %", 0.25),
    "pivot_distance_percent": _threshold(EXPRESSIONS["pivot_distance_percent"], "pivot distance", " %", 0.25),
    "levels.support_touches": _threshold("levels.support_touches", "touches of the support", "", 1),
    "levels.resistance_touches": _threshold("levels.resistance_touches", "touches of the resistance", "", 1),
    "market.vix": _threshold("market.vix", "the VIX", "", 1),
    "market.vix_change": _threshold("market.vix_change", "the VIX's change", " %", 1),
    "market.breadth": _threshold("market.breadth", "breadth", " %", 5),
    "news.count_1d": _counted("news.count_1d", "articles of the last session"),
    "news.sentiment": _threshold("news.sentiment", "the news' sentiment", "", 0.25),
    "news.hours_since": _threshold("news.hours_since", "the hours since the last news", "", 2),
}
