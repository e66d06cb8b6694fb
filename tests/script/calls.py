"""A plain call of every catalogue function, for tests that go through all of them."""

from __future__ import annotations

from lab.script import CATALOGUE, Category, Function
from lab.script.entries import Takes

_SERIES = ("close", "high", "low")
_FIXED = {"clip": {"low": "99", "high": "101"}, "time_between": {"start": '"09:45"', "end": '"11:00"'}}


def call_of(function: Function, window: int = 5) -> str:
    """The function called with small windows, so that short bars fill them."""
    arguments = []
    seen = 0
    for argument in function.arguments:
        if argument.name in _FIXED.get(function.name, {}):
            arguments.append(_FIXED[function.name][argument.name])
        elif argument.takes in (Takes.SERIES, Takes.NUMBER):
            arguments.append(_SERIES[seen % 3])
            seen += 1
        elif argument.takes is Takes.CONDITION:
            arguments.append("close > open")
        elif argument.takes is Takes.WHOLE:
            whole = {"slow": window * 2, "minutes": 30, "digits": 1}.get(argument.name, window)
            if function.name in ("relative_volume", "nth_in_session"):
                whole = 2
            arguments.append(str(whole))
        else:
            arguments.append(str(argument.default))
    return f"{function.name}({', '.join(arguments)})"


COMPUTED = [function for function in CATALOGUE.values() if function.category is not Category.ORDER]
