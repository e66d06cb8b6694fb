"""Highs, lows and what happened when: values from earlier bars."""

from __future__ import annotations

from lab.script.build import where
from lab.script.entries import Category, Function, condition, series, whole
from lab.script.nodes import Kind

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
        "definition",
        "close > swing_high(3)",
        formula="value_when(ago(high, k) == highest(high, 2 * k + 1), ago(high, k))",
    ),
    Function(
        "swing_low",
        Category.STRUCTURE,
        (_SIDE,),
        Kind.NUMBER,
        "the last swing low: a low that no low of the k bars on either side undercuts, known k bars after it",
        "definition",
        "close < swing_low(3)",
        formula="value_when(ago(low, k) == lowest(low, 2 * k + 1), ago(low, k))",
    ),
)
