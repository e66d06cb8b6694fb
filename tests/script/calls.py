"""A plain call of every catalogue function, for tests that go through all of them."""

from __future__ import annotations

from lab.script import CATALOGUE, Category, Function
from lab.script.entries import Takes

_SERIES = ("close", "high", "low")
_FIXED = {
    "clip": {"low": "99", "high": "101"},
    "time_between": {"start": '"09:45"', "end": '"11:00"'},
    "on": {"timeframe": '"15m"'}, "of": {"ticker": '"T00"'},
}  # fmt: skip


def call_of(function: Function, window: int = 5) -> str:
    """The function called with small windows, so that short bars fill them."""
    arguments = []
    seen = 0
    for argument in function.arguments:
        if argument.name in _FIXED.get(function.name, {}):
            arguments.append(_FIXED[function.name][argument.name])
        elif argument.takes in (Takes.SERIES, Takes.NUMBER, Takes.ANY):
            arguments.append(_SERIES[seen % 3])
            seen += 1
        elif argument.takes is Takes.CONDITION:
            arguments.append(("close > open", "low < ago(low)")[seen % 2])
            seen += 1
        elif argument.takes is Takes.WHOLE:
            whole = {"slow": window * 2, "minutes": 30, "digits": 1, "level": 2, "lag": 1}.get(argument.name, window)
            if function.name in ("relative_volume", "n_th_in_session"):
                whole = 2
            arguments.append(str(int(min(max(whole, argument.low or whole), argument.high or whole))))
        else:
            arguments.append(str(argument.default))
    return f"{function.name}({', '.join(arguments)})"


COMPUTED = [function for function in CATALOGUE.values() if function.category is not Category.ORDER]
ALONE = [function for function in COMPUTED if function.category is not Category.ACROSS and function.name != "of"]
"""Functions that look at one ticker's bars only."""


def scans_of(functions: list[Function], window: int, at_once: int = 45) -> list[list[str]]:
    """Scan lines that call each function, in scripts small enough to be accepted."""
    lines = [f"x_{function.name} = {call_of(function, window)}" for function in functions]
    return [lines[start : start + at_once] for start in range(0, len(lines), at_once)]
