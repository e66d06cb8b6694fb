"""A strategy told in plain English, line by line."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.script.catalogue import CATALOGUE
from lab.script.entries import Function, number_text
from lab.script.fields import FIELDS
from lab.script.nodes import Kind
from lab.script.parameters import Parameter, find_parameters
from lab.script.phrases import CONDITION_PHRASES, FIELD_PHRASES, NUMBER_PHRASES
from lab.script.printer import expression_text
from lab.script.scripts import check_pair
from lab.script.shapes import function_body, is_docstring
from lab.script.source import parse

_TIMEFRAMES = {
    "5m": "5-minute bars", "15m": "15-minute bars", "30m": "30-minute bars", "1h": "hourly bars", "1d": "daily bars", "1w": "weekly bars",
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "is below", ast.LtE: "is at or below", ast.Gt: "is above", ast.GtE: "is at or above", ast.Eq: "equals",
    ast.NotEq: "is other than",
}  # fmt: skip
_JOINED: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("plus", 1), ast.Sub: ("minus", 1), ast.Mult: ("times", 2), ast.Div: ("divided by", 2), ast.Pow: ("to the power of", 3),
}  # fmt: skip
_WHOLE = 4
"""How tightly a phrase holds together that needs no brackets anywhere."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a script and what it says."""

    script: str
    """"scan" or "execution"."""
    number: int
    """1-based line of its script at which it begins."""
    source: str
    """As written, without its comment; several lines are joined into one."""
    words: str
    """A sentence."""


def explain(scan: str, execution: str) -> tuple[Line, ...]:
    """What the two scripts say, a sentence for each line of theirs, in reading order.

    Raises:
        ScriptError: the first mistake, where the scripts are not right.
    """
    pair = check_pair(scan, execution)
    if pair.errors:
        raise pair.errors[0]
    lines: list[Line] = []
    kinds = {name: node.kind for name, node in pair.scan.items()}
    for script, text in (("scan", scan), ("execution", execution)):
        source = parse(script, text)
        if script == "execution":
            kinds |= {name: node.kind for name, node in pair.execution[pair.directions[0]].items()}
        adjustable = {(found.call.lineno, found.call.col_offset): _bounds(found.parameter) for found in find_parameters(source)[0]}
        for position, statement in enumerate(source.tree.body):
            teller = _Teller(kinds, adjustable)
            if position == 0 and is_docstring(statement):
                assert isinstance(statement, ast.Expr)
                assert isinstance(statement.value, ast.Constant)
                title = " ".join(str(statement.value.value).split())
                lines.append(Line(script, statement.lineno, title, title))
            elif isinstance(statement, ast.FunctionDef):
                named = {argument.arg for argument in statement.args.args}
                told = _Teller({name: kind for name, kind in kinds.items() if name not in named}, adjustable)
                body = function_body(statement)
                shown = f"{statement.name}({', '.join(argument.arg for argument in statement.args.args)})"
                words = f"{shown} stands for: {told.either(body)}"
                lines.append(Line(script, statement.lineno, f"def {shown}: return {expression_text(body)}", _sentence(words)))
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                words = _line_words(teller, name, script, statement.value, kinds.get(name))
                lines.append(Line(script, statement.lineno, f"{name} = {expression_text(statement.value)}", _sentence(words)))
    return tuple(lines)


def _bounds(parameter: Parameter) -> str:
    low, high = parameter.low, parameter.high
    ends = ([f"from {number_text(low)}"] if low is not None else []) + ([f"to {number_text(high)}"] if high is not None else [])
    return " ".join(["adjustable", *ends])


def _sentence(words: str) -> str:
    words = re.sub(r"(?<![\d.])1 (bar|session|minute|place)s\b", r"1 \1", words)
    return words + "."


