"""Longer bars made of a ticker's bars, and what is computed on them as of the last one that is over.

A longer bar is over when a bar of the next one is there: the language can't know that the bar at hand is the last of its hour or day
before that. The first longer bar of a history counts only if the history begins with its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.script.calls import TIMEFRAME_MINUTES
from lab.script.columns import Bars
from lab.script.fields import FIELDS

if TYPE_CHECKING:
    from lab.script.columns import Integers

OPEN_MINUTE = 570
_GROUP = "#longer"


@dataclass(frozen=True, slots=True)
class Longer:
    """The longer bars of all tickers."""

    bars: Bars
    at: Integers
    """Per bar, the row of the last longer bar that was over before it began; -1 where there is none."""


def longer_bars(cleaned: pl.DataFrame, bars: Bars, timeframe: str) -> Longer:
    """Longer bars of each ticker.

    Args:
        cleaned: the bars' fields as plain numbers, those that are to be read.
        bars: the same bars.
        timeframe: one of TIMEFRAME_MINUTES.
    """
    parts, firsts, at = [], [], []
    size = 0
    for first, length in bars.spans:
        grouped = cleaned.slice(first, length).with_columns(_bucket(timeframe).rle_id().alias(_GROUP))
        longer = _longer_bars(grouped, timeframe)
        group = grouped[_GROUP].to_numpy().astype(np.int64)
        at.append(np.where(group > 0, group - 1 + size, -1))
        parts.append(longer)
        firsts.append(size)
        size += longer.height
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return Longer(
            Bars(_longer_bars(cleaned.with_columns(_bucket(timeframe).rle_id().alias(_GROUP)), timeframe), (), empty, empty, empty), empty
        )
    frame = pl.concat(parts, rechunk=True)
    starts = np.array(firsts, dtype=np.int64)
    times = np.ascontiguousarray(frame["timestamp"].to_physical().to_numpy())
    return Longer(Bars(frame, bars.names, starts, np.diff(np.append(starts, size)), times), np.concatenate(at))


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
