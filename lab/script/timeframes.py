"""Longer bars made of a ticker's bars, and what is computed on them as of the last one that is over.

A longer bar is over when a bar of the next one is there: the language can't know that the bar at hand is the last of its hour or day
before that. The first longer bar of a history counts only if the history begins with its beginning.
"""

from __future__ import annotations

import polars as pl

from lab.script.calls import TIMEFRAME_MINUTES
from lab.script.fields import FIELDS

OPEN_MINUTE = 570
_GROUP = "#longer"


def add_timeframe(part: pl.DataFrame, timeframe: str, stages: list[list[pl.Expr]], wanted: list[tuple[str, str]]) -> pl.DataFrame:
    """One ticker's bars with columns computed on longer bars.

    Args:
        part: the ticker's cleaned bars in order of time.
        timeframe: one of TIMEFRAME_MINUTES.
        stages: what to compute on the longer bars, pass by pass.
        wanted: (column of the longer bars, its name here).
    """
    grouped = part.with_columns(_bucket(timeframe).rle_id().alias(_GROUP))
    longer = _longer_bars(grouped, timeframe)
    for stage in stages:
        longer = longer.with_columns(stage)
    at = grouped[_GROUP]
    return part.with_columns(longer[name].shift(1).gather(at).alias(label) for name, label in wanted)


def _bucket(timeframe: str) -> pl.Expr:
    """A number that is the same within a longer bar and differs from the one before."""
    session = pl.col("session")
    if timeframe == "1d":
        return session
    if timeframe == "1w":
        return session.dt.truncate("1w")
    step = (pl.col("minute").cast(pl.Int64) - OPEN_MINUTE) // TIMEFRAME_MINUTES[timeframe]
    return session.to_physical().cast(pl.Int64) * 1440 + step


def _longer_bars(grouped: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    context = [name for name in FIELDS if "." in name and name in grouped.columns]
    intraday = TIMEFRAME_MINUTES[timeframe] < TIMEFRAME_MINUTES["1d"]
    minute = pl.col("minute").cast(pl.Int64)
    start = (minute - OPEN_MINUTE) // TIMEFRAME_MINUTES[timeframe] * TIMEFRAME_MINUTES[timeframe] + OPEN_MINUTE
    longer = grouped.group_by(_GROUP, maintain_order=True).agg(
        pl.col("timestamp").first(),
        pl.col("session").last(),
        (start.first() if intraday else pl.lit(OPEN_MINUTE)).cast(pl.Int16).alias("minute"),
        pl.col("close_minute").last(),
        minute.first().alias("#minute"),
        pl.col("session").first().alias("#session"),
        pl.col("open").drop_nulls().first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").drop_nulls().last(),
        pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum()).alias("volume"),
        *(pl.col(name).last() for name in context),
    )
    begun = pl.col("#minute") == (pl.col("minute") if intraday else OPEN_MINUTE)
    if timeframe == "1w":
        begun = begun & (pl.col("#session").dt.weekday() == 1)
    whole = (pl.int_range(pl.len()) > 0) | begun
    return longer.with_columns(pl.when(whole).then(pl.col(name)) for name in ("open", "high", "low", "close", "volume", *context))
