"""What choosing the best of many variants is worth: the probability of backtest overfitting, and the test for superior ability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.backtest.errors import BacktestError
from lab.backtest.statistics import MIN_SESSIONS, politis_white_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST_PARTS = 16
"""Into so many parts the sessions are cut at most: 12,870 ways to choose half of them, as in the paper."""
LEAST_PARTS = 4
SESSIONS_IN_A_PART = 6
SPA_REPETITIONS = 1_000
SAME_IDEA = 0.5
"""Variants whose daily returns correlate by this much on average count as one idea."""
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu 2017)."""

    probability: float
    """Share of the splits in which the variant with the best Sharpe ratio on one half is no better than the median on the other."""
    splits: int
    parts: int
    variants: int
    loss: float
    """Share of the splits in which the chosen variant loses on the half it was not chosen on."""


@dataclass(frozen=True, slots=True)
class SuperiorAbility:
    """Hansen's test (2005) of whether the best of many variants beats doing nothing."""

    p_value: float
    """Consistent: the probability that the best of variants without skill looks as good."""
    lower: float
    upper: float
    """Liberal and conservative p-value."""
    variants: int
    repetitions: int


def backtest_overfitting(returns: Floats, parts: int = MOST_PARTS) -> Overfitting | None:
    """How likely choosing by Sharpe ratio among these variants overfits; `returns` holds a row a session, a column a variant.

    The sessions are cut into an even number of consecutive parts of at least 6; every choice of half of the parts is once what
    is chosen on, the other half what is judged on. None for fewer than two variants that differ or 24 sessions.
    """
    values = _distinct(returns)
    sessions, variants = values.shape
    parts = min(parts, sessions // SESSIONS_IN_A_PART) // 2 * 2
    if variants < 2 or parts < LEAST_PARTS:
        return None
    edges = np.linspace(0, sessions, parts + 1).astype(np.int64)
    sums = np.add.reduceat(values, edges[:-1], axis=0)
    squares = np.add.reduceat(values**2, edges[:-1], axis=0)
    lengths = np.diff(edges).astype(np.float64)
    chosen = np.zeros((math.comb(parts, parts // 2), parts))
    for row, combination in enumerate(combinations(range(parts), parts // 2)):
        chosen[row, list(combination)] = 1.0
    below = lost = 0
    for start in range(0, len(chosen), _CHUNK):
        inside = chosen[start : start + _CHUNK]
        here = _sharpes(inside, sums, squares, lengths)
        there = _sharpes(1 - inside, sums, squares, lengths)
        best = here.argmax(axis=1)
        judged = np.take_along_axis(there, best[:, None], axis=1)
        # the relative rank among the variants, ties shared; at most a half is a logit of at most 0
        rank = (there < judged).sum(axis=1) + ((there == judged).sum(axis=1) + 1) / 2
        below += int((rank / (variants + 1) <= 0.5).sum())
        lost += int((judged[:, 0] < 0).sum())
    return Overfitting(below / len(chosen), len(chosen), parts, variants, lost / len(chosen))


def superior_ability(returns: Floats, seed: int, repetitions: int = SPA_REPETITIONS) -> SuperiorAbility | None:
    """Hansen's test of superior predictive ability against holding cash (`arch.bootstrap.SPA`, studentised, stationary bootstrap).

    `returns` holds a row a session, a column a variant. The mean block length is the longest that Politis and White choose for
    any of up to 50 variants. None below 30 sessions or without a variant whose returns vary.
    """
    values = _distinct(returns)
    sessions, variants = values.shape
    if sessions < MIN_SESSIONS or variants < 1:
        return None
    from arch.bootstrap import SPA

    sampled = values[:, :: max(1, variants // 50)]
    block = max(politis_white_length(np.ascontiguousarray(column)) for column in sampled.T)
    test: Any = SPA(
        np.zeros(sessions), -values, block_size=max(1, round(block)), reps=repetitions, seed=np.random.default_rng(seed), studentize=True
    )
    test.compute()
    found = test.pvalues
    return SuperiorAbility(float(found["consistent"]), float(found["lower"]), float(found["upper"]), variants, repetitions)


def different_ideas(returns: Floats) -> int:
    """How many different ideas the variants hold: clusters of their daily returns, average linkage, cut where correlation falls below 0.5.

    A row a session, a column a variant; variants that never trade, and copies, count for nothing. At least 1.
    """
    values = _distinct(returns)
    if values.shape[1] < 2:
        return 1
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance: Floats = 1 - np.atleast_2d(np.corrcoef(values, rowvar=False))
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(np.clip((distance + distance.T) / 2, 0.0, 2.0), checks=False), "average")
    return int(fcluster(tree, 1 - SAME_IDEA, "distance").max())


def _distinct(returns: Floats) -> Floats:
    """The variants whose returns vary, each once."""
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2:
        raise BacktestError("Returns of variants are a table: a row a session, a column a variant.")
    if not values.size:
        return np.zeros((values.shape[0], 0))
    values = values[:, values.std(axis=0) > 1e-12]
    _, first = np.unique(values, axis=1, return_index=True)
    kept: Floats = values[:, np.sort(first)]
    return kept


def _sharpes(inside: Floats, sums: Floats, squares: Floats, lengths: Floats) -> Floats:
    """Sharpe ratio per session of each variant (columns) on each choice of parts (rows); 0 where nothing varies."""
    n = (inside @ lengths)[:, None]
    mean = inside @ sums / n
    variance = np.maximum(inside @ squares / n - mean**2, 0.0)
    flat = variance < 1e-20
    found: Floats = np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))
    return found
