"""Edits of script text that leave everything else as the person wrote it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from lab.script.catalogue import nearest
from lab.script.entries import number_text
from lab.script.errors import ScriptError
from lab.script.parameters import Marked, find_parameters
from lab.script.printer import expression_text
from lab.script.shapes import check_expression
from lab.script.source import Source, parse


def set_parameters(scan: str, execution: str, values: Mapping[str, float]) -> tuple[str, str]:
    """The two scripts with the defaults of the named parameters rewritten, all other text untouched.

    Raises:
        ScriptError: a script can't be read, there is no such parameter, or a value is outside its bounds.
    """
    sources = (parse("scan", scan), parse("execution", execution))
    marked = [(source, found) for source in sources for found in find_parameters(source)[0]]
    names = [found.parameter.name for _, found in marked]
    for name, value in values.items():
        if name not in names:
            close = nearest(name, names)
            raise ScriptError(
                f"there is no parameter `{name}`",
                suggestion=f"Did you mean `{close}`?" if close else f"It has {', '.join(names) or 'none'}",
            )
        source, found = marked[names.index(name)]
        low, high = found.parameter.low, found.parameter.high
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = " and ".join(
                text
                for text in (
                    f"at least {number_text(low)}" if low is not None else "",
                    f"at most {number_text(high)}" if high is not None else "",
                )
                if text
            )
            raise source.error(found.call, f"the parameter `{name}` must be {bounds}, not {value:g}")
    texts = []
    for source in sources:
        mine = [(found, values[found.parameter.name]) for owner, found in marked if owner is source and found.parameter.name in values]
        texts.append(_with_defaults(source, mine))
    return texts[0], texts[1]


def _with_defaults(source: Source, changes: list[tuple[Marked, float]]) -> str:
    text = source.text
    for found, value in sorted(changes, key=lambda change: (change[0].call.lineno, change[0].call.col_offset), reverse=True):
        place = found.call.args[0]
        start, end = _span(source.text, place)
        written = text[start:end]
        whole = value == int(value)
        new = str(int(value)) if whole and "." not in written and "e" not in written.lower() else repr(float(value))
        text = text[:start] + new + text[end:]
    return text


def add_condition(scan: str, condition: str, directions: Sequence[str] = ("long", "short")) -> str:
    """The scan with `condition` required as well by its `long` and `short` lines (or those of `directions` it has).

    Raises:
        ScriptError: the scan or the condition can't be read, or the scan has none of the lines.
    """
    source = parse("scan", scan)
    added = _condition(condition)
    lines = [
        statement
        for statement in source.tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) and statement.targets[0].id in directions
    ]
    if not lines:
        raise ScriptError(f"the scan has no line {' or '.join(directions)} to add a condition to")
    text = source.text
    shown = expression_text(added)
    if isinstance(added, ast.IfExp) or (isinstance(added, ast.BoolOp) and isinstance(added.op, ast.Or)):
        shown = f"({shown})"
    for statement in sorted(lines, key=lambda line: line.lineno, reverse=True):
        end = _offset(source.text, statement.end_lineno or statement.lineno, statement.end_col_offset or 0)
        start = _value_start(source.text, statement)
        value = text[start:end]
        loose = isinstance(statement.value, ast.IfExp) or (
            isinstance(statement.value, ast.BoolOp) and isinstance(statement.value.op, ast.Or)
        )
        if loose and not _wrapped(value):
            value = f"({value})"
        text = f"{text[:start]}{value} and {shown}{text[end:]}"
    return text


def _condition(condition: str) -> ast.expr:
    source = parse("scan", condition.strip())
    body = source.tree.body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise ScriptError("a condition is one expression", example="market.trend >= 0")
    problem = check_expression(source, body[0].value)
    if problem is not None:
        raise problem
    return body[0].value


def _value_start(text: str, statement: ast.Assign) -> int:
    """Where the right side begins, any bracket around it included (the tree leaves those out)."""
    target = statement.targets[0]
    after = text.index("=", _offset(text, target.end_lineno or target.lineno, target.end_col_offset or 0)) + 1
    while text[after] in " \t":
        after += 1
    return after


def _wrapped(value: str) -> bool:
    """Whether one pair of brackets holds all of a text (its strings hold times, timeframes and tickers: no brackets)."""
    if not (value.startswith("(") and value.endswith(")")):
        return False
    depth = 0
    for position, character in enumerate(value):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position == len(value) - 1
    return False


def _span(text: str, node: ast.expr) -> tuple[int, int]:
    return _offset(text, node.lineno, node.col_offset), _offset(text, node.end_lineno or node.lineno, node.end_col_offset or 0)


def _offset(text: str, line: int, column: int) -> int:
    position = 0
    for _ in range(line - 1):
        position = text.index("\n", position) + 1
    return position + column
