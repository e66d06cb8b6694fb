"""Walk-forward: parameters chosen on one stretch, judged on the next, again and again; in-sample beside out-of-sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.errors import BacktestError
from lab.backtest.statistics import sharpe_ratio
from lab.backtest.validation.folds import Fold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST_TRADES = 10
"""A variant with fewer trades on the part that is chosen on is not chosen."""


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What was chosen on one fold, and how it did on sessions it was not chosen on."""

    fold: Fold
    variant: int
    """Index of the chosen variant; the strategy as it is (0) where none had trades enough."""
    chosen_sharpe: float | None
    """Annualised, where it was chosen: in-sample, and so biased upwards."""
    judged_sharpe: float | None
    """Out-of-sample."""
    chosen_return: float
    judged_return: float
    """Both total returns, as fractions."""
    chosen_trades: int
    judged_trades: int


@dataclass(frozen=True, slots=True)
class WalkForward:
    """All folds of one scheme."""

    folds: tuple[FoldResult, ...]
    judged: tuple[int, ...]
    """The session numbers that were judged."""
    returns: tuple[float, ...]
    """On those, the daily returns of whatever was chosen before."""
    sharpe: float | None
    """Of those, annualised."""
    total_return: float
    chosen_sharpe: float | None
    """Mean over the folds of the Sharpe ratio where it was chosen: what the judged one has to be held against."""


def walk_forward(returns: Floats, trades: Ints, folds: Sequence[Fold]) -> WalkForward:
    """Walk the folds, each time choosing the variant with the best Sharpe ratio before.

    `returns` and `trades` hold a row a session and a column a variant: daily returns, and how many trades were entered. The first
    column is the strategy as it is. Raises BacktestError where the two tables differ in shape.
    """
    if returns.shape != trades.shape or returns.ndim != 2:
        raise BacktestError("Returns and trades of the variants must be tables of the same shape: a row a session, a column a variant.")
    results = []
    for fold in folds:
        here, there = slice(fold.chosen_from, fold.chosen_to), slice(fold.judged_from, fold.judged_to)
        variant = _best(returns[here], trades[here])
        own, after = returns[here, variant], returns[there, variant]
        results.append(
            FoldResult(
                fold=fold,
                variant=variant,
                chosen_sharpe=sharpe_ratio(own),
                judged_sharpe=sharpe_ratio(after),
                chosen_return=_compound(own),
                judged_return=_compound(after),
                chosen_trades=int(trades[here, variant].sum()),
                judged_trades=int(trades[there, variant].sum()),
            )
        )
    judged = [session for one in results for session in range(one.fold.judged_from, one.fold.judged_to)]
    after_choice = [float(value) for one in results for value in returns[one.fold.judged_from : one.fold.judged_to, one.variant]]
    inside = [one.chosen_sharpe for one in results if one.chosen_sharpe is not None]
    return WalkForward(
        folds=tuple(results),
        judged=tuple(judged),
        returns=tuple(after_choice),
        sharpe=sharpe_ratio(after_choice),
        total_return=_compound(np.array(after_choice)),
        chosen_sharpe=sum(inside) / len(inside) if inside else None,
    )


def _best(returns: Floats, trades: Ints) -> int:
    spread = returns.std(axis=0)
    usable = (trades.sum(axis=0) >= LEAST_TRADES) & (spread > 1e-12)
    if not usable.any():
        return 0
    ratio = np.where(usable, returns.mean(axis=0) / np.where(usable, spread, 1.0), -np.inf)
    return int(ratio.argmax())


def _compound(returns: Floats) -> float:
    return float(np.prod(1 + returns)) - 1
