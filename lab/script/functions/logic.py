"""Conditions over several bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import as_number, past, row_number, where
from lab.script.entries import Category, Function, condition, number, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def _crosses_above(a: pl.Expr, b: pl.Expr | float) -> pl.Expr:
    return (a > b) & (a.shift(1) <= past(b))


def _crosses_below(a: pl.Expr, b: pl.Expr | float) -> pl.Expr:
    return (a < b) & (a.shift(1) >= past(b))


def _count(cond: pl.Expr, n: int) -> pl.Expr:
    return as_number(cond).rolling_sum(n, min_samples=n)


def _bars_since(cond: pl.Expr) -> pl.Expr:
    row = row_number().cast(float)
    return row - where(cond, row).forward_fill()


def _full(n: float) -> int:
    return int(n) - 1


def _held_since(event: pl.Expr, cond: pl.Expr) -> pl.Expr:
    happened = event.fill_null(False)
    legs = as_number(happened).cum_sum()
    held = as_number(cond.fill_null(False) & ~happened).cum_max().over(legs)
    return (legs > 0.0) & (held > 0.5)


FUNCTIONS = (
    Function(
        "crosses_above",
        Category.LOGIC,
        (series("a", "what crosses"), number("b", "what is crossed")),
        Kind.CONDITION,
        "true on the bar where a rises above b, having been at or below it on the bar before",
        "definition",
        "crosses_above(close, vwap())",
        build=_crosses_above,
        bars=lambda: 1,
    ),
    Function(
        "crosses_below",
        Category.LOGIC,
        (series("a", "what crosses"), number("b", "what is crossed")),
        Kind.CONDITION,
        "true on the bar where a falls below b, having been at or above it on the bar before",
        "definition",
        "crosses_below(close, ema(close, 20))",
        build=_crosses_below,
        bars=lambda: 1,
    ),
    Function(
        "rising",
        Category.LOGIC,
        (series(), whole(default=1)),
        Kind.CONDITION,
        "true where each of the last n bars is above the one before it",
        "definition",
        "rising(ema(close, 20), 3)",
        formula="count_true(x > ago(x, 1), n) == n",
    ),
    Function(
        "falling",
        Category.LOGIC,
        (series(), whole(default=1)),
        Kind.CONDITION,
        "true where each of the last n bars is below the one before it",
        "definition",
        "falling(close, 3)",
        formula="count_true(x < ago(x, 1), n) == n",
    ),
    Function(
        "was",
        Category.LOGIC,
        (condition(), whole()),
        Kind.CONDITION,
        "true where the condition held in any of the last n bars, this one included",
        "definition",
        "was(rsi(close, 2) < 10, 3)",
        build=lambda cond, n: _count(cond, n) > 0.5,
        bars=_full,
    ),
    Function(
        "all_true",
        Category.LOGIC,
        (condition(), whole()),
        Kind.CONDITION,
        "true where the condition held in each of the last n bars",
        "definition",
        "all_true(close > vwap(), 5)",
        build=lambda cond, n: _count(cond, n) > n - 0.5,
        bars=_full,
    ),
    Function(
        "count_true",
        Category.LOGIC,
        (condition(), whole()),
        Kind.NUMBER,
        "in how many of the last n bars the condition held",
        "definition",
        "count_true(close > open, 5) >= 4",
        build=_count,
        bars=_full,
    ),
    Function(
        "bars_since",
        Category.LOGIC,
        (condition(),),
        Kind.NUMBER,
        "bars since the condition last held, 0 if it holds now; no value before it first did",
        "as in Pine Script barssince",
        "bars_since(crosses_above(close, vwap())) <= 10",
        build=_bars_since,
    ),
    Function(
        "any_true",
        Category.LOGIC,
        (condition(), whole()),
        Kind.CONDITION,
        "true where the condition held in any of the last n bars, this one included: the other name of was, beside all_true",
        "definition",
        "any_true(rsi(close, 2) < 10, 3)",
        formula="was(cond, n)",
    ),
    Function(
        "since",
        Category.LOGIC,
        (condition("event", "what it counts from"), condition("cond", "what must have held")),
        Kind.CONDITION,
        "true where the condition has held on some bar after the one where the event last happened",
        "definition",
        "since(crosses_above(close, vwap()), low <= vwap())",
        build=_held_since,
    ),
)
