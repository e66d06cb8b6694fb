"""The state of the market as a whole, as known after each session's close: trend, volatility, VIX, breadth.

Trend: up (1) when the market's close is above its 20-session mean and that mean is above where it stood five sessions
before; down (-1) when both are below; else flat (0). Volatility: the standard deviation of daily log returns over 20
sessions, low (0), normal (1) or high (2) by the terciles of its own last 252 values (at least 60 of them). Breadth: the share
of a universe's tickers whose close is above its own mean of 20 sessions, in percent, where at least five have one.
"""

from __future__ import annotations

import polars as pl

TREND_SESSIONS = 20
SLOPE_SESSIONS = 5
VOLATILITY_SESSIONS = 20
PAST_SESSIONS = 252
LEAST_PAST_SESSIONS = 60
LEAST_TICKERS = 5
"""Below this, the share that rises says nothing of a market."""


def market_regime(daily: pl.DataFrame) -> pl.DataFrame:
    """Trend and volatility after each session, from the market's `session` and `close`, one row a session in order.

    Columns: `session`, `market_close`, `market.trend`, `market.volatility` (both Int8, null while too little is known).
    """
    close = pl.col("close")
    mean = close.rolling_mean(TREND_SESSIONS)
    slope = mean - mean.shift(SLOPE_SESSIONS)
    spread = close.log().diff().rolling_std(VOLATILITY_SESSIONS)
    calm = spread.rolling_quantile(1 / 3, "linear", PAST_SESSIONS, min_samples=LEAST_PAST_SESSIONS)
    wild = spread.rolling_quantile(2 / 3, "linear", PAST_SESSIONS, min_samples=LEAST_PAST_SESSIONS)
    return daily.select(
        "session",
        close.alias("market_close"),
        pl.when(slope.is_null())
        .then(None)
        .when((close > mean) & (slope > 0))
        .then(1)
        .when((close < mean) & (slope < 0))
        .then(-1)
        .otherwise(0)
        .cast(pl.Int8)
        .alias("market.trend"),
        pl.when(calm.is_null())
        .then(None)
        .when(spread <= calm)
        .then(0)
        .when(spread > wild)
        .then(2)
        .otherwise(1)
        .cast(pl.Int8)
        .alias("market.volatility"),
    )


def vix_state(daily: pl.DataFrame) -> pl.DataFrame:
    """The VIX after each session, from its `session` and `close`: `market.vix` in points, `market.vix_change` in percent."""
    close = pl.col("close")
    return daily.select(
        "session",
        close.alias("market.vix"),
        ((close / close.shift(1) - 1) * 100).alias("market.vix_change"),
    )


def breadth(days: pl.DataFrame) -> pl.DataFrame:
    """`market.breadth` after each session, in percent, from `ticker`, `session` and `close`, sorted by ticker and session."""
    above = pl.col("close") > pl.col("close").rolling_mean(TREND_SESSIONS).over("ticker")
    return (
        days.lazy()
        .select("session", above.alias("above"))
        .group_by("session")
        .agg(pl.col("above").mean() * 100, pl.col("above").count().alias("known"))
        .sort("session")
        .select("session", pl.when(pl.col("known") >= LEAST_TICKERS).then("above").alias("market.breadth"))
        .collect()
    )
