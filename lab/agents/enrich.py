"""What was known when a signal came: the context columns by which its trade is later explained.

Every column is computed from bars up to the signal's own bar, so an insight made of it can become a filter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

CONTEXT_COLUMNS = (
    "hour",
    "weekday",
    "minutes_since_open",
    "market.trend",
    "market.volatility",
    "market.change",
    "support_distance_percent",
    "resistance_distance_percent",
    "relative_volume",
    "volume_burst",
    "gap_percent",
)
VOLUME_SESSIONS = 10
"""How many earlier sessions say what volume is usual at a time of day."""
BURST_BARS = 20


def enrich_signals(evaluated: pl.DataFrame) -> pl.DataFrame:
    """One row a signal of `Strategy.evaluate`'s frame: ticker, timestamp, direction and `CONTEXT_COLUMNS`, null where unknown.

    Distances are percent of the close, positive while the close is on the usual side of the level. `relative_volume` is
    what the script function `relative_volume(10)` gives, `volume_burst` is `volume / sma(volume, 20)`. `hour` is the New
    York hour in which the bar starts; weekdays are ISO's, Monday 1.
    """
    import polars as pl

    has = set(evaluated.columns)

    def column(name: str) -> pl.Expr:
        return pl.col(name) if name in has else pl.lit(None, dtype=pl.Float64)

    daily = evaluated.height > 0 and evaluated.select(pl.struct("ticker", "session").n_unique()).item() == evaluated.height
    clock = pl.lit(None, dtype=pl.Int16) if daily else pl.col("minute").cast(pl.Int16)
    known = evaluated.with_columns(
        (clock // 60).alias("hour"),
        pl.col("session").dt.weekday().cast(pl.Int8).alias("weekday"),
        (clock - 570).alias("minutes_since_open"),
        column("market.trend").cast(pl.Int8).alias("market.trend"),
        column("market.volatility").cast(pl.Int8).alias("market.volatility"),
        column("market.change").cast(pl.Float64).alias("market.change"),
        ((pl.col("close") - column("levels.support")) / pl.col("close") * 100).alias("support_distance_percent"),
        ((column("levels.resistance") - pl.col("close")) / pl.col("close") * 100).alias("resistance_distance_percent"),
        _relative_volume().alias("relative_volume"),
        _volume_burst().alias("volume_burst"),
        ((pl.col("open").first().over("ticker", "session") / column("prev_day.close") - 1) * 100).alias("gap_percent"),
    )
    directions = [d for d in ("long", "short") if f"signal.{d}" in has]
    parts = [
        known.filter(pl.col(f"signal.{d}")).select("ticker", "timestamp", pl.lit(d).alias("direction"), *CONTEXT_COLUMNS)
        for d in directions
    ]
    if not parts:
        return known.clear().select("ticker", "timestamp", pl.lit("long").alias("direction"), *CONTEXT_COLUMNS)
    return pl.concat(parts).sort("ticker", "timestamp", "direction")


def _relative_volume() -> pl.Expr:
    import polars as pl

    usual = pl.col("volume").shift(1).rolling_mean(VOLUME_SESSIONS, min_samples=VOLUME_SESSIONS).over("ticker", "minute")
    return pl.when(usual > 0).then(pl.col("volume") / usual)


def _volume_burst() -> pl.Expr:
    import polars as pl

    usual = pl.col("volume").rolling_mean(BURST_BARS, min_samples=BURST_BARS).over("ticker")
    return pl.when(usual > 0).then(pl.col("volume") / usual)
