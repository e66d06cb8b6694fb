"""A result beside the market: what of it the market explains (beta) and what is left (alpha)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.errors import BacktestError
from lab.backtest.statistics import MIN_SESSIONS, SESSIONS_PER_YEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MarketModel:
    """Daily returns as alpha + beta x the market's (Jensen 1968; no risk-free rate is taken off either)."""

    alpha: float
    """A year: the daily intercept times 252."""
    alpha_interval: tuple[float, float]
    """95 %, with errors that allow for unequal spread (HC1, MacKinnon and White 1985)."""
    beta: float
    beta_interval: tuple[float, float]
    r_squared: float
    """Share of the returns' variance that the market explains."""
    sessions: int


def market_model(returns: Sequence[float] | Floats, market: Sequence[float] | Floats) -> MarketModel | None:
    """Alpha and beta of daily returns against those of the market on the same sessions.

    None below 30 sessions or where the market did not move. Raises BacktestError where the two differ in length.
    """
    own, other = (np.asarray(values, dtype=np.float64) for values in (returns, market))
    if len(own) != len(other):
        raise BacktestError(f"{len(own)} sessions can't be set against {len(other)} of the market.")
    n = len(own)
    if n < MIN_SESSIONS or float(other.std()) < 1e-12:
        return None
    # normal quantile of Student's t is close enough from 30 on, and spares scipy
    design = np.column_stack((np.ones(n), other))
    inverse = np.linalg.inv(design.T @ design)
    alpha, beta = (float(value) for value in inverse @ design.T @ own)
    left = own - alpha - beta * other
    meat = (design * (left**2)[:, None]).T @ design
    errors = np.sqrt(np.diag(inverse @ meat @ inverse) * n / (n - 2))
    half_alpha, half_beta = (1.96 * (1 + 1.2 / (n - 2)) * float(error) for error in errors)
    total = float(((own - own.mean()) ** 2).sum())
    year = SESSIONS_PER_YEAR
    return MarketModel(
        alpha=alpha * year,
        alpha_interval=((alpha - half_alpha) * year, (alpha + half_alpha) * year),
        beta=beta,
        beta_interval=(beta - half_beta, beta + half_beta),
        r_squared=max(0.0, 1 - float((left**2).sum()) / total) if total > 0 and math.isfinite(total) else 0.0,
        sessions=n,
    )
