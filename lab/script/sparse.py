"""Many strategies on the same bars, each reduced to what an account reads: the bars with signals, and prices at those alone.

What does not differ between strategies is computed once and kept. Prices that follow from columns bar by bar (a stop at
`close - 2 * atr(14)` from the close and the atr) are computed at the signals only; the bits are those of the whole columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.script.catalogue import CATALOGUE
from lab.script.columns import Bars, read_bars
from lab.script.entries import Scope
from lab.script.evaluate import check_columns, check_tickers, compute
from lab.script.kernels.frames import rows_held
from lab.script.nodes import Kind, Node, Op, reachable
from lab.script.threads import side_by_side

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from lab.script.columns import Floats, Integers
    from lab.script.strategy import Strategy

_AT_SIGNALS = ("stop", "target", "target_2", "target_3", "entry_price", "size")
_PER_BAR = ("exit", "trail")


@dataclass(frozen=True, slots=True)
class Signals:
    """What one strategy does, by direction ("long", "short")."""

    rows: dict[str, Integers]
    """Rows of the frame with a signal, ascending."""
    prices: dict[str, Floats]
    """"long.stop" and so on: the column's values at the rows of its direction, not-a-number where missing."""
    scores: dict[str, Floats]
    """The score at those rows."""
    per_bar: dict[str, NDArray[Any]]
    """"long.exit": a byte a row, 1 where the exit rule is known to hold; "long.trail": a number a row, not-a-number where missing."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Bars at which strategies that differ in their exits alone all have their signals."""

    signal: Node
    warm_up_bars: int
    wanted: dict[int, Node]
    """What any of them asks there, by index."""


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Integers
    values: dict[int, NDArray[Any]]
    """By node: its values at the rows."""


