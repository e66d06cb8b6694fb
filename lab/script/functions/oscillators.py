"""Oscillators and rates of change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    from lab.script.program import Program, Value

_PRESSURE = "(close - min(low, ago(close)))"


def _cci(s: Program, n: int) -> Value:
    typical = s.do("typical", s.read("high"), s.read("low"), s.read("close"))
    away = s.do("subtract", typical, s.do("mean", typical, n=n))
    return s.do("divide", away, s.do("scale", s.do("mean_distance", typical, n=n), p=0.015, q=0.0))


FUNCTIONS = (
    Function(
        "rsi",
        Category.OSCILLATOR,
        (series(), whole(default=14)),
        Kind.NUMBER,
        "relative strength index, 0 to 100: share of the moves up among all moves (no value where nothing moved)",
        "J. Welles Wilder (1978), as in TA-Lib RSI",
        "rsi(close, 2) < 10",
        formula="100 * rma(max(change(x), 0), n) / (rma(max(change(x), 0), n) + rma(max(-change(x), 0), n))",
    ),
    Function(
        "roc",
        Category.OSCILLATOR,
        (series(), whole(default=1)),
        Kind.NUMBER,
        "change over n bars in percent",
        "as in TA-Lib ROC",
        "roc(close, 10) > 2",
        steps=lambda s, x, n: s.do("rate_of_change", x, n=n),
        bars=lambda n: int(n),
    ),
    Function(
        "change",
        Category.OSCILLATOR,
        (series(), whole(default=1)),
        Kind.NUMBER,
        "difference from the value n bars ago",
        "as in TA-Lib MOM",
        "change(close, 3) > 0",
        steps=lambda s, x, n: s.do("change", x, n=n),
        bars=lambda n: int(n),
    ),
    Function(
        "stoch",
        Category.OSCILLATOR,
        (whole(default=14),),
        Kind.NUMBER,
        "stochastic %K, 0 to 100: where the close is between the lowest low and the highest high of n bars",
        "G. Lane, as in TA-Lib STOCHF",
        "stoch(14) < 20",
        formula="100 * (close - lowest(low, n)) / (highest(high, n) - lowest(low, n))",
    ),
    Function(
        "williams_r",
        Category.OSCILLATOR,
        (whole(default=14),),
        Kind.NUMBER,
        "Williams %R, -100 to 0: how far the close is below the highest high of n bars",
        "L. Williams, as in TA-Lib WILLR",
        "williams_r(14) < -80",
        formula="-100 * (highest(high, n) - close) / (highest(high, n) - lowest(low, n))",
    ),
    Function(
        "mfi",
        Category.OSCILLATOR,
        (whole(default=14),),
        Kind.NUMBER,
        "money flow index, 0 to 100: share of the money traded on rising typical prices",
        "G. Quong and A. Soudack, as in TA-Lib MFI, but a move of the typical price below 0.000001 counts as none",
        "mfi(14) < 20",
        formula=(
            "100 * total(typical() * volume * max(sign(round(change(typical()), 6)), 0), n)"
            " / total(typical() * volume * abs(sign(round(change(typical()), 6))), n)"
        ),
    ),
    Function(
        "macd",
        Category.OSCILLATOR,
        (series(), whole("fast", "short length", 12), whole("slow", "long length", 26)),
        Kind.NUMBER,
        "difference of a fast and a slow exponential average",
        "G. Appel; each average is started on its own (TA-Lib starts both late)",
        "macd(close) > 0",
        formula="ema(x, fast) - ema(x, slow)",
    ),
    Function(
        "macd_signal",
        Category.OSCILLATOR,
        (series(), whole("fast", "short length", 12), whole("slow", "long length", 26), whole("n", "length of the signal line", 9)),
        Kind.NUMBER,
        "exponential average of macd",
        "G. Appel",
        "crosses_above(macd(close), macd_signal(close))",
        formula="ema(macd(x, fast, slow), n)",
    ),
    Function(
        "ppo",
        Category.OSCILLATOR,
        (series(), whole("fast", "short length", 12), whole("slow", "long length", 26)),
        Kind.NUMBER,
        "difference of a fast and a slow exponential average, in percent of the slow one",
        "G. Appel",
        "ppo(close) > 0.5",
        formula="100 * (ema(x, fast) / ema(x, slow) - 1)",
    ),
    Function(
        "macd_histogram",
        Category.OSCILLATOR,
        (series(), whole("fast", "short length", 12), whole("slow", "long length", 26), whole("n", "length of the signal line", 9)),
        Kind.NUMBER,
        "macd minus its signal line",
        "G. Appel and T. Aspray; the averages start on their own (TA-Lib MACD starts both late)",
        "rising(macd_histogram(close), 2)",
        formula="macd(x, fast, slow) - macd_signal(x, fast, slow, n)",
    ),
    Function(
        "stoch_d",
        Category.OSCILLATOR,
        (whole(default=14), whole("smooth", "bars %K is averaged over", 3)),
        Kind.NUMBER,
        "stochastic %D: the mean of %K over a few bars",
        "G. Lane, as in TA-Lib STOCHF",
        "crosses_above(stoch(14), stoch_d(14, 3))",
        formula="sma(stoch(n), smooth)",
    ),
    Function(
        "stoch_rsi",
        Category.OSCILLATOR,
        (series(), whole(default=14), whole("window", "bars the index is compared with", 14, 2)),
        Kind.NUMBER,
        "where the relative strength index is between its lowest and highest of the window, 0 to 100",
        "T. Chande and S. Kroll, as in TA-Lib STOCHRSI",
        "stoch_rsi(close, 14, 14) < 20",
        formula="100 * (rsi(x, n) - lowest(rsi(x, n), window)) / (highest(rsi(x, n), window) - lowest(rsi(x, n), window))",
    ),
    Function(
        "cci",
        Category.OSCILLATOR,
        (whole(default=20, low=2, high=1000),),
        Kind.NUMBER,
        "commodity channel index: distance of the typical price from its mean, in units of 0.015 mean deviations",
        "D. Lambert (1980), as in TA-Lib CCI",
        "cci(20) < -100",
        steps=_cci,
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "momentum",
        Category.OSCILLATOR,
        (series(), whole(default=10)),
        Kind.NUMBER,
        "how far the value has moved in n bars, in its own units",
        "as in TA-Lib MOM",
        "momentum(close, 10) > 0",
        formula="change(x, n)",
    ),
    Function(
        "tsi",
        Category.OSCILLATOR,
        (series(), whole("slow", "first, longer smoothing", 25), whole("fast", "second, shorter smoothing", 13)),
        Kind.NUMBER,
        "true strength index, -100 to 100: twice smoothed change as a share of its twice smoothed size",
        "W. Blau (1991)",
        "tsi(close) > 0",
        formula="100 * ema(ema(change(x), slow), fast) / ema(ema(abs(change(x)), slow), fast)",
    ),
    Function(
        "ultimate",
        Category.OSCILLATOR,
        (whole("fast", "shortest window", 7), whole("medium", "middle window", 14), whole("slow", "longest window", 28)),
        Kind.NUMBER,
        "ultimate oscillator, 0 to 100: buying pressure over three windows, the shortest weighing most",
        "L. Williams (1985), as in TA-Lib ULTOSC",
        "ultimate() < 30",
        formula=(
            f"100 / 7 * (4 * total({_PRESSURE}, fast) / total(true_range(), fast)"
            f" + 2 * total({_PRESSURE}, medium) / total(true_range(), medium) + total({_PRESSURE}, slow) / total(true_range(), slow))"
        ),
    ),
    Function(
        "awesome",
        Category.OSCILLATOR,
        (whole("fast", "short length", 5), whole("slow", "long length", 34)),
        Kind.NUMBER,
        "awesome oscillator: difference of two simple averages of the bars' middles",
        "B. Williams",
        "crosses_above(awesome(), 0)",
        formula="sma((high + low) / 2, fast) - sma((high + low) / 2, slow)",
    ),
)
