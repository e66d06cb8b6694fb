"""Means of trades and their differences where trades of one day move together.

Trades that live through the same sessions share what the market did: ten of them are not ten observations. So the unit
is the cluster, not the trade: a session, or, where positions are held over nights, a stretch of days long enough that few
trades reach from one into the next but one. Standard errors leave out one cluster at a time (the cluster jackknife CV3 of
MacKinnon, Nielsen and Webb 2023, "Cluster-robust inference: A guide to empirical practice", Journal of Econometrics 232),
which holds its size better than the plain sandwich where clusters are few or unequal. Tests and intervals are Student's t;
a difference takes the degrees of freedom of the side with fewer clusters, the cautious bound for two samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

MIN_CLUSTERS = 8
"""A difference is not tested with fewer clusters than this on either side, nor an interval of a mean given."""
_DAY_US = 86_400_000_000


def clusters_of(trades: pl.DataFrame) -> NDArray[np.int64]:
    """A number for each trade: equal numbers are trades that can't be counted as independent of each other.

    Trades closed in the session they were opened in are clustered by session. Where more than one in twenty is held over a
    night, calendar days are cut into stretches twice as long as nineteen in twenty trades are held.
    """
    import polars as pl

    if not trades.height:
        return np.zeros(0, dtype=np.int64)
    day = trades["session"].cast(pl.Date).to_physical().to_numpy().astype(np.int64)
    held = np.asarray((trades["exit_at"].dt.date() - trades["entry_at"].dt.date()).dt.total_days().to_numpy(), dtype=np.int64)
    nights = int(np.quantile(held, 0.95, method="higher")) if held.size else 0
    return day if nights <= 0 else day // (2 * nights)


def count(clusters: NDArray[np.int64]) -> int:
    """How many clusters there are."""
    return int(np.unique(clusters).size)


def mean_interval(values: Sequence[float], clusters: NDArray[np.int64]) -> tuple[float, float] | None:
    """The 95 % interval of the mean; None with fewer than MIN_CLUSTERS clusters."""
    from scipy import stats

    sums, sizes = _by_cluster(np.asarray(values, dtype=np.float64), clusters)
    groups = sizes.size
    if groups < MIN_CLUSTERS:
        return None
    total, n = float(sums.sum()), float(sizes.sum())
    error = _jackknife((total - sums) / (n - sizes), total / n)
    half = float(stats.t.ppf(0.975, groups - 1)) * error
    return total / n - half, total / n + half


def difference_p_value(values: Sequence[float], inside: Sequence[bool], clusters: NDArray[np.int64]) -> float | None:
    """Two-sided p-value of the difference between the mean inside and the mean of the rest.

    None where either side has trades in fewer than MIN_CLUSTERS clusters, or lies in too few to be left out one by one.
    """
    from scipy import stats

    taken, x = np.asarray(inside, dtype=bool), np.asarray(values, dtype=np.float64)
    fewer = min(count(clusters[taken]), count(clusters[~taken]))
    if fewer < MIN_CLUSTERS:
        return None
    _, place = np.unique(clusters, return_inverse=True)
    groups = int(place.max()) + 1
    sums = [np.bincount(place[side], weights=x[side], minlength=groups) for side in (taken, ~taken)]
    sizes = [np.bincount(place[side], minlength=groups).astype(np.float64) for side in (taken, ~taken)]
    left_out = [(s.sum() - s) / (n.sum() - n) for s, n in zip(sums, sizes, strict=True)]
    found = float(sums[0].sum() / sizes[0].sum() - sums[1].sum() / sizes[1].sum())
    error = _jackknife(left_out[0] - left_out[1], found)
    if error <= 0.0:
        return 1.0 if found == 0.0 else None
    return float(2.0 * stats.t.sf(abs(found) / error, fewer - 1))


def _by_cluster(values: NDArray[np.float64], clusters: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _, place = np.unique(clusters, return_inverse=True)
    sums: NDArray[np.float64] = np.bincount(place, weights=values).astype(np.float64)
    return sums, np.bincount(place).astype(np.float64)


def _jackknife(left_out: NDArray[np.float64], whole: float) -> float:
    """The standard error of `whole`, from its values with one cluster left out each."""
    groups = left_out.size
    return math.sqrt((groups - 1) / groups * float(((left_out - whole) ** 2).sum()))
