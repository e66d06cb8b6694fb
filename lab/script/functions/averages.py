"""Moving averages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.script.build import column, known, quotient, shared, where
from lab.script.entries import Category, Function, series, whole
from lab.script.loops import computed, kama, weighted_sum
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def seeded(x: pl.Expr, n: int, alpha: float) -> pl.Expr:
    """Exponential average whose first value, at the n-th known number, is their plain mean."""
    import polars as pl

    count = x.is_not_null().cum_sum()
    start = pl.when(count > n).then(x).when(count == n).then(shared(x.cum_sum(), n)).otherwise(None)
    return start.ewm_mean(alpha=alpha, adjust=False, ignore_nulls=True)


def _wma(x: pl.Expr, n: int) -> pl.Expr:
    import numpy as np

    # Two running sums would cost less for long windows, but lose a digit with every tenfold of history.
    weights = np.arange(1.0, n + 1.0) / (n * (n + 1) / 2)
    return computed(lambda values: weighted_sum(values, weights), x)


def _hma(x: pl.Expr, n: int) -> pl.Expr:
    return _wma(2.0 * _wma(x, max(n // 2, 1)) - _wma(x, n), _root(n))


def _root(n: float) -> int:
    return max(1, round(math.sqrt(n)))


def _kama(x: pl.Expr, n: int) -> pl.Expr:
    import polars as pl

    way = x.diff().abs().rolling_sum(n, min_samples=n)
    # As in TA-Lib: where nothing moved, the average goes to the price as fast as it can.
    efficiency = pl.when(way > 0).then(((x - x.shift(n)).abs() / way).clip(0.0, 1.0)).when(way.is_not_null()).then(1.0)
    share = efficiency * (2 / 3 - 2 / 31) + 2 / 31
    return computed(kama, x, share * share)


def _vwma(x: pl.Expr, n: int) -> pl.Expr:
    volume = where(known(x, column("volume")), column("volume"))
    return quotient((x * volume).rolling_sum(n, min_samples=n), volume.rolling_sum(n, min_samples=n))


def _window(n: float) -> int:
    return int(n) - 1


_LENGTH = whole("n", "length in bars", low=1)

FUNCTIONS = (
    Function(
        "sma",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "simple moving average: the mean of the last n bars",
        "arithmetic mean",
        "close > sma(close, 50)",
        build=lambda x, n: x.rolling_mean(n, min_samples=n),
        bars=_window,
    ),
    Function(
        "ema",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "exponential moving average with weight 2 / (n + 1), started from the mean of the first n bars",
        "as in TA-Lib EMA",
        "crosses_above(close, ema(close, 20))",
        build=lambda x, n: seeded(x, n, 2.0 / (n + 1)),
        bars=_window,
    ),
    Function(
        "rma",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "Wilder's average with weight 1 / n, started from the mean of the first n bars",
        "J. Welles Wilder, New Concepts in Technical Trading Systems (1978)",
        "rma(range_(), 14)",
        build=lambda x, n: seeded(x, n, 1.0 / n),
        bars=_window,
    ),
    Function(
        "wma",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "weighted moving average: the newest of n bars weighs n, the oldest 1",
        "as in TA-Lib WMA",
        "wma(close, 20)",
        build=_wma,
        bars=_window,
    ),
    Function(
        "vwma",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "moving average of n bars weighted by volume",
        "sum(x * volume) / sum(volume)",
        "close > vwma(close, 20)",
        build=_vwma,
        bars=_window,
    ),
    Function(
        "dema",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "double exponential average, which lags less than ema",
        "P. Mulloy (1994), as in TA-Lib DEMA",
        "dema(close, 20)",
        formula="2 * ema(x, n) - ema(ema(x, n), n)",
    ),
    Function(
        "tema",
        Category.AVERAGE,
        (series(), _LENGTH),
        Kind.NUMBER,
        "triple exponential average, which lags less still",
        "P. Mulloy (1994), as in TA-Lib TEMA",
        "tema(close, 20)",
        formula="3 * ema(x, n) - 3 * ema(ema(x, n), n) + ema(ema(ema(x, n), n), n)",
    ),
    Function(
        "hma",
        Category.AVERAGE,
        (series(), whole("n", "length in bars", low=2, high=1000)),
        Kind.NUMBER,
        "Hull's moving average: smooth and with little lag",
        "A. Hull (2005): wma(2 * wma(x, n / 2) - wma(x, n), sqrt(n)), half rounded down, root to the nearest",
        "rising(hma(close, 20), 2)",
        build=_hma,
        bars=lambda n: int(n) - 1 + _root(n) - 1,
    ),
    Function(
        "kama",
        Category.AVERAGE,
        (series(), whole("n", "length in bars", 10)),
        Kind.NUMBER,
        "Kaufman's adaptive average: quick in a clean move, slow in a noisy one",
        "P. Kaufman, Trading Systems and Methods, with 2 and 30 bars, as in TA-Lib KAMA",
        "close > kama(close, 10)",
        build=_kama,
        bars=lambda n: int(n),
    ),
)
