"""Arithmetic on single values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import over_each, shared, where
from lab.script.entries import Category, Function, Scope, fixed, number, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def _round(x: pl.Expr, digits: int) -> pl.Expr:
    scale = float(10**digits)
    return shared((x * scale + 0.5).floor(), scale)


FUNCTIONS = (
    Function(
        "abs",
        Category.CONVERSION,
        (series(),),
        Kind.NUMBER,
        "size without the sign",
        "definition",
        "abs(close - vwap()) < 0.1",
        build=lambda x: x.abs(),
        scope=Scope.BAR,
    ),
    Function(
        "min",
        Category.CONVERSION,
        (number("a"), number("b")),
        Kind.NUMBER,
        "the smaller of two numbers",
        "definition",
        "min(open, close)",
        build=lambda a, b: over_each("min", a, b),
        scope=Scope.BAR,
    ),
    Function(
        "max",
        Category.CONVERSION,
        (number("a"), number("b")),
        Kind.NUMBER,
        "the larger of two numbers",
        "definition",
        "max(open, close)",
        build=lambda a, b: over_each("max", a, b),
        scope=Scope.BAR,
    ),
    Function(
        "clip",
        Category.CONVERSION,
        (series(), fixed("low", "smallest result", None, -1e12, 1e12), fixed("high", "largest result", None, -1e12, 1e12)),
        Kind.NUMBER,
        "the number, held between two limits",
        "definition",
        "clip(rsi(close), 20, 80)",
        build=lambda x, low, high: x.clip(low, high),
        scope=Scope.BAR,
        refuse=lambda low, high: "the lower limit must be below the upper one" if low >= high else None,
    ),
    Function(
        "sqrt",
        Category.CONVERSION,
        (series(),),
        Kind.NUMBER,
        "square root; no value for a negative number",
        "definition",
        "sqrt(volume)",
        build=lambda x: where(x >= 0.0, x.sqrt()),
        scope=Scope.BAR,
    ),
    Function(
        "log",
        Category.CONVERSION,
        (series(),),
        Kind.NUMBER,
        "natural logarithm; no value for zero or less",
        "definition",
        "log(close)",
        build=lambda x: where(x > 0.0, x.log()),
        scope=Scope.BAR,
    ),
    Function(
        "sign",
        Category.CONVERSION,
        (series(),),
        Kind.NUMBER,
        "1, 0 or -1",
        "definition",
        "sign(change(close))",
        build=lambda x: x.sign(),
        scope=Scope.BAR,
    ),
    Function(
        "round",
        Category.CONVERSION,
        (series(), whole("digits", "decimal places", 0, 0, 6)),
        Kind.NUMBER,
        "rounded to so many decimal places, halves up",
        "definition",
        "round(close, 2)",
        build=_round,
        scope=Scope.BAR,
    ),
    Function(
        "nz",
        Category.CONVERSION,
        (series(), number("instead", "what to use where there is no value", 0.0)),
        Kind.NUMBER,
        "the number, or another where there is none",
        "as in Pine Script nz",
        "nz(gap(), 0)",
        build=lambda x, instead: x.fill_null(instead),
        scope=Scope.BAR,
    ),
)
