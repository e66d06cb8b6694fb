"""The function catalogue: one entry a function, which is its documentation, its completion and its formula."""

from __future__ import annotations

import difflib

from lab.script import functions
from lab.script.entries import Category, Function
from lab.script.fields import FIELDS


def _collect() -> dict[str, Function]:
    found: dict[str, Function] = {}
    for function in functions.ALL:
        if function.name in found or function.name in FIELDS:
            raise ValueError(f"two meanings of {function.name} in the catalogue")
        found[function.name] = function
    return found


SYNONYMS: dict[str, str] = {
    "average": "sma",
    "mean": "sma",
    "ma": "sma",
    "avg": "sma",
    "moving_average": "sma",
    "rolling_mean": "sma",
    "std": "stdev",
    "stddev": "stdev",
    "rolling_std": "stdev",
    "sd": "stdev",
    "shift": "ago",
    "lag": "ago",
    "prev": "ago",
    "previous": "ago",
    "ref": "ago",
    "delay": "ago",
    "offset": "ago",
    "nth": "ago",
    "crossover": "crosses_above",
    "cross_above": "crosses_above",
    "crossed_above": "crosses_above",
    "cross": "crosses_above",
    "crossunder": "crosses_below",
    "cross_below": "crosses_below",
    "crossed_below": "crosses_below",
    "hhv": "highest",
    "rolling_max": "highest",
    "ts_max": "highest",
    "max_high": "highest",
    "llv": "lowest",
    "rolling_min": "lowest",
    "ts_min": "lowest",
    "min_low": "lowest",
    "bbands": "bollinger_upper",
    "bollinger": "bollinger_upper",
    "bb_upper": "bollinger_upper",
    "bb_lower": "bollinger_lower",
    "tr": "true_range",
    "hour": "time_between",
    "time": "time_between",
    "time_of_day": "time_between",
    "rvol": "relative_volume",
    "rel_volume": "relative_volume",
    "barssince": "bars_since",
    "bars_ago": "bars_since",
    "wilder": "rma",
    "smma": "rma",
    "lwma": "wma",
    "diff": "change",
    "delta": "change",
    "pct_change": "roc",
    "orb_high": "opening_range_high",
    "orb_low": "opening_range_low",
    "day_high": "session_high",
    "day_low": "session_low",
    "weekday": "day_of_week",
    "dayofweek": "day_of_week",
    "range": "range_",
    "fillna": "nz",
    "coalesce": "nz",
    "keltner": "keltner_upper",
    "donchian": "highest",
    "log10": "log",
    "ln": "log",
    "pow": "sqrt",
    "sum": "total",
    "any": "was",
    "all": "count_true",
    "sign_of": "sign",
    "gap_percent": "gap",
    "market_order": "at_open",
    "market_open": "at_open",
    "if_else": "nz",
    "iff": "nz",
    "stop_order": "stop_entry",
    "limit_order": "limit",
}
"""What other languages call a function -> what this one calls it."""

CATALOGUE: dict[str, Function] = _collect()
"""Every function by name."""


def nearest(word: str, names: list[str]) -> str:
    """The valid name most like a mistaken one, or empty."""
    lowered = word.lower()
    if lowered in names:
        return lowered
    if SYNONYMS.get(lowered) in names:
        return SYNONYMS[lowered]
    close = difflib.get_close_matches(lowered, names, n=1, cutoff=0.6)
    return close[0] if close else ""


def catalogue_text() -> str:
    """The whole catalogue as plain text, by category: what a prompt or a help page shows."""
    lines = ["Fields (one value per bar, known at its close)"]
    lines += [f"  {field.name}: {field.meaning}" for field in FIELDS.values()]
    for category in Category:
        lines.append(category.value.capitalize())
        lines += [
            f"  {function.signature}: {function.meaning}. Example: {function.example}"
            for function in CATALOGUE.values()
            if function.category is category
        ]
    return "\n".join(lines)
