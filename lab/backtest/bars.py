"""An evaluated frame as the plain arrays the engine scans: bars, sessions and signals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.backtest.errors import BacktestError
from lab.backtest.reasons import Direction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

BAR_COLUMNS = ("ticker", "timestamp", "open", "high", "low", "close", "volume", "session", "minute")


@dataclass(frozen=True, slots=True)
class Bars:
    """All usable bars, sorted by ticker and time. A row is an index into every array of that length."""

    tickers: tuple[str, ...]
    ticker_ends: Ints
    """Per ticker: one past its last row."""
    ticker: Ints
    """Per row: index into `tickers`."""
    at: Ints
    """Per row: start of the bar, microseconds since the epoch."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    minute: Ints
    segment_starts: Ints
    """First row of each (ticker, session)."""
    segment_session: Ints
    """Per segment: index into `sessions`."""
    sessions: Ints
    """Every session of the frame in order, as days since the epoch."""
    session_starts: Ints
    """Per session: its first timestamp over all tickers."""
    borrow_days_value: Floats
    """Per row: calendar nights x closing price, summed over the ticker's nights before that row."""

    def segment_of(self, row: int) -> int:
        """The (ticker, session) segment of a row."""
        return int(np.searchsorted(self.segment_starts, row, side="right")) - 1

    def segment_end(self, segment: int) -> int:
        """One past the last row of a segment."""
        return int(self.segment_starts[segment + 1]) if segment + 1 < len(self.segment_starts) else len(self.at)


@dataclass(frozen=True, slots=True)
class Side:
    """One direction's prices and orders, mirrored for shorts (negated, high and low swapped): the rules are written once, for longs."""

    direction: Direction
    sign: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    stop: Floats
    target: Floats | None
    entry: Floats | None
    exit_rows: Ints
    """Rows at whose close the exit rule is true, ascending."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Every signal in the order in which the account meets them: time, then higher score, then ticker, then long before short."""

    row: Ints
    is_short: Bools
    score: Floats
    conflicting: Bools


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a run reads."""

    bars: Bars
    sides: dict[Direction, Side]
    signals: Signals
    without_price: pl.DataFrame
    """Signals on bars without usable prices: ticker, direction, timestamp."""


@dataclass(frozen=True, slots=True)
class ReadBars:
    """The bars of a frame in order, read once for several strategies on them."""

    bars: Bars
    usable: Bools
    """Per row of the frame: whether it became one of `bars`."""


def read_bars(frame: pl.DataFrame) -> ReadBars:
    """What every strategy's `prepare` on this frame would find out anew. Raises BacktestError for bars that are not in order."""
    frame = frame.select(BAR_COLUMNS).with_columns(pl.col("ticker").cast(pl.String)).rechunk()
    if _first_out_of_order(frame) is not None:
        raise BacktestError("The bars are not sorted by ticker and time, or hold a bar twice.")
    usable = _usable(frame)
    return ReadBars(_bars(frame if bool(usable.all()) else frame.filter(pl.Series(usable)).rechunk()), usable)


def prepare(evaluated: pl.DataFrame, *, entry_kind: str, has_target: bool, has_exit: bool, read: ReadBars | None = None) -> Prepared:
    """The arrays of an evaluated frame; `read` are its bars where they are known already.

    Raises BacktestError if a column is missing or a bar stands twice.
    """
    directions = [direction for direction in Direction if f"signal.{direction}" in evaluated.columns]
    needed = list(BAR_COLUMNS)
    if not directions:
        raise BacktestError("The evaluated bars have neither a signal.long nor a signal.short column: the scan must assign long or short.")
    for direction in directions:
        needed.append(f"{direction}.stop")
        needed += [f"{direction}.target"] if has_target else []
        needed += [f"{direction}.exit"] if has_exit else []
        needed += [f"{direction}.entry_price"] if entry_kind != "at_open" else []
    missing = [name for name in needed if name not in evaluated.columns]
    if missing:
        raise BacktestError(f"The evaluated bars lack the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}.")
    frame = evaluated.select([*needed, *(f"signal.{d}" for d in directions), *(["score"] if "score" in evaluated.columns else [])])
    if read is None:
        frame = _sorted(frame)
        frame, without_price = _split_unusable(frame, _usable(frame), directions)
        bars = _bars(frame)
    else:
        frame, without_price = _split_unusable(frame, read.usable, directions)
        bars = read.bars
    sides = {direction: _side(frame, bars, direction, entry_kind, has_target, has_exit) for direction in directions}
    return Prepared(bars, sides, _signals(frame, bars, directions), without_price)


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    """By ticker and time, checked for bars that stand twice; not sorted again when already in order."""
    frame = frame.with_columns(pl.col("ticker").cast(pl.String)).rechunk()
    if frame["ticker"].null_count() or frame["timestamp"].null_count():
        raise BacktestError("A bar has no ticker or no time: import its file again with both columns mapped.")
    if _first_out_of_order(frame) is None:
        return frame
    frame = frame.sort("ticker", "timestamp").rechunk()
    row = _first_out_of_order(frame)
    if row is not None:
        raise BacktestError(f"{frame['ticker'][row]} has two bars that start at {frame['timestamp'][row]}: each bar may stand once.")
    return frame


def _first_out_of_order(frame: pl.DataFrame) -> int | None:
    """The first row that is not after the row before it in (ticker, time) order; None when all are."""
    runs = frame["ticker"].rle().struct.unnest()
    names = runs["value"].to_list()
    if len(names) < 1 or any(a >= b for a, b in pairwise(names)):
        return 0 if names else None
    later = np.diff(frame["timestamp"].to_physical().to_numpy()) > 0
    later[np.cumsum(runs["len"].to_numpy().astype(np.int64))[:-1] - 1] = True
    return None if bool(later.all()) else int(np.argmin(later)) + 1


