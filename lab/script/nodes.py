"""The checked tree: small typed nodes, each distinct expression made once, so what is shared is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an expression is, in the words errors use."""

    NUMBER = "a number per bar"
    CONDITION = "a condition"
    CONSTANT = "a fixed number"
    TIME = "a time of day"
    ORDER = "an entry order"


class Op(Enum):
    """What a node does with its parts."""

    FIELD = "field"
    CONSTANT = "constant"
    NEGATE = "negate"
    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    POWER = "power"
    LESS = "less"
    LESS_EQUAL = "less_equal"
    GREATER = "greater"
    GREATER_EQUAL = "greater_equal"
    EQUAL = "equal"
    NOT_EQUAL = "not_equal"
    AND = "and"
    OR = "or"
    NOT = "not"
    CHOOSE = "choose"
    CALL = "call"
    ON = "on"
    """Its part, computed on the completed bars of the timeframe `name`."""
    OF = "of"
    """Its part, as it stands for the ticker `name`."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One distinct expression. Two nodes of one `Graph` are the same expression if and only if they are the same object."""

    index: int
    """Position in the graph; parts always come before what uses them."""
    op: Op
    name: str
    """Field or function name, timeframe or ticker, else empty."""
    parts: tuple[Node, ...]
    value: float | None
    """Of a constant (a time is minutes since midnight), else None."""
    kind: Kind
    warm_up_bars: int
    """Bars at the start of a ticker's history that can have no value."""
    warm_up_sessions: int
    """Earlier sessions needed beyond that."""


class Graph:
    """Makes nodes, each distinct expression once. Nodes are in an order in which parts come first."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[object, ...], Node] = {}

    def make(
        self,
        op: Op,
        kind: Kind,
        parts: tuple[Node, ...] = (),
        *,
        name: str = "",
        value: float | None = None,
        bars: int = 0,
        sessions: int = 0,
    ) -> Node:
        """The node for this expression; `bars` and `sessions` are the warm-up it adds to that of its parts."""
        key = (op, kind, name, repr(value), tuple(part.index for part in parts))
        known = self._known.get(key)
        if known is not None:
            return known
        node = Node(
            index=len(self.nodes),
            op=op,
            name=name,
            parts=parts,
            value=value,
            kind=kind,
            warm_up_bars=bars + max((part.warm_up_bars for part in parts), default=0),
            warm_up_sessions=sessions + max((part.warm_up_sessions for part in parts), default=0),
        )
        self.nodes.append(node)
        self._known[key] = node
        return node

    def constant(self, value: float) -> Node:
        """A fixed number; 3 and 3.0 are the same."""
        return self.make(Op.CONSTANT, Kind.CONSTANT, value=float(value) + 0.0)

    def time(self, minute: int) -> Node:
        """A time of day in New York, in minutes since midnight."""
        return self.make(Op.CONSTANT, Kind.TIME, value=float(minute))


def reachable(roots: list[Node], *, into_timeframes: bool = True) -> list[Node]:
    """Every node the roots are made of, parts before what uses them; on request not those computed on other timeframes."""
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.index not in found:
            found[node.index] = node
            if into_timeframes or node.op is not Op.ON:
                waiting.extend(node.parts)
    return [found[index] for index in sorted(found)]


def canonical(named: dict[str, Node]) -> str:
    """A text that two scripts share if and only if their named results are the same expressions."""
    order = reachable([named[name] for name in sorted(named)])
    # Graph positions depend on the order of lines, so nodes are numbered by a walk from the sorted names instead.
    numbers: dict[int, int] = {}
    lines: list[str] = []
    stack: list[tuple[Node, bool]] = [(named[name], False) for name in sorted(named, reverse=True)]
    while stack:
        node, parts_done = stack.pop()
        if node.index in numbers:
            continue
        if not parts_done:
            stack.append((node, True))
            stack.extend((part, False) for part in reversed(node.parts))
            continue
        numbers[node.index] = len(numbers)
        parts = ",".join(str(numbers[part.index]) for part in node.parts)
        lines.append(f"{numbers[node.index]}={node.op.value}:{node.kind.name}:{node.name}:{node.value!r}({parts})")
    assert len(lines) == len(order)
    lines += [f"{name}->{numbers[named[name].index]}" for name in sorted(named)]
    return "\n".join(lines)
