"""What a result hangs on: costs, a bar of delay, a handful of trades, the day it began, a part of the tickers.

Each takes an evaluated frame or a result and changes one thing; nothing of the strategy is chosen anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.backtest.account import Costs
from lab.backtest.curve import daily_returns
from lab.backtest.engine import run_backtest
from lab.backtest.statistics import sharpe_ratio

if TYPE_CHECKING:
    from lab.backtest.account import Account
    from lab.backtest.finer import FinerBars
    from lab.backtest.plan import PlannedStrategy
    from lab.backtest.result import BacktestResult

COST_MULTIPLES = (0.0, 1.0, 2.0, 3.0)
BEST_TRADES = 5
START_SHARES = (0.1, 0.2, 0.3)
"""Of the sessions that are left out at the start."""
TICKER_DRAWS = 8
_PAID = {
    "commission_bps": 4_999.0,
    "commission_per_share": 10.0,
    "slippage_bps": 4_999.0,
    "slippage_atr": 1.0,
    "borrow_bps_per_year": 4_999.0,
    "margin_bps_per_year": 4_999.0,
}
"""What of the costs is multiplied, and the most that `Costs` allows of each."""
_LATER = ("signal.long", "signal.short", "score")
_PRICES = ("stop", "target", "target_2", "target_3", "entry_price", "size")
"""What the execution script says on the bar of the signal; exit rules and trailing stops go on bar by bar."""


@dataclass(frozen=True, slots=True)
class Shaken:
    """The result with one thing changed, after costs."""

    name: str
    """"costs", "entry one bar later", "five best trades removed", "start shifted" or "half of the tickers"."""
    detail: str
    """Such as "x2"; empty where the name says all."""
    trades: int
    sharpe: float | None
    total_return: float


def shake(
    strategy: PlannedStrategy,
    evaluated: pl.DataFrame,
    account: Account,
    costs: Costs,
    base: BacktestResult,
    seed: int,
    finer: FinerBars | None = None,
) -> tuple[Shaken, ...]:
    """All of it, in a fixed order; the same seed draws the same tickers. `base` is the result with nothing changed, `finer` as in
    `run_backtest`."""
    found = [
        _of("costs", f"x{multiple:g}", run_backtest(strategy, evaluated, account, costs_times(costs, multiple), finer=finer))
        for multiple in COST_MULTIPLES
    ]
    found.append(_of("entry one bar later", "", run_backtest(strategy, one_bar_later(evaluated), account, costs, finer=finer)))
    found.append(without_best(base))
    sessions = evaluated["session"].unique().sort()
    for share in START_SHARES:
        first = sessions[int(len(sessions) * share)]
        later = run_backtest(strategy, evaluated.filter(pl.col("session") >= first), account, costs, finer=finer)
        found.append(_of("start shifted", f"{share:.0%} of the sessions later", later))
    tickers = evaluated["ticker"].unique().sort().to_list()
    if len(tickers) > 1:
        for number, kept in enumerate(ticker_halves(tickers, seed), start=1):
            half = run_backtest(strategy, evaluated.filter(pl.col("ticker").is_in(kept)), account, costs, finer=finer)
            found.append(_of("half of the tickers", f"draw {number}", half))
    return tuple(found)


def costs_times(costs: Costs, multiple: float) -> Costs:
    """Everything that is paid times a number, up to what costs may be at all; the cap on the share of a bar's volume stays."""
    return replace(costs, **{name: min(getattr(costs, name) * multiple, most) for name, most in _PAID.items()})


def break_even_costs(shaken: Sequence[Shaken]) -> float | None:
    """The multiple of the costs at which the total return becomes zero, between the multiples tried on a straight line.

    None where it stays positive, or negative without costs already (then there is no edge to die).
    """
    points = [(float(one.detail[1:]), one.total_return) for one in shaken if one.name == "costs"]
    for (low, better), (high, worse) in pairwise(points):
        if better > 0 >= worse:
            return low + (high - low) * better / (better - worse)
    return None


def one_bar_later(evaluated: pl.DataFrame) -> pl.DataFrame:
    """The same signals with the prices and sizes they were given, each a bar of its ticker later.

    Where a session has several bars, a signal of its last bar is left out: it would be another day's. Exit rules stay where they are.
    """
    within = ["ticker"] if _one_bar_a_session(evaluated) else ["ticker", "session"]
    moved = [name for name in evaluated.columns if name in _LATER or name.partition(".")[2] in _PRICES]
    changed = []
    for name in moved:
        column = pl.col(name).shift(1).over(within)
        if name.startswith("signal."):
            column = column.fill_null(value=False)
        elif name == "score":
            column = column.fill_null(0.0)
        changed.append(column)
    return evaluated.with_columns(changed)


def _one_bar_a_session(evaluated: pl.DataFrame) -> bool:
    return evaluated.height == int(evaluated.select(pl.struct("ticker", "session").n_unique()).item())


def without_best(result: BacktestResult) -> Shaken:
    """The result had its five most profitable trades not been made; the others are left as they were."""
    starting = result.metrics.starting_equity
    best = result.trades.sort("pnl", descending=True).head(BEST_TRADES)
    ended = best.select(pl.col("exit_at").dt.convert_time_zone("America/New_York").dt.date().alias("session"), "pnl")
    lost = result.equity.select("session").join(ended.group_by("session").agg(pl.col("pnl").sum()), on="session", how="left")
    equity = result.equity.with_columns(pl.col("equity") - lost["pnl"].fill_null(0.0).cum_sum())
    final = float(equity["equity"][-1]) if equity.height else starting
    return Shaken(
        name="five best trades removed",
        detail="",
        trades=max(0, result.trades.height - BEST_TRADES),
        sharpe=sharpe_ratio(daily_returns(equity, starting)),
        total_return=final / starting - 1,
    )


def ticker_halves(tickers: Sequence[str], seed: int) -> tuple[tuple[str, ...], ...]:
    """Random halves of the tickers, rounded up."""
    rng = np.random.default_rng(seed)
    size = (len(tickers) + 1) // 2
    return tuple(tuple(tickers[i] for i in sorted(rng.choice(len(tickers), size, replace=False).tolist())) for _ in range(TICKER_DRAWS))


def _of(name: str, detail: str, result: BacktestResult) -> Shaken:
    metrics = result.metrics
    return Shaken(name, detail, metrics.trades, metrics.sharpe, metrics.total_return)
