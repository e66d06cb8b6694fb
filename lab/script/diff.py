"""What changed between two strategies, in words a trader uses."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field

from lab.script.catalogue import CATALOGUE
from lab.script.entries import number_text
from lab.script.errors import ScriptError
from lab.script.fields import FIELDS
from lab.script.parameters import Parameter, find_parameters
from lab.script.printer import expression_text
from lab.script.shapes import check_statement, function_body, is_docstring
from lab.script.source import parse

_DIRECTIONS = ("long", "short")


@dataclass(slots=True)
class _Lines:
    """A script's named expressions with each parameter replaced by its default, and the bounds of the parameters."""

    values: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    bounds: dict[str, str] = field(default_factory=dict)


def describe_changes(old_scan: str, old_execution: str, new_scan: str, new_execution: str) -> tuple[str, ...]:
    """The differences in meaning between two strategies, a short phrase each; empty where only the layout differs.

    Phrases look like "loud: volume filter 3.0 → 4.0", "+ only when market.trend >= 0" or "stop: 0.5 * atr(14) → 0.8 * atr(14)".
    A script that can't be read gives the one phrase "scan script rewritten".
    """
    return (*_script_changes("scan", old_scan, new_scan), *_script_changes("execution", old_execution, new_execution))


def _script_changes(script: str, old_text: str, new_text: str) -> list[str]:
    try:
        old, new = _lines(script, old_text), _lines(script, new_text)
    except ScriptError:
        return [] if old_text == new_text else [f"{script} script rewritten"]
    changes: list[str] = []
    if script == "scan":
        changes += _direction_changes(old, new)
    for name, value in new.values.items():
        if script == "scan" and name in _DIRECTIONS:
            continue
        if name not in old.values:
            changes.append(f"+ {name} = {expression_text(value)}")
        else:
            changes += [f"{name}: {phrase}" for phrase in _changes(old.values[name], value)]
    changes += [f"- {name} taken out" for name in old.values if name not in new.values and not (script == "scan" and name in _DIRECTIONS)]
    for name, shown in new.functions.items():
        if name not in old.functions:
            changes.append(f"+ function {name}")
        elif old.functions[name] != shown:
            changes.append(f"function {name}: {old.functions[name]} → {shown}")
    changes += [f"- function {name} taken out" for name in old.functions if name not in new.functions]
    for name, bounds in new.bounds.items():
        if name in old.bounds and old.bounds[name] != bounds:
            changes.append(f"{name}: may now vary {bounds}, before {old.bounds[name]}")
    return changes


def _lines(script: str, text: str) -> _Lines:
    source = parse(script, text)
    lines = _Lines()
    for marked in find_parameters(source)[0]:
        parameter = marked.parameter
        lines.bounds[parameter.name] = _bounds(parameter)
    for position, statement in enumerate(source.tree.body):
        if position == 0 and is_docstring(statement):
            continue
        problem = check_statement(source, statement)
        if problem is not None:
            raise problem
        if isinstance(statement, ast.FunctionDef):
            lines.functions[statement.name] = expression_text(_Defaults().visit(copy.deepcopy(function_body(statement))))
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            lines.values[statement.targets[0].id] = _Defaults().visit(copy.deepcopy(statement.value))
    return lines


def _bounds(parameter: Parameter) -> str:
    numbers = ((parameter.low, "from"), (parameter.high, "to"), (parameter.step, "in steps of"))
    return " ".join(f"{word} {number_text(number)}" for number, word in numbers if number is not None) or "freely"


class _Defaults(ast.NodeTransformer):
    """Puts each parameter's default in its place."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "param" and node.args:
            return node.args[0]
        return node


def _direction_changes(old: _Lines, new: _Lines) -> list[str]:
    changes: list[str] = []
    phrases: dict[str, list[str]] = {}
    for direction in _DIRECTIONS:
        if direction in old.values and direction in new.values:
            phrases[direction] = _changes(old.values[direction], new.values[direction])
        elif direction in new.values:
            changes.append(f"+ goes {direction} when {expression_text(new.values[direction])}")
        elif direction in old.values:
            changes.append(f"- no longer goes {direction}")
    several = len(phrases) > 1
    shared = [phrase for phrase in phrases.get("long", []) if several and phrase in phrases.get("short", [])]
    changes += shared
    for direction, found in phrases.items():
        changes += [f"{direction}: {phrase}" if several or phrase[0] not in "+-" else phrase for phrase in found if phrase not in shared]
    return changes


def _changes(old: ast.expr, new: ast.expr) -> list[str]:
    """What changed between two expressions of one line."""
    if _meaning(old) == _meaning(new):
        return []
    same_shape = _number_changes(old, new, [])
    if same_shape is not None:
        return list(dict.fromkeys(same_shape))
    either = any(isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) for node in (old, new))
    before, after = (_joined(node, ast.Or if either else ast.And) for node in (old, new))
    kept = {_meaning(part) for part in before} & {_meaning(part) for part in after}
    if (len(before) == 1 and len(after) == 1) or (either and not kept):
        return [f"{expression_text(old)} → {expression_text(new)}"]
    gone = [part for part in before if _meaning(part) not in kept]
    come = [part for part in after if _meaning(part) not in kept]
    phrases: list[str] = []
    for part in list(gone):
        for other in come:
            numbers = _number_changes(part, other, [])
            if numbers is not None:
                phrases += numbers
                gone.remove(part)
                come.remove(other)
                break
    phrases += [f"+ {'also' if either else 'only'} when {expression_text(part)}" for part in come]
    phrases += [f"- no longer {'' if either else 'only '}when {expression_text(part)}" for part in gone]
    return phrases or [f"{expression_text(old)} → {expression_text(new)}"]


def _joined(node: ast.expr, by: type[ast.boolop]) -> list[ast.expr]:
    """What is joined by `and`, or by `or`, at the top of an expression."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, by):
        return [part for value in node.values for part in _joined(value, by)]
    return [node]


