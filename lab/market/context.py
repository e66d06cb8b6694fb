"""Bars with everything around them that a script may ask for, each value known by the bar's close."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.bars import BARS_SCHEMA, CONTEXT_DAYS, SYNTHETIC_SOURCE, TIMESTAMP, VALUES
from lab.market.cache import BarsCache
from lab.market.calendar import trading_sessions
from lab.market.errors import MissingBars
from lab.market.levels import level_details, level_rule, pivots, support_and_resistance
from lab.market.news import NewsFiles
from lab.market.news_columns import NEWS_COLUMNS, bar_ends, news_columns
from lab.market.regime import breadth, market_regime, vix_state
from lab.market.timeframes import DAILY

_FLOAT = pl.Float64()
_SIDES = tuple(f"levels.{side}_{what}" for side in ("support", "resistance") for what in ("touches", "age", "strength"))
_PIVOTS = (
    *("levels.pivot", "levels.r1", "levels.r2", "levels.r3", "levels.s1", "levels.s2", "levels.s3"),
    *(f"levels.fib_{side}{number}" for side in "rs" for number in (1, 2, 3)),
    *(f"levels.cam_{side}{number}" for side in "rs" for number in (1, 2, 3, 4)),
)

CONTEXT_SCHEMA: dict[str, pl.DataType] = {
    "market.trend": pl.Int8(),
    "market.change": _FLOAT,
    "market.vix": _FLOAT,
    "market.vix_change": _FLOAT,
    "market.volatility": pl.Int8(),
    "market.breadth": _FLOAT,
    "levels.support": _FLOAT,
    "levels.resistance": _FLOAT,
    **dict.fromkeys(_SIDES, _FLOAT),
    **dict.fromkeys(_PIVOTS, _FLOAT),
    **{f"prev_day.{name}": _FLOAT for name in VALUES},
    **dict.fromkeys(NEWS_COLUMNS, _FLOAT),
}
"""The context columns and their types; null where unknown. What has "change", "breadth" or "percent" in its name is in percent."""

USUAL_CONTEXT: tuple[str, ...] = (
    *("market.trend", "market.change", "market.vix", "market.vix_change", "market.volatility"),
    *("levels.support", "levels.resistance", "levels.pivot", "levels.r1", "levels.r2", "levels.s1", "levels.s2"),
    *(f"prev_day.{name}" for name in VALUES),
)
"""What most strategies read; the rest is made where a script or the enrichment asks for it."""

KNOWN_AT: dict[str, tuple[str, ...]] = {
    "known_at.bar": (),
    "known_at.market": ("market.trend", "market.volatility"),
    "known_at.change": ("market.change",),
    "known_at.vix": ("market.vix", "market.vix_change"),
    "known_at.breadth": ("market.breadth",),
    "known_at.levels": ("levels.support", "levels.resistance", *_SIDES, *_PIVOTS, *(f"prev_day.{name}" for name in VALUES)),
    "known_at.news": NEWS_COLUMNS,
}
"""Columns that say since when the context was known, each with the context it belongs to: a time in UTC, null where it is unknown.

