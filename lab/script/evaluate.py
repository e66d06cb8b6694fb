"""Nodes to Polars: every distinct expression becomes one column, ticker by ticker, in as few passes as their order allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from lab.errors import LabError
from lab.script.build import bounded, column, row_number, shared, where
from lab.script.catalogue import CATALOGUE
from lab.script.entries import Function, Scope, Takes
from lab.script.fields import FIELDS
from lab.script.nodes import Kind, Node, Op, reachable
from lab.script.strategy import looks_across, missing_columns
from lab.script.timeframes import add_timeframe

BAR_COLUMNS = ("ticker", "timestamp", "open", "high", "low", "close", "volume", "session", "minute", "close_minute")
"""What a bars frame has before its context columns."""
_PRICES = ("open", "high", "low", "close", "volume")

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


@dataclass(slots=True)
class Stage:
    """What is computed in one pass, from the columns of earlier passes only."""

    columns: list[pl.Expr] = field(default_factory=list)
    """Computed within each ticker."""
    across: list[Node] = field(default_factory=list)
    """Computed from several tickers."""


def evaluate(outputs: tuple[tuple[str, Node], ...], warm_up_bars: int, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column for each output; conditions and signals have no nulls, signals none in warm-up.

    Raises:
        LabError: a column or a ticker is missing, or the rows are not sorted by ticker and time.
    """
    _check_columns(outputs, frame)
    spans = list(_ticker_spans(frame))
    _check_order(frame, spans)
    roots = [node for _, node in outputs]
    timeframes = _timeframes(roots)
    stages = _stages(roots)
    results = [_result(name, node, warm_up_bars) for name, node in outputs]
    named = {node.name for node in reachable(roots) if node.op is Op.FIELD}
    cleaned = frame.select(
        *("timestamp", "session", "minute", "close_minute"),
        # Functions read prices and volume without being told to; other fields are read only where they are named.
        *(_clean(name) for name in FIELDS if name in _PRICES or name in named),
    )
    names = [frame["ticker"][offset] if length else "" for offset, length in spans]
    if any(stage.across for stage in stages):
        _check_tickers(roots, names)
        parts = [_with_timeframes(cleaned.slice(offset, length), timeframes) for offset, length in spans]
        for stage in stages:
            # What several tickers share needs all of them one pass further, so here the passes are the outer loop.
            parts = [part.with_columns(stage.columns) for part in parts] if stage.columns else parts
            for node in stage.across:
                parts = _across(node, parts, names)
        done = [part.with_columns(results).select(name for name, _ in outputs) for part in parts]
    else:
        done = []
        for offset, length in spans:
            # One ticker at a time is several times faster than windows over the whole frame, and no ticker can touch another.
            part = _with_timeframes(cleaned.slice(offset, length), timeframes)
            for stage in stages:
                part = part.with_columns(stage.columns)
            done.append(part.with_columns(results).select(name for name, _ in outputs))
    return frame.with_columns(pl.concat(done).get_columns())


def _timeframes(roots: list[Node]) -> dict[str, tuple[list[Node], list[list[pl.Expr]]]]:
    """Timeframe -> the nodes wanted of it, and how they are computed on its bars."""
    wanted: dict[str, list[Node]] = {}
    for node in reachable(roots, into_timeframes=False):
        if node.op is Op.ON:
            wanted.setdefault(node.name, []).append(node)
    return {name: (nodes, [stage.columns for stage in _stages([node.parts[0] for node in nodes])]) for name, nodes in wanted.items()}


def _with_timeframes(part: pl.DataFrame, timeframes: dict[str, tuple[list[Node], list[list[pl.Expr]]]]) -> pl.DataFrame:
    for name, (nodes, stages) in timeframes.items():
        part = add_timeframe(part, name, stages, [(_column_of(node.parts[0]), _label(node)) for node in nodes])
    return part


