"""The arguments of a call: which expression each gets, and the texts and formulas behind them."""

from __future__ import annotations

import ast
import functools
import re

from lab.script.catalogue import CATALOGUE, nearest
from lab.script.place import Place, shortened
from lab.script.source import Source, expression_of

FIRST_MINUTE, LAST_MINUTE = 570, 960
"""Regular hours, in New York minutes since midnight."""


TIMEFRAME_MINUTES = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "1d": 390, "1w": 1950}
"""Timeframe -> regular minutes it holds at most."""
_LENGTHS = {"length", "len", "period", "periods", "window", "timeperiod", "bars", "lookback", "span", "count", "size"}
"""What other languages call the number of bars."""
_OTHER_TIMEFRAMES = {
    "5": "5m", "5min": "5m", "15": "15m", "15min": "15m", "30": "30m", "30min": "30m", "60": "1h", "60m": "1h", "60min": "1h", "h": "1h",
    "hour": "1h", "hourly": "1h", "1hour": "1h", "d": "1d", "day": "1d", "daily": "1d", "1day": "1d", "w": "1w", "week": "1w",
    "weekly": "1w", "1week": "1w", "5d": "1w",
}  # fmt: skip


def bind(place: Place, node: ast.Call, function: str, names: list[str], required: list[str]) -> dict[str, ast.expr]:
    """Which expression each argument of a call gets."""
    shown = (
        CATALOGUE[function].signature if function in CATALOGUE and function not in place.functions else f"{function}({', '.join(names)})"
    )
    shown_example = CATALOGUE[function].example if function in CATALOGUE and function not in place.functions else shown
    if len(node.args) > len(names):
        many = f"{len(names)} argument{'' if len(names) == 1 else 's'}"
        extra = node.args[len(names)]
        raise place.source.error(
            extra,
            f"`{function}` takes {many if names else 'no arguments'}, and {len(node.args)} {'is' if len(node.args) == 1 else 'are'} given",
            f"It is called as {shown}",
            shown_example,
        )
    bound = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        assert keyword.arg is not None
        if keyword.arg not in names:
            close = nearest(keyword.arg, names) or ("n" if keyword.arg.lower() in _LENGTHS and "n" in names else "")
            raise place.source.error(
                keyword,
                f"`{function}` has no argument `{shortened(keyword.arg)}`",
                f"Did you mean `{close}`?" if close else f"It is called as {shown}",
                shown_example,
            )
        if keyword.arg in bound:
            raise place.source.error(keyword, f"`{keyword.arg}` of `{function}` is given twice", f"It is called as {shown}", shown_example)
        bound[keyword.arg] = keyword.value
    missing = [name for name in required if name not in bound]
    if missing:
        raise place.source.error(node, f"`{function}` lacks its argument `{missing[0]}`", f"It is called as {shown}", shown_example)
    return bound


@functools.cache
def formula_tree(name: str) -> ast.expr:
    """The parsed formula of a catalogue function."""
    formula = CATALOGUE[name].formula
    assert formula is not None
    return expression_of(formula)


def time_of_day(source: Source, node: ast.expr, use: str, example: str = 'time_between("10:00", "11:30")') -> int:
    """A time written as "10:00" in minutes since midnight, within regular hours."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise source.error(node, f'{use} must be a time written as "10:00"', "Put it in quotes, hours and minutes", example)
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", node.value)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise source.error(node, f'{use} must be a time written as "10:00"', "Use New York time on a 24-hour clock", example)
    minute = int(found[1]) * 60 + int(found[2])
    if not FIRST_MINUTE <= minute <= LAST_MINUTE:
        raise source.error(node, f"{use} lies outside regular hours, 09:30 to 16:00 New York time", "Bars exist only within them", example)
    return minute


def timeframe_of(source: Source, node: ast.expr) -> str:
    """A timeframe written as "1d"."""
    use, example = "`timeframe` of on", 'on("1d", sma(close, 50))'
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise source.error(node, f'{use} must be a timeframe written as "1d"', f"It may be {', '.join(TIMEFRAME_MINUTES)}", example)
    if node.value not in TIMEFRAME_MINUTES:
        close = _OTHER_TIMEFRAMES.get(node.value.lower().replace(" ", ""), node.value.lower())
        known = close in TIMEFRAME_MINUTES
        suggestion = f'Did you mean "{close}"?' if known else f"It may be {', '.join(TIMEFRAME_MINUTES)}"
        raise source.error(node, f'{use} can\'t be "{shortened(node.value)}"', suggestion, example)
    return node.value


def ticker_of(source: Source, node: ast.expr) -> str:
    """A ticker written as "SPY"."""
    use, example = "`ticker` of of", 'of("SPY", close)'
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise source.error(node, f'{use} must be a ticker written as "SPY"', "Put it in quotes and capital letters", example)
    if re.fullmatch(r"[A-Z][A-Z0-9.\-]{0,11}", node.value) is None:
        upper = node.value.upper()
        suggestion = (
            f'Did you mean "{upper}"?'
            if re.fullmatch(r"[A-Z][A-Z0-9.\-]{0,11}", upper)
            else "Only capital letters, digits, dots and dashes make a ticker"
        )
        raise source.error(node, f'{use} can\'t be "{shortened(node.value)}"', suggestion, example)
    return node.value
