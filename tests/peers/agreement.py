"""The same signals given to the lab's account and to a peer, and their trades put side by side; what differs has to be explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lab.backtest import Account, Costs, run_backtest
from lab.script import compile_strategy

SCAN = """long = close > sma(close, 5) and close < open and volume > sma(volume, 10)
"""
EXIT_ONLY = """entry = at_open()
stop = close * 0.2
exit = crosses_below(close, sma(close, 8))
"""
STOP_AND_TARGET = """entry = at_open()
stop = close - 1.2 * atr(5)
target = close + 1.6 * atr(5)
"""
TO_THE_CENT = """entry = at_open()
stop = round(close - 0.4, 2)
target = round(close + 0.3, 2)
"""
TIMED = STOP_AND_TARGET + "max_bars = 7\n"


@dataclass(frozen=True)
class Trade:
    """Rows count from the ticker's first bar. Prices are before costs."""

    entry_row: int
    entry_price: float
    exit_row: int
    exit_price: float
    reason: str = ""


@dataclass(frozen=True)
class Case:
    """One ticker's bars with the columns a peer is handed, and the lab's trades on them."""

    open: Any
    high: Any
    low: Any
    close: Any
    signal: Any
    stop: Any
    target: Any
    exit: Any
    timestamps: Any
    trades: list[Trade]
    max_bars: int | None


def case(bars: pl.DataFrame, execution: str) -> Case:
    """The lab's trades on one ticker, each of the same size and with money for all."""
    strategy = compile_strategy(SCAN, execution)
    columns = strategy.evaluate(bars)
    costs = Costs(commission_bps=0.0, slippage_bps=0.0, participation_cap=None)
    account = Account(1e9, max_positions=1, max_position=0.001, buying_power=2.0, whole_shares=False, min_position=0.0)
    found = run_backtest(strategy, columns, account, costs).trades
    rows = {at: row for row, at in enumerate(bars["timestamp"])}
    trades = [
        Trade(rows[trade["entry_at"]], trade["entry_price"], rows[trade["exit_at"]], trade["exit_price"], trade["exit_reason"])
        for trade in found.iter_rows(named=True)
    ]
    values = {name: bars[name].to_numpy() for name in ("open", "high", "low", "close")}
    missing = np.full(len(bars), np.nan)
    return Case(
        **values,
        signal=columns["signal.long"].to_numpy(),
        stop=columns["long.stop"].to_numpy(),
        target=columns["long.target"].to_numpy() if strategy.plan.has_target else missing,
        exit=columns["long.exit"].to_numpy() if strategy.plan.has_exit else np.zeros(len(bars), dtype=bool),
        timestamps=bars["timestamp"],
        trades=trades,
        max_bars=strategy.plan.max_bars,
    )


def same(one: Trade, other: Trade) -> bool:
    return (one.entry_row, one.exit_row) == (other.entry_row, other.exit_row) and bool(
        np.allclose([one.entry_price, one.exit_price], [other.entry_price, other.exit_price], rtol=1e-9)
    )


Explanation = tuple[str, Callable[[Case, Trade | None, Trade | None], bool]]
"""A line that says how the rules differ, and whether that is what made this trade of ours and that of theirs differ."""


def just_touched(one: Case, mine: Trade | None, other: Trade | None) -> bool:
    """The high of an earlier bar met the target to the cent, and no more; the other took that for a fill."""
    if mine is None or other is None or other.exit_row > mine.exit_row:
        return False
    target = one.target[mine.entry_row - 1]
    return other.exit_row < mine.exit_row and bool(np.isclose(one.high[other.exit_row], target, rtol=1e-12, atol=0))


def opened_beyond_target(one: Case, mine: Trade | None, other: Trade | None) -> bool:
    """The bar opens beyond the target and reaches the stop later, which the other took."""
    if mine is None or other is None or mine.exit_row != other.exit_row or mine.reason != "target":
        return False
    target, stop, row = one.target[mine.entry_row - 1], one.stop[mine.entry_row - 1], mine.exit_row
    return bool(one.open[row] > target and one.low[row] <= stop and np.isclose(other.exit_price, stop))


def differences(one: Case, theirs: Sequence[Trade], explanations: Sequence[Explanation]) -> tuple[dict[str, str], list[str], int]:
    """By explanation the first trade that shows it; the trades nothing explains; and how many are the same.

    After a trade that ends otherwise, the two are in a position at different times: a trade that one of them has while the other is
    in a position is a consequence of that, and counted with it.
    """
    ours_at, theirs_at = ({trade.entry_row: trade for trade in trades} for trades in (one.trades, theirs))
    shown: dict[str, str] = {}
    unexplained: list[str] = []
    agreed = 0
    for row in sorted(ours_at.keys() | theirs_at.keys()):
        mine, other = ours_at.get(row), theirs_at.get(row)
        if mine is not None and other is not None and same(mine, other):
            agreed += 1
            continue
        if (mine is None and _held(one.trades, row)) or (other is None and _held(theirs, row)):
            continue
        words = f"{one.timestamps[row]}: ours {mine}, theirs {other}"
        reason = next((line for line, fits in explanations if fits(one, mine, other)), None)
        if reason is None:
            unexplained.append(words)
        else:
            shown.setdefault(reason, words)
    return shown, unexplained, agreed


def _held(trades: Sequence[Trade], row: int) -> bool:
    """Whether a position was held, or its exit under way, when the signal for an entry at this row came."""
    return any(trade.entry_row < row <= trade.exit_row or trade.entry_row == row - 1 == trade.exit_row for trade in trades)
