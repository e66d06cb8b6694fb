"""Volume, alone and against its own past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.entries import Category, Function, Scope, condition, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    from lab.script.program import Program, Value


def _typical(s: Program) -> Value:
    return s.do("typical", s.read("high"), s.read("low"), s.read("close"))


def _money_flow(s: Program) -> Value:
    return s.do("money_flow", s.read("high"), s.read("low"), s.read("close"), s.read("volume"))


def _obv(s: Program) -> Value:
    return s.do("added_up", s.do("multiply", s.do("sign", s.do("change", s.read("close"), n=1)), s.read("volume")))


def _cmf(s: Program, n: int) -> Value:
    return s.do("divide", s.do("total", _money_flow(s), n=n), s.do("total", s.read("volume"), n=n))


def _point_of_control(s: Program, n: int, steps: int) -> Value:
    lowest, highest = s.do("lowest", s.read("low"), n=n), s.do("highest", s.read("high"), n=n)
    return s.do("point_of_control", _typical(s), s.read("volume"), lowest, highest, n=n, p=steps)


FUNCTIONS = (
    Function(
        "relative_volume",
        Category.VOLUME,
        (whole("n", "how many earlier sessions", 20, 1, 250),),
        Kind.NUMBER,
        "volume divided by its mean at the same time of day over the last n sessions that had it: 2 is twice the usual",
        "definition; TA-Lib RVOL compares with the n bars before",
        "relative_volume(10) > 2",
        steps=lambda s, n: s.do("relative_volume", s.read("volume"), s.read("minute"), n=n),
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
        steps=lambda s: s.do("added_up_so_far", s.read("volume"), s.read("session")),
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
        steps=_obv,
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
        steps=lambda s: s.do("added_up", _money_flow(s)),
    ),
    Function(
        "cmf",
        Category.VOLUME,
        (whole(default=20),),
        Kind.NUMBER,
        "Chaikin money flow, -1 to 1: accumulation/distribution of n bars as a share of their volume",
        "M. Chaikin",
        "cmf(20) > 0.1",
        steps=_cmf,
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
        steps=lambda s, anchor: s.do("anchored_vwap", anchor, _typical(s), s.read("volume")),
    ),
    Function(
        "point_of_control",
        Category.VOLUME,
        (whole(default=60, low=2, high=500), whole("steps", "price steps between the window's lowest and highest", 24, 4, 100)),
        Kind.NUMBER,
        "volume profile's point of control: middle of the price step in which most was traded in the last n bars",
        "J. P. Steidlmayer, Market Profile; each bar's volume counts at its typical price",
        "close > point_of_control(60)",
        steps=_point_of_control,
        bars=lambda n, steps: int(n) - 1,
    ),
)
