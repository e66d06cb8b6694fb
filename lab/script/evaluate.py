"""Nodes to columns: steps of compiled kernels, ticker by ticker on all processors; what has none is computed by Polars between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.errors import LabError
from lab.script.catalogue import CATALOGUE
from lab.script.columns import Bars, bits_for, conditions_series, floats, numbers_series, read_bars, truths, unknown_kept
from lab.script.entries import Function, Scope, Takes
from lab.script.fields import FIELDS
from lab.script.kernels.across import among_all, rows_as_of
from lab.script.kernels.frames import mark_known
from lab.script.nodes import Kind, Node, Op, reachable
from lab.script.program import Layout, Program, Value, add_node, lay_out
from lab.script.strategy import missing_columns
from lab.script.threads import on_all_processors
from lab.script.timeframes import longer_bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.script.columns import Truths

    Arrays = dict[int, NDArray[Any]]
    """By node: float64, missing ones not-a-number, or conditions as bytes (see `lab.script.columns`)."""

BAR_COLUMNS = ("ticker", "timestamp", "open", "high", "low", "close", "volume", "session", "minute", "close_minute")
"""What a bars frame has before its context columns."""
_PRICES = ("open", "high", "low", "close", "volume")


class _Implausible(Exception):
    """A field that was read holds infinities or the like."""


def evaluate(outputs: tuple[tuple[str, Node], ...], warm_up_bars: int, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column for each output; conditions and signals have no nulls, signals none in warm-up.

    Raises:
        LabError: a column or a ticker is missing, or the rows are not sorted by ticker and time.
    """
    check_columns(outputs, frame)
    bars = read_bars(frame)
    roots = [node for _, node in outputs]
    check_tickers(roots, bars)
    outputs = tuple((name, _never_missing(node, roots) if name == "score" else node) for name, node in outputs)
    values = compute([node for _, node in outputs], bars)
    return frame.with_columns(
        # Now known to be in order, which spares whoever reads the frame next finding it out.
        frame["ticker"].set_sorted(),
        *(_result(name, node, values, bars, warm_up_bars) for name, node in outputs),
    )


def _never_missing(score: Node, roots: list[Node]) -> Node:
    """A score that is nought where it would be missing."""
    if score.op is Op.CONSTANT:
        return score
    new = 1 + max(node.index for node in reachable(roots))
    nought = Node(new, Op.CONSTANT, "", (), 0.0, Kind.CONSTANT, 0, 0)
    return Node(new + 1, Op.CALL, "nz", (score, nought), None, Kind.NUMBER, 0, 0)


def compute(roots: list[Node], bars: Bars, given: Arrays | None = None) -> Arrays:
    """The values of the nodes, fixed numbers left out; `given` are those of nodes computed before on the same bars."""
    try:
        return _compute(roots, bars, given or {})
    except _Implausible:
        # No given value was computed from an implausible field: it would have been found out then.
        bars.drop_implausible()
        return _compute(roots, bars, given or {})


def _compute(roots: list[Node], bars: Bars, given: Arrays) -> Arrays:
    nodes = _needed(roots, given)
    stages = _stages(nodes)
    wanted = {root.index for root in roots if root.op is not Op.CONSTANT}
    for node in nodes:
        for part in _parts(node):
            if part.op not in (Op.CONSTANT, Op.FIELD) and stages.get(part.index, 0) < stages[node.index]:
                wanted.add(part.index)
    made = dict(given)
    for stage in range(max(stages.values(), default=0) + 1):
        own = [node for node in nodes if stages[node.index] == stage]
        foreign = [node for node in own if not _compiled(node)]
        _timeframes([node for node in foreign if node.op is Op.ON], bars, made)
        for node in foreign:
            if node.op is not Op.ON:
                made[node.index] = _foreign(node, bars, made)
        _run([node for node in own if _compiled(node)], wanted, bars, made)
    return {index: made[index] for index in wanted if index in made}


def _parts(node: Node) -> tuple[Node, ...]:
    """What a node is computed from on these bars; what `on` looks at is computed on others."""
    return () if node.op is Op.ON else node.parts


def _needed(roots: list[Node], given: Arrays) -> list[Node]:
    """What has to be computed for the roots, parts before what uses them."""
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.index not in found and node.index not in given:
            found[node.index] = node
            waiting.extend(_parts(node))
    return [found[index] for index in sorted(found)]


def _compiled(node: Node) -> bool:
    """Whether a node is a step of a program, or several."""
    return node.op not in (Op.ON, Op.OF) and (node.op is not Op.CALL or CATALOGUE[node.name].steps is not None)


