"""Strength and slope of a trend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.script.entries import Category, Function, fixed, series, whole
from lab.script.functions.volatility import true_range
from lab.script.nodes import Kind

if TYPE_CHECKING:
    from lab.script.program import Program, Value

_PLUS = "(max(change(high), 0) if change(high) > -change(low) else 0)"
_MINUS = "(max(-change(low), 0) if -change(low) > change(high) else 0)"
_WILDER = "J. Welles Wilder (1978); averages start from a plain mean, TA-Lib's one bar early, so they meet after some 25 n bars"
_ICHIMOKU = "G. Hosoda; the lagging span is left out, since it is the close drawn in the past: compare close with ago(close, 26)"


def _choppiness(s: Program, n: int) -> Value:
    size = s.do("subtract", s.do("highest", s.read("high"), n=n), s.do("lowest", s.read("low"), n=n))
    ratio = s.do("divide", s.do("total", true_range(s), n=n), size)
    return s.do("scale", s.do("logarithm", ratio), p=100.0 / math.log(n), q=0.0)


def _supertrend(s: Program, n: int, k: float) -> Value:
    middle = s.do("scale", s.do("add", s.read("high"), s.read("low")), p=0.5, q=0.0)
    width = s.do("scale", s.do("seeded", true_range(s), n=n, p=1.0 / n), p=k, q=0.0)
    return s.do("supertrend", middle, s.read("close"), width)


def _psar(s: Program, step: float, limit: float) -> Value:
    return s.do("parabolic", s.read("high"), s.read("low"), p=step, q=limit)


FUNCTIONS = (
    Function(
        "plus_di",
        Category.TREND,
        (whole(default=14),),
        Kind.NUMBER,
        "Wilder's +DI: how much of the true range moved up, 0 to 100",
        _WILDER,
        "plus_di(14) > minus_di(14)",
        formula=f"100 * rma({_PLUS}, n) / rma(true_range(), n)",
    ),
    Function(
        "minus_di",
        Category.TREND,
        (whole(default=14),),
        Kind.NUMBER,
        "Wilder's -DI: how much of the true range moved down, 0 to 100",
        _WILDER,
        "minus_di(14) > plus_di(14)",
        formula=f"100 * rma({_MINUS}, n) / rma(true_range(), n)",
    ),
    Function(
        "adx",
        Category.TREND,
        (whole(default=14),),
        Kind.NUMBER,
        "average directional index, 0 to 100: above 25 a trend, below 20 none",
        _WILDER,
        "adx(14) > 25",
        formula="rma(100 * abs(plus_di(n) - minus_di(n)) / (plus_di(n) + minus_di(n)), n)",
    ),
    Function(
        "slope",
        Category.TREND,
        (series(), whole(default=20, low=2)),
        Kind.NUMBER,
        "slope of the straight line fitted to the last n bars, per bar",
        "least squares, as in TA-Lib LINEARREG_SLOPE",
        "slope(close, 20) > 0",
        formula="6 * (wma(x, n) - sma(x, n)) / (n - 1)",
    ),
    Function(
        "linreg",
        Category.TREND,
        (series(), whole(default=20, low=2)),
        Kind.NUMBER,
        "end of the straight line fitted to the last n bars",
        "least squares, as in TA-Lib LINEARREG",
        "close < linreg(close, 50)",
        formula="3 * wma(x, n) - 2 * sma(x, n)",
    ),
    Function(
        "r2",
        Category.TREND,
        (series(), whole(default=20, low=3)),
        Kind.NUMBER,
        "how well a straight line fits the last n bars: 0 not at all, 1 perfectly",
        "coefficient of determination of least squares",
        "r2(close, 20) > 0.8",
        formula="clip(slope(x, n) ** 2 * ((n * n - 1) / 12) / stdev(x, n) ** 2, 0, 1)",
    ),
    Function(
        "bars_since_highest",
        Category.TREND,
        (series(), whole(high=1000, low=2)),
        Kind.NUMBER,
        "how many bars ago the largest of the last n values was, 0 for this bar; of equal ones the latest",
        "definition",
        "bars_since_highest(high, 20) <= 2",
        steps=lambda s, x, n: s.do("since_largest", x, n=n),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "bars_since_lowest",
        Category.TREND,
        (series(), whole(high=1000, low=2)),
        Kind.NUMBER,
        "how many bars ago the smallest of the last n values was, 0 for this bar; of equal ones the latest",
        "definition",
        "bars_since_lowest(low, 20) > 10",
        formula="bars_since_highest(-x, n)",
    ),
    Function(
        "aroon_up",
        Category.TREND,
        (whole(default=14, high=999),),
        Kind.NUMBER,
        "how fresh the highest high of n bars is: 100 this bar, 0 n bars ago",
        "T. Chande (1995), as in TA-Lib AROON",
        "aroon_up(25) > 70",
        formula="100 * (n - bars_since_highest(high, n + 1)) / n",
    ),
    Function(
        "aroon_down",
        Category.TREND,
        (whole(default=14, high=999),),
        Kind.NUMBER,
        "how fresh the lowest low of n bars is: 100 this bar, 0 n bars ago",
        "T. Chande (1995), as in TA-Lib AROON",
        "aroon_down(25) < 30",
        formula="100 * (n - bars_since_lowest(low, n + 1)) / n",
    ),
    Function(
        "aroon",
        Category.TREND,
        (whole(default=14, high=999),),
        Kind.NUMBER,
        "aroon oscillator, -100 to 100: aroon_up minus aroon_down",
        "T. Chande (1995), as in TA-Lib AROONOSC",
        "aroon(25) > 50",
        formula="aroon_up(n) - aroon_down(n)",
    ),
    Function(
        "choppiness",
        Category.TREND,
        (whole(default=14, low=2),),
        Kind.NUMBER,
        "choppiness index, 0 to 100: above 62 no trend, below 38 a strong one",
        "E. W. Dreiss: 100 * log(sum of true ranges / range of the window) / log(n)",
        "choppiness(14) < 38",
        steps=_choppiness,
        bars=lambda n: int(n),
    ),
    Function(
        "supertrend",
        Category.TREND,
        (whole(default=10), fixed("k", "how many average true ranges", 3.0, 0.1, 20.0)),
        Kind.NUMBER,
        "trailing band: below the close while the trend is up, above it while it is down; it starts as down",
        "O. Seban, as in Pine Script ta.supertrend; TA-Lib SUPERTREND starts it as up",
        "crosses_above(close, supertrend(10, 3))",
        steps=_supertrend,
        bars=lambda n, k: int(n),
    ),
    Function(
        "psar",
        Category.TREND,
        (fixed("step", "how fast it closes in", 0.02, 0.001, 1.0), fixed("limit", "fastest it closes in", 0.2, 0.001, 1.0)),
        Kind.NUMBER,
        "parabolic stop-and-reverse: below the price in a rising move, above it in a falling one",
        "J. Welles Wilder (1978), as in TA-Lib SAR",
        "close > psar()",
        steps=_psar,
        bars=lambda step, limit: 1,
    ),
    Function(
        "ichimoku_conversion",
        Category.TREND,
        (whole(default=9),),
        Kind.NUMBER,
        "Ichimoku conversion line (tenkan): middle of the highest high and lowest low of n bars",
        _ICHIMOKU,
        "crosses_above(ichimoku_conversion(9), ichimoku_base(26))",
        formula="(highest(high, n) + lowest(low, n)) / 2",
    ),
    Function(
        "ichimoku_base",
        Category.TREND,
        (whole(default=26),),
        Kind.NUMBER,
        "Ichimoku base line (kijun): middle of the highest high and lowest low of n bars",
        _ICHIMOKU,
        "close > ichimoku_base(26)",
        formula="(highest(high, n) + lowest(low, n)) / 2",
    ),
    Function(
        "ichimoku_span_a",
        Category.TREND,
        (whole("fast", "length of the conversion line", 9), whole("slow", "length of the base line and of the shift", 26)),
        Kind.NUMBER,
        "Ichimoku leading span A as drawn at this bar: mean of conversion and base line, slow bars ago",
        _ICHIMOKU,
        "close > max(ichimoku_span_a(9, 26), ichimoku_span_b(52, 26))",
        formula="ago((ichimoku_conversion(fast) + ichimoku_base(slow)) / 2, slow)",
    ),
    Function(
        "ichimoku_span_b",
        Category.TREND,
        (whole("n", "length of its window", 52), whole("slow", "bars it is shifted by", 26)),
        Kind.NUMBER,
        "Ichimoku leading span B as drawn at this bar: middle of n bars, slow bars ago",
        _ICHIMOKU,
        "close > ichimoku_span_b(52, 26)",
        formula="ago((highest(high, n) + lowest(low, n)) / 2, slow)",
    ),
)
