"""What was known when a signal came: the context columns by which its trade is later explained.

Numbers are computed by the strategy language itself, from the very text a filter on them would use. So no column can
look ahead, and an insight made of one can become a condition of a script that means exactly the same.
"""

from __future__ import annotations

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
}
"""Context column -> its text in the strategy language. Distances are percent, positive on the level's usual side."""
CONTEXT_COLUMNS: tuple[str, ...] = (
    "hour",
    "weekday",
    "market.trend",
    "market.volatility",
    "market.change",
    *EXPRESSIONS,
)
_TIME_OF_DAY = ("hour", "minutes_since_open", "vwap_distance_percent")
"""Without meaning where a bar lasts a session."""


def enrich_signals(evaluated: pl.DataFrame) -> pl.DataFrame:
    """One row a signal of `Strategy.evaluate`'s frame: ticker, timestamp, direction and `CONTEXT_COLUMNS`, null where unknown.

    `hour` is the New York hour in which the bar starts; weekdays are ISO's, Monday 1.
    """
    import polars as pl

    has = set(evaluated.columns)
    daily = evaluated.height > 0 and evaluated.select(pl.struct("ticker", "session").n_unique()).item() == evaluated.height
    known = _computed(evaluated).with_columns(
        (pl.col("minute") // 60).alias("hour"),
        pl.col("session").dt.weekday().cast(pl.Int8).alias("weekday"),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in CONTEXT_COLUMNS if name.startswith("market.") and name not in has),
    )
    if daily:
        known = known.with_columns(pl.lit(None, dtype=known.schema[name]).alias(name) for name in _TIME_OF_DAY)
    directions = [d for d in ("long", "short") if f"signal.{d}" in has]
    parts = [
        known.filter(pl.col(f"signal.{d}")).select("ticker", "timestamp", pl.lit(d).alias("direction"), *CONTEXT_COLUMNS)
        for d in directions
    ]
    return pl.concat(parts).sort("ticker", "timestamp", "direction")


def _computed(evaluated: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column for each of `EXPRESSIONS`, null where the bars lack what it reads."""
    import polars as pl

    from lab.script import FIELDS, compile_strategy

    has = set(evaluated.columns)
    can = {name: text for name, text in EXPRESSIONS.items() if all(f in has for f in FIELDS if "." in f and f in text)}
    scan = "".join(f"c_{name} = {text}\n" for name, text in can.items()) + "long = close > 0\n"
    bars = evaluated.select(
        name for name in evaluated.columns if not name.startswith(("signal.", "scan.", "long.", "short.")) and name != "score"
    )
    computed = compile_strategy(scan, "entry = at_open()\nstop = close * 0.9\n").evaluate(bars)
    return evaluated.with_columns(
        *(computed[f"scan.c_{name}"].alias(name) for name in can),
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in EXPRESSIONS if name not in can),
    )
