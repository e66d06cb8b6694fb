"""What is known of the market and its price levels session by session: rows for tables and screens, made from cached bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from lab.market.bars import CONTEXT_DAYS, TIMESTAMP
from lab.market.cache import BarsCache
from lab.market.calendar import trading_sessions
from lab.market.context import calendar_days, market_days, sessions_of
from lab.market.levels import LevelTable, level_rule, level_table
from lab.market.regime import breadth, market_regime, vix_state

LEVELS_EACH_SIDE = 3
"""So many of the nearest levels below and above the last close are kept of a session."""

LEVELS_SCHEMA: dict[str, pl.DataType] = {
    "ticker": pl.String(),
    "session": pl.Date(),
    "known_at": TIMESTAMP,
    "side": pl.String(),
    "price": pl.Float64(),
    "touches": pl.Int64(),
    "age_sessions": pl.Int64(),
    "strength": pl.Float64(),
}
"""Levels before sessions opened; `side` is "support" at or below the close of the session before, else "resistance"."""

REGIMES_SCHEMA: dict[str, pl.DataType] = {
    "session": pl.Date(),
    "known_at": TIMESTAMP,
    "trend": pl.Int64(),
    "volatility": pl.Int64(),
    "change_percent": pl.Float64(),
    "vix": pl.Float64(),
    "vix_change_percent": pl.Float64(),
    "breadth_percent": pl.Float64(),
}
"""The market after each session's close; what is not known is null."""


def session_context(
    cache: BarsCache,
    tickers: Sequence[str],
    timeframe: str,
    span: tuple[date, date],
    market_ticker: str | None,
    vix_ticker: str | None,
    wanted: Mapping[str, Collection[date]],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The levels before the `wanted` sessions of each ticker (`LEVELS_SCHEMA`) and the regime after each of the span (`REGIMES_SCHEMA`).

    One ticker's bars are held at a time. Raises `MissingBars` or `DamagedBars` as `BarsCache.read` does.
    """
    first, last = span
    since = first - timedelta(days=calendar_days(level_rule(timeframe).sessions))
    days, levels = [], [pl.DataFrame(schema=LEVELS_SCHEMA)]
    for ticker in sorted(set(tickers)):
        bars = cache.read([ticker], timeframe, since, last)
        if bars.is_empty():
            continue
        own = sessions_of(bars)
        days.append(own.select("ticker", "session", "close"))
        if wanted.get(ticker):
            levels.append(_levels(own, level_table(bars, timeframe), wanted[ticker]))
    regimes = _regimes(cache, timeframe, span, market_ticker, vix_ticker, pl.concat(days) if days else None)
    return pl.concat(levels), regimes


def _levels(days: pl.DataFrame, table: LevelTable, wanted: Collection[date]) -> pl.DataFrame:
    close, closed_at, ticker = days["close"].to_numpy(), days["closed_at"].to_list(), days["ticker"][0]
    rows: list[tuple[object, ...]] = []
    for number, session in enumerate(days["session"].to_list()):
        if number == 0 or session not in wanted:
            continue
        places = np.flatnonzero(np.isfinite(table.price[number]))
        above = int(np.searchsorted(table.price[number][places], close[number - 1], side="right"))
        for place in places[max(0, above - LEVELS_EACH_SIDE) : above + LEVELS_EACH_SIDE]:
            price = float(table.price[number][place])
            side = "support" if price <= close[number - 1] else "resistance"
            touches, age = int(table.touches[number][place]), int(table.age[number][place])
            rows.append((ticker, session, closed_at[number - 1], side, price, touches, age, float(table.strength[number][place])))
    return pl.DataFrame(rows, schema=LEVELS_SCHEMA, orient="row")


def _regimes(
    cache: BarsCache, timeframe: str, span: tuple[date, date], market_ticker: str | None, vix_ticker: str | None, days: pl.DataFrame | None
) -> pl.DataFrame:
    first, last = span
    found = trading_sessions(first, last).select("session", pl.col("close_at").cast(TIMESTAMP).alias("known_at"))
    since = first - timedelta(days=CONTEXT_DAYS)
    if market_ticker is not None:
        daily = market_days(cache, market_ticker, timeframe, since, last)
        change = ((pl.col("market_close") / pl.col("market_close").shift(1) - 1) * 100).alias("change_percent")
        regime = market_regime(daily).with_columns(change).rename({"market.trend": "trend", "market.volatility": "volatility"})
        found = found.join(regime, on="session", how="left")
    if vix_ticker is not None:
        names = {"market.vix": "vix", "market.vix_change": "vix_change_percent"}
        found = found.join(vix_state(market_days(cache, vix_ticker, timeframe, since, last)).rename(names), on="session", how="left")
    if days is not None:
        found = found.join(breadth(days).rename({"market.breadth": "breadth_percent"}), on="session", how="left")
    lacking = [pl.lit(None, kind).alias(name) for name, kind in REGIMES_SCHEMA.items() if name not in found.columns]
    known = found.with_columns(lacking).select(pl.col(name).cast(kind) for name, kind in REGIMES_SCHEMA.items())
    return known.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in REGIMES_SCHEMA if name not in ("session", "known_at")))
