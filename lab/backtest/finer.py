"""Shorter bars of the same tickers, which settle what came first within a longer one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.backtest.bars import Bars, read_bars

if TYPE_CHECKING:
    from lab.backtest.bars import Floats, Ints

_MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True)
class Within:
    """Finer bars, and per bar of the run where those within it begin and end."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    starts: Ints
    ends: Ints


@dataclass(frozen=True, slots=True)
class FinerBars:
    """Shorter bars, sorted by ticker and time, with the columns of any bars frame; tickers and times may be missing."""

    frame: pl.DataFrame
    minutes: int
    """Length of the run's own bars: those of the same session that start within so many minutes of a bar's start lie in it."""
    _found: list[tuple[Bars, Within]] = field(default_factory=list, repr=False, compare=False)
    """For the bars asked last: runs on the same ones follow each other."""

    def within(self, bars: Bars) -> Within:
        """Which of them lie in each bar. Raises BacktestError where they are not sorted or a bar stands twice."""
        if not self._found or self._found[0][0] is not bars:
            self._found[:] = [(bars, self._within(bars))]
        return self._found[0][1]

    def _within(self, bars: Bars) -> Within:
        read = read_bars(self.frame).bars
        keys = _keys(read)
        own = _keys(bars)
        starts, ends = np.zeros(len(own), dtype=np.int64), np.zeros(len(own), dtype=np.int64)
        known = {ticker: place for place, ticker in enumerate(read.tickers)}
        first = 0
        for ticker, last in zip(bars.tickers, bars.ticker_ends.tolist(), strict=True):
            place = known.get(ticker)
            if place is not None:
                begin, end = int(read.ticker_ends[place - 1]) if place else 0, int(read.ticker_ends[place])
                starts[first:last] = begin + np.searchsorted(keys[begin:end], own[first:last])
                ends[first:last] = begin + np.searchsorted(keys[begin:end], own[first:last] + self.minutes)
            first = last
        return Within(read.open, read.high, read.low, read.close, starts, ends)


def _keys(bars: Bars) -> Ints:
    """Per row, the minute of its start, counted so that those of a later session are always larger."""
    lengths = np.diff(np.append(bars.segment_starts, len(bars.at)))
    days = np.repeat(bars.sessions[bars.segment_session], lengths)
    return days * _MINUTES_A_DAY + bars.minute
