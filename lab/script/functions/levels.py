"""Levels of earlier sessions: the previous week, and pivots of the previous session."""

from __future__ import annotations

from lab.script.entries import Category, Function, whole
from lab.script.nodes import Kind

_RANGE = "(prev_day.high - prev_day.low)"
_PIVOT = "((prev_day.high + prev_day.low + prev_day.close) / 3)"
_CLASSIC = {
    3: f"(prev_day.high + 2 * ({_PIVOT} - prev_day.low))",
    2: f"({_PIVOT} + {_RANGE})",
    1: f"(2 * {_PIVOT} - prev_day.low)",
    0: _PIVOT,
    -1: f"(2 * {_PIVOT} - prev_day.high)",
    -2: f"({_PIVOT} - {_RANGE})",
    -3: f"(prev_day.low - 2 * (prev_day.high - {_PIVOT}))",
}
_FIBONACCI = {level: f"({_PIVOT} + {share} * {_RANGE})" for level, share in ((3, 1), (2, 0.618), (1, 0.382), (0, 0), (-1, -0.382))}
_FIBONACCI |= {-2: f"({_PIVOT} - 0.618 * {_RANGE})", -3: f"({_PIVOT} - {_RANGE})"}
_CAMARILLA = {
    sign * level: f"(prev_day.close + {sign * 1.1} * {_RANGE} / {part})"
    for sign in (1, -1)
    for level, part in ((4, 2), (3, 4), (2, 6), (1, 12))
}


def _by_level(levels: dict[int, str]) -> str:
    """A formula that picks one by the argument `level`; it is fixed, so only that one remains."""
    *others, last = sorted(levels)
    return " ".join([*(f"{levels[level]} if level == {level} else" for level in others), levels[last]])


def _of_week(price: str, meaning: str) -> Function:
    return Function(
        f"prev_week_{price}",
        Category.SESSION,
        (),
        Kind.NUMBER,
        f"{meaning} of the previous week that has bars; none before a whole week has passed",
        "definition",
        f"close > prev_week_{price}()",
        formula=f'on("1w", {price})',
    )


FUNCTIONS = (
    _of_week("open", "open"),
    _of_week("high", "high"),
    _of_week("low", "low"),
    _of_week("close", "close"),
    Function(
        "pivot_classic",
        Category.SESSION,
        (whole("level", "3 to 1 resistances, 0 the pivot, -1 to -3 supports", 0, -3, 3),),
        Kind.NUMBER,
        "classic (floor trader's) pivot levels of the previous session",
        "pivot (high + low + close) / 3",
        "crosses_above(close, pivot_classic(1))",
        formula=_by_level(_CLASSIC),
    ),
    Function(
        "pivot_fibonacci",
        Category.SESSION,
        (whole("level", "3 to 1 resistances, 0 the pivot, -1 to -3 supports", 0, -3, 3),),
        Kind.NUMBER,
        "Fibonacci pivot levels of the previous session: the pivot and 0.382, 0.618 and 1 ranges from it",
        "definition",
        "low <= pivot_fibonacci(-2)",
        formula=_by_level(_FIBONACCI),
    ),
    Function(
        "pivot_camarilla",
        Category.SESSION,
        (whole("level", "4 to 1 resistances, -1 to -4 supports", 3, -4, 4),),
        Kind.NUMBER,
        "Camarilla pivot levels of the previous session: 1.1 / 12, / 6, / 4 and / 2 of its range from its close",
        "N. Scott",
        "crosses_above(close, pivot_camarilla(4))",
        formula=_by_level(_CAMARILLA),
        refuse=lambda level: "there is no level 0: take 1 to 4 or -1 to -4" if level == 0 else None,
    ),
)
