"""A pair of scripts, checked line by line: what each name is, and every mistake found on the way."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.script.calls import time_of_day
from lab.script.catalogue import CATALOGUE, nearest
from lab.script.checker import Checker
from lab.script.entries import number_text
from lab.script.errors import ScriptError
from lab.script.fields import FIELDS, NAMESPACES
from lab.script.lines import AMOUNTS, EXECUTION_RESULTS, FRACTIONS, TARGETS, beside_the_meant, check_amount, contradictions
from lab.script.nodes import Graph, Kind, Node, Op
from lab.script.parameters import Parameter, find_parameters
from lab.script.place import Cascade, OwnFunction, Place
from lab.script.recovery import read
from lab.script.shapes import check_statement, is_docstring, sound_statements
from lab.script.source import Source, error_at

DIRECTIONS = ("long", "short")
SCAN_RESULTS = ("long", "short", "score")
MAX_PARAMETERS = 30
_ALWAYS_RESERVED = ("entry", "stop", "target", "exit", "max_bars", "flat_by", "risk")
"""Words of the execution script that no scan may use. Those that came later may be names of a scan's own lines, as they are in stored
strategies: one that the scan goes on to read is meant as such."""
_RESERVED = {*FIELDS, *NAMESPACES, *CATALOGUE, "param", "side", "news"}
_LONG_EXAMPLE = "long = close > vwap() and volume > 2 * sma(volume, 20)"


@dataclass(slots=True)
class CheckedPair:
    """What checking a scan and an execution script found. Nodes are complete only if `errors` is empty."""

    graph: Graph
    errors: list[ScriptError] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    scan: dict[str, Node] = field(default_factory=dict)
    """Each named line of the scan script, in order."""
    execution: dict[str, dict[str, Node]] = field(default_factory=dict)
    """Direction -> each named line of the execution script, with `side` of that direction."""
    idle: list[ScriptError] = field(default_factory=list)
    """Lines without an effect that look as if they had one: told to who writes them, no reason to refuse a stored strategy."""
    order: str = "at_open"
    order_bars: int = 1
    steps: int = 0
    """How many expressions were looked at: what a further check would cost."""

    @property
    def directions(self) -> tuple[str, ...]:
        """Which of long and short the scan gives."""
        return tuple(direction for direction in DIRECTIONS if direction in self.scan)


def check_pair(scan: str, execution: str | None, values: Mapping[str, float] | None = None) -> CheckedPair:
    """Checks a scan and, unless None, its execution script, with parameters bound to `values` (by default their own).

    Never raises on any text. Unknown parameter names in `values` are ignored here.
    """
    pair = CheckedPair(Graph())
    readings = [read(script, text) for script, text in (("scan", scan), ("execution", execution)) if text is not None]
    pair.errors += [error for reading in readings for error in reading.errors]
    lost = {reading.source.script: reading.lost for reading in readings if reading.source is not None}
    sources = [reading.source for reading in readings if reading.source is not None]
    bound: dict[tuple[str, int, int], float] = {}
    for source in sources:
        _collect_parameters(pair, source, bound, values or {})
    checker = Checker(pair.graph, bound)
    scan_source = next((source for source in sources if source.script == "scan"), None)
    lines: dict[str, Node | None] = {}
    own: dict[str, OwnFunction] = {}
    used: set[str] = set()
    if scan_source is not None:
        lines = _check_lines(pair, checker, scan_source, {}, own, used, {}, lost["scan"])
        _check_scan_results(pair, scan_source, lines)
        pair.scan = {name: node for name, node in lines.items() if node is not None}
    elif execution is not None:
        # With an unreadable scan every one of its names would look unknown: only its own error is worth reading.
        return _finished(pair)
    execution_source = next((source for source in sources if source.script == "execution"), None)
    if execution_source is not None:
        _check_execution(pair, checker, execution_source, lines, own, used, lost["execution"])
    pair.steps = checker.steps
    if execution is not None and not pair.errors:
        for name, function in own.items():
            if name not in used:
                pair.errors.append(
                    function.source.error(
                        function.statement,
                        f"the function `{name}` is never used",
                        "Use it or take it out",
                        f"x = {name}({', '.join(argument.arg for argument in function.statement.args.args)})",
                    )
                )
    return _finished(pair)


def _finished(pair: CheckedPair) -> CheckedPair:
    unique: dict[tuple[str, int, int, str], ScriptError] = {}
    for error in pair.errors:
        unique.setdefault((error.script, error.line, error.column, error.message), error)
    pair.errors = sorted(unique.values(), key=lambda error: (error.script != "scan", error.line, error.column))
    return pair


def _collect_parameters(pair: CheckedPair, source: Source, bound: dict[tuple[str, int, int], float], values: Mapping[str, float]) -> None:
    marked, errors = find_parameters(source)
    pair.errors += errors
    taken = {parameter.name for parameter in pair.parameters}
    room = max(0, MAX_PARAMETERS - len(taken))
    if len(marked) > room:
        last = marked[room].call
        message = f"the script has more than {MAX_PARAMETERS} parameters"
        pair.errors.append(source.error(last, message, "Write plain numbers where nothing should vary", "volume > 3 * sma(volume, 20)"))
    for found in marked:
        parameter = found.parameter
        if parameter.name in taken:
            pair.errors.append(
                source.error(
                    found.call,
                    f"two parameters would be called `{parameter.name}`",
                    "Rename one of their lines",
                    "loud = volume > param(3.0, low=1.0, high=5.0) * sma(volume, 20)",
                )
            )
            continue
        taken.add(parameter.name)
        value = float(values.get(parameter.name, parameter.default))
        if not math.isfinite(value) or _outside(value, parameter):
            bounds = (
                f"between {number_text(parameter.low or 0)} and {number_text(parameter.high or 0)}"
                if parameter.low is not None and parameter.high is not None
                else "within its bounds"
            )
            pair.errors.append(
                source.error(
                    found.call,
                    f"the parameter `{parameter.name}` must lie {bounds}, not {value:g}",
                    "Choose a value within them",
                    "param(3.0, low=1.0, high=5.0)",
                )
            )
            continue
        pair.parameters.append(
            Parameter(parameter.name, parameter.script, parameter.default, value, parameter.low, parameter.high, parameter.step)
        )
        bound[(source.script, found.call.lineno, found.call.col_offset)] = value


def _outside(value: float, parameter: Parameter) -> bool:
    return (
        abs(value) > 1e12
        or (parameter.low is not None and value < parameter.low)
        or (parameter.high is not None and value > parameter.high)
    )


def _check_lines(
    pair: CheckedPair,
    checker: Checker,
    source: Source,
    above: Mapping[str, Node | None],
    own: dict[str, OwnFunction],
    used: set[str],
    values: Mapping[str, Node],
    lost: Sequence[str],
) -> dict[str, Node | None]:
    """The named lines of one script, after those `above`; mistakes are added to the pair. `lost` ones can't be read."""
    lines: dict[str, Node | None] = dict.fromkeys(lost)
    sound = sound_statements(source)
    for position, statement in enumerate(source.tree.body):
        if position == 0 and is_docstring(statement):
            continue
        problem = None if statement in sound else check_statement(source, statement)
        if isinstance(statement, ast.FunctionDef):
            problem = problem or _naming_problem(source, statement, statement.name, above, lines, own)
            if problem is None:
                own[statement.name] = OwnFunction(source, statement)
            else:
                pair.errors.append(problem)
                # Every call of it would look like one more mistake.
                lines.setdefault(statement.name, None)
            continue
        name = statement.targets[0].id if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) else ""
        naming = _naming_problem(source, statement, name, above, lines, own) if name else None
        if problem is not None or naming is not None:
            pair.errors += [found for found in (problem, naming) if found is not None]
            if name:
                lines.setdefault(name, None)
            continue
        assert isinstance(statement, ast.Assign)
        entry_line = source.script == "execution" and name == "entry"
        place = Place(source, values, own, {**above, **lines}, entry_line=entry_line, used_functions=used)
        try:
            lines[name] = _check_line(checker, place, name, statement.value)
        except ScriptError as error:
            pair.errors.append(error)
            lines[name] = None
        except Cascade:
            lines[name] = None
        except RecursionError:
            pair.errors.append(
                source.error(
                    statement, "this is nested too deeply to read", "Give parts of it names on lines of their own", "near = close > vwap()"
                )
            )
            lines[name] = None
    return lines


