"""Moving averages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    from lab.script.program import Program, Value


def _hma(s: Program, x: Value, n: int) -> Value:
    twice = s.do("scale", s.do("weighted", x, n=max(n // 2, 1)), p=2.0, q=0.0)
    return s.do("weighted", s.do("subtract", twice, s.do("weighted", x, n=n)), n=_root(n))


def _root(n: float) -> int:
    return max(1, round(math.sqrt(n)))


def _kama(s: Program, x: Value, n: int) -> Value:
    way = s.do("total", s.do("absolute", s.do("change", x, n=1)), n=n)
    return s.do("adaptive", x, s.do("efficiency", way, s.do("change", x, n=n)))


def _vwma(s: Program, x: Value, n: int) -> Value:
    volume = s.do("where_known", x, s.read("volume"))
    return s.do("divide", s.do("total", s.do("multiply", x, volume), n=n), s.do("total", volume, n=n))


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
        steps=lambda s, x, n: s.do("mean", x, n=n),
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
        steps=lambda s, x, n: s.do("seeded", x, n=n, p=2.0 / (n + 1)),
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
        steps=lambda s, x, n: s.do("seeded", x, n=n, p=1.0 / n),
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
        steps=lambda s, x, n: s.do("weighted", x, n=n),
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
        steps=_vwma,
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
        steps=_hma,
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
        steps=_kama,
        bars=lambda n: int(n),
    ),
)
