"""Bars with everything around them that a script may ask for, each value known by the bar's close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.bars import BARS_SCHEMA, CONTEXT_DAYS, SYNTHETIC_SOURCE, VALUES
from lab.market.cache import BarsCache
from lab.market.errors import MissingBars
from lab.market.levels import level_rule, pivots, support_and_resistance
from lab.market.regime import market_regime, vix_state
from lab.market.timeframes import DAILY

CONTEXT_SCHEMA: dict[str, pl.DataType] = {
    "market.trend": pl.Int8(),
    "market.change": pl.Float64(),
    "market.vix": pl.Float64(),
    "market.vix_change": pl.Float64(),
    "market.volatility": pl.Int8(),
    "levels.support": pl.Float64(),
    "levels.resistance": pl.Float64(),
    "levels.pivot": pl.Float64(),
    "levels.r1": pl.Float64(),
    "levels.r2": pl.Float64(),
    "levels.s1": pl.Float64(),
    "levels.s2": pl.Float64(),
    **{f"prev_day.{name}": pl.Float64() for name in VALUES},
}
"""The context columns and their types; null where unknown. `market.change` and `market.vix_change` are in percent."""

_STALE_DAYS = 7
"""Market context older than this says nothing about today and is left null."""


def load_market(
    cache: BarsCache,
    tickers: Sequence[str],
    timeframe: str,
    first: date | None = None,
    last: date | None = None,
    market_ticker: str | None = None,
    vix_ticker: str | None = None,
) -> pl.DataFrame:
    """The regular-hours bars of `tickers` in the sessions from `first` to `last` with their context (see `CONTEXT_SCHEMA`).

    Sorted by ticker and timestamp. What the context needs of earlier sessions is read too, as far as it is cached. The market
    and the VIX may be cached on the timeframe, as daily bars, or both; without them their columns are null. Raises
    `MissingBars` or `DamagedBars` as `BarsCache.read` does.
    """
    own_days = calendar_days(level_rule(timeframe).sessions)
    bars = cache.read(tickers, timeframe, first - timedelta(days=own_days) if first else None, last)
    if not bars.is_empty():
        bars = _with_levels(bars, timeframe)
        if first is not None:
            bars = bars.filter(pl.col("session") >= first)
    else:
        bars = bars.with_columns(pl.lit(None, kind).alias(name) for name, kind in CONTEXT_SCHEMA.items())
    bars = _with_market(bars, cache, timeframe, first, last, market_ticker, vix_ticker)
    return bars.select(pl.col(name).cast(kind) for name, kind in {**BARS_SCHEMA, **CONTEXT_SCHEMA}.items())


def calendar_days(sessions: int) -> int:
    """Calendar days that surely hold so many sessions."""
    return sessions * 7 // 5 + 21


def _with_levels(bars: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    days = (
        bars.lazy()
        .group_by("ticker", "session", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.len().alias("bars"),
        )
        .with_columns(pl.col(name).shift(1).over("ticker").alias(f"prev_day.{name}") for name in VALUES)
        .with_columns(**pivots(pl.col("prev_day.high"), pl.col("prev_day.low"), pl.col("prev_day.close")))
        .collect()
    )
    # Bars are sorted, so a session's values are repeated along its bars instead of joined: many times faster.
    row = np.repeat(np.arange(days.height), days["bars"].to_numpy())
    per_session = days.select(pl.selectors.starts_with("prev_day.", "levels."))[row]
    sides = [support_and_resistance(part, timeframe) for part in bars.partition_by("ticker", maintain_order=True)]
    support = pl.Series("levels.support", np.concatenate([below for below, _ in sides]), nan_to_null=True)
    resistance = pl.Series("levels.resistance", np.concatenate([above for _, above in sides]), nan_to_null=True)
    return bars.hstack(per_session.get_columns()).hstack([support, resistance])


def _with_market(
    bars: pl.DataFrame,
    cache: BarsCache,
    timeframe: str,
    first: date | None,
    last: date | None,
    market_ticker: str | None,
    vix_ticker: str | None,
) -> pl.DataFrame:
    since = first - timedelta(days=CONTEXT_DAYS) if first else None
    sessions = bars["session"].to_numpy()
    if market_ticker is not None:
        intraday, daily = _market_bars(cache, market_ticker, timeframe, since, last)
        regime = market_regime(daily)
        before = _last_before(regime["session"], sessions)
        known = regime[before]
        bars = bars.with_columns(known["market.trend"], known["market.volatility"])
        bars = bars.with_columns(_market_change(bars, intraday, known["market_close"]))
    if vix_ticker is not None:
        _, daily = _market_bars(cache, vix_ticker, timeframe, since, last)
        state = vix_state(daily)
        known = state[_last_before(state["session"], sessions)]
        bars = bars.with_columns(known["market.vix"], known["market.vix_change"])
    missing = [pl.lit(None, kind).alias(name) for name, kind in CONTEXT_SCHEMA.items() if name not in bars.columns]
    return bars.with_columns(missing)


def _market_bars(cache: BarsCache, ticker: str, timeframe: str, first: date | None, last: date | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars of a market ticker on the timeframe (empty where only daily ones are cached), and its close of each session."""
    sources = cache.source(ticker, timeframe), cache.source(ticker, DAILY)
    on_timeframe, daily = (source is not None for source in sources)
    if on_timeframe and daily and (sources[0] == SYNTHETIC_SOURCE) != (sources[1] == SYNTHETIC_SOURCE):
        # A real market's history does not go on in an invented one.
        daily = False
    if not on_timeframe and not daily:
        raise MissingBars(f"Neither {timeframe} nor {DAILY} bars of {ticker} are cached. Import a file with them first.")
    bars = cache.read([ticker], timeframe, first, last) if on_timeframe else pl.DataFrame(schema=BARS_SCHEMA)
    closes = bars.group_by("session", maintain_order=True).agg(pl.col("close").last())
    if daily and timeframe != DAILY:
        # Daily bars often reach further back than intraday ones; where both are there, the intraday ones are what scripts see.
        longer = cache.read([ticker], DAILY, first, last).select("session", "close")
        closes = pl.concat([closes, longer.join(closes, on="session", how="anti")])
    return bars, closes.sort("session")


def _last_before(known: pl.Series, sessions: NDArray[np.datetime64]) -> pl.Series:
    """Per bar: the row of the last known session before the bar's own; null where there is none or it is stale."""
    days = known.to_numpy()
    row = np.searchsorted(days, sessions, side="left") - 1
    usable = row >= 0
    if days.size:
        usable &= (sessions - days[np.maximum(row, 0)]) <= np.timedelta64(_STALE_DAYS, "D")
    return pl.Series(np.where(usable, row, -1)).replace(-1, None).cast(pl.UInt32)


def _market_change(bars: pl.DataFrame, market: pl.DataFrame, previous_close: pl.Series) -> pl.Series:
    """The market's change since its previous close, in percent, as of its last bar of the session that starts no later than the bar."""
    name = "market.change"
    if market.is_empty():
        return pl.Series(name, [None] * bars.height, dtype=pl.Float64)
    starts = market["timestamp"].to_physical().to_numpy()
    row = np.searchsorted(starts, bars["timestamp"].to_physical().to_numpy(), side="right") - 1
    same_session = (row >= 0) & (market["session"].to_numpy()[np.maximum(row, 0)] == bars["session"].to_numpy())
    last_row = pl.Series(np.where(same_session, row, -1)).replace(-1, None).cast(pl.UInt32)
    now = market["close"].gather(last_row)
    return ((now / previous_close - 1) * 100).alias(name)
