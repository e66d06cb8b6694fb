"""Volume, alone and against its own past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import as_number, column, known, quotient, shared, where
from lab.script.entries import Category, Function, Scope, condition, whole
from lab.script.loops import computed, point_of_control
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl


def _relative_volume(n: int) -> pl.Expr:
    usual = column("volume").shift(1).rolling_mean(n, min_samples=n)
    return quotient(column("volume"), usual).over("minute")


def _obv() -> pl.Expr:
    return (column("close").diff().sign() * column("volume")).cum_sum()


def _money_flow() -> pl.Expr:
    high, low, close = column("high"), column("low"), column("close")
    location = where(high > low, (close + close - high - low) / (high - low), where(known(high, low, close), 0.0))
    return location * column("volume")


def _anchored_vwap(anchor: pl.Expr) -> pl.Expr:
    typical = shared(column("high") + column("low") + column("close"), 3.0)
    volume = where(known(typical, column("volume")), column("volume"))
    legs = as_number(anchor.fill_null(False)).cum_sum()
    average = quotient((typical * volume).cum_sum(), volume.cum_sum()).over(legs)
    return where(legs > 0.0, average)


def _point_of_control(n: int, steps: int) -> pl.Expr:
    high, low = column("high"), column("low")
    typical = shared(high + low + column("close"), 3.0)
    return computed(
        lambda price, volume, lowest, highest: point_of_control(price, volume, lowest, highest, n, steps),
        *(typical, column("volume"), low.rolling_min(n, min_samples=n), high.rolling_max(n, min_samples=n)),
    )


FUNCTIONS = (
    Function(
        "relative_volume",
        Category.VOLUME,
        (whole("n", "how many earlier sessions", 20, 1, 250),),
        Kind.NUMBER,
        "volume divided by its mean at the same time of day over the last n sessions that had it: 2 is twice the usual",
        "definition; TA-Lib RVOL compares with the n bars before",
        "relative_volume(10) > 2",
        build=_relative_volume,
        sessions=lambda n: int(n),
    ),
    Function(
        "session_volume",
        Category.VOLUME,
        (),
        Kind.NUMBER,
        "shares traded so far in the session",
        "definition",
        "session_volume() > prev_day.volume * 0.3",
        build=lambda: column("volume").cum_sum(),
        scope=Scope.SESSION,
    ),
    Function(
        "obv",
        Category.VOLUME,
        (),
        Kind.NUMBER,
        "on-balance volume: volume added on rising and subtracted on falling closes",
        "J. Granville; as in TA-Lib OBV without its first bar",
        "rising(obv(), 3)",
        build=_obv,
        bars=lambda: 1,
    ),
    Function(
        "ad",
        Category.VOLUME,
        (),
        Kind.NUMBER,
        "accumulation/distribution: volume added up by where each bar closed in its range, from -1 to 1 times it",
        "M. Chaikin, as in TA-Lib AD",
        "rising(ad(), 3)",
        build=lambda: _money_flow().cum_sum(),
    ),
    Function(
        "cmf",
        Category.VOLUME,
        (whole(default=20),),
        Kind.NUMBER,
        "Chaikin money flow, -1 to 1: accumulation/distribution of n bars as a share of their volume",
        "M. Chaikin",
        "cmf(20) > 0.1",
        build=lambda n: quotient(_money_flow().rolling_sum(n, min_samples=n), column("volume").rolling_sum(n, min_samples=n)),
        bars=lambda n: int(n) - 1,
    ),
    Function(
        "force_index",
        Category.VOLUME,
        (whole(default=13),),
        Kind.NUMBER,
        "force index: exponential average of the close's change times volume",
        "A. Elder",
        "force_index(13) > 0",
        formula="ema(change(close) * volume, n)",
    ),
    Function(
        "anchored_vwap",
        Category.VOLUME,
        (condition("anchor", "the condition it starts anew at"),),
        Kind.NUMBER,
        "volume-weighted average of the typical price since the condition last held, that bar included; none before it first did",
        "B. Shannon",
        "close > anchored_vwap(gap() > 2 and bar_of_session() == 1)",
        build=_anchored_vwap,
    ),
    Function(
        "point_of_control",
        Category.VOLUME,
        (whole(default=60, low=2, high=500), whole("steps", "price steps between the window's lowest and highest", 24, 4, 100)),
        Kind.NUMBER,
        "volume profile's point of control: middle of the price step in which most was traded in the last n bars",
        "J. P. Steidlmayer, Market Profile; each bar's volume counts at its typical price",
        "close > point_of_control(60)",
        build=_point_of_control,
        bars=lambda n, steps: int(n) - 1,
    ),
)