def _meaning(node: ast.expr) -> str:
    """The same text for expressions that differ only in how arguments are given."""
    return ast.dump(_Plain().visit(copy.deepcopy(node)))


class _Plain(ast.NodeTransformer):
    """Arguments of the catalogue's functions in their places, those left out among them."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = CATALOGUE.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is None or len(node.args) > len(function.arguments):
            return node
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        places: list[ast.expr] = list(node.args)
        for argument in function.arguments[len(node.args) :]:
            default = argument.default
            if argument.name in named:
                places.append(named[argument.name])
            elif default is not None:
                places.append(ast.Name(default, ast.Load()) if isinstance(default, str) else ast.Constant(default))
        return ast.Call(node.func, [_number(part) for part in places], [])


def _number(node: ast.expr) -> ast.expr:
    """A written number as a float: 14 and 14.0 are one."""
    return ast.Constant(float(node.value)) if isinstance(node, ast.Constant) and isinstance(node.value, int) else node


def _number_changes(old: ast.expr, new: ast.expr, around: list[tuple[ast.expr, ast.expr]]) -> list[str] | None:
    """Phrases for each changed number or time, if nothing else changed; else None."""
    if isinstance(old, ast.Constant) and isinstance(new, ast.Constant):
        if isinstance(old.value, str) != isinstance(new.value, str):
            return None
        return [] if old.value == new.value else [_number_phrase(old, new, around)]
    if _signed(old) and _signed(new):
        return [] if ast.dump(old) == ast.dump(new) else [_number_phrase(old, new, around)]
    if type(old) is not type(new):
        return None
    phrases: list[str] = []
    one, other = _children(old), _children(new)
    if _own(old) != _own(new) or len(one) != len(other):
        return None
    for left, right in zip(one, other, strict=True):
        found = _number_changes(left, right, [*around, (old, new)])
        if found is None:
            return None
        phrases += found
    return phrases


def _signed(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    )


def _children(node: ast.expr) -> list[ast.expr]:
    found: list[ast.expr] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            found.append(child)
        elif isinstance(child, ast.keyword):
            found.append(child.value)
    return found


def _own(node: ast.expr) -> tuple[object, ...]:
    """What a node is besides its parts: its operators and names."""
    match node:
        case ast.Name():
            return (node.id,)
        case ast.Attribute():
            return (node.attr,)
        case ast.UnaryOp() | ast.BinOp() | ast.BoolOp():
            return (type(node.op),)
        case ast.Compare():
            return tuple(type(op) for op in node.ops)
        case ast.Call():
            return tuple(keyword.arg for keyword in node.keywords)
    return ()


def _number_phrase(old: ast.expr, new: ast.expr, around: list[tuple[ast.expr, ast.expr]]) -> str:
    before, after = expression_text(old).strip('"'), expression_text(new).strip('"')
    if not around:
        return f"{before} → {after}"
    inner_old, inner_new = around[-1]
    for pair_old, pair_new in reversed(around):
        # "side * 1.5" says little: the whole product it is a factor of does.
        if not (isinstance(pair_old, ast.BinOp) and isinstance(pair_old.op, (ast.Mult, ast.Div))):
            break
        inner_old, inner_new = pair_old, pair_new
    if isinstance(inner_old, ast.BinOp):
        comparison = next((pair[0] for pair in reversed(around) if isinstance(pair[0], ast.Compare)), None)
        subject = _filtered(comparison) if comparison is not None else ""
        if subject:
            return f"{subject} filter {before} → {after}"
    if isinstance(inner_old, ast.Compare) and len(inner_old.ops) == 1:
        subject = _filtered(inner_old)
        if subject and isinstance(inner_old.left, ast.Call):
            return f"{subject} filter {before} → {after}"
        if inner_old.comparators[0] is old:
            return f"{expression_text(inner_old)} → {after}"
    return f"{expression_text(inner_old)} → {expression_text(inner_new)}"


def _filtered(comparison: ast.expr) -> str:
    """ "volume" or "relative volume" where a comparison asks how much was traded, else empty."""
    if not isinstance(comparison, ast.Compare) or len(comparison.ops) != 1:
        return ""
    for side in (comparison.left, comparison.comparators[0]):
        if isinstance(side, ast.Name) and side.id == "volume" and side.id in FIELDS:
            return "volume"
        if isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "relative_volume":
            return "relative volume"
    return ""
