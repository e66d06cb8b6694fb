"""Formulas that Polars has no expression for: NumPy over the lags of a window, and plain loops where each bar needs the one before.

Missing values are not-a-numbers in here. Every result depends on earlier bars only, and to the bit not on how many bars follow:
sums are taken lag by lag, in one order, never by a routine that regroups them by length.
"""

from __future__ import annotations

import math
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


def weighted_sum(x: Numbers, weights: Numbers) -> Numbers:
    """Sum of the last values times the weights, oldest first."""
    import numpy as np

    n = len(weights)
    result = np.full(len(x), np.nan)
    for start, end in _windows(len(x), n):
        total = np.zeros(end - start)
        for lag in range(n):
            total += x[start - lag : end - lag] * weights[n - 1 - lag]
        result[start:end] = total
    return result


def mean_deviation(x: Numbers, n: int) -> Numbers:
    """Mean distance of the last n values from their mean."""
    import numpy as np

    result = np.full(len(x), np.nan)
    for start, end in _windows(len(x), n):
        lags = [x[start - lag : end - lag] for lag in range(n)]
        mean = sum(lags) / n
        result[start:end] = sum(np.abs(values - mean) for values in lags) / n
    return result


def bars_since_largest(x: Numbers, n: int) -> Numbers:
    """How many bars ago the largest of the last n values was; the latest of equals."""
    import numpy as np

    result = np.full(len(x), np.nan)
    for start, end in _windows(len(x), n):
        best, place = x[start:end].copy(), np.zeros(end - start)
        for lag in range(1, n):
            values = x[start - lag : end - lag]
            larger = values > best
            place[larger] = lag
            # Not np.maximum alone: a missing value anywhere in the window must stay missing.
            best = np.where(larger | np.isnan(values), values, best)
        place[np.isnan(best)] = np.nan
        result[start:end] = place
    return result


def share_at_or_below(x: Numbers, n: int) -> Numbers:
    """Share of the other n - 1 values of the last n that are below the newest, equal ones counting half; 0 to 1."""
    import numpy as np

    result = np.full(len(x), np.nan)
    for start, end in _windows(len(x), n):
        now, total, gaps = x[start:end], np.zeros(end - start), np.isnan(x[start:end])
        for lag in range(1, n):
            values = x[start - lag : end - lag]
            total += (values < now) + 0.5 * (values == now)
            gaps = gaps | np.isnan(values)
        total[gaps] = np.nan
        result[start:end] = total / (n - 1)
    return result


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


def kama(x: Numbers, smoothing: Numbers) -> Numbers:
    """Average that moves towards x by a share of its own on every bar, started from the value before the first known share."""
    import numpy as np

    results: list[float] = []
    average: float | None = None
    before = math.nan
    for value, share in zip(x.tolist(), smoothing.tolist(), strict=True):
        # A not-a-number is the only value that differs from itself.
        if share != share or value != value:
            results.append(math.nan)
            before = value if value == value else before
            continue
        if average is None:
            average = before
        average += share * (value - average)
        results.append(average)
        before = value
    return np.array(results, dtype=np.float64)


def parabolic(high: Numbers, low: Numbers, step: float, limit: float) -> Numbers:
    """Wilder's parabolic stop-and-reverse; bars without a high or low are passed over."""
    import numpy as np

    step = min(step, limit)
    result = np.full(len(high), np.nan)
    rising, started = True, False
    stop = extreme = share = high_before = low_before = math.nan
    for row, (top, bottom) in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
        if top != top or bottom != bottom:
            continue
        if high_before != high_before:
            high_before, low_before = top, bottom
            continue
        if not started:
            started = True
            down = low_before - bottom
            rising = not (down > 0 and top - high_before < down)
            extreme, stop, share = (top, low_before, step) if rising else (bottom, high_before, step)
            high_before, low_before = top, bottom
        if rising and bottom <= stop:
            rising = False
            result[row] = stop = max(extreme, high_before, top)
            share, extreme = step, bottom
            stop = max(stop + share * (extreme - stop), high_before, top)
        elif rising:
            result[row] = stop
            if top > extreme:
                extreme, share = top, min(share + step, limit)
            stop = min(stop + share * (extreme - stop), low_before, bottom)
        elif top >= stop:
            rising = True
            result[row] = stop = min(extreme, low_before, bottom)
            share, extreme = step, top
            stop = min(stop + share * (extreme - stop), low_before, bottom)
        else:
            result[row] = stop
            if bottom < extreme:
                extreme, share = bottom, min(share + step, limit)
            stop = max(stop + share * (extreme - stop), high_before, top)
        high_before, low_before = top, bottom
    return result


def supertrend(middle: Numbers, close: Numbers, width: Numbers) -> Numbers:
    """The trailing band: below the price in a rising trend, above it in a falling one; it starts as a falling one."""
    import numpy as np

    results: list[float] = []
    lower = upper = before = math.nan
    rising = False
    for mid, price, size in zip(middle.tolist(), close.tolist(), width.tolist(), strict=True):
        if mid != mid or price != price or size != size:
            results.append(math.nan)
            continue
        low, high = mid - size, mid + size
        if before == before:
            low = low if low > lower or before < lower else lower
            high = high if high < upper or before > upper else upper
            rising = price >= low if rising else price > high
        lower, upper, before = low, high, price
        results.append(low if rising else high)
    return np.array(results, dtype=np.float64)


def point_of_control(price: Numbers, volume: Numbers, low: Numbers, high: Numbers, n: int, bins: int) -> Numbers:
    """Middle of the price step in which most was traded in the last n bars; the steps cut the window's lowest to highest evenly."""
    import numpy as np

    result = np.full(len(price), np.nan)
    for start in range(n - 1, len(price), 2048):
        end = min(len(price), start + 2048)
        bottom, size = low[start:end], (high[start:end] - low[start:end]) / bins
        row = np.arange(end - start) * bins
        filled = np.zeros((end - start) * bins)
        known = size > 0
        for lag in range(n - 1, -1, -1):
            values, traded = price[start - lag : end - lag], volume[start - lag : end - lag]
            usable = ~np.isnan(values) & ~np.isnan(traded)
            known = known & usable
            with np.errstate(divide="ignore", invalid="ignore"):
                step = (values - bottom) / size
            at = np.clip(np.nan_to_num(step), 0, bins - 1).astype(np.int64)
            # A row has each lag once, so no place is added to twice in one go.
            filled[row + at] += np.where(usable, traded, 0.0)
        steps = filled.reshape(end - start, bins)
        best = steps.argmax(axis=1)
        known = known & (steps.max(axis=1) > 0)
        result[start:end] = np.where(known, bottom + (best + 0.5) * size, np.nan)
    return result
