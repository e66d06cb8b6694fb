"""A bars frame as plain arrays, checked: a ticker is a stretch of rows in order of time; what is missing is not-a-number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.errors import LabError
from lab.script.kernels.frames import condition_column, mark_known, number_column, steps_back, text_runs
from lab.script.threads import both

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Truths = NDArray[np.uint8]
    """1 true, 2 false, 0 unknown."""

_LARGEST_INPUT = 1e15
_MOST_RUNS = 100_000
_TYPES: dict[str, Any] = {"session": pl.Int32, "minute": pl.Int16, "close_minute": pl.Int16}


@dataclass(slots=True)
class Bars:
    """The columns of a frame, each made an array when it is first asked for."""

    frame: pl.DataFrame
    names: tuple[str, ...]
    """The tickers, ascending."""
    firsts: Integers
    """Per ticker, its first row."""
    lengths: Integers
    times: Integers
    """Start of each bar, ascending within a ticker."""
    plausible: bool = False
    """Set where fields may hold infinities and the like: they are missing values from then on."""
    marked: bool = True
    """Whether computed numbers get their bits in `known` right away."""
    known: dict[int, Truths] = field(default_factory=dict)
    """By node that was computed, a bit for each of its values (see `numbers_series`)."""
    _arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First row and number of rows of each ticker."""
        return list(zip(self.firsts.tolist(), self.lengths.tolist(), strict=True))

    @property
    def longest(self) -> int:
        return int(self.lengths.max(initial=0))

    def array(self, name: str) -> NDArray[Any]:
        """A field's values: float64, or whole numbers of session (days since the epoch), minute and close_minute."""
        if name not in self._arrays:
            self._arrays[name] = self._made(name)
        return self._arrays[name]

    def drop_implausible(self) -> None:
        """From now on, what is not a finite, plausible number is missing."""
        self.plausible = True
        self._arrays.clear()

    def _made(self, name: str) -> NDArray[Any]:
        column = self.frame[name]
        if name in _TYPES:
            return np.ascontiguousarray(column.to_physical().cast(_TYPES[name]).to_numpy())
        values: Floats = np.ascontiguousarray(column.cast(pl.Float64).to_numpy())
        return np.where(np.abs(values) <= _LARGEST_INPUT, values, np.nan) if self.plausible else values


def read_bars(frame: pl.DataFrame) -> Bars:
    """The frame's bars. Raises LabError if they are not sorted by ticker and time, or a bar stands twice."""
    times = np.ascontiguousarray(frame["timestamp"].to_physical().to_numpy()).astype(np.int64, copy=False)
    (names, firsts), backwards = both(lambda: ticker_runs(frame["ticker"]), lambda: steps_back(times))
    at_changes = int((times[firsts[1:]] <= times[firsts[1:] - 1]).sum())
    if names != sorted(set(names)) or backwards > at_changes:
        raise LabError("The bars are not sorted by ticker and time, or hold a bar twice.")
    lengths = np.diff(np.append(firsts, len(times)))
    return Bars(frame, tuple(names), firsts, lengths, times)


def ticker_runs(tickers: pl.Series) -> tuple[list[str], Integers]:
    """Each run of equal tickers: its ticker and its first row."""
    if tickers.dtype == pl.String and tickers.flags["SORTED_ASC"] and not tickers.null_count():
        return _sorted_runs(tickers)
    rows = text_runs(tickers.__arrow_c_stream__(), _MOST_RUNS) if tickers.dtype == pl.String else None
    if rows is None:
        runs = tickers.cast(pl.String).rle().struct.unnest()
        ends = np.cumsum(runs["len"].to_numpy().astype(np.int64))
        return runs["value"].to_list(), np.concatenate(([0], ends[:-1])) if len(ends) else ends
    names: list[str] = []
    firsts: list[int] = []
    for row in rows:
        name = tickers[row]
        if not names or name != names[-1]:
            names.append(name)
            firsts.append(row)
    return names, np.array(firsts, dtype=np.int64)


def _sorted_runs(tickers: pl.Series) -> tuple[list[str], Integers]:
    """The runs of a column that Polars knows to be sorted: a few looks at it instead of a pass over it."""
    names: list[str] = []
    firsts: list[int] = []
    row, size = 0, len(tickers)
    while row < size:
        name = tickers[row]
        names.append(name)
        firsts.append(row)
        step = 1
        while row + step < size and tickers[row + step] == name:
            step *= 2
        low, high = row + step // 2, min(row + step, size)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if tickers[middle] == name else (low, middle)
        row = high
    return names, np.array(firsts, dtype=np.int64)


def numbers_series(values: Floats, bars: Bars, known: Truths | None = None) -> pl.Series:
    """A column of numbers, missing where they are not-a-number; `known` are their bits where each ticker's are marked already."""
    if known is None:
        known = bits_for(len(values))
        mark_known(values, known, 0, len(values))
    return pl.Series(number_column(values, known, bars.firsts))


def bits_for(size: int) -> Truths:
    """Room for a bit for each of so many values."""
    return np.empty((size + 7) // 8, dtype=np.uint8)


def conditions_series(values: Truths, bars: Bars, warm_up_bars: int = 0) -> pl.Series:
    """A column that is true where the condition is known to be true, never in a ticker's warm-up."""
    return pl.Series(condition_column(values, bits_for(len(values)), bars.firsts, bars.lengths, warm_up_bars))


def unknown_kept(values: Truths) -> pl.Series:
    """A column of conditions, missing where unknown."""
    return pl.select(pl.when(pl.Series(values != 0)).then(pl.Series(values == 1))).to_series()


def truths(column: pl.Series) -> Truths:
    """Conditions as bytes."""
    values = column.cast(pl.Boolean)
    held = values.fill_null(False).to_numpy().astype(np.uint8)
    failed = (~values).fill_null(False).to_numpy().astype(np.uint8)
    found: Truths = held + 2 * failed
    return found


def floats(column: pl.Series) -> Floats:
    """Numbers, missing ones as not-a-number."""
    values: Floats = np.ascontiguousarray(column.cast(pl.Float64).to_numpy()).astype(np.float64, copy=False)
    return values
