"""Moving averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import quotient, row_number, shared, where
from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def _seeded(x: pl.Expr, n: int, alpha: float) -> pl.Expr:
    """Exponential average whose first value, at the n-th known number, is their plain mean."""
    import polars as pl

    count = x.is_not_null().cum_sum()
    start = pl.when(count > n).then(x).when(count == n).then(shared(x.cum_sum(), n)).otherwise(None)
    return start.ewm_mean(alpha=alpha, adjust=False, ignore_nulls=True)


def _wma(x: pl.Expr, n: int) -> pl.Expr:
    # Weights 1..n as two running sums: the cost does not grow with the window.
    row = row_number().cast(float)
    weighted = (x * row).rolling_sum(n, min_samples=n) - (row - n) * x.rolling_sum(n, min_samples=n)
    return shared(weighted, n * (n + 1) / 2)


def _vwma(x: pl.Expr, n: int) -> pl.Expr:
    from lab.script.build import column, known

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
        build=lambda x, n: _seeded(x, n, 2.0 / (n + 1)),
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
        build=lambda x, n: _seeded(x, n, 1.0 / n),
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
)
