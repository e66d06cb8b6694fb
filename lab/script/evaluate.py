"""Nodes to Polars: every distinct expression becomes one column, ticker by ticker, in as few passes as their order allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from lab.errors import LabError
from lab.script.build import bounded, column, row_number, shared, where
from lab.script.catalogue import CATALOGUE
from lab.script.entries import Function, Scope, Takes
from lab.script.fields import FIELDS
from lab.script.nodes import Kind, Node, Op, reachable
from lab.script.strategy import missing_columns

BAR_COLUMNS = ("ticker", "timestamp", "open", "high", "low", "close", "volume", "session", "minute", "close_minute")
"""What a bars frame has before its context columns."""

_LARGEST_INPUT = 1e15
_INLINE_DEPTH = 12
"""Deeper expressions are cut into columns: Polars plans a long chain of operators far slower than it computes it."""

_BINARY: dict[Op, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    Op.ADD: lambda a, b: a + b,
    Op.SUBTRACT: lambda a, b: a - b,
    Op.LESS: lambda a, b: a < b,
    Op.LESS_EQUAL: lambda a, b: a <= b,
    Op.GREATER: lambda a, b: a > b,
    Op.GREATER_EQUAL: lambda a, b: a >= b,
    Op.EQUAL: lambda a, b: a == b,
    Op.NOT_EQUAL: lambda a, b: a != b,
    # Polars' & and | are Kleene's: unknown and false is false, unknown or true is true, else unknown stays unknown.
    Op.AND: lambda a, b: a & b,
    Op.OR: lambda a, b: a | b,
}


def evaluate(outputs: tuple[tuple[str, Node], ...], warm_up_bars: int, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column for each output; conditions and signals have no nulls, signals none in warm-up.

    Raises:
        LabError: a column is missing, or the rows are not sorted by ticker and time.
    """
    _check_frame(outputs, frame)
    stages = _stages([node for _, node in outputs])
    results = [_result(name, node, warm_up_bars) for name, node in outputs]
    cleaned = frame.select(
        *("session", "minute", "close_minute"),
        *(_clean(name) for name in FIELDS if name in frame.columns),
    )
    parts: list[pl.DataFrame] = []
    for offset, length in _ticker_spans(frame):
        # One ticker at a time is several times faster than windows over the whole frame, and no ticker can touch another.
        part = cleaned.slice(offset, length)
        for stage in stages:
            part = part.with_columns(stage)
        parts.append(part.with_columns(results).select(name for name, _ in outputs))
    return frame.with_columns(pl.concat(parts).get_columns())


def _check_frame(outputs: tuple[tuple[str, Node], ...], frame: pl.DataFrame) -> None:
    lacking = [name for name in BAR_COLUMNS if name not in frame.columns]
    if lacking:
        raise LabError(f"The bars have no column {', '.join(lacking)}.")
    problem = missing_columns(outputs, frame.columns)
    if problem is not None:
        raise problem
    later = (pl.col("timestamp") > pl.col("timestamp").shift(1)) & (pl.col("ticker") == pl.col("ticker").shift(1))
    sorted_rows = frame.select((later | (pl.col("ticker") > pl.col("ticker").shift(1))).all()).item()
    if not sorted_rows:
        raise LabError("The bars are not sorted by ticker and time, or hold a bar twice.")


def _ticker_spans(frame: pl.DataFrame) -> Iterator[tuple[int, int]]:
    if frame.is_empty():
        yield 0, 0
        return
    offset = 0
    for length in frame["ticker"].rle().struct.field("len"):
        yield offset, length
        offset += length


def _clean(name: str) -> pl.Expr:
    """A field as plain numbers: what is not a finite, plausible number is missing."""
    value = pl.col(name).cast(pl.Float64)
    return where(value.is_between(-_LARGEST_INPUT, _LARGEST_INPUT), value).alias(name)


def _result(name: str, node: Node, warm_up_bars: int) -> pl.Expr:
    value = pl.col(_label(node)) if node.op not in (Op.CONSTANT, Op.FIELD) else _leaf(node)
    if node.kind is Kind.CONDITION:
        value = value.fill_null(False)
        if name.startswith("signal."):
            value = value & (row_number() >= warm_up_bars)
    elif name == "score":
        value = value.fill_null(0.0)
    return value.alias(name)


