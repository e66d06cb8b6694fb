"""How sure a figure is: intervals for win rate and Sharpe ratio, and the paired test of a version against its parent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.errors import BacktestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SESSIONS_PER_YEAR = 252
MIN_SESSIONS = 30
"""Below this many daily returns there is neither an interval nor a verdict."""
MIN_TRADES = 30
"""Below this many trades nothing is compared."""
MIN_DIFFERENT_SESSIONS = 10
"""Two versions that differ on fewer sessions are not told apart: a bootstrap of a few values is far too sure of itself."""
REPETITIONS = 2_000
_DRAWN_AT_ONCE = 500_000
_RUIN = 1e-12
"""What a day that loses everything leaves, so that its logarithm is a number."""


class ComparisonVerdict(StrEnum):
    BETTER = "better"
    NO_EVIDENCE = "no evidence"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """A version against its parent on the same sessions."""

    verdict: ComparisonVerdict
    mean_difference: float
    """Mean of new minus old daily return, as a fraction."""
    low: float | None
    """95 % interval of the mean difference; None where too little is known for one."""
    high: float | None
    sessions: int
    reason: str
    """A sentence saying why the verdict is what it is."""


def wilson_interval(wins: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion (Wilson 1927), without continuity correction. (0, 1) when nothing was tried.

    Raises BacktestError unless 0 <= wins <= n.
    """
    if not 0 <= wins <= n:
        raise BacktestError(f"{wins} wins of {n} trades can't be: wins lie between 0 and the number of trades.")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = wins / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # the closed form misses the ends by a rounding error
    low = 0.0 if wins == 0 else (centre - half) / scale
    high = 1.0 if wins == n else (centre + half) / scale
    return low, high


def sharpe_ratio(daily_returns: Sequence[float] | Floats) -> float | None:
    """Mean over standard deviation (n - 1) of daily returns, times the root of 252; no risk-free rate is taken off.

    None for fewer than 2 returns or returns that do not vary.
    """
    returns = np.asarray(daily_returns, dtype=np.float64)
    if len(returns) < 2 or _constant(returns):
        return None
    return float(returns.mean() / returns.std(ddof=1)) * math.sqrt(SESSIONS_PER_YEAR)


@dataclass(frozen=True, slots=True)
class CurveIntervals:
    """95 % intervals of what a daily curve shows, all from the same resampled curves."""

    sharpe: tuple[float, float]
    """Annualised."""
    annual_return: tuple[float, float]
    """Compounded, as `Metrics.annual_return`; from -1, near (-1, -1) where everything was lost on a day."""
    max_drawdown: tuple[float, float]
    """How deep the deepest fall of such a curve may well be; not centred on the one that was seen, which is a single draw."""
    block_sessions: float
    """Mean length of the blocks."""


def sharpe_interval(
    daily_returns: Sequence[float] | Floats, seed: int, confidence: float = 0.95, repetitions: int = REPETITIONS
) -> tuple[float, float] | None:
    """Interval of the annualised Sharpe ratio by the stationary block bootstrap (Politis and Romano 1994, percentile method).

    The mean block length is chosen by Politis and White (2004, corrected 2009). The same seed gives the same interval. None
    for fewer than 30 returns or returns that do not vary.
    """
    found = curve_intervals(daily_returns, seed, confidence, repetitions)
    return None if found is None else found.sharpe


def curve_intervals(
    daily_returns: Sequence[float] | Floats, seed: int, confidence: float = 0.95, repetitions: int = REPETITIONS
) -> CurveIntervals | None:
    """Intervals of Sharpe ratio, annual return and deepest drawdown by the stationary block bootstrap (see `sharpe_interval`)."""
    returns = np.asarray(daily_returns, dtype=np.float64)
    if len(returns) < MIN_SESSIONS or _constant(returns):
        return None
    block = politis_white_length(returns)
    samples = _resampled(returns, block, seed, repetitions)
    informed = _moved(returns)

    def spread(statistic: Callable[[Floats], Floats]) -> tuple[float, float]:
        return _widened(statistic(samples), float(statistic(returns[np.newaxis, :])[0]), len(returns), block, confidence, informed)

    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    shallow, deep = np.quantile(_deepest_falls(samples), ends)
    growth = spread(_mean_growth)
    return CurveIntervals(
        sharpe=spread(_annual_sharpes),
        annual_return=(math.expm1(growth[0] * SESSIONS_PER_YEAR), math.expm1(growth[1] * SESSIONS_PER_YEAR)),
        max_drawdown=(float(shallow), float(deep)),
        block_sessions=block,
    )


