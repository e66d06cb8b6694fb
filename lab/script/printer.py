"""Scripts as text: one expression in its shortest usual form, and a whole script neatly laid out with its comments."""

from __future__ import annotations

import ast
import io
import tokenize

from lab.script.shapes import check_statement, function_body, is_docstring
from lab.script.source import Source, expression_of, parse

_LONGEST_LINE = 100

_CHOOSE, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(10)
_SIGNS: dict[type[ast.AST], tuple[str, int]] = {
    ast.Add: ("+", _SUM), ast.Sub: ("-", _SUM), ast.Mult: ("*", _PRODUCT), ast.Div: ("/", _PRODUCT), ast.Pow: ("**", _POWER),
    ast.Lt: ("<", _COMPARE), ast.LtE: ("<=", _COMPARE), ast.Gt: (">", _COMPARE), ast.GtE: (">=", _COMPARE),
    ast.Eq: ("==", _COMPARE), ast.NotEq: ("!=", _COMPARE),
}  # fmt: skip


def expression_text(node: ast.expr) -> str:
    """An expression of the language in its shortest usual form; strings in double quotes, brackets only where needed."""
    return _text(node)[0]


def _text(node: ast.expr) -> tuple[str, int]:
    match node:
        case ast.Name():
            return node.id, _ATOM
        case ast.Attribute():
            return f"{_held(node.value, _ATOM)}.{node.attr}", _ATOM
        case ast.Constant():
            if isinstance(node.value, str):
                return '"' + node.value.replace('"', "'") + '"', _ATOM
            return repr(node.value), _ATOM
        case ast.UnaryOp():
            if isinstance(node.op, ast.Not):
                return f"not {_held(node.operand, _NOT)}", _NOT
            return f"{'-' if isinstance(node.op, ast.USub) else '+'}{_held(node.operand, _SIGN)}", _SIGN
        case ast.BinOp():
            sign, level = _SIGNS[type(node.op)]
            # A power binds its left side tighter and groups to the right; the others group to the left.
            left, right = (_ATOM, _SIGN) if level == _POWER else (level, level + 1)
            return f"{_held(node.left, left)} {sign} {_held(node.right, right)}", level
        case ast.BoolOp():
            word, level = ("and", _AND) if isinstance(node.op, ast.And) else ("or", _OR)
            return f" {word} ".join(_held(value, level + 1) for value in node.values), level
        case ast.Compare():
            parts = [_held(node.left, _COMPARE + 1)]
            for operator, other in zip(node.ops, node.comparators, strict=True):
                parts += [_SIGNS[type(operator)][0], _held(other, _COMPARE + 1)]
            return " ".join(parts), _COMPARE
        case ast.IfExp():
            return f"{_held(node.body, _OR)} if {_held(node.test, _OR)} else {_held(node.orelse, _CHOOSE)}", _CHOOSE
        case ast.Call():
            arguments = [_text(argument)[0] for argument in node.args]
            arguments += [f"{keyword.arg}={_text(keyword.value)[0]}" for keyword in node.keywords]
            return f"{_held(node.func, _ATOM)}({', '.join(arguments)})", _ATOM
    return ast.unparse(node), _CHOOSE


def _held(node: ast.expr, level: int) -> str:
    text, own = _text(node)
    return text if own >= level else f"({text})"


def format_script(text: str) -> str:
    """The script neatly laid out: equals signs aligned within a block, one space around signs, long conditions broken at `and`.

    Comments, names, numbers and the order of lines stay; so does the script's hash.

    Raises:
        ScriptError: the text is not of the language's form.
    """
    source = parse("scan", text)
    for position, statement in enumerate(source.tree.body):
        if not (position == 0 and is_docstring(statement)):
            problem = check_statement(source, statement)
            if problem is not None:
                raise problem
    return _laid_out(source)


def _laid_out(source: Source) -> str:
    comments = _comments(source.text)
    rows: list[tuple[str, str, str]] = []
    """(name, rest, comment) of an assignment; ("", text, "") of anything else."""
    line = 1
    for statement in source.tree.body:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        rows += _between(source.text, comments, line, first)
        rows += [("", comments[inside], "") for inside in range(first, last) if inside in comments]
        trailing = comments.get(last, "")
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            rows.append((statement.targets[0].id, expression_text(statement.value), trailing))
        elif isinstance(statement, ast.FunctionDef):
            arguments = ", ".join(argument.arg for argument in statement.args.args)
            head, body = f"def {statement.name}({arguments}):", f"return {expression_text(function_body(statement))}"
            if is_docstring(statement.body[0]):
                rows += [("", head, ""), ("", f"    {_docstring(statement.body[0])}", ""), ("", f"    {body}{_tail(trailing)}", "")]
            else:
                rows.append(("", f"{head} {body}{_tail(trailing)}", ""))
        else:
            rows.append(("", _docstring(statement) + _tail(trailing), ""))
        comments = {at: comment for at, comment in comments.items() if at > last}
        line = last + 1
    rows += _between(source.text, comments, line, source.text.count("\n") + 2)
    return _aligned(rows)


def _tail(comment: str) -> str:
    return f"  {comment}" if comment else ""


def _docstring(statement: ast.stmt) -> str:
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)
    text = str(statement.value.value).strip()
    return '"""' + text.replace('"""', "'''") + ('"""' if not text.endswith('"') else ' """')


def _comments(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = token.string.rstrip()
    return found


def _between(text: str, comments: dict[int, str], first: int, end: int) -> list[tuple[str, str, str]]:
    """Comment lines and single blank lines of a stretch between statements."""
    lines = text.split("\n")
    rows: list[tuple[str, str, str]] = []
    for number in range(first, min(end, len(lines) + 1)):
        if number in comments:
            rows.append(("", comments[number], ""))
        elif not lines[number - 1].strip() and (not rows or rows[-1][1]):
            rows.append(("", "", ""))
    return rows


def _aligned(rows: list[tuple[str, str, str]]) -> str:
    lines: list[str] = []
    position = 0
    while position < len(rows):
        end = position
        while end < len(rows) and rows[end][0]:
            end += 1
        if end == position:
            if rows[position][1] or (lines and lines[-1]):
                lines.append(rows[position][1])
            position += 1
            continue
        width = max(len(name) for name, _, _ in rows[position:end])
        lines += [_assignment(name.ljust(width), text, comment) for name, text, comment in rows[position:end]]
        position = end
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines) + "\n" if lines else ""


def _assignment(name: str, text: str, comment: str) -> str:
    tail = _tail(comment)
    head = f"{name} = "
    if len(head) + len(text) <= _LONGEST_LINE:
        return head + text + tail
    node = expression_of(text)
    if not isinstance(node, ast.BoolOp):
        return head + text + tail
    word, level = ("and", _AND) if isinstance(node.op, ast.And) else ("or", _OR)
    indent = "\n" + " " * (len(head) + 1)
    return head + "(" + f"{indent}{word} ".join(_held(value, level + 1) for value in node.values) + ")" + tail
