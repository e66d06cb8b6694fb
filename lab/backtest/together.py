"""Several strategies on the same bars in one pass: what two of them share is computed once, and the bars are read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.backtest.bars import read_bars
from lab.backtest.engine import run_prepared
from lab.backtest.errors import BacktestError
from lab.backtest.reading import merged
from lab.backtest.reasons import Direction
from lab.backtest.signals import TARGETS, Prepared, Signals
from lab.script.sparse import ManyStrategies
from lab.script.strategy import traded_bars
from lab.script.threads import side_by_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.backtest.account import Account, Costs
    from lab.backtest.bars import Bools, Floats, Ints
    from lab.backtest.finer import FinerBars
    from lab.backtest.plan import Plan
    from lab.backtest.result import BacktestResult
    from lab.script import Strategy
    from lab.script.sparse import Signals as Found


def backtest_together(
    strategies: Sequence[Strategy], frame: pl.DataFrame, account: Account, costs: Costs, finer: FinerBars | None = None
) -> Iterator[BacktestResult]:
    """For each strategy in order, the result `run_backtest` gives for it alone, each with an account of its own.

    Raises what `Together` and its `run` raise.
    """
    yield from Together(frame).run(strategies, account, costs, finer)


class Together:
    """Bars on which strategies are tested, pass after pass; what a pass had in common is there for the next."""

    def __init__(self, frame: pl.DataFrame) -> None:
        """Raises BacktestError for bars that are not sorted by ticker and time."""
        own = traded_bars(frame)
        self._read = read_bars(own)
        if own is frame and frame.schema["ticker"] == pl.String:
            # Now known to be in order, which spares finding it out again.
            frame = frame.with_columns(frame["ticker"].set_sorted())
        self._many = ManyStrategies(frame)
        self._guard = Lock()
        self._frame = frame
        self.bar_count = own.height
        self._traded: Bools | None = frame["traded"].to_numpy() if "traded" in frame.columns else None
        self._kept = self._traded
        if self._read.usable is not None:
            self._kept = np.ones(frame.height, dtype=np.bool_) if self._traded is None else self._traded.copy()
            self._kept[self._kept] = self._read.usable
        self._place: Ints | None = None if self._kept is None else np.cumsum(self._kept) - 1

    def run(
        self, strategies: Sequence[Strategy], account: Account, costs: Costs, finer: FinerBars | None = None
    ) -> Iterator[BacktestResult]:
        """The result of each strategy in order, each with an account of its own.

        Until the last is through, a byte a bar is held for each condition that differs between them, and 8 for each number that can't
        be computed at the signals alone.

        Raises what `Strategy.evaluate` and `run_backtest` raise, and BacktestError without strategies.
        """
        if not strategies:
            raise BacktestError("There is no strategy to evaluate.")
        with self._guard:
            every = self._many.evaluate(strategies)
        bars = self._read.bars
        if finer is not None:
            finer.within(bars)  # looked up once, before several runs ask for it at the same time

        def run(one: tuple[Strategy, Found]) -> BacktestResult:
            strategy, found = one
            prepared = Prepared(bars, self._signals(found, strategy.plan), self._without_price(found))
            return run_prepared(strategy.plan, prepared, account, costs, self.bar_count, finer)

        yield from side_by_side(run, zip(strategies, every, strict=True))

    def _signals(self, found: Found, plan: Plan) -> Signals:
        """The signals on bars that can be traded at, as the account meets them."""
        kept: dict[str, Any] = {side: slice(None) if self._kept is None else self._kept[at] for side, at in found.rows.items()}
        rows = {side: (at if self._place is None else self._place[at])[kept[side]] for side, at in found.rows.items()}
        none = np.empty(0, dtype=np.int64)
        row, is_short, conflicting = merged(rows.get(Direction.LONG, none), rows.get(Direction.SHORT, none))
        places = {Direction.LONG: np.flatnonzero(is_short == 0), Direction.SHORT: np.flatnonzero(is_short)}

        def said(values: dict[str, Floats], name: str) -> Floats:
            every = np.full(len(row), np.nan)
            for side in rows:
                every[places[Direction(side)]] = values[f"{side}{name}"][kept[side]]
            return every

        def per_bar(side: Direction, name: str, wanted: bool, kind: Any) -> NDArray[Any] | None:
            if not wanted:
                return None
            values = found.per_bar.get(f"{side}.{name}")
            if values is None or not len(values):
                # A direction without signals is never asked; an empty array could not even be pointed at.
                return np.zeros(1, dtype=kind)
            return values if self._kept is None else values[self._kept]

        targets = TARGETS[: len(plan.fractions)]
        return Signals(
            row=row,
            is_short=is_short,
            conflicting=conflicting,
            ends=np.searchsorted(row, self._read.bars.ticker_ends),
            score=said(found.scores, ""),
            stop=said(found.prices, ".stop"),
            target=np.array([said(found.prices, f".{name}") for name in targets]).reshape(len(targets), len(row)),
            entry=said(found.prices, ".entry_price") if plan.entry_kind != "at_open" else None,
            size=said(found.prices, ".size") if plan.size_kind != "risk" else None,
            long_exit=per_bar(Direction.LONG, "exit", plan.has_exit, np.uint8),
            short_exit=per_bar(Direction.SHORT, "exit", plan.has_exit, np.uint8),
            long_trail=per_bar(Direction.LONG, "trail", plan.has_trail, np.float64),
            short_trail=per_bar(Direction.SHORT, "trail", plan.has_trail, np.float64),
        )

    def _without_price(self, found: Found) -> pl.DataFrame:
        """Signals on bars without usable prices."""
        schema: dict[str, Any] = {"ticker": pl.String, "direction": pl.String, "signal_at": self._frame.schema["timestamp"]}
        if self._read.usable is None or self._kept is None:
            return pl.DataFrame(schema=schema)
        parts = []
        for side, at in found.rows.items():
            lost = at[~self._kept[at] if self._traded is None else self._traded[at] & ~self._kept[at]]
            part = self._frame.select("ticker", "timestamp")[lost]
            parts.append(part.select("ticker", pl.lit(str(side)).alias("direction"), pl.col("timestamp").alias("signal_at")))
        return pl.concat(parts)
