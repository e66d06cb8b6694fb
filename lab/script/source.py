"""Script text to Python syntax tree, within bounds that keep hostile text from costing time or reaching Polars."""

from __future__ import annotations

import ast
import functools
import re
import threading
from dataclasses import dataclass

from lab.script.errors import ScriptError

MAX_CHARACTERS = 8000
MAX_LINES = 200
MAX_BRACKETS = 40
MAX_DEPTH = 40
MAX_PARTS = 3000

_LOOK_ALIKES = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u00d7": "*",
    "\u00f7": "/",
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u00a0": "a plain space",
    "\uff1d": "=",
    "\u2227": "and",
    "\u2228": "or",
    "\u00ac": "not",
}

_FOREIGN = (
    (r"&&", "and", "long = close > open and volume > sma(volume, 20)"),
    (r"\|\|", "or", "long = gap() > 2 or gap() < -2"),
    (r":=", "=", "near = close > vwap()"),
    (r"=>", ">=", "long = close >= vwap()"),
    (r"=<", "<=", "long = close <= vwap()"),
    (r"!(?!=)", "not", "long = not close < vwap()"),
    (r"\?", "a if condition else b", "stop = low if side > 0 else high"),
    (r"\$", "a plain name", "near = close > vwap()"),
    (r";\s*$", "a new line", "long = close > vwap()"),
    (r"\b(AND|OR|NOT|And|Or|Not)\b", "and, or, not in small letters", "long = close > open and volume > 0"),
    (r"^\s*(var|let|const|float|bool|int)\s", "just the name", "near = close > vwap()"),
    (r"//", "# before a comment, and / to divide", "near = close > vwap()  # at or over it"),
    (r"(?<![\w.:\[])[0-9]{1,2}:[0-5][0-9](?![\w:])", "times in quotes", 'time_between("10:00", "11:30")'),
    (r"(?<![\w.])[0-9.]+\s*%", "the number alone; gap, roc and risk are in percent already", "long = gap() > 2"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A script's text, its tree, and the means to point into it."""

    script: str
    text: str
    tree: ast.Module

    def error(self, place: ast.AST, message: str, suggestion: str = "", example: str = "") -> ScriptError:
        """An error at a place of the tree."""
        line, column = getattr(place, "lineno", 1), getattr(place, "col_offset", 0) + 1
        return error_at(self.script, self.text, line, column, message, suggestion, example)


def error_at(script: str, text: str, line: int, column: int, message: str, suggestion: str = "", example: str = "") -> ScriptError:
    """An error at a line and column of a text, holding that line."""
    lines = text.split("\n")
    source_line = lines[line - 1][:200] if 0 < line <= len(lines) else ""
    return ScriptError(
        message, script=script, line=max(line, 1), column=max(column, 1), suggestion=suggestion, example=example, source_line=source_line
    )


_parsing = threading.Lock()


def module_of(text: str) -> ast.Module:
    """Python's own reading of a text, of one thread at a time: to two at once CPython 3.11 may answer with a SystemError."""
    with _parsing:
        return ast.parse(text)


def expression_of(text: str) -> ast.expr:
    """As `module_of`, of one expression."""
    with _parsing:
        return ast.parse(text, mode="eval").body


@functools.lru_cache(maxsize=64)
def parse(script: str, text: str) -> Source:
    """The syntax tree of a script; line ends may be of any system. It is kept, since the same script is checked again for each value
    that its parameters may have: nobody may change it.

    Raises:
        ScriptError: the text is not of the language's characters, is too large or nested too deeply, or is not Python's syntax.
    """
    text = text.replace("\r\n", "\n")
    _check_characters(script, text)
    _check_brackets(script, text)
    _check_numbers(script, text)
    try:
        tree = module_of(text)
    except SyntaxError as error:
        raise _syntax_error(script, text, error) from None
    except (ValueError, MemoryError, RecursionError, OverflowError):
        raise error_at(
            script, text, 1, 1, "this is nested too deeply to read", "Give parts of it names on lines of their own", "near = close > vwap()"
        ) from None
    _check_size(script, text, tree)
    return Source(script, text, tree)


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _check_characters(script: str, text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise error_at(
            script,
            text,
            1,
            1,
            f"the script has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed",
            "5 to 30 lines are usual",
            "near = close > vwap()",
        )
    if text.count("\n") >= MAX_LINES:
        raise error_at(
            script, text, MAX_LINES, 1, f"the script has more than {MAX_LINES} lines", "5 to 30 lines are usual", "near = close > vwap()"
        )
    wrong = re.search(r"[^\x20-\x5b\x5d-\x7e\n\t]", text)
    if wrong is None:
        return
    line, column = _place(text, wrong.start())
    character = wrong.group()
    if character == "\\":
        raise error_at(
            script,
            text,
            line,
            column,
            "a backslash has no meaning here",
            "Put an expression of several lines in parentheses",
            "near = (low <= vwap()\n        and close > vwap())",
        )
    instead = _LOOK_ALIKES.get(character)
    suggestion = f"Write {instead} instead" if instead else "Use plain ASCII characters only"
    raise error_at(script, text, line, column, f"the character U+{ord(character):04X} is not allowed", suggestion, "close - 1 > open")


def _check_numbers(script: str, text: str) -> None:
    # Python accepts `1if x else 2` with a warning on stderr, which would land on the person's screen.
    shown = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'|#[^\n]*", lambda found: " " * len(found.group()), text)
    found = re.search(r"(?:(?<![\w.])[0-9][0-9_.]*+|\.[0-9][0-9_]*+)(?:[eE][+-]?[0-9]+)?+[A-Za-z]", shown)
    if found:
        line, column = _place(text, found.start())
        suggestion, example = "Write plain decimal numbers", "loud = volume > 1.5 * sma(volume, 20)"
        if shown[: found.start()].endswith("on("):
            suggestion, example = "Put the timeframe in quotes", 'on("1d", sma(close, 50))'
        elif shown[found.end() - 1] in "kKmMbB" and not shown[found.end() : found.end() + 1].isalnum():
            suggestion, example = "Write thousands as e3, millions as e6", "busy = volume > 2e6"
        raise error_at(script, text, line, column, f"`{found.group()}` runs a number into a word", suggestion, example)


def _check_brackets(script: str, text: str) -> None:
    # Before the parser: Python's own takes seconds, or all the stack, on some texts that a count refuses at once.
    depth = 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
            if depth > MAX_BRACKETS:
                line, column = _place(text, position)
                raise error_at(
                    script,
                    text,
                    line,
                    column,
                    f"brackets are nested more than {MAX_BRACKETS} deep",
                    "Give parts of it names on lines of their own",
                    "near = close > vwap()",
                )
        elif character in ")]}":
            depth = max(depth - 1, 0)


def _syntax_error(script: str, text: str, error: SyntaxError) -> ScriptError:
    line = error.lineno or 1
    column = error.offset or 1
    lines = text.split("\n")
    shown = re.sub(r"\"[^\"]*\"|'[^']*'|#.*", lambda found: " " * len(found.group()), lines[line - 1]) if line <= len(lines) else ""
    for pattern, instead, example in _FOREIGN:
        found = re.search(pattern, shown)
        if found:
            word = found.group().strip()
            return error_at(
                script, text, line, found.start() + 1, f"`{word}` is not how this language writes it", f"Write {instead}", example
            )
    reason = (error.msg or "invalid syntax").split(". Perhaps")[0].split("; Maybe")[0].strip()
    if "indent" in reason:
        return error_at(script, text, line, column, "this line is indented", "Start every line at its left edge", "near = close > vwap()")
    if "unterminated" in reason:
        return error_at(
            script,
            text,
            line,
            column,
            "the text that begins here has no closing quote",
            "Close it on the same line",
            'time_between("10:00", "11:30")',
        )
    if "was never closed" in reason or "unexpected EOF" in reason:
        return error_at(script, text, line, column, f"{reason}", "Close it on the same line or below", "close > sma(close, 20)")
    opened = _never_closed(shown)
    if opened:
        return error_at(
            script,
            text,
            line,
            opened,
            f"'{shown[opened - 1]}' was never closed",
            "Close it on the same line or below",
            "close > sma(close, 20)",
        )
    if re.search(r"(?<![<>=!])=(?!=)", shown[max(column - 1, 0) :]) and "maybe you meant '=='" in (error.msg or "").lower():
        return error_at(
            script, text, line, column, "`=` gives a name; it does not compare", "Write == to compare", "long = day_of_week() == 1"
        )
    closes = re.match(r"unmatched '(.)'", reason)
    if closes:
        return error_at(
            script, text, line, column, f"this `{closes[1]}` closes nothing", "Take it out, or open it before", "close > sma(close, 20)"
        )
    if "expected 'else'" in reason:
        return error_at(
            script,
            text,
            line,
            column,
            "this `if` has no `else`",
            "Say both values, or join conditions by and",
            "low if gap() > 0 else high",
        )
    if reason.startswith("invalid syntax") and column > len(shown.rstrip()):
        return error_at(script, text, line, column, "the line ends where a value should follow", "Finish it", "near = close > vwap()")
    if "too many nested" in reason or "too complex" in reason or "stack" in reason or "recursion" in reason:
        return error_at(
            script,
            text,
            line,
            column,
            "this is nested too deeply to read",
            "Give parts of it names on lines of their own",
            "near = close > vwap()",
        )
    if reason.startswith("invalid syntax") or "illegal target" in reason or "cannot assign" in reason:
        return error_at(
            script,
            text,
            line,
            column,
            "this line can't be read",
            "A line is a name, an equals sign and an expression",
            "near = low <= vwap() and close > vwap()",
        )
    return error_at(
        script,
        text,
        line,
        column,
        f"this line can't be read ({_tame(reason)})",
        "A line is a name, an equals sign and an expression",
        "near = low <= vwap() and close > vwap()",
    )


def _never_closed(shown: str) -> int:
    """The column of the last bracket a line leaves open, or 0."""
    opened: list[int] = []
    for column, character in enumerate(shown, start=1):
        if character in "([{":
            opened.append(column)
        elif character in ")]}" and opened:
            opened.pop()
    return opened[-1] if opened else 0


def _tame(reason: str) -> str:
    return reason[:120].rstrip(".")


def _check_size(script: str, text: str, tree: ast.Module) -> None:
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    parts = 0
    while waiting:
        node, depth = waiting.pop()
        parts += 1
        if parts > MAX_PARTS:
            raise error_at(
                script,
                text,
                getattr(node, "lineno", 1),
                1,
                f"the script has more than {MAX_PARTS:,} parts",
                "5 to 30 lines are usual",
                "near = close > vwap()",
            )
        if depth > MAX_DEPTH and hasattr(node, "lineno"):
            raise error_at(
                script,
                text,
                node.lineno,
                getattr(node, "col_offset", 0) + 1,
                f"the expression is nested more than {MAX_DEPTH} deep",
                "Give parts of it names on lines of their own",
                "near = close > vwap()",
            )
        # `a and b and c` is one node, but `a + b + c` nests once a sign; both are counted as they are.
        waiting.extend(
            (child, depth + 1) for child in ast.iter_child_nodes(node) if not isinstance(child, (ast.expr_context, ast.operator))
        )
