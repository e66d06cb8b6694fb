"""Parts and shapes of a single bar, and of two or three together."""

from __future__ import annotations

from lab.script.build import column, over_each
from lab.script.entries import Category, Function, Scope, fixed, whole
from lab.script.nodes import Kind

_NISON = "S. Nison, Japanese Candlestick Charting Techniques; the limits are this program's"

FUNCTIONS = (
    Function(
        "body", Category.CANDLE, (), Kind.NUMBER, "distance between open and close, never negative", "definition", "body() > 0.6 * range_()",
        build=lambda: (column("close") - column("open")).abs(), scope=Scope.BAR,
    ),
    Function(
        "upper_wick", Category.CANDLE, (), Kind.NUMBER, "high minus the higher of open and close", "definition", "upper_wick() > 2 * body()",
        build=lambda: column("high") - over_each("max", column("open"), column("close")), scope=Scope.BAR,
    ),
    Function(
        "lower_wick", Category.CANDLE, (), Kind.NUMBER, "the lower of open and close minus low", "definition", "lower_wick() > 2 * body()",
        build=lambda: over_each("min", column("open"), column("close")) - column("low"), scope=Scope.BAR,
    ),
    Function(
        "close_location", Category.CANDLE, (), Kind.NUMBER, "where the close is in the bar: 0 at the low, 1 at the high", "definition",
        "close_location() > 0.7", formula="(close - low) / (high - low)",
    ),
    Function(
        "doji", Category.CANDLE, (fixed("share", "largest body as a share of the range", 0.1, 0.01, 0.5),), Kind.CONDITION,
        "true where the body is a small share of the range", _NISON, "doji(0.1)", formula="high > low and body() <= share * (high - low)",
    ),
    Function(
        "hammer", Category.CANDLE, (), Kind.CONDITION,
        "true where the lower wick is at least twice the body and the upper wick at most half of it", _NISON, "hammer() and close < vwap()",
        formula="body() > 0 and lower_wick() >= 2 * body() and upper_wick() <= 0.5 * body()",
    ),
    Function(
        "shooting_star", Category.CANDLE, (), Kind.CONDITION,
        "true where the upper wick is at least twice the body and the lower wick at most half of it", _NISON,
        "shooting_star() and close > vwap()",
        formula="body() > 0 and upper_wick() >= 2 * body() and lower_wick() <= 0.5 * body()",
    ),
    Function(
        "engulfing_up", Category.CANDLE, (), Kind.CONDITION, "true where a rising body covers the falling body before it", _NISON, "engulfing_up()",
        formula="close > open and ago(close) < ago(open) and close >= ago(open) and open <= ago(close)",
    ),
    Function(
        "engulfing_down", Category.CANDLE, (), Kind.CONDITION, "true where a falling body covers the rising body before it", _NISON,
        "engulfing_down()", formula="close < open and ago(close) > ago(open) and close <= ago(open) and open >= ago(close)",
    ),
    Function(
        "inside_bar", Category.CANDLE, (), Kind.CONDITION, "true where the bar lies within the bar before it", "definition", "ago(high) > high and inside_bar()",
        formula="high <= ago(high) and low >= ago(low)",
    ),
    Function(
        "outside_bar", Category.CANDLE, (), Kind.CONDITION, "true where the bar reaches beyond the bar before it on both sides", "definition",
        "outside_bar() and close > open", formula="high > ago(high) and low < ago(low)",
    ),
    Function(
        "narrow_range", Category.CANDLE, (whole("n", "how many bars", 7, 2, 100),), Kind.CONDITION,
        "true where the range is the smallest of the last n bars (NR7)", "T. Crabel (1990)", "narrow_range(7)",
        formula="range_() == lowest(range_(), n)",
    ),
)
