"""The session so far: VWAP, opening range, extremes, gap and clock. Sessions are New York regular hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.entries import Argument, Category, Function, Scope, Takes, condition, fixed, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl

    from lab.script.program import Program, Value

OPEN_MINUTE = 570
"""09:30 in New York, in minutes since midnight."""


def _traded(s: Program, kernel: str) -> Value:
    typical = s.do("typical", s.read("high"), s.read("low"), s.read("close"))
    return s.do(kernel, typical, s.read("volume"), s.read("session"))


def _so_far(s: Program, name: str, sign: float) -> Value:
    return s.do("extreme_so_far", s.read(name), s.read("session"), p=sign)


def _opening(s: Program, name: str, minutes: int, sign: float) -> Value:
    return s.do("opening_extreme", s.read(name), s.read("session"), s.read("minute"), n=OPEN_MINUTE + minutes, p=sign)


def _last_bars(s: Program, n: int) -> Value:
    return s.do("last_bars", s.read("session"), s.read("minute"), s.read("close_minute"), n=n)


def _day_of_month() -> pl.Expr:
    import polars as pl

    return pl.col("session").dt.day()


def _time_problem(start: float, end: float) -> str | None:
    return "the first time must be before the second" if start >= end else None


_MINUTES = whole("minutes", "length of the opening range in minutes", 30, 1, 389)
_BAND = fixed("k", "how many standard deviations", 2.0, 0.1, 10.0)


FUNCTIONS = (
    Function(
        "vwap",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "volume-weighted average of the typical price, from the session's open to this bar",
        "definition",
        "close > vwap()",
        steps=lambda s: _traded(s, "vwap"),
        scope=Scope.SESSION,
    ),
    Function(
        "vwap_deviation",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "volume-weighted standard deviation of the typical price around vwap in the session so far",
        "definition",
        "close < vwap() - 2 * vwap_deviation()",
        steps=lambda s: _traded(s, "vwap_deviation"),
        scope=Scope.SESSION,
    ),
    Function(
        "vwap_upper",
        Category.SESSION,
        (_BAND,),
        Kind.NUMBER,
        "vwap plus k of its standard deviations",
        "definition",
        "close > vwap_upper(2)",
        formula="vwap() + k * vwap_deviation()",
    ),
    Function(
        "vwap_lower",
        Category.SESSION,
        (_BAND,),
        Kind.NUMBER,
        "vwap minus k of its standard deviations",
        "definition",
        "close < vwap_lower(2)",
        formula="vwap() - k * vwap_deviation()",
    ),
    Function(
        "opening_range_high",
        Category.SESSION,
        (_MINUTES,),
        Kind.NUMBER,
        "highest high of the bars that start in the session's first minutes; no value until they are over",
        "definition",
        "crosses_above(close, opening_range_high(15))",
        steps=lambda s, minutes: _opening(s, "high", minutes, 1.0),
        scope=Scope.SESSION,
    ),
    Function(
        "opening_range_low",
        Category.SESSION,
        (_MINUTES,),
        Kind.NUMBER,
        "lowest low of the bars that start in the session's first minutes; no value until they are over",
        "definition",
        "crosses_below(close, opening_range_low(15))",
        steps=lambda s, minutes: _opening(s, "low", minutes, -1.0),
        scope=Scope.SESSION,
    ),
    Function(
        "session_high",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "highest high of the session so far, this bar included",
        "definition",
        "close > ago(session_high(), 1)",
        steps=lambda s: _so_far(s, "high", 1.0),
        scope=Scope.SESSION,
    ),
    Function(
        "session_low",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "lowest low of the session so far, this bar included",
        "definition",
        "close < ago(session_low(), 1)",
        steps=lambda s: _so_far(s, "low", -1.0),
        scope=Scope.SESSION,
    ),
    Function(
        "session_open",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "the session's first open",
        "definition",
        "close > session_open()",
        steps=lambda s: s.do("first_known", s.read("open"), s.read("session")),
        scope=Scope.SESSION,
    ),
    Function(
        "previous_close",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "last close of the session before, from these bars",
        "definition",
        "close > previous_close()",
        steps=lambda s: s.do("previous_close", s.read("close"), s.read("session")),
        sessions=lambda: 1,
    ),
    Function(
        "gap",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "the session's open against the close of the session before, in percent",
        "definition",
        "gap() > 2",
        formula="100 * (session_open() / previous_close() - 1)",
    ),
    Function(
        "gap_filled",
        Category.SESSION,
        (),
        Kind.CONDITION,
        "true once the session has traded back to the close of the session before",
        "definition",
        "gap() > 1 and not gap_filled()",
        formula="session_low() <= previous_close() and session_high() >= previous_close()",
    ),
    Function(
        "minutes_since_open",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "minutes from 09:30 to the start of the bar",
        "definition",
        "minutes_since_open() >= 30",
        steps=lambda s: s.do("minutes_since", s.read("minute"), n=OPEN_MINUTE),
        scope=Scope.BAR,
    ),
    Function(
        "minutes_to_close",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "minutes from the start of the bar to the session's close (13:00 on half days)",
        "definition",
        "minutes_to_close() > 30",
        steps=lambda s: s.do("minutes_to_close", s.read("minute"), s.read("close_minute")),
        scope=Scope.BAR,
    ),
    Function(
        "time_between",
        Category.SESSION,
        (Argument("start", Takes.TIME, "first New York time"), Argument("end", Takes.TIME, "time after the last")),
        Kind.CONDITION,
        "true for bars that start at or after the first New York time and before the second",
        "definition",
        'time_between("10:00", "11:30")',
        steps=lambda s, start, end: s.do("time_between", s.read("minute"), p=start, q=end),
        scope=Scope.BAR,
        refuse=_time_problem,
    ),
    Function(
        "day_of_week",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "1 Monday to 5 Friday",
        "ISO 8601",
        "day_of_week() != 1",
        steps=lambda s: s.do("day_of_week", s.read("session")),
        scope=Scope.BAR,
    ),
    Function(
        "day_of_month",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "the session's day of the month, 1 to 31",
        "definition",
        "day_of_month() >= 26 or day_of_month() <= 3",
        build=_day_of_month,
        scope=Scope.BAR,
    ),
    Function(
        "bar_of_session",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "1 for the session's first bar, 2 for the second and so on",
        "definition",
        "bar_of_session() > 5",
        steps=lambda s: s.do("bar_of_session", s.read("session")),
        scope=Scope.SESSION,
    ),
    Function(
        "first_in_session",
        Category.SESSION,
        (condition(),),
        Kind.CONDITION,
        "true only on the session's first bar where the condition holds",
        "definition",
        "first_in_session(close > session_open() * 1.02)",
        steps=lambda s, cond: s.do("nth_so_far", cond, s.read("session"), n=1),
        scope=Scope.SESSION,
    ),
    Function(
        "n_th_in_session",
        Category.SESSION,
        (condition(), whole("n", "which time", 2, 1, 390)),
        Kind.CONDITION,
        "true only on the session's n-th bar where the condition holds",
        "definition",
        "n_th_in_session(crosses_above(close, vwap()), 2)",
        steps=lambda s, cond, n: s.do("nth_so_far", cond, s.read("session"), n=n),
        scope=Scope.SESSION,
    ),
    Function(
        "first_bars",
        Category.SESSION,
        (whole("n", "how many bars", 1, 1, 390),),
        Kind.CONDITION,
        "true on the session's first n bars",
        "definition",
        "not first_bars(3)",
        formula="bar_of_session() <= n",
    ),
    Function(
        "last_bars",
        Category.SESSION,
        (whole("n", "how many bars", 1, 1, 390),),
        Kind.CONDITION,
        "true on the session's last n bars, told from the clock; unknown on its first bar, and on daily bars",
        "definition",
        "not last_bars(3)",
        steps=_last_bars,
        scope=Scope.SESSION,
    ),
    Function(
        "first_minutes",
        Category.SESSION,
        (whole("minutes", "how many minutes", 30, 1, 390),),
        Kind.CONDITION,
        "true for bars that start in the session's first minutes",
        "definition",
        "not first_minutes(15)",
        formula="minutes_since_open() < minutes",
    ),
    Function(
        "last_minutes",
        Category.SESSION,
        (whole("minutes", "how many minutes", 30, 1, 390),),
        Kind.CONDITION,
        "true for bars that start in the session's last minutes (before 13:00 on half days)",
        "definition",
        "not last_minutes(30)",
        formula="minutes_to_close() <= minutes",
    ),
)
