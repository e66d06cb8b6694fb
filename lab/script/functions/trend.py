"""Strength and slope of a trend."""

from __future__ import annotations

from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

_PLUS = "(max(change(high), 0) if change(high) > -change(low) else 0)"
_MINUS = "(max(-change(low), 0) if -change(low) > change(high) else 0)"
_WILDER = "J. Welles Wilder (1978); averages started from a plain mean, so it meets TA-Lib after some bars"

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
)