def _usable(frame: pl.DataFrame) -> Bools:
    """Per row, whether its prices can be traded at."""
    o, h, low, c = (_floats(frame, name) for name in ("open", "high", "low", "close"))
    usable: Bools = (low > 0) & (low <= o) & (low <= c) & (h >= o) & (h >= c) & (h < np.inf)
    return usable


def _split_unusable(frame: pl.DataFrame, usable: Bools, directions: list[Direction]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars without usable prices leave the run; signals on them are kept to be accounted for."""
    schema: dict[str, Any] = {"ticker": pl.String, "direction": pl.String, "signal_at": frame.schema["timestamp"]}
    if bool(usable.all()):
        return frame, pl.DataFrame(schema=schema)
    unusable = frame.filter(pl.Series(~usable))
    parts = [
        unusable.filter(pl.col(f"signal.{d}").fill_null(False)).select(
            "ticker", pl.lit(str(d)).alias("direction"), pl.col("timestamp").alias("signal_at")
        )
        for d in directions
    ]
    return frame.filter(pl.Series(usable)).rechunk(), pl.concat(parts)


def _bars(frame: pl.DataFrame) -> Bars:
    runs = frame["ticker"].rle().struct.unnest()
    lengths = runs["len"].to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    ticker = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    at = frame["timestamp"].dt.cast_time_unit("us").to_physical().to_numpy()
    days = frame["session"].to_physical().to_numpy().astype(np.int64)
    starts_segment = np.ones(len(at), dtype=np.bool_)
    starts_segment[1:] = (days[1:] != days[:-1]) | (ticker[1:] != ticker[:-1])
    segment_starts = np.flatnonzero(starts_segment)
    sessions, segment_session = np.unique(days[segment_starts], return_inverse=True)
    session_starts = np.full(len(sessions), np.iinfo(np.int64).max)
    np.minimum.at(session_starts, segment_session, at[segment_starts])
    close = _floats(frame, "close")
    return Bars(
        tickers=tuple(runs["value"].to_list()),
        ticker_ends=ends,
        ticker=ticker,
        at=at,
        open=_floats(frame, "open"),
        high=_floats(frame, "high"),
        low=_floats(frame, "low"),
        close=close,
        volume=np.nan_to_num(_floats(frame, "volume"), nan=0.0, posinf=0.0),
        minute=frame["minute"].to_numpy().astype(np.int64),
        segment_starts=segment_starts,
        segment_session=segment_session.astype(np.int64),
        sessions=sessions,
        session_starts=session_starts,
        borrow_days_value=_borrow(ends, segment_starts, days, close),
    )


def _borrow(ends: Ints, segment_starts: Ints, days: Ints, close: Floats) -> Floats:
    """Per row, the sum of nights x close; summed ticker by ticker, so that one ticker's bars can't move another's last bits."""
    nights = np.zeros(len(close))
    inner = segment_starts[~np.isin(segment_starts, np.concatenate(([0], ends)))]
    nights[inner] = (days[inner] - days[inner - 1]) * close[inner - 1]
    start = 0
    for end in ends.tolist():
        nights[start:end] = np.cumsum(nights[start:end])
        start = end
    return nights


def _side(frame: pl.DataFrame, bars: Bars, direction: Direction, entry_kind: str, has_target: bool, has_exit: bool) -> Side:
    sign = 1 if direction is Direction.LONG else -1
    long = sign > 0

    def mirrored(values: Floats) -> Floats:
        return values if long else -values

    return Side(
        direction=direction,
        sign=sign,
        open=mirrored(bars.open),
        high=bars.high if long else -bars.low,
        low=bars.low if long else -bars.high,
        close=mirrored(bars.close),
        stop=mirrored(_floats(frame, f"{direction}.stop")),
        target=mirrored(_floats(frame, f"{direction}.target")) if has_target else None,
        entry=mirrored(_floats(frame, f"{direction}.entry_price")) if entry_kind != "at_open" else None,
        exit_rows=np.flatnonzero(_bools(frame, f"{direction}.exit")) if has_exit else np.empty(0, dtype=np.int64),
    )


def _signals(frame: pl.DataFrame, bars: Bars, directions: list[Direction]) -> Signals:
    flags = {direction: _bools(frame, f"signal.{direction}") for direction in directions}
    rows = {direction: np.flatnonzero(flag) for direction, flag in flags.items()}
    row = np.concatenate(list(rows.values()))
    is_short = np.concatenate([np.full(len(found), direction is Direction.SHORT) for direction, found in rows.items()])
    conflicting = np.zeros(len(row), dtype=np.bool_)
    if len(flags) == 2:
        conflicting = flags[Direction.LONG][row] & flags[Direction.SHORT][row]
    score = _floats(frame, "score")[row] if "score" in frame.columns else np.zeros(len(row))
    score = np.where(np.isnan(score), -np.inf, score)
    order = np.lexsort((is_short, bars.ticker[row], -score, bars.at[row]))
    return Signals(row[order], is_short[order], score[order], conflicting[order])


def _floats(frame: pl.DataFrame, name: str) -> Floats:
    """A column as float64, nulls as NaN."""
    values: Any = frame[name].cast(pl.Float64, strict=False).to_numpy()
    return np.asarray(values, dtype=np.float64)


def _bools(frame: pl.DataFrame, name: str) -> Bools:
    return np.asarray(frame[name].fill_null(False).to_numpy(), dtype=np.bool_)
