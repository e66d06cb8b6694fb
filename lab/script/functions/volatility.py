"""How much prices move, and bands made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import column, over_each, shared
from lab.script.entries import Category, Function, Scope, fixed, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def true_range() -> pl.Expr:
    before = column("close").shift(1)
    return over_each("max", column("high"), before) - over_each("min", column("low"), before)


_BAND = fixed("k", "how many standard deviations", 2.0, 0.1, 10.0)
_ATRS = fixed("k", "how many average true ranges", 1.5, 0.1, 10.0)

FUNCTIONS = (
    Function(
        "true_range",
        Category.VOLATILITY,
        (),
        Kind.NUMBER,
        "range of the bar including the gap from the bar before",
        "J. Welles Wilder (1978), as in TA-Lib TRANGE",
        "true_range() > 2 * atr(14)",
        build=true_range,
        bars=lambda: 1,
    ),
    Function(
        "atr",
        Category.VOLATILITY,
        (whole(default=14),),
        Kind.NUMBER,
        "average true range: Wilder's average of the true range, in dollars",
        "J. Welles Wilder (1978), as in TA-Lib ATR",
        "stop = close - 1.5 * atr(14)",
        formula="rma(true_range(), n)",
    ),
    Function(
        "natr",
        Category.VOLATILITY,
        (whole(default=14),),
        Kind.NUMBER,
        "average true range in percent of the close",
        "as in TA-Lib NATR",
        "natr(14) > 0.2",
        formula="100 * atr(n) / close",
    ),
    Function(
        "stdev",
        Category.VOLATILITY,
        (series(), whole(default=20)),
        Kind.NUMBER,
        "standard deviation over n bars (dividing by n)",
        "as in TA-Lib STDDEV",
        "stdev(close, 20) < 0.5",
        build=lambda x, n: x.rolling_std(n, min_samples=n, ddof=0),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "bollinger_upper",
        Category.VOLATILITY,
        (series(), whole(default=20), _BAND),
        Kind.NUMBER,
        "upper Bollinger band: the mean plus k standard deviations",
        "J. Bollinger, as in TA-Lib BBANDS",
        "close > bollinger_upper(close, 20, 2)",
        formula="sma(x, n) + k * stdev(x, n)",
    ),
    Function(
        "bollinger_lower",
        Category.VOLATILITY,
        (series(), whole(default=20), _BAND),
        Kind.NUMBER,
        "lower Bollinger band: the mean minus k standard deviations",
        "J. Bollinger, as in TA-Lib BBANDS",
        "close < bollinger_lower(close, 20, 2)",
        formula="sma(x, n) - k * stdev(x, n)",
    ),
    Function(
        "bollinger_width",
        Category.VOLATILITY,
        (series(), whole(default=20), _BAND),
        Kind.NUMBER,
        "distance between the Bollinger bands in percent of their middle",
        "J. Bollinger",
        "bollinger_width(close, 20) < 1",
        formula="100 * 2 * k * stdev(x, n) / sma(x, n)",
    ),
    Function(
        "keltner_upper",
        Category.VOLATILITY,
        (whole(default=20), _ATRS),
        Kind.NUMBER,
        "upper Keltner channel: ema of the close plus k average true ranges",
        "C. Keltner, as revised by L. Raschke; TA-Lib KC averages the typical price",
        "close > keltner_upper(20, 1.5)",
        formula="ema(close, n) + k * atr(n)",
    ),
    Function(
        "keltner_lower",
        Category.VOLATILITY,
        (whole(default=20), _ATRS),
        Kind.NUMBER,
        "lower Keltner channel: ema of the close minus k average true ranges",
        "C. Keltner, as revised by L. Raschke; TA-Lib KC averages the typical price",
        "close < keltner_lower(20, 1.5)",
        formula="ema(close, n) - k * atr(n)",
    ),
    Function(
        "squeeze",
        Category.VOLATILITY,
        (whole(default=20),),
        Kind.CONDITION,
        "true while the Bollinger bands (2) lie inside the Keltner channel (1.5)",
        "J. Carter, Mastering the Trade",
        "was(squeeze(20), 5) and not squeeze(20)",
        formula="bollinger_upper(close, n, 2) < keltner_upper(n, 1.5) and bollinger_lower(close, n, 2) > keltner_lower(n, 1.5)",
    ),
    Function(
        "range_",
        Category.VOLATILITY,
        (),
        Kind.NUMBER,
        "high minus low of the bar",
        "definition",
        "range_() > 2 * sma(range_(), 20)",
        build=lambda: column("high") - column("low"),
        scope=Scope.BAR,
    ),
    Function(
        "typical",
        Category.VOLATILITY,
        (),
        Kind.NUMBER,
        "typical price: (high + low + close) / 3",
        "definition, as in TA-Lib TYPPRICE",
        "sma(typical(), 20)",
        build=lambda: shared(column("high") + column("low") + column("close"), 3.0),
        scope=Scope.BAR,
    ),
    Function(
        "bollinger_percent",
        Category.VOLATILITY,
        (series(), whole(default=20), _BAND),
        Kind.NUMBER,
        "where the value is between the Bollinger bands: 0 at the lower, 100 at the upper",
        "J. Bollinger (%b)",
        "bollinger_percent(close, 20) < 0",
        formula="100 * (x - bollinger_lower(x, n, k)) / (bollinger_upper(x, n, k) - bollinger_lower(x, n, k))",
    ),
    Function(
        "donchian_upper",
        Category.VOLATILITY,
        (whole(default=20),),
        Kind.NUMBER,
        "upper Donchian channel: highest high of n bars, this one included",
        "R. Donchian",
        "close > ago(donchian_upper(20), 1)",
        formula="highest(high, n)",
    ),
    Function(
        "donchian_lower",
        Category.VOLATILITY,
        (whole(default=20),),
        Kind.NUMBER,
        "lower Donchian channel: lowest low of n bars, this one included",
        "R. Donchian",
        "close < ago(donchian_lower(20), 1)",
        formula="lowest(low, n)",
    ),
    Function(
        "donchian_middle",
        Category.VOLATILITY,
        (whole(default=20),),
        Kind.NUMBER,
        "middle of the Donchian channel",
        "R. Donchian",
        "close > donchian_middle(20)",
        formula="(highest(high, n) + lowest(low, n)) / 2",
    ),
    Function(
        "realised_volatility",
        Category.VOLATILITY,
        (whole(default=20),),
        Kind.NUMBER,
        "realised volatility of n bars in percent: root of the sum of squared log returns",
        "T. Andersen and T. Bollerslev (1998)",
        "realised_volatility(30) < 1",
        formula="100 * sqrt(total(log(close / ago(close)) ** 2, n))",
    ),
    Function(
        "parkinson",
        Category.VOLATILITY,
        (whole(default=20),),
        Kind.NUMBER,
        "Parkinson's volatility of n bars in percent, from highs and lows: misses gaps, needs fewer bars than realised_volatility",
        "M. Parkinson (1980): root of the sum of log(high / low) ** 2 / (4 log 2)",
        "parkinson(30) > realised_volatility(30)",
        formula="100 * sqrt(total(log(high / low) ** 2, n) / 2.772588722239781)",
    ),
)