class ManyStrategies:
    """Bars on which strategies are evaluated together, pass after pass."""

    def __init__(self, frame: pl.DataFrame, kept_bytes: int = 1_000_000_000) -> None:
        """The bars, and how much memory what strategies have in common may take from one pass to the next.

        Raises LabError if they are not sorted by ticker and time.
        """
        self._bars = read_bars(frame)
        self._bars.marked = False
        self._graph: dict[tuple[object, ...], Node] = {}
        self._kept: dict[int, NDArray[Any]] = {}
        self._room = kept_bytes

    def evaluate(self, strategies: Sequence[Strategy]) -> list[Signals]:
        """Each strategy's signals, the same as from the columns of its own `evaluate`.

        Raises LabError where the bars lack a column or a ticker.
        """
        merged = []
        for strategy in strategies:
            check_columns(strategy.outputs, self._bars.frame)
            outputs = {name: node for name, node in strategy.outputs if not name.startswith("scan.")}
            check_tickers(list(outputs.values()), self._bars)
            merged.append(dict(zip(outputs, self._merge(list(outputs.values())), strict=True)))
        wanted: dict[int, Node] = {}
        for outputs in merged:
            for name, node in outputs.items():
                found = _beneath(node) if name == "score" or name.partition(".")[2] in _AT_SIGNALS else [node]
                wanted.update((one.index, one) for one in found if one.op is not Op.CONSTANT)
        values = self._values(wanted, merged)
        places: dict[tuple[int, int], _Place] = {}
        for strategy, outputs in zip(strategies, merged, strict=True):
            for side in strategy.directions:
                signal = outputs[f"signal.{side}"]
                place = places.setdefault((signal.index, strategy.warm_up_bars), _Place(signal, strategy.warm_up_bars, {}))
                named = [outputs["score"], *(outputs[f"{side}.{what}"] for what in _AT_SIGNALS if f"{side}.{what}" in outputs)]
                place.wanted.update((node.index, node) for node in named)
        every = dict(zip(places, side_by_side(lambda place: self._at(place, values), places.values()), strict=True))
        return [self._signals(strategy, outputs, every, values) for strategy, outputs in zip(strategies, merged, strict=True)]

    def _merge(self, roots: list[Node]) -> list[Node]:
        """The same expressions in the one graph all strategies share, in which each distinct one stands once."""
        moved: dict[int, Node] = {}
        for node in reachable(roots):
            parts = tuple(moved[part.index] for part in node.parts)
            key = (node.op, node.kind, node.name, repr(node.value), tuple(part.index for part in parts))
            if key not in self._graph:
                self._graph[key] = replace(node, index=len(self._graph), parts=parts)
            moved[node.index] = self._graph[key]
        return [moved[root.index] for root in roots]

    def _values(self, wanted: dict[int, Node], merged: list[dict[str, Node]]) -> dict[int, NDArray[Any]]:
        """The wanted columns; what all these strategies share is kept for those to come."""
        missing = [node for index, node in wanted.items() if index not in self._kept]
        shared = self._shared(missing, merged) if len(merged) > 1 else []
        found = compute([*shared, *missing], self._bars, self._kept)
        for node in shared:
            size = found[node.index].nbytes
            if size <= self._room:
                self._kept[node.index] = found[node.index]
                self._room -= size
        return {**self._kept, **found}

    def _shared(self, missing: list[Node], merged: list[dict[str, Node]]) -> list[Node]:
        """The last nodes that all strategies have in common: those that are wanted themselves, or part of what differs."""
        common = set.intersection(*({node.index for node in reachable(list(outputs.values()))} for outputs in merged))
        nodes = reachable(missing, into_timeframes=False)
        found = {node.index: node for node in missing if node.index in common}
        for node in nodes:
            if node.index not in common and node.op is not Op.ON:
                found.update((part.index, part) for part in node.parts if part.index in common and part.op not in (Op.FIELD, Op.CONSTANT))
        return [node for index, node in sorted(found.items()) if index not in self._kept]

    def _signals(
        self, strategy: Strategy, outputs: dict[str, Node], found: dict[tuple[int, int], _Found], values: dict[int, NDArray[Any]]
    ) -> Signals:
        at = {side: found[outputs[f"signal.{side}"].index, strategy.warm_up_bars] for side in strategy.directions}
        prices: dict[str, Floats] = {}
        per_bar: dict[str, NDArray[Any]] = {}
        for name, node in outputs.items():
            side, _, what = name.partition(".")
            if what in _AT_SIGNALS:
                prices[name] = at[side].values[node.index]
            elif what in _PER_BAR:
                whole = self._whole(node, values)
                per_bar[name] = whole if node.kind is not Kind.CONDITION else whole & 1
        scores = {side: np.nan_to_num(one.values[outputs["score"].index], nan=0.0) for side, one in at.items()}
        return Signals({side: one.rows for side, one in at.items()}, prices, scores, per_bar)

    def _whole(self, node: Node, values: dict[int, NDArray[Any]]) -> NDArray[Any]:
        if node.op is Op.FIELD:
            return self._bars.array(node.name)
        if node.op is not Op.CONSTANT:
            return values[node.index]
        condition = node.kind is Kind.CONDITION
        return np.full(len(self._bars.times), np.uint8(1 if node.value else 2)) if condition else np.full(len(self._bars.times), node.value)

    def _rows(self, node: Node, values: dict[int, NDArray[Any]], warm_up_bars: int) -> Integers:
        bars = self._bars
        held = self._whole(node, values)
        rows = np.empty(max(1024, len(held) // 32), dtype=np.int64)
        count = rows_held(held, bars.firsts, bars.lengths, warm_up_bars, rows)
        if count > len(rows):
            rows = np.empty(count, dtype=np.int64)
            rows_held(held, bars.firsts, bars.lengths, warm_up_bars, rows)
        return rows[:count].copy()

    def _at(self, place: _Place, values: dict[int, NDArray[Any]]) -> _Found:
        """The rows of a signal, and what is wanted there, from the columns beneath it."""
        rows = self._rows(place.signal, values, place.warm_up_bars)
        fixed = {index: np.full(len(rows), node.value, dtype=np.float64) for index, node in place.wanted.items() if node.op is Op.CONSTANT}
        given: dict[int, NDArray[Any]] = {}
        for node in place.wanted.values():
            for one in _beneath(node):
                if one.op is not Op.CONSTANT and one.index not in given:
                    given[one.index] = (self._bars.array(one.name) if one.op is Op.FIELD else values[one.index])[rows]
        missing = [node for index, node in place.wanted.items() if index not in given and index not in fixed]
        all_rows = np.zeros(1, dtype=np.int64), np.array([len(rows)], dtype=np.int64)
        here = Bars(self._bars.frame, ("",), *all_rows, self._bars.times[rows], plausible=True, marked=False)
        return _Found(rows, fixed | given | (compute(missing, here, given) if missing else {}))


def _beneath(node: Node) -> list[Node]:
    """The nodes from which a node follows bar by bar, without a look at any other bar."""
    found: dict[int, Node] = {}
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if _own_bar_only(one):
            waiting.extend(one.parts)
        else:
            found[one.index] = one
    return list(found.values())


def _own_bar_only(node: Node) -> bool:
    if node.op is Op.CALL:
        # Functions without arguments read fields, which are not at hand for chosen rows.
        function = CATALOGUE[node.name]
        return function.scope is Scope.BAR and function.steps is not None and bool(function.arguments) and node.kind is Kind.NUMBER
    return node.op not in (Op.FIELD, Op.CONSTANT, Op.ON, Op.OF)