def _line_words(teller: _Teller, name: str, script: str, value: ast.expr, kind: Kind | None) -> str:
    if script == "scan":
        if name in ("long", "short"):
            return f"{'Buy' if name == 'long' else 'Sell short'} when {teller.clause(value)}"
        if name == "score":
            return f"Where slots are short, the signal with the highest score goes first: {teller.either(value)}"
    else:
        told: dict[str, Callable[[], str]] = {
            "entry": lambda: _entry(teller, value),
            "stop": lambda: f"The stop is at {teller.noun(value)}",
            "target": lambda: f"Take the profit at {teller.noun(value)}",
            "target_2": lambda: f"The second target is at {teller.noun(value)}",
            "target_3": lambda: f"The third target is at {teller.noun(value)}",
            "fraction": lambda: f"At the target, {teller.noun(value)} of the position leaves",
            "fraction_2": lambda: f"At the second target, {teller.noun(value)} of the position leaves",
            "fraction_3": lambda: f"At the third target, {teller.noun(value)} of the position leaves",
            "trail": lambda: f"The stop follows the best price since the entry at a distance of {teller.noun(value)}",
            "break_even": lambda: f"Once the profit reaches {teller.noun(value)} times the risk, the stop moves to the entry price",
            "exit": lambda: f"Get out when {teller.clause(value)}",
            "max_bars": lambda: f"Hold for {teller.noun(value)} bars at most",
            "flat_by": lambda: f"Be out by {_text_of(value)} New York time",
            "cooldown": lambda: f"After leaving a ticker, let {teller.noun(value)} bars pass before entering it again",
            "risk": lambda: f"Risk {teller.noun(value)} percent of the equity on a trade",
            "risk_move": lambda: f"The risk is what is lost if the price moves by {teller.noun(value)}",
            "size": lambda: f"A position is worth {teller.noun(value)} dollars",
        }
        if name in told:
            return told[name]()
    if kind is Kind.CONDITION:
        return f"{name} is true when {teller.clause(value)}"
    return f"{name} is {teller.noun(value)}"


def _entry(teller: _Teller, value: ast.expr) -> str:
    assert isinstance(value, ast.Call)
    assert isinstance(value.func, ast.Name)
    if value.func.id == "at_open":
        return "Enter at the open of the next bar"
    given = _given(CATALOGUE[value.func.id], value)
    price, bars = (teller.noun(given[name]) for name in ("price", "bars"))
    if value.func.id == "limit":
        return f"Enter by a limit order at {price}, good for {bars} bars"
    return f"Enter by a stop order at {price}, good for {bars} bars"