def _across(node: Node, parts: list[pl.DataFrame], names: list[str]) -> list[pl.DataFrame]:
    """The tickers' bars with a column more, which depends on those of other tickers."""
    label = _label(node)
    if node.op is Op.OF:
        if node.name not in names:
            return [part.with_columns(_nothing(node).alias(label)) for part in parts]
        source = parts[names.index(node.name)]
        times, values = source["timestamp"].to_physical(), source[_column_of(node.parts[0])].alias(label)
        found = []
        for part in parts:
            # The last bar of the other ticker that starts with this one or before; none is missing.
            at = times.search_sorted(part["timestamp"].to_physical(), side="right").cast(pl.Int64) - 1
            found.append(part.with_columns(values.gather(pl.select(pl.when(at >= 0).then(at)).to_series())))
        return found
    columns = [_column_of(part) for part in node.parts]
    together = pl.concat([part.select("timestamp", *dict.fromkeys(columns)) for part in parts])
    expression = _call(CATALOGUE[node.name], node, [column(name) for name in columns])
    values = together.select(expression.over("timestamp").alias(label)).to_series()
    offset, found = 0, []
    for part in parts:
        found.append(part.with_columns(values.slice(offset, len(part))))
        offset += len(part)
    return found


def _check_columns(outputs: tuple[tuple[str, Node], ...], frame: pl.DataFrame) -> None:
    lacking = [name for name in BAR_COLUMNS if name not in frame.columns]
    if lacking:
        raise LabError(f"The bars have no column {', '.join(lacking)}.")
    problem = missing_columns(outputs, frame.columns)
    if problem is not None:
        raise problem


def _check_order(frame: pl.DataFrame, spans: list[tuple[int, int]]) -> None:
    tickers = [frame["ticker"][offset] for offset, length in spans if length]
    backwards = (frame["timestamp"].to_physical().diff() <= 0).arg_true()
    if tickers != sorted(set(tickers)) or not set(backwards) <= {offset for offset, _ in spans}:
        raise LabError("The bars are not sorted by ticker and time, or hold a bar twice.")


def _check_tickers(roots: list[Node], names: list[str]) -> None:
    lacking = sorted({node.name for node in reachable(roots) if node.op is Op.OF} - set(names))
    if lacking and any(names):
        raise LabError(f"The strategy reads {', '.join(lacking)} by `of`, and the bars hold none of it. Load it too, or change the script.")


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


def _nothing(node: Node) -> pl.Expr:
    return pl.lit(None, dtype=pl.Boolean if node.kind is Kind.CONDITION else pl.Float64)


def _column_of(node: Node) -> str:
    """The column that holds a node which has one."""
    return node.name if node.op is Op.FIELD else _label(node)


def _stages(roots: list[Node]) -> list[Stage]:
    """Columns to compute, in passes: those of one pass need only earlier passes."""
    nodes = reachable(roots, into_timeframes=False)
    kept = _columns(nodes, roots)
    expressions: dict[int, pl.Expr] = {}
    passes: dict[int, int] = {}
    depths: dict[int, int] = {}
    stages: list[Stage] = []
    for node in nodes:
        if node.op in (Op.FIELD, Op.CONSTANT, Op.ON):
            expression = column(_label(node)) if node.op is Op.ON else _leaf(node)
            expressions[node.index], passes[node.index], depths[node.index] = expression, 0, 0
            continue
        level = max((passes[part.index] for part in node.parts), default=0)
        while len(stages) <= level:
            stages.append(Stage())
        if looks_across(node):
            stages[level].across.append(node)
            expressions[node.index], passes[node.index], depths[node.index] = column(_label(node)), level + 1, 0
            continue
        depth = 1 + max((depths[part.index] for part in node.parts), default=0)
        expression = _expression(node, [expressions[part.index] for part in node.parts])
        if node.index in kept or depth >= _INLINE_DEPTH:
            stages[level].columns.append(expression.alias(_label(node)))
            expression, level, depth = column(_label(node)), level + 1, 0
        expressions[node.index], passes[node.index], depths[node.index] = expression, level, depth
    return stages


def _columns(nodes: list[Node], roots: list[Node]) -> set[int]:
    """Which nodes get a column of their own: results, what is used twice, what a function looks at, what repeats its parts."""
    kept = {root.index for root in roots}
    uses: dict[int, int] = {}
    for node in nodes:
        if node.op is Op.ON:
            continue
        for part in node.parts:
            uses[part.index] = uses.get(part.index, 0) + 1
        if node.op in (Op.CALL, Op.OF):
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