def _label(node: Node) -> str:
    # No script name holds a number sign, so this can't meet a column of the frame.
    return f"#{node.index}"


def _leaf(node: Node) -> pl.Expr:
    if node.op is Op.FIELD:
        return column(node.name)
    assert node.value is not None
    return pl.lit(bool(node.value)) if node.kind is Kind.CONDITION else pl.lit(node.value, dtype=pl.Float64)


def _stages(roots: list[Node]) -> list[list[pl.Expr]]:
    """Columns to compute, in passes: those of one pass need only earlier passes."""
    nodes = reachable(roots)
    kept = _columns(nodes, roots)
    expressions: dict[int, pl.Expr] = {}
    passes: dict[int, int] = {}
    depths: dict[int, int] = {}
    stages: list[list[pl.Expr]] = []
    for node in nodes:
        if node.op in (Op.FIELD, Op.CONSTANT):
            expressions[node.index], passes[node.index], depths[node.index] = _leaf(node), 0, 0
            continue
        level = max((passes[part.index] for part in node.parts), default=0)
        depth = 1 + max((depths[part.index] for part in node.parts), default=0)
        expression = _expression(node, [expressions[part.index] for part in node.parts])
        if node.index in kept or depth >= _INLINE_DEPTH:
            while len(stages) <= level:
                stages.append([])
            stages[level].append(expression.alias(_label(node)))
            expression, level, depth = column(_label(node)), level + 1, 0
        expressions[node.index], passes[node.index], depths[node.index] = expression, level, depth
    return stages


def _columns(nodes: list[Node], roots: list[Node]) -> set[int]:
    """Which nodes get a column of their own: results, what is used twice, what a function looks at, what repeats its parts."""
    kept = {root.index for root in roots}
    uses: dict[int, int] = {}
    for node in nodes:
        for part in node.parts:
            uses[part.index] = uses.get(part.index, 0) + 1
        if node.op is Op.CALL:
            kept.update(part.index for part in node.parts)
        if node.op is Op.CHOOSE:
            kept.add(node.parts[0].index)
        if _needs_bounding(node):
            kept.add(node.index)
    kept.update(index for index, count in uses.items() if count > 1)
    return kept


def _needs_bounding(node: Node) -> bool:
    """Whether a result may be no usable number even though its parts are."""
    if node.op is Op.MULTIPLY:
        return not any(part.kind is Kind.CONSTANT and abs(part.value or 0.0) <= 1000 for part in node.parts)
    return node.op in (Op.DIVIDE, Op.POWER)


def _expression(node: Node, parts: list[pl.Expr]) -> pl.Expr:
    match node.op:
        case Op.NEGATE:
            return -parts[0]
        case Op.NOT:
            return ~parts[0]
        case Op.CHOOSE:
            # An unknown condition chooses neither: what is missing stays missing.
            return pl.when(parts[0]).then(parts[1]).when(~parts[0]).then(parts[2]).otherwise(None)
        case Op.MULTIPLY:
            value = parts[0] * parts[1]
            return bounded(value) if _needs_bounding(node) else value
        case Op.DIVIDE:
            divisor = node.parts[1]
            return bounded(shared(parts[0], divisor.value) if divisor.value else parts[0] / parts[1])
        case Op.POWER:
            return bounded(parts[0].pow(node.parts[1].value or 0.0))
        case Op.CALL:
            return _call(CATALOGUE[node.name], node, parts)
        case _:
            return _BINARY[node.op](parts[0], parts[1])


def _call(function: Function, node: Node, parts: list[pl.Expr]) -> pl.Expr:
    assert function.build is not None
    given: list[pl.Expr | float | int] = []
    for argument, part, expression in zip(function.arguments, node.parts, parts, strict=True):
        if part.op is Op.CONSTANT:
            assert part.value is not None
            given.append(int(part.value) if argument.takes in (Takes.WHOLE, Takes.TIME) else part.value)
        else:
            given.append(expression)
    built = function.build(*given)
    if function.scope is Scope.SESSION:
        return built.over("session")
    return built