def _stages(nodes: list[Node]) -> dict[int, int]:
    """Per node the stage it is computed in. Within a stage programs come last, so what they can't compute is there before them."""
    stages: dict[int, int] = {}
    for node in nodes:
        parts = _parts(node)
        before = max((stages.get(part.index, 0) for part in parts), default=0)
        # A foreign function that looks at no script's value but at fields alone still needs nothing before it.
        stages[node.index] = before + (not _compiled(node) and any(part.op is not Op.CONSTANT for part in parts))
    return stages


def _run(own: list[Node], wanted: set[int], bars: Bars, made: Arrays) -> None:
    """Compute the wanted of a stage's nodes by one program; earlier stages' are there already."""
    if not any(node.index in wanted for node in own):
        return
    program = Program()
    places: dict[int, Value] = {}
    for node in own:
        for part in node.parts:
            if part.index not in places:
                # Fields and numbers are read again in each stage; what else is of an earlier one was made a column.
                leaf = part.op in (Op.FIELD, Op.CONSTANT) and part.index not in made
                width = 1 if part.kind is Kind.CONDITION else 8
                places[part.index] = add_node(program, part, [], CATALOGUE) if leaf else program.column(f"#{part.index}", width)
        places[node.index] = add_node(program, node, [places[part.index] for part in node.parts], CATALOGUE)
        if node.index in wanted:
            program.give(f"={node.index}", places[node.index])
    layout = lay_out(program)
    columns: dict[str, NDArray[Any]] = {}
    for name in layout.columns:
        if name in layout.widths:
            columns[name] = np.empty(len(bars.times), dtype=np.uint8 if layout.widths[name] == 1 else np.float64)
            made[int(name[1:])] = columns[name]
        else:
            columns[name] = made[int(name[1:])] if name.startswith("#") else bars.array(name)
    bits = {name: bits_for(len(bars.times)) for name, width in layout.widths.items() if width == 8 and bars.marked}
    if not run_layout(layout, columns, bars, bits) and not bars.plausible:
        raise _Implausible
    bars.known.update((int(name[1:]), known) for name, known in bits.items())


def run_layout(layout: Layout, columns: dict[str, NDArray[Any]], bars: Bars, bits: dict[str, Truths]) -> bool:
    """Run the steps over every ticker, and mark the known values of the columns in `bits`. False where a field is implausible."""
    waiting = sorted(bars.spans, key=lambda span: span[1])
    failed: list[bool] = []

    def work() -> None:
        machine = layout.machine(bars.longest)
        for name, slot in layout.columns.items():
            machine.bind(slot, columns[name].view(np.uint8))
        while not failed:
            try:
                first, length = waiting.pop()
            except IndexError:
                return
            if not machine.run(first, length):
                failed.append(True)
            for name, known in bits.items():
                mark_known(columns[name], known, first, length)

    on_all_processors(work, len(waiting))
    return not failed


def _timeframes(nodes: list[Node], bars: Bars, made: Arrays) -> None:
    """What is computed on longer bars, as of the last one that was over."""
    wanted: dict[str, list[Node]] = {}
    for node in nodes:
        wanted.setdefault(node.name, []).append(node)
    for timeframe, on in wanted.items():
        longer = longer_bars(_cleaned(bars, [node.parts[0] for node in on]), bars, timeframe)
        values = compute([node.parts[0] for node in on], longer.bars)
        for node in on:
            part = node.parts[0]
            if part.op is Op.CONSTANT:
                made[node.index] = _constant(part, len(bars.times))
            elif part.kind is Kind.CONDITION:
                made[node.index] = np.where(longer.at >= 0, values[part.index][longer.at], np.uint8(0))
            else:
                made[node.index] = np.where(longer.at >= 0, values[part.index][longer.at], np.nan)


def _foreign(node: Node, bars: Bars, made: Arrays) -> NDArray[Any]:
    """A node no program can compute: it looks at other tickers, or Polars has it."""
    if node.op is Op.OF:
        return _of(node, bars, _values(node.parts[0], bars, made))
    function = CATALOGUE[node.name]
    if function.among is not None:
        out = np.full(len(bars.times), np.nan)
        x = _values(node.parts[0], bars, made)
        if node.parts[0].kind is Kind.CONDITION:
            x = np.where(x == 0, np.nan, x == 1)
        ranked = _traded(bars)[bars.firsts]
        among_all(function.among, bars.times, x, out, bars.firsts[ranked], bars.lengths[ranked])
        return out
    needed = _cleaned(bars, [node]).with_columns(
        _series(part, _values(part, bars, made), bars).alias(_label(part)) for part in node.parts if part.op is not Op.CONSTANT
    )
    expression = _call(function, node)
    if function.scope is Scope.MOMENT:
        ranked = _traded(bars)
        there = needed.filter(ranked).select(expression.over("timestamp").alias("x"))["x"]
        found = pl.repeat(None, len(bars.times), dtype=there.dtype, eager=True).scatter(np.flatnonzero(ranked), there)
    else:
        # One ticker at a time is faster than windows over the whole frame, and no ticker can touch another.
        found = pl.concat([needed.slice(*span).select(expression.alias("x"))["x"] for span in bars.spans or [(0, 0)]])
    return truths(found) if node.kind is Kind.CONDITION else floats(found)


