"""A frame of bars as the plain arrays the engine reads, with its sessions; checked, and read once for several strategies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.backtest.errors import BacktestError
from lab.backtest.reading import count_unusable, segments, wilder_atr
from lab.script.columns import ticker_runs
from lab.script.threads import both

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

BAR_COLUMNS = ("ticker", "timestamp", "open", "high", "low", "close", "volume", "session", "minute")
_ATR_BARS = 14


@dataclass(frozen=True)
class Bars:
    """All usable bars, sorted by ticker and time. A row is an index into every array of that length."""

    tickers: tuple[str, ...]
    ticker_ends: Ints
    """Per ticker: one past its last row."""
    at: Ints
    """Per row: start of the bar, microseconds since the epoch."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    minute: NDArray[np.int16]
    segment_starts: Ints
    """First row of each (ticker, session)."""
    segment_session: Ints
    """Per segment: index into `sessions`."""
    sessions: Ints
    """Every session of the frame in order, as days since the epoch."""
    session_starts: Ints
    """Per session: its first timestamp over all tickers."""
    borrow: Floats
    """Per segment: calendar nights x closing price, summed over the ticker's nights before it."""

    @cached_property
    def atr(self) -> Floats:
        """Per row: the ticker's average true range (Wilder), for slippage that is measured by it."""
        return wilder_atr(self.high, self.low, self.close, self.ticker_ends, _ATR_BARS)

    def ticker_of(self, rows: Ints) -> Ints:
        """The tickers of rows, as indices into `tickers`."""
        return np.searchsorted(self.ticker_ends, rows, side="right")

    def session_of(self, rows: Ints) -> Ints:
        """The sessions of rows, as indices into `sessions`."""
        return self.segment_session[np.searchsorted(self.segment_starts, rows, side="right") - 1]


@dataclass(frozen=True, slots=True)
class ReadBars:
    """The bars of a frame in order, read once for several strategies on them."""

    bars: Bars
    usable: Bools | None
    """Per row of the frame: whether it became one of `bars`; None where all did."""


def read_bars(frame: pl.DataFrame) -> ReadBars:
    """What every strategy's `prepare` on this frame would find out anew. Raises BacktestError for bars that are not in order."""
    frame = frame.select(BAR_COLUMNS).with_columns(pl.col("ticker").cast(pl.String)).rechunk()
    try:
        return _read(frame)
    except _NotInOrder:
        raise BacktestError("The bars are not sorted by ticker and time, or hold a bar twice.") from None


def read_sorted(frame: pl.DataFrame) -> tuple[pl.DataFrame, ReadBars]:
    """The frame in order, and its bars. Raises BacktestError for a bar that stands twice."""
    frame = frame.with_columns(pl.col("ticker").cast(pl.String)).rechunk()
    if frame["ticker"].null_count() or frame["timestamp"].null_count():
        raise BacktestError("A bar has no ticker or no time: import its file again with both columns mapped.")
    try:
        return frame, _read(frame)
    except _NotInOrder:
        frame = frame.sort("ticker", "timestamp").rechunk()
    try:
        return frame, _read(frame)
    except _NotInOrder as error:
        ticker, at = frame["ticker"][error.row], frame["timestamp"][error.row]
        raise BacktestError(f"{ticker} has two bars that start at {at}: each bar may stand once.") from None


class _NotInOrder(Exception):
    def __init__(self, row: int) -> None:
        self.row = row


def _read(frame: pl.DataFrame) -> ReadBars:
    """Raises _NotInOrder for the first row that is not after the one before it."""
    at, day = _times(frame), frame["session"].to_physical().to_numpy()
    prices = [floats(frame, name) for name in ("open", "high", "low", "close")]

    def in_order() -> tuple[list[str], Ints, Ints]:
        names, ends = _tickers(frame["ticker"])
        starts, disorder = segments(at, day, ends)
        if disorder >= 0:
            raise _NotInOrder(disorder)
        return names, ends, starts

    (names, ends, starts), unusable = both(in_order, lambda: count_unusable(*prices))
    if not unusable:
        return ReadBars(_bars(frame, names, ends, at, day, starts), None)
    usable = _usable(frame)
    return ReadBars(_read(frame.filter(pl.Series(usable)).rechunk()).bars, usable)


def _tickers(column: pl.Series) -> tuple[list[str], Ints]:
    """The tickers and one past the last row of each; raises _NotInOrder where they are not in order."""
    names, firsts = ticker_runs(column)
    for place, (before, name) in enumerate(pairwise(names), start=1):
        if before >= name:
            raise _NotInOrder(int(firsts[place]))
    return names, np.append(firsts[1:], len(column)) if names else firsts


def _usable(frame: pl.DataFrame) -> Bools:
    """Per row, whether its prices can be traded at."""
    o, h, low, c = (floats(frame, name) for name in ("open", "high", "low", "close"))
    usable: Bools = (low > 0) & (low <= o) & (low <= c) & (h >= o) & (h >= c) & (h < np.inf)
    return usable


def _times(frame: pl.DataFrame) -> Ints:
    times: Ints = frame["timestamp"].dt.cast_time_unit("us").to_physical().to_numpy()
    return times


def _bars(frame: pl.DataFrame, names: list[str], ends: Ints, at: Ints, day: NDArray[np.int32], starts: Ints) -> Bars:
    days = day[starts].astype(np.int64)
    sessions, segment_session = np.unique(days, return_inverse=True)
    session_starts = np.full(len(sessions), np.iinfo(np.int64).max)
    np.minimum.at(session_starts, segment_session, at[starts])
    close, volume = floats(frame, "close"), floats(frame, "volume")
    if len(volume) and not np.isfinite(volume.sum()):
        volume = np.nan_to_num(volume, nan=0.0, posinf=0.0)
    return Bars(
        tickers=tuple(names),
        ticker_ends=ends,
        at=at,
        open=floats(frame, "open"),
        high=floats(frame, "high"),
        low=floats(frame, "low"),
        close=close,
        volume=volume,
        minute=frame["minute"].cast(pl.Int16).to_numpy(),
        segment_starts=starts,
        segment_session=segment_session.astype(np.int64),
        sessions=sessions,
        session_starts=session_starts,
        borrow=_borrow(ends, starts, days, close),
    )


def _borrow(ends: Ints, starts: Ints, days: Ints, close: Floats) -> Floats:
    """Per segment, the sum of nights x close; summed ticker by ticker, so that one ticker's bars can't move another's last bits."""
    nights = np.zeros(len(starts))
    inner = np.flatnonzero(~np.isin(starts, np.concatenate(([0], ends))))
    nights[inner] = (days[inner] - days[inner - 1]) * close[starts[inner] - 1]
    first = 0
    for last in np.searchsorted(starts, ends).tolist():
        nights[first:last] = np.cumsum(nights[first:last])
        first = last
    return nights


def floats(frame: pl.DataFrame, name: str) -> Floats:
    """A column as float64, nulls as NaN."""
    values: Any = frame[name].cast(pl.Float64, strict=False).to_numpy()
    return np.asarray(values, dtype=np.float64)
