"""Parameters: the numbers a script marks with `param(...)` as free to vary, found and named from the text alone."""

from __future__ import annotations

import ast
import functools
import math
from dataclasses import dataclass

from lab.script.errors import ScriptError
from lab.script.source import Source

_EXAMPLE = "loud = volume > param(3.0, low=1.0, high=5.0) * sma(volume, 20)"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that may be varied from outside, between `low` and `high` where they are given."""

    name: str
    """The line it stands in, with `_2`, `_3` for further ones; `execution.` before those of the execution script."""
    script: str
    """"scan" or "execution"."""
    default: float
    value: float
    """What the strategy was compiled with."""
    low: float | None
    high: float | None
    step: float | None
    """As written; 1 where none is and only whole numbers fit, such as a window."""

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense: default, bounds and step are all whole, and a step is given."""
        numbers = (self.default, self.low, self.high, self.step)
        return self.step is not None and all(number is None or number == int(number) for number in numbers)


@dataclass(frozen=True, slots=True)
class Marked:
    """A parameter and where its default stands in the tree."""

    parameter: Parameter
    call: ast.Call


def find_parameters(source: Source) -> tuple[list[Marked], list[ScriptError]]:
    """Every parameter of a script in reading order, and what is wrong with the others."""
    found: list[Marked] = []
    errors: list[ScriptError] = []
    for name, call in _marked_calls(source):
        parameter = _read(source, call, name)
        if isinstance(parameter, ScriptError):
            errors.append(parameter)
        else:
            found.append(Marked(parameter, call))
    return found, errors


@functools.lru_cache(maxsize=64)
def _marked_calls(source: Source) -> tuple[tuple[str, ast.Call], ...]:
    """Every call of `param` in reading order, with the name of the parameter it marks."""
    marked: list[tuple[str, ast.Call]] = []
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            owner = statement.targets[0].id
        elif isinstance(statement, ast.FunctionDef):
            owner = statement.name
        else:
            continue
        calls = [
            node
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "param"
        ]
        calls.sort(key=lambda call: (call.lineno, call.col_offset))
        for position, call in enumerate(calls, start=1):
            name = owner if position == 1 else f"{owner}_{position}"
            marked.append((f"execution.{name}" if source.script == "execution" else name, call))
    return tuple(marked)


def literal(node: ast.expr) -> float | None:
    """The value of a number written out, with or without a sign; else None."""
    sign = 1.0
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign = -sign if isinstance(node.op, ast.USub) else sign
        node = node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        if not abs(node.value) <= 1e12:
            return None
        return sign * float(node.value)
    return None


def _read(source: Source, call: ast.Call, name: str) -> Parameter | ScriptError:
    if len(call.args) != 1:
        return source.error(call, "`param` takes its default first, then low=, high= and step= by name", "Name the others", _EXAMPLE)
    numbers: dict[str, float | None] = {"low": None, "high": None, "step": None}
    for keyword in call.keywords:
        if keyword.arg not in numbers:
            return source.error(keyword, f"`param` has no argument `{keyword.arg}`", "It takes low=, high= and step=", _EXAMPLE)
        if numbers[keyword.arg] is not None:
            return source.error(keyword, f"`{keyword.arg}` is given twice", "Take one out", _EXAMPLE)
        numbers[keyword.arg] = literal(keyword.value)
        if numbers[keyword.arg] is None:
            return source.error(
                keyword.value,
                f"`{keyword.arg}` of a parameter must be a number written out",
                "No name and no sum may stand there",
                _EXAMPLE,
            )
    default = literal(call.args[0])
    if default is None:
        return source.error(
            call.args[0], "the default of a parameter must be a number written out", "No name and no sum may stand there", _EXAMPLE
        )
    low, high, step = numbers["low"], numbers["high"], numbers["step"]
    if low is not None and high is not None and low >= high:
        return source.error(call, "`low` of a parameter must be below its `high`", "Change one of the two", _EXAMPLE)
    if (low is not None and default < low) or (high is not None and default > high):
        return source.error(
            call.args[0], "the default of a parameter must lie between its low and high", "Change one of the three", _EXAMPLE
        )
    if step is not None and (step <= 0 or not math.isfinite(step)):
        return source.error(call, "`step` of a parameter must be above zero", "Leave it out where any value may be tried", _EXAMPLE)
    return Parameter(name, source.script, default, default, low, high, step)