def _check_line(checker: Checker, place: Place, name: str, value: ast.expr) -> Node:
    source = place.source
    if source.script == "execution" and name == "flat_by":
        return checker.graph.time(time_of_day(source, value, "`flat_by`", 'flat_by = "15:55"'))
    node = checker.expression(place, value)
    if place.entry_line:
        if node.kind is not Kind.ORDER:
            raise source.error(
                value,
                f"`entry` must be an entry order, not {node.kind.value}",
                "Use at_open(), limit(price, bars=5) or stop_entry(price, bars=5)",
                "entry = at_open()",
            )
    elif name in ("long", "short", "exit") and node.kind is not Kind.CONDITION:
        example = _LONG_EXAMPLE if name != "exit" else "exit = crosses_below(close, ema(close, 20))"
        raise source.error(value, f"`{name}` must be a condition, not {node.kind.value}", "Compare it with something", example)
    elif name in ("long", "short", "exit") and node.op is Op.CONSTANT:
        raise source.error(
            value,
            f"`{name}` is the same on every bar",
            "Let it depend on prices or volume",
            _LONG_EXAMPLE if name != "exit" else "exit = crosses_below(close, ema(close, 20))",
        )
    elif name in ("stop", *TARGETS) and source.script == "execution" and node.kind is not Kind.NUMBER:
        example = f"{name} = close {'-' if name == 'stop' else '+'} side * 2 * atr(14)"
        raise source.error(
            value, f"`{name}` must be a price per bar, not {node.kind.value}", "Measure it from the close or the low", example
        )
    elif name == "score" and node.kind not in (Kind.NUMBER, Kind.CONSTANT):
        raise source.error(
            value,
            f"`score` must be a number, not {node.kind.value}",
            "The larger it is, the earlier the signal is served",
            "score = volume / sma(volume, 20)",
        )
    elif name == "max_bars":
        _fixed_between(source, value, node, "max_bars", 1, 5000, whole=True, example="max_bars = 60")
    elif name == "risk":
        _fixed_between(source, value, node, "risk", 0.01, 5, whole=False, example="risk = 0.5")
    elif name == "break_even":
        _fixed_between(source, value, node, "break_even", 0.1, 20, whole=False, example="break_even = 1.0")
    elif name == "cooldown":
        _fixed_between(source, value, node, "cooldown", 1, 5000, whole=True, example="cooldown = 10")
    elif name in FRACTIONS:
        _fixed_between(source, value, node, name, 0.01, 1, whole=False, example=f"{name} = 0.5")
    elif name in AMOUNTS and source.script == "execution":
        check_amount(source, value, node, name)
    return node


