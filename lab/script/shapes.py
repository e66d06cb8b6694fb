"""Which of Python's forms the language has: everything else is refused here, before any meaning is looked for."""

from __future__ import annotations

import ast
import functools
import re

from lab.script.catalogue import meant
from lab.script.errors import ScriptError
from lab.script.source import Source

_FUNCTION_EXAMPLE = "def near(band): return abs(close / vwap() - 1) < band"
_BAR_BY_BAR = "Functions work on every bar by themselves"
_COMPREHENSION = ("comprehensions are not part of the language", _BAR_BY_BAR, "count_true(close > open, 5) >= 4")
_LOOP = ("loops are not part of the language", _BAR_BY_BAR, "count_true(close > open, 5) >= 4")
_EXAMPLE = "near = low <= vwap() * 1.001 and close > vwap()"

_TIME = 'time_between("10:00", "11:30")'

_ALLOWED = (
    ast.Name, ast.Attribute, ast.Constant, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword,
    ast.expr_context, ast.USub, ast.UAdd, ast.Not, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.And, ast.Or,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

_REFUSED: dict[type[ast.AST], tuple[str, str, str]] = {
    ast.Lambda: ("`lambda` is not part of the language", "Write a function of one expression", _FUNCTION_EXAMPLE),
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _COMPREHENSION),
    ast.JoinedStr: ("f-strings are not part of the language", "Only times, timeframes and tickers are written as text", _TIME),
    ast.FormattedValue: ("f-strings are not part of the language", "Only times, timeframes and tickers are written as text", _TIME),
    ast.NamedExpr: ("`:=` is not part of the language", "Give the expression a line of its own", "near = close > vwap()"),
    ast.Starred: ("star arguments are not part of the language", "Write each argument", "sma(close, 20)"),
    ast.List: ("lists are not part of the language", "Write one expression a line", _EXAMPLE),
    ast.Tuple: ("lists of values are not part of the language", "Write one expression a line", _EXAMPLE),
    ast.Dict: ("dictionaries are not part of the language", "Write one expression a line", _EXAMPLE),
    ast.Set: ("sets are not part of the language", "Write one expression a line", _EXAMPLE),
    ast.Subscript: ("square brackets are not part of the language", "Use ago(x, n) for the value n bars back", "close > ago(high, 1)"),
    ast.Slice: ("square brackets are not part of the language", "Use ago(x, n) for the value n bars back", "close > ago(high, 1)"),
    ast.Await: ("`await` is not part of the language", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.Yield: ("`yield` is not part of the language", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.YieldFrom: ("`yield` is not part of the language", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.Mod: ("`%` is not part of the language", "For a change in percent there is roc", "roc(close, 10) > 2"),
    ast.FloorDiv: ("`//` is not part of the language", "Write /", "range_() / atr(14)"),
    ast.MatMult: ("`@` is not part of the language", "Signs are + - * / and **", "close - open"),
    ast.BitAnd: ("`&` is not part of the language", "Write and", "long = close > open and volume > sma(volume, 20)"),
    ast.BitOr: ("`|` is not part of the language", "Write or", "long = gap() > 2 or gap() < -2"),
    ast.BitXor: ("`^` is not part of the language", "Write ** for a power", "stdev(close, 20) ** 2"),
    ast.LShift: ("`<<` is not part of the language", "Write < to compare", "close < vwap()"),
    ast.RShift: ("`>>` is not part of the language", "Write > to compare", "close > vwap()"),
    ast.Invert: ("`~` is not part of the language", "Write not", "long = not close < vwap()"),
    ast.In: ("`in` is not part of the language", "Compare with each value", "day_of_week() == 1 or day_of_week() == 5"),
    ast.NotIn: ("`not in` is not part of the language", "Compare with each value", "day_of_week() != 1 and day_of_week() != 5"),
    ast.Is: ("`is` is not part of the language", "Write ==", "day_of_week() == 1"),
    ast.IsNot: ("`is not` is not part of the language", "Write !=", "day_of_week() != 1"),
    ast.Import: ("nothing can be imported", "Every function is already there", _EXAMPLE),
    ast.ImportFrom: ("nothing can be imported", "Every function is already there", _EXAMPLE),
    ast.If: ("`if` as a statement is not part of the language", "Choose inside an expression", "stop = low if side > 0 else high"),
    **dict.fromkeys((ast.For, ast.AsyncFor, ast.While), _LOOP),
    ast.ClassDef: ("classes are not part of the language", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.AsyncFunctionDef: ("`async` is not part of the language", "Leave it out", _FUNCTION_EXAMPLE),
    ast.AugAssign: ("a name is given once and never changed", "Give the new value a name of its own", "busy = volume > sma(volume, 20)"),
    ast.AnnAssign: ("types are not written in this language", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.Return: ("`return` stands only in a function", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.Expr: ("this value is not given a name", "A line is a name, an equals sign and an expression", _EXAMPLE),
    ast.Pass: ("`pass` does nothing here", "Leave the line out", _EXAMPLE),
}  # fmt: skip
_OTHER = ("this form of Python is not part of the language", "A line is a name, an equals sign and an expression", _EXAMPLE)


def check_statement(source: Source, statement: ast.stmt) -> ScriptError | None:
    """What is wrong with the form of one statement, or None: an assignment to one name, or a one-expression function."""
    if isinstance(statement, ast.Assign):
        if len(statement.targets) != 1:
            return source.error(statement, "a line gives one name", "Write a line for each name", _EXAMPLE)
        target = statement.targets[0]
        if not isinstance(target, ast.Name):
            return source.error(target, "only a plain name can stand left of the equals sign", "Write one plain name", _EXAMPLE)
        return _name_problem(source, target, target.id) or check_expression(source, statement.value)
    if isinstance(statement, ast.FunctionDef):
        return _function_problem(source, statement)
    return source.error(statement, *_REFUSED.get(type(statement), _OTHER))


@functools.lru_cache(maxsize=64)
def sound_statements(source: Source) -> frozenset[ast.stmt]:
    """The statements of a script in whose form nothing is wrong."""
    return frozenset(statement for statement in source.tree.body if check_statement(source, statement) is None)


def check_expression(source: Source, expression: ast.expr) -> ScriptError | None:
    """What is wrong with the form of an expression, or None."""
    # Breadth first finds the outermost mistake, which is the one worth reading about; operators carry no place of their own.
    waiting: list[tuple[ast.AST, ast.AST]] = [(expression, expression)]
    for node, place in waiting:
        where = node if hasattr(node, "lineno") else place
        if isinstance(node, ast.Tuple) and (problem := _grouped_digits(source, node)) is not None:
            return problem
        if not isinstance(node, _ALLOWED):
            return source.error(where, *_REFUSED.get(type(node), _OTHER))
        if isinstance(node, ast.Name):
            problem = _hidden_name(source, node, node.id)
        elif isinstance(node, ast.Attribute):
            problem = _attribute_problem(source, node)
        elif isinstance(node, ast.Call):
            problem = _call_problem(source, node)
        elif isinstance(node, ast.keyword):
            problem = (
                source.error(where, "star arguments are not part of the language", "Write each argument", "sma(close, 20)")
                if node.arg is None
                else _hidden_name(source, where, node.arg)
            )
        elif isinstance(node, ast.Constant):
            problem = _constant_problem(source, node)
        else:
            problem = None
        if problem is not None:
            return problem
        waiting.extend((child, where) for child in ast.iter_child_nodes(node))
    return None


def _grouped_digits(source: Source, node: ast.Tuple) -> ScriptError | None:
    """The mistake of writing 1,000 for 1000, where a list of values looks like it."""
    line = source.text.split("\n")[node.lineno - 1]
    found = re.compile(r"(?<![\w.])[0-9]{1,3}(?:,[0-9]{3})+(?![\w.])").search(line, node.col_offset)
    if found is None:
        return None
    plain = found.group().replace(",", "")
    place = ast.Constant(0, lineno=node.lineno, col_offset=found.start())
    return source.error(place, f"`{found.group()}` has a comma in a number", f"Write {plain}", f"volume > {plain}")


def _name_problem(source: Source, place: ast.AST, name: str) -> ScriptError | None:
    if len(name) > 40:
        return source.error(place, "the name is longer than 40 characters", "Choose a shorter one", _EXAMPLE)
    return _hidden_name(source, place, name)


def _hidden_name(source: Source, place: ast.AST, name: str) -> ScriptError | None:
    if name.startswith("_") or "__" in name:
        return source.error(
            place, "names do not begin with an underscore or hold two in a row", "Choose a plain name", "near_vwap = close > vwap()"
        )
    return None


def _attribute_problem(source: Source, node: ast.Attribute) -> ScriptError | None:
    if node.attr.startswith("_") or "__" in node.attr:
        return source.error(
            node,
            f"`.{node.attr[:40]}` is not part of the language",
            "A dot stands only in names such as market.trend",
            "long = market.trend >= 0",
        )
    if not isinstance(node.value, ast.Name):
        return source.error(
            node,
            f"`.{node.attr[:40]}` can't be asked of an expression",
            "A dot stands only in names such as market.trend",
            "long = market.trend >= 0",
        )
    return None


def _call_problem(source: Source, node: ast.Call) -> ScriptError | None:
    if isinstance(node.func, ast.Name):
        return None
    if isinstance(node.func, ast.Attribute):
        name, function = node.func.attr[:40], meant(node.func.attr)
        return source.error(
            node.func,
            f"`.{name}(...)` is not part of the language",
            f"Did you mean `{function.signature}`?"
            if function is not None
            else "Functions are called by their name alone, with what they look at as first argument",
            function.example if function is not None else "sma(close, 20)",
        )
    return source.error(node, "only a function's name can be called", "A bracket follows the name of a function only", "sma(close, 20)")


def _constant_problem(source: Source, node: ast.Constant) -> ScriptError | None:
    value = node.value
    if isinstance(value, bool):
        return source.error(node, f"`{value}` is not part of the language", "Write the condition itself", "long = close > vwap()")
    if value is None:
        return source.error(node, "`None` is not part of the language", "Leave the line out where there is nothing to say", "nz(gap(), 0)")
    if isinstance(value, str):
        return None
    if not isinstance(value, (int, float)):
        return source.error(
            node, "only plain numbers and times are part of the language", "Write a number or a time", 'time_between("10:00", "11:30")'
        )
    if not abs(value) <= 1e12:
        return source.error(node, "the number is larger than 1,000,000,000,000", "Write a smaller one", "volume > 1e6")
    return None


def _function_problem(source: Source, statement: ast.FunctionDef) -> ScriptError | None:
    example = _FUNCTION_EXAMPLE
    if statement.decorator_list:
        return source.error(statement.decorator_list[0], "decorators are not part of the language", "Leave it out", example)
    problem = _name_problem(source, statement, statement.name)
    if problem is not None:
        return problem
    arguments = statement.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        return source.error(statement, "a function takes plain arguments only", "Leave out * and /", example)
    if arguments.defaults or arguments.kw_defaults:
        return source.error(statement, "arguments of own functions have no defaults", "Give each value in the call", example)
    if len(arguments.args) > 8:
        return source.error(statement, "a function takes at most 8 arguments", "Use names of lines above instead", example)
    if statement.returns is not None or any(argument.annotation for argument in arguments.args):
        return source.error(statement, "types are not written in this language", "Leave them out", example)
    for argument in arguments.args:
        problem = _name_problem(source, argument, argument.arg)
        if problem is not None:
            return problem
        if argument.arg in [other.arg for other in arguments.args[: arguments.args.index(argument)]]:
            return source.error(argument, f"`{argument.arg}` stands twice among the arguments", "Give each its own name", example)
    body = statement.body
    if is_docstring(body[0]) and len(body) > 1:
        body = body[1:]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return source.error(statement, "a function is one `return` with one expression", "Give steps between a name outside it", example)
    return check_expression(source, body[0].value)


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a text standing alone."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


def function_body(statement: ast.FunctionDef) -> ast.expr:
    """The one expression of a function that `check_statement` accepted."""
    last = statement.body[-1]
    assert isinstance(last, ast.Return)
    assert last.value is not None
    return last.value
