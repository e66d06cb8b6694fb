"""Where an expression stands: which names mean something there, and what to say of one that does not."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from lab.script.catalogue import CATALOGUE, nearest
from lab.script.errors import ScriptError
from lab.script.fields import FIELDS, NAMESPACES
from lab.script.nodes import Graph, Kind, Node, Op
from lab.script.source import Source


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """A function of one expression that a script defines, with the text it stands in."""

    source: Source
    statement: ast.FunctionDef


class Cascade(Exception):
    """The expression uses a line that is itself wrong: nothing new to say."""


class Place:
    """Where an expression stands: its text and the names that mean something there."""

    def __init__(
        self,
        source: Source,
        values: Mapping[str, Node | None],
        functions: Mapping[str, OwnFunction],
        lines: Mapping[str, Node | None],
        *,
        inside: tuple[str, ...] = (),
        entry_line: bool = False,
        used_functions: set[str] | None = None,
    ) -> None:
        self.source = source
        self.values = values
        """Arguments of the function at hand, and `side`."""
        self.functions = functions
        self.lines = lines
        """Named lines above; None for one that is itself wrong."""
        self.inside = inside
        self.entry_line = entry_line
        self.used_functions: set[str] = set() if used_functions is None else used_functions

    def within(self, name: str, own: OwnFunction, values: Mapping[str, Node]) -> Place:
        """The place inside a function's body; `side` keeps its meaning there."""
        side = {"side": self.values["side"]} if "side" in self.values else {}
        return Place(
            own.source, {**side, **values}, self.functions, self.lines, inside=(*self.inside, name), used_functions=self.used_functions
        )

    def name(self, graph: Graph, node: ast.Name) -> Node:
        """What a plain name means here."""
        name = node.id
        for names in (self.values, self.lines):
            if name in names:
                found = names[name]
                if found is None:
                    raise Cascade
                return found
        if name in FIELDS:
            return graph.make(Op.FIELD, Kind.NUMBER, name=name)
        raise self.unknown_name(node, name)

    def dotted(self, graph: Graph, node: ast.Attribute) -> Node:
        """What a dotted name means here."""
        assert isinstance(node.value, ast.Name)
        space, name = node.value.id, f"{node.value.id}.{node.attr}"
        if name in FIELDS:
            return graph.make(Op.FIELD, Kind.NUMBER, name=name)
        if space in NAMESPACES:
            own = [field.partition(".")[2] for field in FIELDS if field.startswith(space + ".")]
            close = nearest(node.attr, own)
            raise self.source.error(
                node,
                f"`{space}` has no `{shortened(node.attr)}`",
                f"Did you mean `{space}.{close}`?" if close else f"It has {_named(own)}",
                f"{space}.{close or own[0]}",
            )
        close = _SPACES.get(space.lower()) or nearest(space, list(NAMESPACES))
        completed = _completed(close, node.attr)
        raise self.source.error(
            node,
            f"`{shortened(space)}.{shortened(node.attr)}` is not a name",
            f"Did you mean `{completed}`?" if close else f"Dotted names begin with {', '.join(NAMESPACES)}",
            _example_of(completed) if completed in FIELDS and close in ("prev_day", "levels") else "long = market.trend >= 0",
        )

    def unknown_name(self, node: ast.Name, name: str) -> ScriptError:
        """The error for a name that means nothing here."""
        if name in CATALOGUE:
            function = CATALOGUE[name]
            return self.source.error(node, f"`{name}` is a function and must be called", f"Write {function.signature}", function.example)
        if name in self.functions:
            return self.source.error(node, f"`{name}` is a function and must be called", f"Write {name}(...)", f"{name}(close)")
        if name in NAMESPACES:
            return self.source.error(node, f"`{name}` holds several values", "Name one of them", f"{name}.{_first_of(name)}")
        if name == "side":
            return self.source.error(
                node, "`side` is known only in the execution script", "The scan names long and short by themselves", "long = close > vwap()"
            )
        if name.lower() in _CONSTANTS:
            return self.source.error(node, f"`{name}` is not part of the language", *_CONSTANTS[name.lower()])
        known = [*self.values, *self.lines, *FIELDS, *self.functions]
        close = nearest(name, known) or nearest(name, list(CATALOGUE))
        if not close:
            return self.source.error(
                node,
                f"`{shortened(name)}` is not known here",
                "A line may use the lines above it, fields and functions",
                "close > sma(close, 20)",
            )
        shown = CATALOGUE[close].signature if close in CATALOGUE and close not in known else close
        example = CATALOGUE[close].example if close in CATALOGUE and close not in known else _example_of(close)
        return self.source.error(node, f"`{shortened(name)}` is not known here", f"Did you mean `{shown}`?", example)

    def unknown_function(self, node: ast.Call, name: str) -> ScriptError:
        """The error for a call of something that is no function."""
        if name in self.lines or name in self.values or name in FIELDS:
            return self.source.error(
                node,
                f"`{name}` is a value, not a function",
                f"Write {name} alone, or ago({name}, n) for the value n bars back",
                f"ago({name}, 1)",
            )
        if name.lower() in _FORMS:
            return self.source.error(node, f"there is no function `{shortened(name)}`", *_FORMS[name.lower()])
        close = nearest(name, [*self.functions, *CATALOGUE])
        if close in CATALOGUE:
            function = CATALOGUE[close]
            return self.source.error(
                node, f"there is no function `{shortened(name)}`", f"Did you mean `{function.signature}`?", function.example
            )
        suggestion = f"Did you mean `{close}`?" if close else "`lab functions` lists them all"
        return self.source.error(
            node, f"there is no function `{shortened(name)}`", suggestion, f"{close or 'sma'}(close{'' if close else ', 20'})"
        )


_MOST_NAMED = 8
_SPACES = {**dict.fromkeys(("yesterday", "prevday", "previous_day", "prior_day"), "prev_day"), "spy": "market", "regime": "market"}
"""What people call a group of fields -> its name."""

_CONSTANTS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("true", "false"), ("Write the condition itself", "long = close > vwap()")),
    **dict.fromkeys(("none", "null", "na", "nan"), ("What is missing makes a comparison false; nz says otherwise", "nz(gap(), 0)")),
}
"""What other languages have a word for and this one needs none for -> the way out and an example."""

_CHOICE = ("Write a if condition else b", "low if close > open else high")
_FORMS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("iff", "if_else", "ifelse", "where", "select", "ternary"), _CHOICE),
    **dict.fromkeys(("pow", "power", "square"), ("Write x ** 2", "stdev(close, 20) ** 2")),
    "between": ("Write low < x < high; for the time of day there is time_between", "long = 10 < close < 20 and close > vwap()"),
    "cross": ("Write crosses_above or crosses_below", "crosses_above(close, vwap())"),
}
"""What other languages have a function for and this one a form of its own -> the way out and an example."""


def _example_of(name: str) -> str:
    """A use of a field, or of a line of the script."""
    if name not in FIELDS:
        return f"long = {name}"
    return f"close > {name}" if name.startswith(("levels.", "prev_day.")) else f"{name} > ago({name}, 1)"


def shortened(name: str) -> str:
    """A name as an error shows it."""
    return name if len(name) <= 40 else name[:37] + "..."


def _completed(space: str, name: str) -> str:
    return f"{space}.{name}" if f"{space}.{name}" in FIELDS else space


def _named(names: list[str]) -> str:
    """The names, of many the first only."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more: see `lab functions`" if more > 0 else "")


def _first_of(space: str) -> str:
    return next(field.partition(".")[2] for field in FIELDS if field.startswith(space + "."))
