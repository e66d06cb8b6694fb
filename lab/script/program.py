"""Nodes to steps of compiled kernels: each distinct step once, results in columns, what lies between in buffers that are used again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NewType

from lab.script.entries import Function, Takes
from lab.script.kernels import arithmetic, running, sessions, windows
from lab.script.kernels.machine import BETWEEN, COLUMN, WHOLE, Machine
from lab.script.nodes import Kind, Node, Op

Value = NewType("Value", int)
"""What a step gives, a field or a fixed number: a place in a program."""

KERNELS = {**arithmetic.KERNELS, **windows.KERNELS, **running.KERNELS, **sessions.KERNELS}
WIDTHS = {"session": 4, "minute": 2, "close_minute": 2}
"""Bytes of the fields that are no float64."""

_OPERATORS = {
    Op.NEGATE: "negate", Op.ADD: "add", Op.SUBTRACT: "subtract", Op.LESS: "less", Op.LESS_EQUAL: "less_equal", Op.EQUAL: "equal",
    Op.AND: "and", Op.OR: "or", Op.NOT: "not",
}  # fmt: skip
_TURNED = {Op.GREATER: "less", Op.GREATER_EQUAL: "less_equal"}


@dataclass(frozen=True, slots=True)
class _Step:
    kernel: str
    operands: tuple[Value, ...]
    n: int
    p: float
    q: float


@dataclass(slots=True)
class Program:
    """Steps in an order in which what a step reads comes first."""

    steps: list[_Step | str | float | bool] = field(default_factory=list)
    """By value: a step, the name of a column that is there, or a fixed number or condition."""
    widths: list[int] = field(default_factory=list)
    """By value: bytes a bar."""
    results: dict[str, Value] = field(default_factory=dict)
    """Column to make -> the value that goes there."""
    _known: dict[object, Value] = field(default_factory=dict)

    def column(self, name: str, width: int = 8) -> Value:
        """A column of numbers, or of conditions where the width is 1."""
        return self._add(("column", name), name, width)

    def read(self, name: str) -> Value:
        """A field of the bars: a price, the volume, context, "session", "minute" or "close_minute"."""
        value = self.column(name, WIDTHS.get(name, 8))
        if name not in WIDTHS:
            self.do("check", value)
        return value

    def number(self, value: float) -> Value:
        """The same number on every bar."""
        return self._add(("number", repr(value)), float(value), 8)

    def condition(self, value: bool) -> Value:
        """The same condition on every bar."""
        return self._add(("condition", value), value, 1)

    def do(self, kernel: str, *operands: Value, n: int = 1, p: float = 1.0, q: float = 0.0) -> Value:
        """What a kernel makes of the operands (see `lab.script.kernels`)."""
        step = _Step(kernel, operands, n, p, q)
        return self._add(step, step, 1 if KERNELS[kernel][2] == "c" else 8)

    def _add(self, key: object, entry: _Step | str | float | bool, width: int) -> Value:
        if key not in self._known:
            self._known[key] = Value(len(self.steps))
            self.steps.append(entry)
            self.widths.append(width)
        return self._known[key]

    def give(self, name: str, value: Value) -> None:
        """Have a value put into a column."""
        if not isinstance(self.steps[value], _Step):
            value = self.do("copy" if self.widths[value] == 8 else "copy_condition", value)
        if value in self.results.values():
            value = self._copy(name, value)
        self.results[name] = value

    def _copy(self, name: str, value: Value) -> Value:
        kernel = "copy" if self.widths[value] == 8 else "copy_condition"
        return self._add(("copy", name), _Step(kernel, (value,), 1, 1.0, 0.0), self.widths[value])


@dataclass(frozen=True, slots=True)
class Layout:
    """A program with a place in memory for every value, ready to be made a machine of."""

    slots: list[tuple[int, int, float | None]]
    calls: list[tuple[int, list[int], int, int, float, float, int]]
    columns: dict[str, int]
    """Column, read or made -> its slot."""
    widths: dict[str, int]
    """Column made -> bytes a bar."""

    def machine(self, longest: int) -> Machine:
        """A machine for tickers of at most so many bars; each thread needs one of its own."""
        return Machine(self.slots, self.calls, longest)


def lay_out(program: Program) -> Layout:
    """Give every value its place: a column, or a buffer that is free again after its last use."""
    steps, widths = program.steps, program.widths
    made = {value: name for name, value in program.results.items()}
    looked_back = {
        operand
        for step in steps
        if isinstance(step, _Step)
        for operand, takes in zip(step.operands, KERNELS[step.kernel][1], strict=True)
        if takes in "NC"
    }
    last_use = {operand: at for at, step in enumerate(steps) if isinstance(step, _Step) for operand in step.operands}
    slots: list[tuple[int, int, float | None]] = []
    calls: list[tuple[int, list[int], int, int, float, float, int]] = []
    columns: dict[str, int] = {}
    place: dict[Value, int] = {}
    free: dict[int, list[int]] = {1: [], 8: []}

    def slot(kind: int, width: int, content: float | None = None) -> int:
        slots.append((kind, width, content))
        return len(slots) - 1

    for at, step in enumerate(steps):
        value = Value(at)
        if isinstance(step, str):
            place[value] = columns[step] = slot(WHOLE, widths[at])
            continue
        if not isinstance(step, _Step):
            place[value] = slot(COLUMN if value in looked_back else BETWEEN, widths[at], float(step))
            continue
        address, _, gives, state = KERNELS[step.kernel]
        reusable = False
        if not gives:
            place[value] = -1
        elif value in made:
            place[value] = columns[made[value]] = slot(WHOLE, widths[at])
        elif value in looked_back:
            place[value] = slot(COLUMN, widths[at])
        else:
            reusable = True
            place[value] = free[widths[at]].pop() if free[widths[at]] else slot(BETWEEN, widths[at])
        operands = [place[operand] for operand in step.operands]
        calls.append((address, operands, place[value], step.n, step.p, step.q, state(step.n) if state is not None else 0))
        for operand in set(step.operands):
            entry = steps[operand]
            between = isinstance(entry, _Step) and operand not in made and operand not in looked_back
            if between and last_use[operand] == at:
                free[widths[operand]].append(place[operand])
        if reusable and value not in last_use:
            free[widths[at]].append(place[value])
    return Layout(slots, calls, columns, {name: widths[value] for name, value in program.results.items()})


def add_node(program: Program, node: Node, parts: list[Value], functions: Mapping[str, Function]) -> Value:
    """The value of a node whose parts are there already."""
    do = program.do
    match node.op:
        case Op.FIELD:
            return program.read(node.name)
        case Op.CONSTANT:
            assert node.value is not None
            return program.condition(bool(node.value)) if node.kind is Kind.CONDITION else program.number(node.value)
        case Op.GREATER | Op.GREATER_EQUAL:
            return do(_TURNED[node.op], parts[1], parts[0])
        case Op.NOT_EQUAL:
            return do("not", do("equal", *parts))
        case Op.CHOOSE:
            return do("choose_condition" if node.kind is Kind.CONDITION else "choose", *parts)
        case Op.MULTIPLY:
            return do("multiply_bounded" if needs_bounding(node) else "multiply", *parts)
        case Op.DIVIDE:
            divisor = node.parts[1].value
            return do("scale", parts[0], p=1.0 / divisor) if divisor else do("divide", *parts)
        case Op.POWER:
            return do("power", parts[0], p=node.parts[1].value or 0.0)
        case Op.CALL:
            return _call(program, functions[node.name], node, parts)
        case _:
            return do(_OPERATORS[node.op], *parts)


def needs_bounding(node: Node) -> bool:
    """Whether a product may be no usable number even though its parts are."""
    return not any(part.kind is Kind.CONSTANT and abs(part.value or 0.0) <= 1000 for part in node.parts)


def _call(program: Program, function: Function, node: Node, parts: list[Value]) -> Value:
    assert function.steps is not None
    given: list[Value | float | int] = []
    for argument, part, value in zip(function.arguments, node.parts, parts, strict=True):
        if argument.takes in (Takes.WHOLE, Takes.TIME):
            assert part.value is not None
            given.append(int(part.value))
        elif argument.takes is Takes.FIXED:
            assert part.value is not None
            given.append(part.value)
        else:
            given.append(value)
    return function.steps(program, *given)