def _annual_sharpes(samples: Floats) -> Floats:
    deviation = samples.std(axis=1, ddof=1)
    mean = samples.mean(axis=1)
    flat = deviation < 1e-15
    ratio: Floats = np.where(flat, 0.0, mean / np.where(flat, 1.0, deviation)) * math.sqrt(SESSIONS_PER_YEAR)
    return ratio


def _mean_growth(samples: Floats) -> Floats:
    """Mean logarithm of the daily growth: a year of it is what the annual return compounds."""
    growth: Floats = np.log(np.maximum(1 + samples, _RUIN)).mean(axis=1)
    return growth


def _deepest_falls(samples: Floats) -> Floats:
    curves = np.cumprod(1 + samples, axis=1)
    peaks = np.maximum(np.maximum.accumulate(curves, axis=1), 1.0)
    falls: Floats = (1 - curves / peaks).max(axis=1)
    return falls


def compare_paired(old: Sequence[float] | Floats, new: Sequence[float] | Floats, seed: int, trades: int | None = None) -> PairedComparison:
    """Is `new` better than `old`? Daily returns of the same sessions, paired; stationary block bootstrap of the mean difference.

    "better" or "worse" only if the 95 % interval leaves out zero; "no evidence" whenever fewer than 30 sessions are compared,
    the two differ on fewer than 10 of them, or `trades` (the smaller count of the two versions, where given) is below 30.
    Raises BacktestError if the two do not cover the same number of sessions.
    """
    before, after = (np.asarray(values, dtype=np.float64) for values in (old, new))
    if len(before) != len(after):
        raise BacktestError(f"{len(before)} sessions can't be paired with {len(after)}: compare versions on the same span.")
    difference = after - before
    n = len(difference)
    mean = float(difference.mean()) if n else 0.0
    differing = _moved(difference)

    def unknown(reason: str) -> PairedComparison:
        return PairedComparison(ComparisonVerdict.NO_EVIDENCE, mean, None, None, n, reason)

    if n < MIN_SESSIONS:
        return unknown(f"{n} sessions are compared; below {MIN_SESSIONS} nothing can be said.")
    if trades is not None and trades < MIN_TRADES:
        return unknown(f"one of the two has {trades} trades; below {MIN_TRADES} nothing can be said.")
    if differing < MIN_DIFFERENT_SESSIONS:
        return unknown(f"the two differ on {differing} of {n} sessions; below {MIN_DIFFERENT_SESSIONS} nothing can be said.")
    low, high = (mean, mean) if _constant(difference) else _bootstrap(difference, _means, seed, 0.95, REPETITIONS, differing)
    if low > 0:
        verdict, said = ComparisonVerdict.BETTER, "above zero"
    elif high < 0:
        verdict, said = ComparisonVerdict.WORSE, "below zero"
    else:
        verdict, said = ComparisonVerdict.NO_EVIDENCE, "on both sides of zero"
    return PairedComparison(verdict, mean, low, high, n, f"the daily difference lies between {low:+.3%} and {high:+.3%} (95 %), {said}.")


def _means(samples: Floats) -> Floats:
    means: Floats = samples.mean(axis=1)
    return means


def _moved(values: Floats) -> int:
    """How many values are not zero: flat days say nothing of what happens on the others."""
    return int((np.abs(values) > 1e-12).sum())


def _constant(values: Floats) -> bool:
    """No variation beyond what rounding makes of equal values."""
    spread = float(values.max() - values.min())
    return spread <= 1e-12 * max(1e-3, float(np.abs(values).max()))


