"""Highs, lows and what happened when: values from earlier bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import as_number, where
from lab.script.entries import Category, Function, condition, number, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def _since(event: pl.Expr, x: pl.Expr, pick: str) -> pl.Expr:
    legs = as_number(event.fill_null(False)).cum_sum()
    extreme = (x.cum_max() if pick == "max" else x.cum_min()).over(legs)
    return where(legs > 0.0, extreme)


_SIDE = whole("k", "bars on either side", 3, 1, 250)

FUNCTIONS = (
    Function(
        "ago",
        Category.STRUCTURE,
        (series(), whole("n", "how many bars back", 1, 1)),
        Kind.NUMBER,
        "the value n bars ago",
        "definition",
        "close > ago(high, 1)",
        build=lambda x, n: x.shift(n),
        bars=lambda n: int(n),
    ),
    Function(
        "highest",
        Category.STRUCTURE,
        (series(), whole()),
        Kind.NUMBER,
        "largest value of the last n bars, this one included",
        "definition, as in TA-Lib MAX",
        "close > ago(highest(high, 20), 1)",
        build=lambda x, n: x.rolling_max(n, min_samples=n),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "lowest",
        Category.STRUCTURE,
        (series(), whole()),
        Kind.NUMBER,
        "smallest value of the last n bars, this one included",
        "definition, as in TA-Lib MIN",
        "close < ago(lowest(low, 20), 1)",
        build=lambda x, n: x.rolling_min(n, min_samples=n),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "value_when",
        Category.STRUCTURE,
        (condition(), series()),
        Kind.NUMBER,
        "the value x had when the condition last held (this bar included); none before it first did",
        "as in Pine Script valuewhen",
        "close > value_when(volume == highest(volume, 50), high)",
        build=lambda cond, x: where(cond, x).forward_fill(),
    ),
    Function(
        "swing_high",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.NUMBER,
        "the last swing high: a high that no high of the k bars on either side exceeds, known k bars after it",
        "definition; TA-Lib FRACTAL asks for a strict one and marks it in the past",
        "close > swing_high(3)",
        formula="value_when(ago(high, k) == highest(high, 2 * k + 1), ago(high, k))",
    ),
    Function(
        "swing_low",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.NUMBER,
        "the last swing low: a low that no low of the k bars on either side undercuts, known k bars after it",
        "definition; TA-Lib FRACTAL asks for a strict one and marks it in the past",
        "close < swing_low(3)",
        formula="value_when(ago(low, k) == lowest(low, 2 * k + 1), ago(low, k))",
    ),
    Function(
        "prior_swing_high",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.NUMBER,
        "the swing high before the last one",
        "definition",
        "swing_high(3) > prior_swing_high(3)",
        formula="value_when(ago(high, k) == highest(high, 2 * k + 1), ago(swing_high(k), 1))",
    ),
    Function(
        "prior_swing_low",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.NUMBER,
        "the swing low before the last one",
        "definition",
        "swing_low(3) > prior_swing_low(3)",
        formula="value_when(ago(low, k) == lowest(low, 2 * k + 1), ago(swing_low(k), 1))",
    ),
    Function(
        "higher_highs",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.CONDITION,
        "true while the last swing high is higher than the one before it",
        "C. Dow",
        "higher_highs(3)",
        formula="swing_high(k) > prior_swing_high(k)",
    ),
    Function(
        "higher_lows",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.CONDITION,
        "true while the last swing low is higher than the one before it",
        "C. Dow",
        "higher_lows(3)",
        formula="swing_low(k) > prior_swing_low(k)",
    ),
    Function(
        "lower_highs",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.CONDITION,
        "true while the last swing high is lower than the one before it",
        "C. Dow",
        "lower_highs(3)",
        formula="swing_high(k) < prior_swing_high(k)",
    ),
    Function(
        "lower_lows",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.CONDITION,
        "true while the last swing low is lower than the one before it",
        "C. Dow",
        "lower_lows(3)",
        formula="swing_low(k) < prior_swing_low(k)",
    ),
    Function(
        "highest_since",
        Category.STRUCTURE,
        (condition("event", "what it counts from"), series()),
        Kind.NUMBER,
        "largest value since the condition last held, that bar included; none before it first did",
        "as in AmiBroker HighestSince",
        "close < highest_since(crosses_above(close, vwap()), high) * 0.99",
        build=lambda event, x: _since(event, x, "max"),
    ),
    Function(
        "lowest_since",
        Category.STRUCTURE,
        (condition("event", "what it counts from"), series()),
        Kind.NUMBER,
        "smallest value since the condition last held, that bar included; none before it first did",
        "as in AmiBroker LowestSince",
        "close > lowest_since(crosses_below(close, vwap()), low) * 1.01",
        build=lambda event, x: _since(event, x, "min"),
    ),
    Function(
        "distance",
        Category.STRUCTURE,
        (number("level", "the level to measure from"), series("x", "what is measured", "close")),
        Kind.NUMBER,
        "distance from a level in percent of it: above it positive, below it negative",
        "definition",
        "abs(distance(levels.support)) < 0.3",
        formula="100 * (x / level - 1)",
    ),
)
