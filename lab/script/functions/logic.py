"""Conditions over several bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.entries import Category, Function, condition, number, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    from lab.script.program import Program, Value


def _full(n: float) -> int:
    return int(n) - 1


def _at_least(s: Program, cond: Value, n: int, times: float) -> Value:
    return s.do("less", s.number(times - 0.5), s.do("count", cond, n=n))


FUNCTIONS = (
    Function(
        "crosses_above",
        Category.LOGIC,
        (series("a", "what crosses"), number("b", "what is crossed")),
        Kind.CONDITION,
        "true on the bar where a rises above b, having been at or below it on the bar before",
        "definition",
        "crosses_above(close, vwap())",
        steps=lambda s, a, b: s.do("crosses", a, b),
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
        steps=lambda s, a, b: s.do("crosses", b, a),
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
        steps=lambda s, cond, n: _at_least(s, cond, n, 1.0),
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
        steps=lambda s, cond, n: _at_least(s, cond, n, float(n)),
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
        steps=lambda s, cond, n: s.do("count", cond, n=n),
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
        steps=lambda s, cond: s.do("bars_since", cond),
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
        steps=lambda s, event, cond: s.do("held_since", event, cond),
    ),
)
