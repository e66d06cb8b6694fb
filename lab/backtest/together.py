"""Several strategies on the same bars in one pass: what two of them share is computed once, and the bars are read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.backtest.bars import read_bars
from lab.backtest.engine import run_backtest
from lab.backtest.errors import BacktestError
from lab.script.nodes import Node, reachable
from lab.script.strategy import traded_bars

if TYPE_CHECKING:
    from lab.backtest.account import Account, Costs
    from lab.backtest.bars import Ints
    from lab.backtest.result import BacktestResult
    from lab.script import Strategy


def backtest_together(strategies: Sequence[Strategy], frame: pl.DataFrame, account: Account, costs: Costs) -> Iterator[BacktestResult]:
    """For each strategy in order, the result `run_backtest` gives for it alone, each with an account of its own.

    Raises what `evaluate_together` and `run_backtest` raise.
    """
    read = read_bars(traded_bars(frame))
    for strategy, evaluated in zip(strategies, evaluate_together(strategies, frame), strict=True):
        yield run_backtest(strategy, evaluated, account, costs, read)


def evaluate_together(strategies: Sequence[Strategy], frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """For each strategy in order, the bars with the columns a backtest reads: the same values as from its own `evaluate`.

    What the strategies have in common, from an average to a whole scan, is computed once; the named lines of the scan are left
    out. All distinct columns are held in memory at once: 8 bytes a bar for a price, an eighth of one for a condition.

    Raises what `Strategy.evaluate` raises, and BacktestError without strategies.
    """
    if not strategies:
        raise BacktestError("There is no strategy to evaluate.")
    merged = _Merged()
    wanted: list[list[tuple[str, str]]] = []
    for strategy in strategies:
        outputs = [(name, node) for name, node in strategy.outputs if not name.startswith("scan.")]
        columns = merged.columns([node for _, node in outputs])
        wanted.append([(name, column) for (name, _), column in zip(outputs, columns, strict=True)])
    # No name of its own for a signal or a score: their warm-up and their blanks are each strategy's, and follow below.
    pass_over = replace(strategies[0], outputs=tuple(merged.outputs.items()), warm_up_bars=0)
    computed = traded_bars(pass_over.evaluate(frame))
    frame = traded_bars(frame)
    bar_number = _bar_numbers(frame)
    for strategy, names in zip(strategies, wanted, strict=True):
        warm = pl.Series(bar_number >= strategy.warm_up_bars)
        yield frame.with_columns(_finished(name, computed[column], warm) for name, column in names)


def _finished(name: str, values: pl.Series, warm: pl.Series) -> pl.Series:
    if name.startswith("signal."):
        values = values & warm
    elif name == "score":
        values = values.fill_null(0.0)
    return values.alias(name)


def _bar_numbers(frame: pl.DataFrame) -> Ints:
    """Per row, how many bars of its ticker came before; the frame is sorted by ticker."""
    lengths = frame["ticker"].rle().struct.field("len").to_numpy().astype(np.int64)
    numbers: Ints = np.arange(frame.height, dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return numbers


class _Merged:
    """The expressions of several strategies in one graph, each distinct one once."""

    def __init__(self) -> None:
        self.outputs: dict[str, Node] = {}
        """Column name -> its node; "=" stands in no name of a script or a frame."""
        self._known: dict[tuple[object, ...], Node] = {}

    def columns(self, roots: list[Node]) -> list[str]:
        """The columns that will hold these nodes of one strategy."""
        moved: dict[int, Node] = {}
        for node in reachable(roots):
            parts = tuple(moved[part.index] for part in node.parts)
            key = (node.op, node.kind, node.name, repr(node.value), tuple(part.index for part in parts))
            if key not in self._known:
                self._known[key] = replace(node, index=len(self._known), parts=parts)
            moved[node.index] = self._known[key]
        found = [moved[root.index] for root in roots]
        self.outputs.update((f"={node.index}", node) for node in found)
        return [f"={node.index}" for node in found]