`known_at.bar` is the bar's own close, when a signal of it is known. Of levels, the moment from which the level stood; which of them
is nearest follows from the bar's own close."""
TRADED = "traded"
"""The column that tells bars of the tickers at hand from those that are only looked at; there where any are."""

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
    *,
    others: Sequence[str] = (),
    news: NewsFiles | None = None,
    columns: Collection[str] | None = None,
) -> pl.DataFrame:
    """The regular-hours bars of `tickers` in the sessions from `first` to `last` with their context (see `CONTEXT_SCHEMA`).

    Sorted by ticker and timestamp. What the context needs of earlier sessions is read too, as far as it is cached. The market
    and the VIX may be cached on the timeframe, as daily bars, or both; without them their columns are null, and without `news`
    those of the news. `others` are loaded beside them to be looked at, and told apart by the column `TRADED`; they count for no
    breadth. `columns` are the context wanted, of `CONTEXT_SCHEMA` and `KNOWN_AT`; all of `CONTEXT_SCHEMA` where it is None. Raises
    `MissingBars` or `DamagedBars` as `BarsCache.read` does.
    """
    wanted = CONTEXT_SCHEMA.keys() if columns is None else frozenset(columns)
    own_days = calendar_days(level_rule(timeframe).sessions)
    looked_at = sorted(set(others) - set(tickers))
    bars = cache.read([*tickers, *looked_at], timeframe, first - timedelta(days=own_days) if first else None, last)
    if not bars.is_empty():
        bars = _with_levels(bars, timeframe, wanted) if wanted else bars
        if "market.breadth" in wanted or "known_at.breadth" in wanted:
            bars = _with_breadth(bars, looked_at)
        if first is not None:
            bars = bars.filter(pl.col("session") >= first)
    bars = _with_market(bars, cache, timeframe, (first, last), market_ticker, vix_ticker, wanted)
    if news is not None and wanted & {*NEWS_COLUMNS, "known_at.news"}:
        found = news_columns(bars, timeframe, news)
        bars = bars.hstack([pl.Series(name, found[name], nan_to_null=True) for name in NEWS_COLUMNS])
        known = pl.Series("known_at.news", found["known_at"], nan_to_null=True)
        bars = bars.with_columns(known.cast(pl.Int64).cast(TIMESTAMP))
    if "known_at.bar" in wanted:
        bars = bars.with_columns(pl.Series("known_at.bar", bar_ends(bars, timeframe)).cast(TIMESTAMP))
    kinds: dict[str, pl.DataType] = {**BARS_SCHEMA, **({TRADED: pl.Boolean()} if looked_at else {})}
    kinds |= {name: kind for name, kind in CONTEXT_SCHEMA.items() if name in wanted}
    kinds |= {name: TIMESTAMP for name in KNOWN_AT if name in wanted}
    if looked_at:
        bars = bars.with_columns((~pl.col("ticker").is_in(looked_at)).alias(TRADED))
    lacking = [pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in bars.columns]
    return bars.with_columns(lacking).select(pl.col(name).cast(kind) for name, kind in kinds.items())


def calendar_days(sessions: int) -> int:
    """Calendar days that surely hold so many sessions."""
    return sessions * 7 // 5 + 21


def _with_levels(bars: pl.DataFrame, timeframe: str, wanted: Set[str]) -> pl.DataFrame:
    days = sessions_of(bars).with_columns(pl.col(name).shift(1).over("ticker").alias(f"prev_day.{name}") for name in VALUES)
    made = pivots(pl.col("prev_day.high"), pl.col("prev_day.low"), pl.col("prev_day.close"))
    days = days.with_columns(expression.alias(name) for name, expression in made.items() if name in wanted)
    if "known_at.levels" in wanted:
        days = days.with_columns(pl.col("closed_at").shift(1).over("ticker").alias("known_at.levels"))
    # Bars are sorted, so a session's values are repeated along its bars instead of joined: many times faster.
    row = np.repeat(np.arange(days.height), days["bars"].to_numpy())
    if kept := [name for name in days.columns if name in wanted]:
        bars = bars.hstack(days.select(kept)[row].get_columns())
    if wanted.isdisjoint(("levels.support", "levels.resistance", *_SIDES)):
        return bars
    parts = bars.partition_by("ticker", maintain_order=True)
    columns: dict[str, list[NDArray[np.float64]]] = {}
    for part in parts:
        if not wanted.isdisjoint(("levels.support", "levels.resistance")):
            for name, values in zip(("levels.support", "levels.resistance"), support_and_resistance(part, timeframe), strict=True):
                columns.setdefault(name, []).append(values)
        if not wanted.isdisjoint(_SIDES):
            for name, values in level_details(part, timeframe).items():
                columns.setdefault(name, []).append(values)
    return bars.hstack([pl.Series(name, np.concatenate(values), nan_to_null=True) for name, values in columns.items()])


def sessions_of(bars: pl.DataFrame) -> pl.DataFrame:
    """The sessions of each ticker as one bar each, with how many bars they have and when they closed."""
    left = pl.duration(minutes=pl.col("close_minute") - pl.col("minute"))
    return (
        bars.lazy()
        .group_by("ticker", "session", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.len().alias("bars"),
            pl.col("timestamp", "minute", "close_minute").last(),
        )
        .with_columns(closed_at=(pl.col("timestamp") + left).cast(TIMESTAMP))
        .collect()
    )