def _traded(bars: Bars) -> NDArray[np.bool_]:
    """The bars of tickers that are not only looked at: the others are ranked among none."""
    frame = bars.frame
    return frame["traded"].to_numpy() if "traded" in frame.columns else np.ones(len(bars.times), dtype=np.bool_)


def _of(node: Node, bars: Bars, values: NDArray[Any]) -> NDArray[Any]:
    """Another ticker's values: of its last bar that starts with this one or before."""
    missing: Any = np.uint8(0) if node.kind is Kind.CONDITION else np.nan
    if node.name not in bars.names:
        return np.full(len(bars.times), missing)
    first, length = bars.spans[bars.names.index(node.name)]
    at = np.empty(len(bars.times), dtype=np.int64)
    for start, rows in bars.spans:
        rows_as_of(bars.times[start : start + rows], bars.times[first : first + length], at[start : start + rows])
    return np.where(at >= 0, values[first : first + length][at], missing)


def _values(node: Node, bars: Bars, made: Arrays) -> NDArray[Any]:
    if node.op is Op.CONSTANT:
        return _constant(node, len(bars.times))
    return bars.array(node.name) if node.op is Op.FIELD else made[node.index]


def _constant(node: Node, size: int) -> NDArray[Any]:
    assert node.value is not None
    return np.full(size, np.uint8(1 if node.value else 2)) if node.kind is Kind.CONDITION else np.full(size, node.value)


def _series(node: Node, values: NDArray[Any], bars: Bars) -> pl.Series:
    return unknown_kept(values) if node.kind is Kind.CONDITION else numbers_series(values, bars, bars.known.get(node.index))


def _cleaned(bars: Bars, roots: list[Node]) -> pl.DataFrame:
    """The fields Polars may read, as plain numbers: prices and volume without being told to, others where they are named."""
    named = {node.name for node in reachable(roots) if node.op is Op.FIELD}
    fields = [name for name in FIELDS if name in _PRICES or name in named]
    if not bars.plausible and not all(bool((np.abs(bars.array(name)) <= 1e15).all()) for name in fields):
        bars.drop_implausible()
    return bars.frame.select("timestamp", "session", "minute", "close_minute").with_columns(
        numbers_series(bars.array(name), bars).alias(name) for name in fields
    )


def _call(function: Function, node: Node) -> pl.Expr:
    assert function.build is not None
    given: list[pl.Expr | float | int] = []
    for argument, part in zip(function.arguments, node.parts, strict=True):
        if part.op is Op.CONSTANT:
            assert part.value is not None
            given.append(int(part.value) if argument.takes in (Takes.WHOLE, Takes.TIME) else part.value)
        else:
            given.append(pl.col(_label(part)))
    built = function.build(*given)
    return built.over("session") if function.scope is Scope.SESSION else built


def _label(node: Node) -> str:
    # No script name holds a number sign, so this can't meet a column of the frame.
    return f"#{node.index}"


def _result(name: str, node: Node, values: Arrays, bars: Bars, warm_up_bars: int) -> pl.Expr | pl.Series:
    warm = warm_up_bars if name.startswith("signal.") else 0
    if node.kind is Kind.CONDITION:
        held = values[node.index] if node.op is not Op.CONSTANT else _constant(node, len(bars.times))
        return conditions_series(held, bars, warm).alias(name)
    if node.op is Op.CONSTANT:
        return pl.lit(node.value, dtype=pl.Float64).alias(name)
    return _series(node, values[node.index], bars).alias(name)


def check_columns(outputs: tuple[tuple[str, Node], ...], frame: pl.DataFrame) -> None:
    """Raises LabError where the frame lacks a column."""
    lacking = [name for name in BAR_COLUMNS if name not in frame.columns]
    if lacking:
        raise LabError(f"The bars have no column {', '.join(lacking)}.")
    problem = missing_columns(outputs, frame.columns)
    if problem is not None:
        raise problem


def check_tickers(roots: list[Node], bars: Bars) -> None:
    """Raises LabError where the bars lack a ticker that is read by `of`."""
    lacking = sorted({node.name for node in reachable(roots) if node.op is Op.OF} - set(bars.names))
    if lacking and bars.names:
        raise LabError(f"The strategy reads {', '.join(lacking)} by `of`, and the bars hold none of it. Load it too, or change the script.")
