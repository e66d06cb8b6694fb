"""The dimensions by which trades are broken down, and how each is cut into buckets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Dimension:
    """How one context column is cut into buckets."""

    column: str
    title: str
    edges: tuple[float, ...] = ()
    """Inner edges of numeric buckets; empty for categories."""
    names: tuple[tuple[float, str], ...] = ()
    """Values of a numeric category with their words; others are shown as they are."""
    unit: str = ""


_HOURS = tuple((float(h), f"{h}:00 to {h + 1}:00") for h in range(24))
_WEEKDAYS = tuple(enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), start=1))

DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("hour", "hour of day at signal", names=_HOURS),
    Dimension("weekday", "weekday", names=tuple((float(n), name) for n, name in _WEEKDAYS)),
    Dimension("market.trend", "market trend", names=((-1.0, "down"), (0.0, "flat"), (1.0, "up"))),
    Dimension("market.volatility", "market volatility", names=((0.0, "low"), (1.0, "normal"), (2.0, "high"))),
    Dimension("market.change", "market on the day", edges=(-0.5, 0.0, 0.5), unit="%"),
    Dimension("support_distance_percent", "distance to support", edges=(0.25, 0.5, 1.0, 2.0, 4.0), unit="%"),
    Dimension("resistance_distance_percent", "distance to resistance", edges=(0.5, 1.0, 2.0, 4.0), unit="%"),
    Dimension("relative_volume", "relative volume", edges=(0.75, 1.0, 1.5, 2.0, 3.0), unit="x"),
    Dimension("volume_burst", "volume against the last bars", edges=(0.75, 1.0, 1.5, 2.0, 3.0), unit="x"),
    Dimension("rsi", "RSI(14)", edges=(20.0, 25.0, 30.0, 40.0, 60.0, 70.0, 75.0, 80.0)),
    Dimension("vwap_distance_percent", "distance to VWAP", edges=(-1.0, -0.5, 0.0, 0.5, 1.0), unit="%"),
    Dimension("gap_percent", "overnight gap", edges=(-2.0, -1.0, -0.3, 0.3, 1.0, 2.0), unit="%"),
    Dimension("pivot_distance_percent", "distance to the pivot", edges=(-2.0, -1.0, 0.0, 1.0, 2.0), unit="%"),
    Dimension("levels.support_touches", "touches of the support", edges=(3.0, 4.0, 6.0)),
    Dimension("levels.resistance_touches", "touches of the resistance", edges=(3.0, 4.0, 6.0)),
    Dimension("market.vix", "VIX", edges=(15.0, 20.0, 25.0, 30.0)),
    Dimension("market.vix_change", "change of the VIX", edges=(-5.0, 0.0, 5.0), unit="%"),
    Dimension("market.breadth", "market breadth", edges=(30.0, 50.0, 70.0), unit="%"),
    Dimension("news.count_1d", "articles of the last session", edges=(1.0, 2.0, 5.0)),
    Dimension("news.sentiment", "sentiment of the news", edges=(-0.25, 0.25)),
    Dimension("news.hours_since", "hours since the last news", edges=(2.0, 8.0, 24.0, 72.0), unit="h"),
    Dimension("news_kind", "kind of news of the last day"),
    Dimension("news_tone", "tone of the news of the last day"),
    Dimension("direction", "direction"),
    Dimension("ticker", "ticker"),
    Dimension("exit_reason", "exit"),
)
OUTCOME_COLUMNS = frozenset({"exit_reason"})
"""Known only after the trade: explained, but no filter can be made of them, and no test means anything."""


@dataclass(frozen=True, slots=True)
class Group:
    """A bucket before anything is counted: its bounds, and which trades lie inside."""

    dimension: Dimension
    name: str
    low: float | None
    high: float | None
    inside: Sequence[bool]


def cut(dimension: Dimension, values: Sequence[object]) -> Iterable[Group]:
    """The groups of one dimension in natural order. A dimension in which all trades are alike says nothing and is left out."""
    known = [v for v in values if v is not None and not (isinstance(v, float) and math.isnan(v))]
    if not known:
        return
    groups: list[Group] = []
    if dimension.edges:
        bounds = (None, *dimension.edges, None)
        for low, high in pairwise(bounds):
            inside = [_within(v, low, high) for v in values]
            groups.append(Group(dimension, _range_name(low, high, dimension.unit), low, high, inside))
    else:
        words = dict(dimension.names)
        for value in sorted(set(known), key=lambda v: (isinstance(v, str), v)):
            inside = [v == value for v in values]
            number = float(value) if isinstance(value, (int, float)) else None
            name = words.get(number, f"{number:g}") if number is not None else str(value)
            groups.append(Group(dimension, name, number, number, inside))
    groups = [g for g in groups if any(g.inside)]
    if len(groups) > 1:
        yield from groups


def _within(value: object, low: float | None, high: float | None) -> bool:
    if not isinstance(value, (int, float)) or math.isnan(value):
        return False
    return (low is None or value >= low) and (high is None or value < high)


def _range_name(low: float | None, high: float | None, unit: str) -> str:
    if low is None:
        return f"below {high:g}{unit}"
    if high is None:
        return f"{low:g}{unit} or more"
    return f"{low:g} to {high:g}{unit}"
