"""What was known when a signal came: the context columns by which its trade is later explained.

Numbers are computed by the strategy language itself, from the very text a filter on them would use, or are the fields that a
script names. So no column can look ahead, and an insight made of one can become a condition of a script that means exactly the
same. Beside them stands since when each was known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

EXPRESSIONS: dict[str, str] = {
    "minutes_since_open": "minutes_since_open()",
    "support_distance_percent": "(1 - levels.support / close) * 100",
    "resistance_distance_percent": "(levels.resistance / close - 1) * 100",
    "relative_volume": "relative_volume(10)",
    "volume_burst": "volume / sma(volume, 20)",
    "rsi": "rsi(close, 14)",
    "vwap_distance_percent": "(close / vwap() - 1) * 100",
    "gap_percent": "gap()",
    "pivot_distance_percent": "(close / levels.pivot - 1) * 100",
}
"""Context column -> its text in the strategy language. Distances are percent, positive on the level's usual side."""
FIELD_COLUMNS: tuple[str, ...] = (
    *("market.vix", "market.vix_change", "market.breadth"),
    *(f"levels.{side}_{what}" for side in ("support", "resistance") for what in ("touches", "age", "strength")),
    *("news.count_1d", "news.count_3d", "news.sentiment", "news.hours_since"),
)
"""Context columns that are fields of the language themselves."""
KNOWN_AT: dict[str, str] = {
    "known_at.bar": "everything made of the ticker's own bars",
    "known_at.market": "the market's trend and volatility",
    "known_at.change": "the market's change on the day",
    "known_at.vix": "the VIX",
    "known_at.breadth": "breadth",
    "known_at.levels": "support, resistance and pivots",
    "known_at.news": "the newest article",
}
"""Columns that say since when a part of the context was known, in UTC, with the part in words."""
CONTEXT_COLUMNS: tuple[str, ...] = (
    "hour",
    "weekday",
    "market.trend",
    "market.volatility",
    "market.change",
    *EXPRESSIONS,
    *FIELD_COLUMNS,
)
_TIME_OF_DAY = ("hour", "minutes_since_open", "vwap_distance_percent")
"""Without meaning where a bar lasts a session."""


def enrich_signals(evaluated: pl.DataFrame, beside: Sequence[pl.Series] = ()) -> pl.DataFrame:
    """One row a signal of `Strategy.evaluate`'s frame: ticker, timestamp, direction and `CONTEXT_COLUMNS`, null where unknown.

    `beside` are further columns of the frame, row by row: context that the scripts did not read, and columns of `KNOWN_AT`, which
    follow where they are given. `hour` is the New York hour in which the bar starts; weekdays are ISO's, Monday 1.
    """
    import polars as pl

    daily = evaluated.height > 0 and evaluated.select(pl.struct("ticker", "session").n_unique()).item() == evaluated.height
    directions = [d for d in ("long", "short") if f"signal.{d}" in evaluated.columns]
    signalled = evaluated.select(pl.any_horizontal(f"signal.{d}" for d in directions)).to_series()
    # Only bars with a signal are kept of what is there already; the expressions need those before them.
    found = evaluated.hstack([one for one in beside if one.name not in evaluated.columns]).filter(signalled)
    found = found.with_columns(values.filter(signalled) for values in _computed(evaluated)).with_columns(
        (pl.col("minute") // 60).alias("hour"), pl.col("session").dt.weekday().cast(pl.Int8).alias("weekday")
    )
    found = found.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in CONTEXT_COLUMNS if name not in found.columns)
    if daily:
        found = found.with_columns(pl.lit(None, dtype=found.schema[name]).alias(name) for name in _TIME_OF_DAY)
    known = [name for name in KNOWN_AT if name in found.columns]
    parts = [
        found.filter(pl.col(f"signal.{d}")).select("ticker", "timestamp", pl.lit(d).alias("direction"), *CONTEXT_COLUMNS, *known)
        for d in directions
    ]
    return pl.concat(parts).sort("ticker", "timestamp", "direction")


def _computed(evaluated: pl.DataFrame) -> list[pl.Series]:
    """A column for each of `EXPRESSIONS` whose fields the bars have."""
    from lab.script import FIELDS, compile_strategy

    has = set(evaluated.columns)
    can = {name: text for name, text in EXPRESSIONS.items() if all(f in has for f in FIELDS if "." in f and f in text)}
    scan = "".join(f"c_{name} = {text}\n" for name, text in can.items()) + "long = close > 0\n"
    bars = evaluated.select(
        name for name in evaluated.columns if not name.startswith(("signal.", "scan.", "long.", "short.")) and name != "score"
    )
    computed = compile_strategy(scan, "entry = at_open()\nstop = close * 0.9\n").evaluate(bars)
    return [computed[f"scan.c_{name}"].alias(name) for name in can]
