"""Changes a refinement makes to scripts: a condition tightened where it stands, added where it does not, a parameter moved."""

from __future__ import annotations

import re

from lab.agents.builtin.writing import number

_TIMES = re.compile(r'(?<!not )time_between\("(\d\d:\d\d)", "(\d\d:\d\d)"\)')
_CATEGORY = re.compile(r"(market\.trend|market\.volatility) (>=|<=|==) (-?\d)")
_VARIED = re.compile(r"(?P<left>.+ [<>] )param\((?P<edge>[^,)]+)[^)]*\)(?P<right>.*)")


def narrow(scan: str, condition: str) -> str:
    """The scan with `condition` put in: a condition on the same thing becomes the new one, else it is and-ed to the signals.

    Raises ScriptError for a scan that does not compile.
    """
    from lab.script import add_condition

    times = _TIMES.fullmatch(condition)
    if times and len(found := _TIMES.findall(scan)) == 1:
        start, end = max(found[0][0], times[1]), min(found[0][1], times[2])
        # Two times that share no minute would never signal: then the new one stands alone.
        return _TIMES.sub(f'time_between("{start}", "{end}")' if start < end else condition, scan)
    category = _CATEGORY.fullmatch(condition)
    if category and len([f for f in _CATEGORY.findall(scan) if f[0] == category[1]]) == 1:
        return _CATEGORY.sub(lambda m: condition if m[1] == category[1] else m[0], scan)
    varied = _VARIED.fullmatch(condition)
    if varied:
        bounds = r"param\(([^,)]+), low=([^,)]+), high=([^,)]+)[^)]*\)"
        there = re.compile(r"(?<![\w.)])" + re.escape(varied["left"]) + bounds + re.escape(varied["right"]) + r"(?! [*/])")
        standing = there.findall(scan)
        if len(standing) == 1 and float(standing[0][1]) <= float(varied["edge"]) <= float(standing[0][2]):
            edge = number(float(varied["edge"]))
            return there.sub(lambda m: m[0].replace(f"param({m[1]},", f"param({edge},", 1), scan)
    return add_condition(scan, condition)


def moved(value: float, factor: float, low: float | None, high: float | None, step: float | None) -> float:
    """A parameter's value times a factor, on its step, at least a step away and within its bounds."""
    new = value * factor
    if step:
        start = low or 0.0
        new = start + round((new - start) / step) * step
        if abs(new - value) < step / 2:
            new = value + (step if (factor > 1) == (value >= 0) else -step)
    if low is not None:
        new = max(low, new)
    if high is not None:
        new = min(high, new)
    return round(new, 6)


def leave_by(execution: str, time: str) -> str:
    """The execution script with every position closed by a New York time such as "15:30"."""
    line = f'flat_by = "{time}"'
    if re.search(r"(?m)^flat_by\s*=", execution):
        return re.sub(r"(?m)^(flat_by\s*=\s*).*$", lambda m: f'{m[1]}"{time}"', execution)
    return f"{execution.rstrip()}\n{line}\n"


def risk_to(execution: str, percent: float) -> str:
    """The execution script with this risk, in percent of equity a trade."""
    if re.search(r"(?m)^risk\s*=", execution):
        return re.sub(r"(?m)^(risk\s*=\s*).*$", lambda m: f"{m[1]}{number(percent)}", execution)
    return f"{execution.rstrip()}\nrisk = {number(percent)}\n"
