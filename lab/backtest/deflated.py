"""What a Sharpe ratio is worth after many tries: the probabilistic and the deflated Sharpe ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.errors import BacktestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EULER_MASCHERONI = 0.5772156649015329
_DRAWS, _CHUNK, _SEED = 4_000, 500, 1


def probabilistic_sharpe_ratio(
    sharpe: float, observations: int, skewness: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float | None:
    """Probability that the true Sharpe ratio lies above `benchmark` (Bailey and López de Prado 2012, eq. 11).

    `sharpe` and `benchmark` are per period of the observations, not annualised; `kurtosis` is raw (3 for the normal
    distribution), not excess. None where the formula has no value: fewer than 2 observations, or moments so extreme that
    the variance of the estimate comes out negative.
    """
    if observations < 2:
        return None
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if not variance > 0:
        return None
    return NormalDist().cdf((sharpe - benchmark) * math.sqrt(observations - 1) / math.sqrt(variance))


def expected_maximum_sharpe(trials: float, variance: float) -> float:
    """The best Sharpe ratio, per period, that so many trials without skill are expected to show (Bailey and López de Prado 2014, eq. 1).

    `trials` is the number of independent trials, `variance` that of their per-period Sharpe ratios. 0 for a single trial.
    """
    if not trials >= 1:
        raise BacktestError(f"{trials:g} trials can't have led to a result: count at least the one it came from.")
    if not (math.isfinite(variance) and variance >= 0):
        raise BacktestError(f"The variance of the trials' Sharpe ratios is {variance:g}; it can't be below 0.")
    if trials == 1:
        return 0.0
    normal = NormalDist()
    # the formula is an approximation for many trials and falls below zero under two
    best = (1 - _EULER_MASCHERONI) * normal.inv_cdf(1 - 1 / trials) + _EULER_MASCHERONI * normal.inv_cdf(1 - 1 / (trials * math.e))
    return max(0.0, math.sqrt(variance) * best)


def deflated_sharpe_ratio(
    sharpe: float, observations: int, skewness: float, kurtosis: float, trials: float, variance: float
) -> float | None:
    """Probability that the true Sharpe ratio is above zero, given that it was the best of `trials` (Bailey and López de Prado 2014, eq. 2).

    All Sharpe ratios per period; raw kurtosis.
    """
    return probabilistic_sharpe_ratio(sharpe, observations, skewness, kurtosis, expected_maximum_sharpe(trials, variance))


def probabilistic_sharpe(daily_returns: Sequence[float] | Floats, benchmark: float = 0.0) -> float | None:
    """The probabilistic Sharpe ratio of daily returns; `benchmark` is a daily Sharpe ratio. None for constant or too few returns."""
    moments = _moments(daily_returns)
    return None if moments is None else probabilistic_sharpe_ratio(*moments, benchmark=benchmark)


def deflated_sharpe(daily_returns: Sequence[float] | Floats, trials: float, variance: float) -> float | None:
    """The deflated Sharpe ratio of daily returns that came out best of `trials`.

    `variance` is that of the trials' daily Sharpe ratios. None for constant or too few returns.
    """
    moments = _moments(daily_returns)
    return None if moments is None else deflated_sharpe_ratio(*moments, trials=trials, variance=variance)


def effective_trials(returns: Floats, others: int = 0) -> float:
    """The number of independent trials without skill whose best is expected to look as good as the best of these would.

    `returns` holds a row a session and a column a trial; `others` are trials whose returns are not known, each taken as independent.
    The best of correlated estimates is simulated: standardised returns, weighted by 4,000 draws of independent normal numbers, have
    the correlations of the trials' Sharpe ratios. That expectation is then put into `expected_maximum_sharpe`, the other way round.
    From 1 to the number of trials; trials that never moved can't be the best and count for nothing.
    """
    values = np.asarray(returns, dtype=np.float64)
    rng = np.random.default_rng(_SEED)
    best = np.full(_DRAWS, -np.inf)
    known = 0
    if values.ndim == 2 and values.size:
        values = values[:, values.std(axis=0) > 1e-12]
        known = values.shape[1]
    if known:
        standard = (values - values.mean(axis=0)) / (values.std(axis=0) * math.sqrt(len(values)))
        weights = rng.standard_normal((_DRAWS, len(values)))
        for start in range(0, known, _CHUNK):
            best = np.maximum(best, (weights @ standard[:, start : start + _CHUNK]).max(axis=1))
    if others > 0:
        from scipy.special import ndtri

        best = np.maximum(best, ndtri(rng.random(_DRAWS) ** (1 / others)))
    if known + others < 2:
        return 1.0
    expected, low, high = float(best.mean()), 1.0, float(known + others)
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if expected_maximum_sharpe(middle, 1.0) < expected else (low, middle)
    return high


def _moments(daily_returns: Sequence[float] | Floats) -> tuple[float, int, float, float] | None:
    """Sharpe ratio per period, number of observations, skewness and raw kurtosis (of the sample, without bias correction)."""
    returns = np.asarray(daily_returns, dtype=np.float64)
    if len(returns) < 2:
        return None
    centred = returns - returns.mean()
    second = float((centred**2).mean())
    if second <= (1e-12 * max(1e-3, float(np.abs(returns).max()))) ** 2:
        return None
    sharpe = float(returns.mean() / returns.std(ddof=1))
    return sharpe, len(returns), float((centred**3).mean()) / second**1.5, float((centred**4).mean()) / second**2