def _given(function: Function, call: ast.Call) -> dict[str, ast.expr]:
    """The expression each argument gets, defaults included."""
    names = [argument.name for argument in function.arguments]
    given = dict(zip(names, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    for argument in function.arguments:
        if argument.name not in given:
            given[argument.name] = ast.Name(argument.default) if isinstance(argument.default, str) else ast.Constant(argument.default)
    return given


def _without_side(node: ast.expr) -> ast.expr | None:
    """What a product multiplies by `side`; None where it does not."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return None
    for factor, rest in ((node.left, node.right), (node.right, node.left)):
        if isinstance(factor, ast.Name) and factor.id == "side":
            return rest
    left = _without_side(node.left)
    return None if left is None else ast.BinOp(left, node.op, node.right)


def _text_of(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else expression_text(node)


class _Teller:
    """Says expressions: numbers as nouns, conditions as clauses."""

    def __init__(self, kinds: Mapping[str, Kind], adjustable: Mapping[tuple[int, int], str]) -> None:
        self._kinds = kinds
        self._adjustable = adjustable

    def either(self, node: ast.expr) -> str:
        """A condition as a clause, anything else as a noun."""
        return self.clause(node) if self._is_condition(node) else self.noun(node)

    def noun(self, node: ast.expr) -> str:
        return self._noun(node)[0]

    def _is_condition(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return self._kinds.get(node.id) is Kind.CONDITION
        if isinstance(node, ast.IfExp):
            return self._is_condition(node.body)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("on", "of"):
                return self._is_condition(_given(CATALOGUE[node.func.id], node)["x"])
            return node.func.id in CATALOGUE and CATALOGUE[node.func.id].returns is Kind.CONDITION
        return isinstance(node, (ast.Compare, ast.BoolOp)) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))

    def _noun(self, node: ast.expr) -> tuple[str, int]:
        match node:
            case ast.Name():
                return (FIELD_PHRASES[node.id] if node.id in FIELDS else node.id), _WHOLE
            case ast.Attribute():
                return FIELD_PHRASES[expression_text(node)], _WHOLE
            case ast.Constant():
                return (number_text(float(node.value)) if isinstance(node.value, (int, float)) else str(node.value)), _WHOLE
            case ast.UnaryOp():
                held = self._held(node.operand, _WHOLE)
                if isinstance(node.op, ast.UAdd):
                    return held, _WHOLE
                return (f"-{held}" if re.fullmatch(r"[\d.]+", held) else f"minus {held}"), _WHOLE
            case ast.BinOp(op=ast.Add() | ast.Sub()) if (rest := _without_side(node.right)) is not None:
                word, other = ("plus", "minus") if isinstance(node.op, ast.Add) else ("minus", "plus")
                return f"{self._held(node.left, 1)} {word} {self._held(rest, 2)} ({other} it for a short)", 0
            case ast.BinOp():
                word, level = _JOINED[type(node.op)]
                return f"{self._held(node.left, level)} {word} {self._held(node.right, level + 1)}", level
            case ast.IfExp():
                return f"{self.noun(node.body)} if {self.clause(node.test)}, else {self.noun(node.orelse)}", 0
            case ast.Call():
                return self._called(node), _WHOLE
        return expression_text(node), 0

    def _held(self, node: ast.expr, level: int) -> str:
        words, own = self._noun(node)
        return words if own >= level else f"({words})"

    def clause(self, node: ast.expr) -> str:
        """A condition, to be read after "when"."""
        match node:
            case ast.BoolOp():
                inner = ast.Or if isinstance(node.op, ast.And) else ast.And
                parts = [
                    f"either {self.clause(value)}" if isinstance(value, ast.BoolOp) and isinstance(value.op, inner) and inner is ast.Or
                    else self.clause(value)
                    for value in node.values
                ]  # fmt: skip
                return (", and " if isinstance(node.op, ast.And) else ", or ").join(parts)
            case ast.UnaryOp():
                return f"it is not so that {self.clause(node.operand)}"
            case ast.Compare(left=ast.Name(id="side"), ops=[ast.Gt() | ast.Lt() as than], comparators=[ast.Constant(value=0)]):
                return f"the trade is {'long' if isinstance(than, ast.Gt) else 'short'}"
            case ast.Compare():
                parts = []
                left: ast.expr = node.left
                for operator, right in zip(node.ops, node.comparators, strict=True):
                    parts.append(f"{self.noun(left)} {_COMPARED[type(operator)]} {self.noun(right)}")
                    left = right
                return " and ".join(parts)
            case ast.IfExp():
                return f"{self.clause(node.body)} (if {self.clause(node.test)}; else {self.clause(node.orelse)})"
            case ast.Call() if self._is_condition(node):
                return self._called(node)
        return f"{self._noun(node)[0]} holds"

    def _called(self, node: ast.Call) -> str:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "param":
            return f"{self.noun(node.args[0])} ({self._adjustable.get((node.lineno, node.col_offset), 'adjustable')})"
        if name not in CATALOGUE:
            arguments = [self.either(argument) for argument in (*node.args, *(keyword.value for keyword in node.keywords))]
            return f"{name}({'; '.join(arguments)})"
        function = CATALOGUE[name]
        given = _given(function, node)
        if name in ("on", "of"):
            where = _text_of(next(iter(given.values())))
            inner = self.either(given["x"])
            return f"{inner} (on finished {_TIMEFRAMES[where]})" if name == "on" else f"{inner} (of {where})"
        held = _WHOLE if name in NUMBER_PHRASES else 0
        said = {argument: self.clause(value) if self._is_condition(value) else self._held(value, held) for argument, value in given.items()}
        phrase = NUMBER_PHRASES.get(name) or CONDITION_PHRASES.get(name)
        if phrase is None:
            # An extension's function has no phrase here; its own words do.
            return (
                f"{function.meaning} ({', '.join(f'{argument} {words}' for argument, words in said.items())})" if said else function.meaning
            )
        return phrase.format(**said)
