"""Arithmetic on single values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.entries import Category, Function, Scope, fixed, number, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl

_LARGEST_EXPONENT = 200.0


def _exponential(x: pl.Expr) -> pl.Expr:
    import polars as pl

    return pl.when(x <= _LARGEST_EXPONENT).then(x.exp())


FUNCTIONS = (
    Function(
        "abs",
        Category.CONVERSION,
        (series(),),
        Kind.NUMBER,
        "size without the sign",
        "definition",
        "abs(close - vwap()) < 0.1",
        steps=lambda s, x: s.do("absolute", x),
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
        steps=lambda s, a, b: s.do("smaller", a, b),
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
        steps=lambda s, a, b: s.do("larger", a, b),
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
        steps=lambda s, x, low, high: s.do("clip", x, p=low, q=high),
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
        steps=lambda s, x: s.do("root", x),
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
        steps=lambda s, x: s.do("logarithm", x),
        scope=Scope.BAR,
    ),
    Function(
        "exp",
        Category.CONVERSION,
        (series(),),
        Kind.NUMBER,
        "e to the power of the number; no value above e ** 200",
        "definition",
        "exp(total(log(close / ago(close)), 10)) > 1.02",
        build=_exponential,
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
        steps=lambda s, x: s.do("sign", x),
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
        steps=lambda s, x, digits: s.do("rounded", x, p=10.0**digits),
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
        steps=lambda s, x, instead: s.do("instead", x, instead),
        scope=Scope.BAR,
    ),
)
