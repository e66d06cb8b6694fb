"""A ticker against all the others at the same moment, and values of other timeframes and tickers."""

from __future__ import annotations

from lab.script.entries import Argument, Category, Function, Scope, Takes, condition, number, series
from lab.script.nodes import Kind

_ALL = "the tickers whose bar starts at the same time, those read by of included"


FUNCTIONS = (
    Function(
        "rank_across",
        Category.ACROSS,
        (series(),),
        Kind.NUMBER,
        f"rank of the value among {_ALL}: 0 the lowest, 100 the highest; none for a ticker alone",
        "as in WorldQuant rank, in percent",
        "rank_across(roc(close, 20)) > 80",
        among="rank",
        scope=Scope.MOMENT,
    ),
    Function(
        "place_across",
        Category.ACROSS,
        (series(),),
        Kind.NUMBER,
        f"place of the value among {_ALL}: 1 the highest, 2 the next",
        "definition",
        "place_across(relative_volume(10)) <= 3",
        among="place",
        scope=Scope.MOMENT,
    ),
    Function(
        "breadth",
        Category.ACROSS,
        (condition(),),
        Kind.NUMBER,
        f"for how many percent of {_ALL} the condition holds, of those where it is known",
        "definition",
        "breadth(close > previous_close()) > 60",
        among="breadth",
        scope=Scope.MOMENT,
    ),
    Function(
        "percent_above",
        Category.ACROSS,
        (series("a", "what is compared"), number("b", "what it is to be above")),
        Kind.NUMBER,
        f"for how many percent of {_ALL} a is above b",
        "definition",
        "percent_above(close, vwap()) > 70",
        formula="breadth(a > b)",
    ),
    Function(
        "on",
        Category.OTHER,
        (Argument("timeframe", Takes.TIMEFRAME, "5m, 15m, 30m, 1h, 1d or 1w"), Argument("x", Takes.ANY, "computed on those bars")),
        Kind.NUMBER,
        "an expression computed on longer bars, as of the last one that was over before this bar began;"
        " minutes and hours are counted from 09:30",
        "definition",
        'close > on("1d", sma(close, 50))',
    ),
    Function(
        "of",
        Category.OTHER,
        (Argument("ticker", Takes.TICKER, "whose bars"), Argument("x", Takes.ANY, "computed on them")),
        Kind.NUMBER,
        "an expression computed for another ticker, as of its bar that starts with this one, or the last before",
        "definition",
        'roc(close, 5) > of("SPY", roc(close, 5))',
    ),
)
