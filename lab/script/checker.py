"""Meaning: names, kinds and bounds of an expression, checked into nodes."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

from lab.script.calls import TIMEFRAME_MINUTES, bind, formula_tree, ticker_of, time_of_day, timeframe_of
from lab.script.catalogue import CATALOGUE
from lab.script.entries import Argument, Category, Function, Scope, Takes, number_text
from lab.script.errors import ScriptError
from lab.script.nodes import Graph, Kind, Node, Op, reachable
from lab.script.place import Cascade, OwnFunction, Place
from lab.script.shapes import function_body
from lab.script.source import Source

MAX_STEPS = 8_000
"""How many expressions a strategy may unfold into while functions are written out."""
MAX_EXPRESSIONS = 800
"""How many distinct expressions may remain."""

_ARITHMETIC: dict[type[ast.operator], Op] = {ast.Add: Op.ADD, ast.Sub: Op.SUBTRACT, ast.Mult: Op.MULTIPLY, ast.Div: Op.DIVIDE}
_COMPARISON: dict[type[ast.cmpop], Op] = {
    ast.Lt: Op.LESS, ast.LtE: Op.LESS_EQUAL, ast.Gt: Op.GREATER, ast.GtE: Op.GREATER_EQUAL, ast.Eq: Op.EQUAL, ast.NotEq: Op.NOT_EQUAL,
}  # fmt: skip


class Checker:
    """Turns expressions into nodes. One for a strategy: it counts the steps of all its lines together."""

    def __init__(self, graph: Graph, parameters: Mapping[tuple[str, int, int], float]) -> None:
        self.graph = graph
        self.steps = 0
        self.too_large = False
        """Said once: every later line would only repeat it."""
        self._parameters = parameters
        """(script, line, column) of each `param` call -> its bound value."""
        self._calls: dict[tuple[object, ...], Node] = {}
        self._own_bars: dict[int, str] = {}
        """Node -> the function in it that looks beyond its ticker's own bars, or empty."""

    def expression(self, place: Place, node: ast.expr) -> Node:
        """The node of an expression that `check_expression` found of the right form."""
        self.steps += 1
        if self.steps > MAX_STEPS or len(self.graph.nodes) > MAX_EXPRESSIONS:
            if self.too_large:
                raise Cascade
            self.too_large = True
            raise place.source.error(
                node,
                "the script is too large once its functions are written out",
                "Use fewer or simpler functions",
                "near = close > vwap()",
            )
        match node:
            case ast.Name():
                return place.name(self.graph, node)
            case ast.Attribute():
                return place.dotted(self.graph, node)
            case ast.Constant():
                if isinstance(node.value, str):
                    raise place.source.error(
                        node,
                        "a text stands only where a time, a timeframe or a ticker is asked for",
                        "Ask for the time of day by time_between",
                        'time_between("10:00", "11:30")',
                    )
                assert isinstance(node.value, (int, float))
                return self.graph.constant(node.value)
            case ast.UnaryOp():
                return self._unary(place, node)
            case ast.BinOp():
                return self._arithmetic(place, node)
            case ast.BoolOp():
                return self._logic(place, node)
            case ast.Compare():
                return self._compare(place, node)
            case ast.IfExp():
                return self._choose(place, node)
            case ast.Call():
                return self._call(place, node)
        raise place.source.error(node, "this form of Python is not part of the language")

    def number(self, place: Place, node: ast.expr, use: str) -> Node:
        """A number per bar or a fixed one."""
        found = self.expression(place, node)
        if found.kind is Kind.CONDITION:
            raise place.source.error(
                node, f"{use} needs a number, and this is a condition", "Turn it into a number", "1 if close > open else 0"
            )
        if found.kind is Kind.ORDER:
            raise place.source.error(
                node, f"{use} needs a number, and this is an entry order", "Entry orders stand alone in the entry line", "entry = at_open()"
            )
        return found

    def condition(self, place: Place, node: ast.expr, use: str) -> Node:
        """True or false per bar."""
        found = self.expression(place, node)
        if found.kind is not Kind.CONDITION:
            raise place.source.error(
                node, f"{use} needs a condition, and this is {found.kind.value}", "Compare it with something", "volume > sma(volume, 20)"
            )
        return found

    def truth(self, value: bool) -> Node:
        """A condition that is the same on every bar."""
        return self.graph.make(Op.CONSTANT, Kind.CONDITION, value=1.0 if value else 0.0)

    def _unary(self, place: Place, node: ast.UnaryOp) -> Node:
        if isinstance(node.op, ast.Not):
            found = self.condition(place, node.operand, "`not`")
            if found.op is Op.CONSTANT:
                return self.truth(not found.value)
            return self.graph.make(Op.NOT, Kind.CONDITION, (found,))
        found = self.number(place, node.operand, "a sign")
        if isinstance(node.op, ast.UAdd):
            return found
        return self._negated(found)

    def _negated(self, found: Node) -> Node:
        if found.kind is Kind.CONSTANT:
            assert found.value is not None
            return self.graph.constant(-found.value)
        return self.graph.make(Op.NEGATE, Kind.NUMBER, (found,))

    def _arithmetic(self, place: Place, node: ast.BinOp) -> Node:
        sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}[type(node.op)]
        left = self.number(place, node.left, f"`{sign}`")
        right = self.number(place, node.right, f"`{sign}`")
        if left.kind is Kind.CONSTANT and right.kind is Kind.CONSTANT:
            return self._folded(place, node, left, right)
        if isinstance(node.op, ast.Pow):
            if right.kind is not Kind.CONSTANT or right.value is None or not -4 <= right.value <= 4:
                raise place.source.error(
                    node.right,
                    "a power must be a fixed number from -4 to 4",
                    "Use sqrt(x) for a root, log(x) for a logarithm",
                    "stdev(close, 20) ** 2",
                )
            return self.graph.make(Op.POWER, Kind.NUMBER, (left, right))
        if isinstance(node.op, ast.Div) and right.kind is Kind.CONSTANT and right.value == 0:
            raise place.source.error(node.right, "this divides by zero", "Divide by something else", "close / open")
        return self.graph.make(_ARITHMETIC[type(node.op)], Kind.NUMBER, (left, right))

    def _folded(self, place: Place, node: ast.BinOp, left: Node, right: Node) -> Node:
        assert left.value is not None
        assert right.value is not None
        value: float | complex
        try:
            match node.op:
                case ast.Add():
                    value = left.value + right.value
                case ast.Sub():
                    value = left.value - right.value
                case ast.Mult():
                    value = left.value * right.value
                case ast.Div():
                    value = left.value / right.value
                case _:
                    value = left.value**right.value
        except ZeroDivisionError:
            raise place.source.error(node, "this divides by zero", "Divide by something else", "close / open") from None
        except OverflowError:
            raise place.source.error(node, "the number is larger than 1,000,000,000,000", "Write a smaller one", "volume > 1e6") from None
        if isinstance(value, complex) or not math.isfinite(value) or abs(value) > 1e12:
            raise place.source.error(
                node, "this fixed number can't be used: it is too large or not real", "Write a smaller one", "volume > 1e6"
            )
        return self.graph.constant(value)

    def _logic(self, place: Place, node: ast.BoolOp) -> Node:
        word, op = ("and", Op.AND) if isinstance(node.op, ast.And) else ("or", Op.OR)
        joined: Node | None = None
        for value in node.values:
            found = self.condition(place, value, f"`{word}`")
            joined = found if joined is None else self._joined(op, joined, found)
        assert joined is not None
        return joined

    def _joined(self, op: Op, left: Node, right: Node) -> Node:
        for fixed, other in ((left, right), (right, left)):
            if fixed.op is Op.CONSTANT:
                decides = (op is Op.OR) == bool(fixed.value)
                return fixed if decides else other
        return self.graph.make(op, Kind.CONDITION, (left, right))

    def _compare(self, place: Place, node: ast.Compare) -> Node:
        joined: Node | None = None
        left = self.number(place, node.left, "a comparison")
        for operator, other in zip(node.ops, node.comparators, strict=True):
            right = self.number(place, other, "a comparison")
            op = _COMPARISON[type(operator)]
            if left.kind is Kind.CONSTANT and right.kind is Kind.CONSTANT:
                found = self.truth(_compared(op, left.value or 0.0, right.value or 0.0))
            else:
                found = self.graph.make(op, Kind.CONDITION, (left, right))
            joined = found if joined is None else self._joined(Op.AND, joined, found)
            left = right
        assert joined is not None
        return joined

    def _choose(self, place: Place, node: ast.IfExp) -> Node:
        test = self.condition(place, node.test, "`if`")
        yes, no = self.expression(place, node.body), self.expression(place, node.orelse)
        if Kind.ORDER in (yes.kind, no.kind):
            raise place.source.error(
                node, "an entry order can't be chosen by a condition", "Write one order in the entry line", "entry = at_open()"
            )
        if (yes.kind is Kind.CONDITION) != (no.kind is Kind.CONDITION):
            raise place.source.error(
                node, "both sides of `if … else` must be numbers, or both conditions", "Make them alike", "low if close > open else high"
            )
        if test.op is Op.CONSTANT:
            return yes if test.value else no
        kind = Kind.CONDITION if yes.kind is Kind.CONDITION else Kind.NUMBER
        return self.graph.make(Op.CHOOSE, kind, (test, yes, no))

    def _call(self, place: Place, node: ast.Call) -> Node:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "param":
            value = self._parameters.get((place.source.script, node.lineno, node.col_offset))
            if value is None:
                raise Cascade
            return self.graph.constant(value)
        own = place.functions.get(name)
        if own is not None:
            return self._own_call(place, node, name, own)
        function = CATALOGUE.get(name)
        if function is None:
            if name in place.lines and place.lines[name] is None:
                raise Cascade
            raise place.unknown_function(node, name)
        return self._catalogue_call(place, node, function)

    def _own_call(self, place: Place, node: ast.Call, name: str, own: OwnFunction) -> Node:
        place.used_functions.add(name)
        if name in place.inside:
            raise place.source.error(
                node,
                f"`{name}` calls itself",
                "A function may only use what stands above it",
                "def near(band): return abs(close / vwap() - 1) < band",
            )
        names = [argument.arg for argument in own.statement.args.args]
        bound = bind(place, node, name, names, names)
        values = {argument: self.expression(place, expression) for argument, expression in bound.items()}
        return self.expression(place.within(name, own, values), function_body(own.statement))

    def _catalogue_call(self, place: Place, node: ast.Call, function: Function) -> Node:
        if function.category is Category.ORDER and not place.entry_line:
            raise place.source.error(
                node,
                f"`{function.name}` stands only in the entry line of the execution script",
                "The scan says when, the execution script how",
                "entry = at_open()",
            )
        names = [argument.name for argument in function.arguments]
        required = [argument.name for argument in function.arguments if argument.default is None]
        bound = bind(place, node, function.name, names, required)
        if function.category is Category.OTHER:
            return self._elsewhere(place, function, bound)
        parts = tuple(self._argument(place, node, function, argument, bound.get(argument.name)) for argument in function.arguments)
        key = (function.name, *(part.index for part in parts))
        known = self._calls.get(key)
        if known is None:
            known = self._calls[key] = self._applied(place, node, function, parts)
        return known

    def _elsewhere(self, place: Place, function: Function, bound: Mapping[str, ast.expr]) -> Node:
        """`on` and `of`: an expression as it stands on other bars."""
        where, given = (bound[argument.name] for argument in function.arguments)
        name = timeframe_of(place.source, where) if function.name == "on" else ticker_of(place.source, where)
        found = self.expression(place, given)
        if found.kind not in (Kind.NUMBER, Kind.CONDITION) or found.op is Op.CONSTANT:
            raise place.source.error(
                given,
                f"`x` of {function.name} must be a number per bar or a condition, not {_kind_text(found)}",
                "Name what is to be looked at",
                function.example,
            )
        if function.name == "of":
            return self.graph.make(Op.OF, found.kind, (found,), name=name)
        beyond = self._beyond_own_bars(found)
        if beyond:
            instead = "Write each timeframe from this ticker's bars" if beyond == "on" else f"Put on inside {beyond}"
            example = (
                function.example
                if beyond == "on"
                else f'{beyond}({chr(34) + "SPY" + chr(34) + ", " if beyond == "of" else ""}on("1d", close))'
            )
            raise place.source.error(given, f"`{beyond}` can't stand inside on", instead, example)
        # Each longer bar holds at least one of these, and counts only once the next has begun.
        bars = found.warm_up_bars + 1
        sessions = -(-bars * TIMEFRAME_MINUTES[name] // TIMEFRAME_MINUTES["1d"])
        return self.graph.make(Op.ON, found.kind, (found,), name=name, bars=1, sessions=sessions)

    def _beyond_own_bars(self, node: Node) -> str:
        if node.index not in self._own_bars:
            inside = reachable([node])
            names = [part.op.value for part in inside if part.op in (Op.ON, Op.OF)]
            names += [part.name for part in inside if part.op is Op.CALL and CATALOGUE[part.name].scope is Scope.MOMENT]
            self._own_bars[node.index] = names[0] if names else ""
        return self._own_bars[node.index]

    def _applied(self, place: Place, node: ast.Call, function: Function, parts: tuple[Node, ...]) -> Node:
        fixed = [part.value for part in parts if part.kind in (Kind.CONSTANT, Kind.TIME) and part.value is not None]
        if function.refuse is not None:
            problem = function.refuse(*fixed)
            if problem is not None:
                raise place.source.error(node, f"`{function.name}`: {problem}", f"It is called as {function.signature}", function.example)
        if function.formula is not None:
            values = {argument.name: part for argument, part in zip(function.arguments, parts, strict=True)}
            try:
                return self.expression(
                    Place(Source("formula", function.formula, ast.Module([], [])), values, {}, {}), formula_tree(function.name)
                )
            except ScriptError as error:
                raise place.source.error(
                    node, f"`{function.name}` can't be computed with these values: {error.message}", "", function.example
                ) from None
        takes = [argument.takes for argument in function.arguments]
        settings = [part.value for part, take in zip(parts, takes, strict=True) if take in (Takes.WHOLE, Takes.FIXED, Takes.TIME)]
        return self.graph.make(
            Op.CALL,
            function.returns,
            parts,
            name=function.name,
            bars=function.bars(*settings) if function.bars else 0,
            sessions=function.sessions(*settings) if function.sessions else 0,
        )

    def _argument(self, place: Place, call: ast.Call, function: Function, argument: Argument, given: ast.expr | None) -> Node:
        if given is None:
            if isinstance(argument.default, str):
                return self.graph.make(Op.FIELD, Kind.NUMBER, name=argument.default)
            assert argument.default is not None
            return self.graph.constant(argument.default)
        use = f"`{argument.name}` of {function.name}"
        if argument.takes is Takes.TIME:
            return self.graph.time(time_of_day(place.source, given, use))
        if argument.takes is Takes.CONDITION:
            found = self.condition(place, given, use)
            if found.op is Op.CONSTANT:
                raise place.source.error(given, f"{use} is the same on every bar", "Let it depend on prices or volume", function.example)
            return found
        found = self.number(place, given, use)
        if argument.takes is Takes.NUMBER:
            return found
        if argument.takes is Takes.SERIES:
            if found.kind is Kind.CONSTANT:
                raise place.source.error(
                    given,
                    f"{use} must be a number per bar such as close, not a fixed one",
                    f"It is called as {function.signature}",
                    function.example,
                )
            return found
        if found.kind is not Kind.CONSTANT:
            raise place.source.error(
                given, f"{use} must be a fixed number, the same on every bar", f"It is called as {function.signature}", function.example
            )
        self._check_bounds(place, given, use, argument, found, function)
        return found

    def _check_bounds(self, place: Place, given: ast.expr, use: str, argument: Argument, found: Node, function: Function) -> None:
        value = found.value
        assert value is not None
        if argument.takes is Takes.WHOLE and value != int(value):
            raise place.source.error(
                given, f"{use} must be a whole number, not {number_text(value)}", f"It is called as {function.signature}", function.example
            )
        low, high = argument.low, argument.high
        if (low is not None and value < low) or (high is not None and value > high):
            reason = "; a negative one would look into the future" if value < 0 and argument.takes is Takes.WHOLE else ""
            raise place.source.error(
                given,
                f"{use} must be {argument.bounds}, not {number_text(value)}{reason}",
                f"It is called as {function.signature}",
                function.example,
            )


def _kind_text(node: Node) -> str:
    return "a condition that is the same on every bar" if node.kind is Kind.CONDITION else node.kind.value


def _compared(op: Op, left: float, right: float) -> bool:
    return {
        Op.LESS: left < right, Op.LESS_EQUAL: left <= right, Op.GREATER: left > right, Op.GREATER_EQUAL: left >= right,
        Op.EQUAL: left == right, Op.NOT_EQUAL: left != right,
    }[op]  # fmt: skip