def _with_breadth(bars: pl.DataFrame, looked_at: Sequence[str]) -> pl.DataFrame:
    days = sessions_of(bars.filter(~pl.col("ticker").is_in(looked_at)))
    after = breadth(days)
    after = after.with_columns(_close_times(after["session"]).alias("known_at.breadth"))
    known = after[_last_before(after["session"], bars["session"].to_numpy())]
    return bars.with_columns(known["market.breadth"], known["known_at.breadth"])


def _with_market(
    bars: pl.DataFrame,
    cache: BarsCache,
    timeframe: str,
    span: tuple[date | None, date | None],
    market_ticker: str | None,
    vix_ticker: str | None,
    wanted: Set[str],
) -> pl.DataFrame:
    first, last = span
    since = first - timedelta(days=CONTEXT_DAYS) if first else None
    sessions = bars["session"].to_numpy()
    if market_ticker is not None:
        intraday, daily = _market_bars(cache, market_ticker, timeframe, since, last)
        regime = market_regime(daily)
        regime = regime.with_columns(_close_times(regime["session"]).alias("known_at.market"))
        known = regime[_last_before(regime["session"], sessions)]
        bars = bars.hstack([known[name] for name in ("market.trend", "market.volatility", "known_at.market") if name in wanted])
        if not wanted.isdisjoint(("market.change", "known_at.change")):
            bars = bars.with_columns(_market_change(bars, intraday, known["market_close"], timeframe))
    if vix_ticker is not None:
        _, daily = _market_bars(cache, vix_ticker, timeframe, since, last)
        state = vix_state(daily)
        state = state.with_columns(_close_times(state["session"]).alias("known_at.vix"))
        known = state[_last_before(state["session"], sessions)]
        bars = bars.hstack([known[name] for name in ("market.vix", "market.vix_change", "known_at.vix") if name in wanted])
    return bars


def _close_times(sessions: pl.Series) -> pl.Series:
    """When these sessions closed; null for null."""
    days = sessions.drop_nulls()
    if days.is_empty():
        return pl.Series([None] * sessions.len(), dtype=TIMESTAMP)
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    calendar = trading_sessions(first, last)
    return sessions.replace_strict(calendar["session"], calendar["close_at"], default=None, return_dtype=TIMESTAMP)


def market_days(cache: BarsCache, ticker: str, timeframe: str, first: date | None, last: date | None) -> pl.DataFrame:
    """`session` and `close` of a market ticker, from its bars on the timeframe and its daily ones. Raises `MissingBars`."""
    return _market_bars(cache, ticker, timeframe, first, last)[1]


def _market_bars(cache: BarsCache, ticker: str, timeframe: str, first: date | None, last: date | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars of a market ticker on the timeframe (empty where only daily ones are cached), and its close of each session."""
    sources = cache.source(ticker, timeframe), cache.source(ticker, DAILY)
    on_timeframe, daily = (source is not None for source in sources)
    # Days made of the very bars that are read anyway would add nothing.
    daily = daily and (not on_timeframe or cache.covered(ticker, DAILY) is not None)
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


def _market_change(bars: pl.DataFrame, market: pl.DataFrame, previous_close: pl.Series, timeframe: str) -> list[pl.Series]:
    """The market's change since its previous close, in percent, as of its last bar of the session that closes no later than the bar,
    and when that one had closed."""
    if market.is_empty():
        nothing = [None] * bars.height
        return [pl.Series("market.change", nothing, dtype=pl.Float64), pl.Series("known_at.change", nothing, dtype=TIMESTAMP)]
    ends = bar_ends(market, timeframe)
    # The market's hours may be cut by the clock and the stock's not: what starts together does not always close together.
    row = np.searchsorted(ends, bar_ends(bars, timeframe), side="right") - 1
    same_session = (row >= 0) & (market["session"].to_numpy()[np.maximum(row, 0)] == bars["session"].to_numpy())
    last_row = pl.Series(np.where(same_session, row, -1)).replace(-1, None).cast(pl.UInt32)
    now = market["close"].gather(last_row)
    closed = pl.Series(ends).cast(TIMESTAMP).gather(last_row)
    return [((now / previous_close - 1) * 100).alias("market.change"), closed.alias("known_at.change")]
