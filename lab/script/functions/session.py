"""The session so far: VWAP, opening range, extremes, gap and clock. Sessions are New York regular hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.script.build import as_number, bounded, column, known, quotient, row_number, shared, where
from lab.script.entries import Argument, Category, Function, Scope, Takes, condition, fixed, whole
from lab.script.nodes import Kind

if TYPE_CHECKING:
    import polars as pl

OPEN_MINUTE = 570
"""09:30 in New York, in minutes since midnight."""


def _typical() -> pl.Expr:
    return shared(column("high") + column("low") + column("close"), 3.0)


def _traded() -> tuple[pl.Expr, pl.Expr]:
    """Typical price and volume of the bars that have both."""
    typical, volume = _typical(), column("volume")
    return typical, where(known(typical, volume), volume)


def _vwap() -> pl.Expr:
    typical, volume = _traded()
    return quotient((typical * volume).cum_sum(), volume.cum_sum())


def _vwap_deviation() -> pl.Expr:
    typical, volume = _traded()
    # Squares are taken around the session's first price: around zero they would drown the variance in rounding.
    offset = typical - typical.drop_nulls().first()
    mean = quotient((offset * volume).cum_sum(), volume.cum_sum())
    variance = quotient((offset * offset * volume).cum_sum(), volume.cum_sum()) - mean * mean
    return bounded(variance.clip(lower_bound=0.0).sqrt())


def _first_known(x: pl.Expr) -> pl.Expr:
    return where(x.is_not_null().cum_sum() > 0, x.drop_nulls().first())


def _previous_close() -> pl.Expr:
    close = column("close").forward_fill()
    return where(column("session") != column("session").shift(1), close.shift(1)).forward_fill()


def _opening(x: pl.Expr, minutes: int, pick: str) -> pl.Expr:
    end = OPEN_MINUTE + minutes
    inside = where(column("minute") < end, x)
    return where(column("minute") >= end, inside.max() if pick == "max" else inside.min())


def _minutes_since_open() -> pl.Expr:
    return column("minute").cast(float) - float(OPEN_MINUTE)


def _nth(cond: pl.Expr, n: int) -> pl.Expr:
    return cond & (as_number(cond).cum_sum() == float(n))


def _time_problem(start: float, end: float) -> str | None:
    return "the first time must be before the second" if start >= end else None


_MINUTES = whole("minutes", "length of the opening range in minutes", 30, 1, 389)
_BAND = fixed("k", "how many standard deviations", 2.0, 0.1, 10.0)


def _last_bars(n: int) -> pl.Expr:
    # The session's shortest step so far is the length of a bar; a missing bar makes a step look longer until the next.
    step = (column("minute") - column("minute").shift(1)).cum_min()
    return column("close_minute") - column("minute") <= step.cast(int) * n


FUNCTIONS = (
    Function(
        "vwap",
        Category.SESSION,
        (),
        Kind.NUMBER,
        "volume-weighted average of the typical price, from the session's open to this bar",
        "definition",
        "close > vwap()",
        build=_vwap,
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
        build=_vwap_deviation,
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
        build=lambda minutes: _opening(column("high"), minutes, "max"),
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
        build=lambda minutes: _opening(column("low"), minutes, "min"),
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
        build=lambda: column("high").cum_max(),
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
        build=lambda: column("low").cum_min(),
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
        build=lambda: _first_known(column("open")),
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
        build=_previous_close,
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
        build=_minutes_since_open,
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
        build=lambda: column("close_minute").cast(float) - column("minute").cast(float),
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
        build=lambda start, end: (column("minute") >= int(start)) & (column("minute") < int(end)),
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
        build=lambda: column("session").dt.weekday().cast(float),
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
        build=lambda: row_number().cast(float) + 1.0,
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
        build=lambda cond: _nth(cond, 1),
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
        build=_nth,
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
        build=_last_bars,
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
