"""The figures of one result: counts, averages and the shape of the equity curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.curve import returns_of
from lab.backtest.statistics import SESSIONS_PER_YEAR, sharpe_ratio, wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]


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
    annual_return: float | None
    """The total return compounded to 252 sessions; None without sessions or where everything was lost."""
    volatility: float | None
    """Standard deviation (n - 1) of daily returns, times the root of 252; None below 2 sessions."""
    sortino: float | None
    """Mean daily return over the root of the mean squared negative return (Sortino and Price 1994, target 0), times the root of 252."""
    calmar: float | None
    """Annual return over the deepest drawdown; None without one."""
    drawdown_sessions: int
    """Longest stretch of session closes below an earlier peak: until it was reached again, or to the end."""
    time_under_water: float
    """Share of session closes below an earlier peak."""
    turnover: float | None
    """Dollars bought and sold in a year of 252 sessions, as a multiple of the mean equity."""
    mae_r: float | None
    """Mean of the worst unrealised result of the trades, in R; <= 0."""
    mfe_r: float | None
    """Mean of the best unrealised result, in R; >= 0."""
    longest_win_streak: int
    """Trades in a row, in order of their exits."""
    longest_loss_streak: int


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """What the metrics ask of each trade; see `BacktestResult.trades`."""

    pnl: Floats
    costs: Floats
    r_multiple: Floats
    mae_r: Floats
    mfe_r: Floats
    dealt: Floats
    """Dollars bought and sold."""
    bars_held: Ints
    exit_at: Ints
    """In any unit."""


def measure(trades: TradeFigures, equity: Floats, starting_equity: float, bars: int) -> Metrics:
    """The metrics of a result, of its equity at each session's close; `bars` is the number of bars of all tickers in the run."""
    pnl = trades.pnl
    won = pnl > 0
    wins, count = int(won.sum()), len(pnl)
    gained, lost = float(pnl[won].sum()), float(-pnl[~won].sum())
    curve = np.concatenate(([starting_equity], equity))
    below = np.maximum.accumulate(curve)
    deepest = float(((below - curve) / below).max())
    under = (curve < below)[1:]
    sessions = len(equity)
    returns = returns_of(equity, starting_equity)
    held = trades.bars_held
    grown = float(curve[-1] / starting_equity)
    annual = grown ** (SESSIONS_PER_YEAR / sessions) - 1 if sessions and grown > 0 else None
    in_order = won[np.argsort(trades.exit_at, kind="stable")]
    return Metrics(
        trades=count,
        wins=wins,
        win_rate=wins / count if count else None,
        win_rate_interval=wilson_interval(wins, count) if count else None,
        sharpe=sharpe_ratio(returns),
        total_return=grown - 1,
        max_drawdown=deepest,
        profit_factor=gained / lost if lost > 0 else None,
        expectancy_r=_mean(trades.r_multiple),
        average_win=gained / wins if wins else None,
        average_loss=-lost / (count - wins) if count > wins else None,
        average_bars_held=float(held.mean()) if count else None,
        costs_paid=float(trades.costs.sum()),
        exposure=float(held.sum()) / bars if bars else 0.0,
        sessions=sessions,
        starting_equity=starting_equity,
        final_equity=float(curve[-1]),
        annual_return=annual,
        volatility=float(returns.std(ddof=1)) * math.sqrt(SESSIONS_PER_YEAR) if sessions > 1 else None,
        sortino=_sortino(returns),
        calmar=annual / deepest if annual is not None and deepest > 0 else None,
        drawdown_sessions=_longest_run(under),
        time_under_water=float(under.mean()) if sessions else 0.0,
        turnover=_turnover(trades.dealt, curve, sessions),
        mae_r=_mean(trades.mae_r),
        mfe_r=_mean(trades.mfe_r),
        longest_win_streak=_longest_run(in_order),
        longest_loss_streak=_longest_run(~in_order),
    )


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _sortino(returns: Floats) -> float | None:
    downside = math.sqrt(float((np.minimum(returns, 0.0) ** 2).mean())) if len(returns) > 1 else 0.0
    return float(returns.mean()) / downside * math.sqrt(SESSIONS_PER_YEAR) if downside > 1e-15 else None


def _turnover(dealt: Floats, curve: Floats, sessions: int) -> float | None:
    mean = float(curve[1:].mean()) if sessions else 0.0
    if mean <= 0:
        return None
    return float(dealt.sum()) / mean * SESSIONS_PER_YEAR / sessions


def _longest_run(flags: Bools) -> int:
    """The largest number of true values in a row."""
    ends = np.flatnonzero(np.concatenate(([True], ~flags, [True])))
    return int(np.diff(ends).max()) - 1
