"""Bars held in memory with the context scripts ask for: for studies of many markets that need no files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from lab.market.bars import BARS_SCHEMA, SYNTHETIC_SOURCE
from lab.market.cache import BarsCache
from lab.market.context import load_market
from lab.market.errors import MissingBars
from lab.market.timeframes import DAILY


class HeldBars(BarsCache):
    """A cache that was read already: frames by timeframe (columns of `BARS_SCHEMA`, sorted by ticker and time), nothing on disk."""

    def __init__(self, frames: dict[str, pl.DataFrame]) -> None:
        super().__init__(Path("/nonexistent"))
        self._frames = frames

    def __reduce__(self) -> tuple[type[HeldBars], tuple[dict[str, pl.DataFrame]]]:  # type: ignore[override]  # frames, not a folder, make one
        return HeldBars, (self._frames,)

    def read(
        self, tickers: Sequence[str], timeframe: str, first: date | None = None, last: date | None = None, *, extended: bool = False
    ) -> pl.DataFrame:
        frame = self._frames.get(timeframe, pl.DataFrame(schema=BARS_SCHEMA))
        for ticker in tickers:
            if self.source(ticker, timeframe) is None:
                raise MissingBars(f"No {timeframe} bars of {ticker} are held.")
        inside = pl.col("ticker").is_in(list(tickers))
        if first is not None:
            inside &= pl.col("session") >= first
        if last is not None:
            inside &= pl.col("session") <= last
        return frame.filter(inside)

    def source(self, ticker: str, timeframe: str) -> str | None:
        frame = self._frames.get(timeframe)
        return SYNTHETIC_SOURCE if frame is not None and ticker in frame["ticker"] else None

    def has(self, ticker: str, timeframe: str) -> bool:
        return self.source(ticker, timeframe) is not None


def with_context(
    bars: pl.DataFrame,
    daily: pl.DataFrame,
    tickers: Sequence[str],
    timeframe: str = "1m",
    market_ticker: str | None = None,
    vix_ticker: str | None = None,
    columns: Collection[str] | None = None,
) -> pl.DataFrame:
    """What `load_market` gives for `tickers`, from frames instead of a cache: `bars` on the timeframe, `daily` for what looks further back.

    Both have the columns of `BARS_SCHEMA`, sorted by ticker and time; the market's bars may be in either or both, the VIX in `daily`.
    `columns` are the context wanted, as `load_market` has it. Raises `MissingBars` where a ticker is in neither.
    """
    held = HeldBars({DAILY: daily, timeframe: bars})
    return load_market(held, tickers, timeframe, market_ticker=market_ticker, vix_ticker=vix_ticker, columns=columns)
