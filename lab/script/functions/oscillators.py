"""Oscillators and rates of change."""

from __future__ import annotations

from lab.script.build import quotient
from lab.script.entries import Category, Function, series, whole
from lab.script.nodes import Kind

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
        build=lambda x, n: quotient(x, x.shift(n)) * 100.0 - 100.0,
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
        build=lambda x, n: x - x.shift(n),
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
        "G. Quong and A. Soudack, as in TA-Lib MFI",
        "mfi(14) < 20",
        formula=(
            "100 * total(typical() * volume * max(sign(change(typical())), 0), n)"
            " / total(typical() * volume * abs(sign(change(typical()))), n)"
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
)