def _bootstrap(
    values: Floats, statistic: Callable[[Floats], Floats], seed: int, confidence: float, repetitions: int, informed: int
) -> tuple[float, float]:
    """Percentile interval of a statistic over stationary bootstrap samples, one sample a row; `informed` values say something."""
    block = politis_white_length(values)
    drawn = statistic(_resampled(values, block, seed, repetitions))
    return _widened(drawn, float(statistic(values[np.newaxis, :])[0]), len(values), block, confidence, informed)


def _resampled(values: Floats, block: float, seed: int, repetitions: int) -> Floats:
    """Samples of the stationary bootstrap, one a row: blocks of geometric length, mean `block`, that wrap around the end.

    The same as `arch.bootstrap.StationaryBootstrap` draws (another stream of random numbers), several times faster.
    """
    rng, n = np.random.default_rng(seed), len(values)
    samples = np.empty((repetitions, n))
    place = np.arange(n)
    rows = max(1, _DRAWN_AT_ONCE // n)
    for start in range(0, repetitions, rows):
        many = min(rows, repetitions - start)
        begins = rng.random((many, n)) < 1 / block
        begins[:, 0] = True
        begun = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
        first = np.take_along_axis(rng.integers(0, n, (many, n)), begun, axis=1)
        samples[start : start + many] = values[(first + place - begun) % n]
    return samples


def _widened(drawn: Floats, estimate: float, n: int, block: float, confidence: float, informed: int) -> tuple[float, float]:
    """The percentile interval of what was drawn, widened around the estimate for small samples as Student's interval is against
    the normal one: blocks of mean length b lose 2b - 1 of n degrees of freedom to the sample's own mean (each autocovariance the
    blocks keep is biased by -variance / n)."""
    from scipy.stats import norm, t

    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    kept = 1 - (2 * block - 1) / n
    tail = (1 + confidence) / 2
    factor = float(t.ppf(tail, max(informed * kept, 2)) / norm.ppf(tail)) / math.sqrt(kept)
    return estimate + (float(low) - estimate) * factor, estimate + (float(high) - estimate) * factor


def politis_white_length(values: Floats) -> float:
    """Mean block length of the stationary bootstrap after Politis and White (2004, corrected 2009), from 1 to a third of the series.

    To the bit what `arch.bootstrap.optimal_block_length` gives, whose import costs each process seconds.
    """
    count = len(values)
    around = values - values.mean(0)
    quiet_run = max(5, int(np.log10(count)))
    most = int(np.ceil(np.sqrt(count))) + quiet_run
    threshold = 2 * np.sqrt(np.log10(count) / count)
    covariance, correlation = np.zeros(most + 1), np.zeros(most + 1)
    first_quiet: int | None = None
    with np.errstate(all="ignore"):
        for lag in range(most + 1):
            later, earlier = around[lag + 1 :], around[: -(lag + 1)]
            product = around[lag:] @ around[: count - lag]
            covariance[lag] = product / count
            correlation[lag] = np.abs(product) / np.sqrt((later @ later) * (earlier @ earlier))
            if first_quiet is None and lag >= quiet_run and np.all(correlation[lag - quiet_run : lag] < threshold):
                first_quiet = lag - quiet_run
        lags = most if first_quiet is None else min(2 * max(first_quiet, 1), most)
        slope, spectrum = np.float64(0.0), covariance[0]
        for lag in range(1, lags + 1):
            weight = 1 if lag / lags <= 1 / 2 else 2 * (1 - lag / lags)
            slope += 2 * weight * lag * covariance[lag]
            spectrum += 2 * weight * covariance[lag]
        length = float(((2 * slope**2) / (2 * spectrum**2)) ** (1 / 3) * count ** (1 / 3))
    longest = float(np.ceil(min(3 * np.sqrt(count), count / 3)))
    return min(max(min(length, longest), 1.0), count / 3) if math.isfinite(length) else 1.0
