"""The figures of one result: counts, averages and the shape of the equity curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.curve import daily_returns
from lab.backtest.statistics import sharpe_ratio, wilson_interval

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Metrics:
    """All after costs. Ratios are fractions; None means "can't be measured", never zero."""

    trades: int
    wins: int
    """Trades with a profit after costs; a trade that ends at exactly zero is no win."""
    win_rate: float | None
    win_rate_interval: tuple[float, float] | None
    """Wilson, 95 %."""
    sharpe: float | None
    """Annualised, of the daily curve (see `statistics.sharpe_ratio`)."""
    total_return: float
    max_drawdown: float
    """Deepest fall from a peak at session closes (the start counts as one), as a fraction of the peak; >= 0."""
    profit_factor: float | None
    """Dollars won over dollars lost; None without a losing trade."""
    expectancy_r: float | None
    """Mean R multiple."""
    average_win: float | None
    """Dollars."""
    average_loss: float | None
    """Dollars, negative; over the trades that are not wins."""
    average_bars_held: float | None
    costs_paid: float
    """Dollars: commission, slippage and borrowing of all trades."""
    exposure: float
    """Share of all bars of all tickers during which a position was held."""
    sessions: int
    starting_equity: float
    final_equity: float


def measure(trades: pl.DataFrame, equity: pl.DataFrame, starting_equity: float, bars: int) -> Metrics:
    """The metrics of a result; `bars` is the number of bars of all tickers in the run."""
    pnl = trades["pnl"].to_numpy()
    won = pnl > 0
    wins, count = int(won.sum()), len(pnl)
    gained, lost = float(pnl[won].sum()), float(-pnl[~won].sum())
    curve = np.concatenate(([starting_equity], equity["equity"].to_numpy()))
    peak = np.maximum.accumulate(curve)
    held = trades["bars_held"].to_numpy()
    return Metrics(
        trades=count,
        wins=wins,
        win_rate=wins / count if count else None,
        win_rate_interval=wilson_interval(wins, count) if count else None,
        sharpe=sharpe_ratio(daily_returns(equity, starting_equity)),
        total_return=float(curve[-1] / starting_equity - 1),
        max_drawdown=float(((peak - curve) / peak).max()),
        profit_factor=gained / lost if lost > 0 else None,
        expectancy_r=float(trades["r_multiple"].to_numpy().mean()) if count else None,
        average_win=gained / wins if wins else None,
        average_loss=-lost / (count - wins) if count > wins else None,
        average_bars_held=float(held.mean()) if count else None,
        costs_paid=float(trades["costs"].to_numpy().sum()),
        exposure=float(held.sum()) / bars if bars else 0.0,
        sessions=equity.height,
        starting_equity=starting_equity,
        final_equity=float(curve[-1]),
    )
