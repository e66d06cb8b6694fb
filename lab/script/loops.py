"""Formulas that Polars has no expression for: NumPy over the lags of a window.

Missing values are not-a-numbers in here. Every result depends on earlier bars only, and to the bit not on how many bars follow:
sums are taken lag by lag, in one order, never by a routine that regroups them by length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]

_ROWS_AT_ONCE = 16_384
"""Few enough for the processor's cache."""


def computed(work: Callable[..., Numbers], *values: pl.Expr) -> pl.Expr:
    """A column that `work` computes from whole columns of one ticker."""
    import polars as pl

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        # No name of its own: the expression gives the column its name.
        return pl.Series(work(*(column.to_numpy() for column in columns)), dtype=pl.Float64, nan_to_null=True)

    return pl.map_batches([value.cast(pl.Float64) for value in values], run, return_dtype=pl.Float64, is_elementwise=False)


def _windows(size: int, n: int) -> Iterator[tuple[int, int]]:
    """Stretches of rows that have a full window of n."""
    for start in range(n - 1, size, _ROWS_AT_ONCE):
        yield start, min(size, start + _ROWS_AT_ONCE)


def moments(x: Numbers, y: Numbers, n: int) -> Iterator[tuple[int, int, Numbers, Numbers, Numbers]]:
    """For stretches of rows: sums over the last n of dx * dy, dx * dx and dy * dy, where d is the distance from the window's mean."""
    import numpy as np

    for start, end in _windows(len(x), n):
        one, other = ([values[start - lag : end - lag] for lag in range(n)] for values in (x, y))
        mean_x, mean_y = sum(one) / n, sum(other) / n
        both, first, second = np.zeros(end - start), np.zeros(end - start), np.zeros(end - start)
        for a, b in zip(one, other, strict=True):
            dx, dy = a - mean_x, b - mean_y
            both += dx * dy
            first += dx * dx
            second += dy * dy
        # A window of equal values has a spread of rounding only.
        first[first <= n * (4e-16 * mean_x) ** 2] = 0.0
        second[second <= n * (4e-16 * mean_y) ** 2] = 0.0
        yield start, end, both, first, second


def correlation(x: Numbers, y: Numbers, n: int) -> Numbers:
    """Pearson's correlation over the last n values."""
    import numpy as np

    result = np.full(len(x), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for start, end, both, first, second in moments(x, y, n):
            value = np.clip(both / np.sqrt(first * second), -1.0, 1.0)
            result[start:end] = np.where((first > 0) & (second > 0), value, np.nan)
    return result


def regression_slope(y: Numbers, x: Numbers, n: int) -> Numbers:
    """Slope of y on x over the last n values."""
    import numpy as np

    result = np.full(len(x), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for start, end, both, first, _ in moments(x, y, n):
            result[start:end] = np.where(first > 0, both / first, np.nan)
    return result


def shape(x: Numbers, n: int, power: int) -> Numbers:
    """Mean of the standardised distances from the window's mean, to a power: 3 skewness, 4 kurtosis (of a normal sample: 3)."""
    import numpy as np

    result = np.full(len(x), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for start, end in _windows(len(x), n):
            lags = [x[start - lag : end - lag] for lag in range(n)]
            mean = sum(lags) / n
            square, high = np.zeros(end - start), np.zeros(end - start)
            for values in lags:
                d = values - mean
                square += d * d
                high += d * d * d if power == 3 else d * d * d * d
            square, high = square / n, high / n
            flat = square <= (4e-16 * mean) ** 2
            result[start:end] = np.where(flat, np.nan, high / (square * np.sqrt(square) if power == 3 else square * square))
    return result