def _fixed_between(source: Source, place: ast.expr, node: Node, name: str, low: float, high: float, *, whole: bool, example: str) -> None:
    value = node.value
    kind = "a fixed whole number" if whole else "a fixed number"
    if node.kind is not Kind.CONSTANT or value is None or (whole and value != int(value)):
        raise source.error(place, f"`{name}` must be {kind}", "It is the same on every bar", example)
    if not low <= value <= high:
        raise source.error(
            place,
            f"`{name}` must be from {number_text(low)} to {number_text(high)}, not {number_text(value)}",
            "Write a number within these bounds",
            example,
        )


def _is_read(source: Source, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load) for node in ast.walk(source.tree))


def _naming_problem(
    source: Source,
    statement: ast.stmt,
    name: str,
    above: Mapping[str, Node | None],
    lines: Mapping[str, Node | None],
    own: Mapping[str, OwnFunction],
) -> ScriptError | None:
    if name in CATALOGUE:
        return source.error(
            statement, f"`{name}` is the name of a function", "Choose another name", f"{name.rstrip('_')}_now = {CATALOGUE[name].signature}"
        )
    if name in _RESERVED:
        return source.error(
            statement,
            f"`{name}` already has a meaning and can't be given another",
            "Choose another name",
            f"{name}_now = {name}" if name in FIELDS else "strength = close - open",
        )
    if name in lines or (name in own and own[name].source.script == source.script):
        return source.error(statement, f"`{name}` is given twice", "Give the second one a name of its own", f"{name}_2 = close")
    if source.script == "scan" and name in EXECUTION_RESULTS and (name in _ALWAYS_RESERVED or not _is_read(source, name)):
        return source.error(
            statement, f"`{name}` belongs in the execution script", "Move the line there, or choose another name", f"{name}_price = close"
        )
    if source.script == "execution" and name in SCAN_RESULTS:
        return source.error(
            statement, f"`{name}` belongs in the scan script", "Move the line there, or choose another name", f"{name}_again = close"
        )
    if name in own or (name in above and name not in EXECUTION_RESULTS):
        return source.error(statement, f"`{name}` is already a name of the scan script", "Choose another name", f"{name}_2 = close")
    return None


def _check_scan_results(pair: CheckedPair, source: Source, lines: Mapping[str, Node | None]) -> None:
    if any(direction in lines for direction in DIRECTIONS):
        return
    close = next((name for name in lines if nearest(name, list(DIRECTIONS))), "")
    suggestion = f"Did you mean `{nearest(close, list(DIRECTIONS))}` instead of `{close}`?" if close else "Add a line that says when to buy"
    last = max(1, len(source.text.rstrip().split("\n")))
    pair.errors.append(error_at("scan", source.text, last, 1, "the scan names neither `long` nor `short`", suggestion, _LONG_EXAMPLE))


def _check_execution(
    pair: CheckedPair,
    checker: Checker,
    source: Source,
    scan_lines: Mapping[str, Node | None],
    own: dict[str, OwnFunction],
    used: set[str],
    lost: Sequence[str],
) -> None:
    directions = [direction for direction in DIRECTIONS if direction in scan_lines] or ["long"]
    scan_functions = dict(own)
    for direction in directions:
        side = checker.graph.constant(1.0 if direction == "long" else -1.0)
        functions = dict(scan_functions)
        lines = _check_lines(pair, checker, source, scan_lines, functions, used, {"side": side}, lost)
        own.update(functions)
        last = max(1, len(source.text.rstrip().split("\n")))
        for name, example in (("entry", "entry = at_open()"), ("stop", "stop = close - side * 1.5 * atr(14)")):
            if name not in lines:
                pair.errors.append(
                    error_at("execution", source.text, last, 1, f"the execution script lacks its `{name}` line", "Add it", example)
                )
        pair.execution[direction] = {name: node for name, node in lines.items() if node is not None}
        pair.errors += contradictions(source, lines)
        pair.idle = beside_the_meant(source, lines)
        order = pair.execution[direction].get("entry")
        if order is not None:
            pair.order = order.name
            pair.order_bars = int(order.parts[1].value or 1) if len(order.parts) > 1 else 1
