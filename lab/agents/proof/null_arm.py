"""The null arm: what luck alone reaches at an agent's own budget, on the same bars and on bars without any pattern.

Random variants are patterns of the built-in library with random parameters, none of them refined. They are recorded in the ledger
under a name of their own and not counted among the trials: their scripts are never kept or shown, so none can be chosen.
"""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING

from lab.agents.jobs import AccountRules, BarsSlice, account_of
from lab.agents.loading import market_bars
from lab.agents.proof.rules import MIN_TRADES
from lab.agents.proof.studies import TriedVariant
from lab.agents.proof.views import NullArmReport
from lab.errors import LabError

if TYPE_CHECKING:
    import numpy as np

    from lab.agents.strategist import Brief
    from lab.script import Strategy

MOST_VARIANTS = 200
SHUFFLED_RUNS = 3
_TOGETHER = 8


def random_job(bars: BarsSlice, brief: Brief, rules: AccountRules, count: int, seed: int) -> tuple[TriedVariant, ...]:
    """Measure so many random variants of the library's patterns on the learning span."""
    import numpy as np

    from lab.backtest import backtest_together

    strategies = random_strategies(brief, count, np.random.default_rng(seed))
    account, costs = account_of(rules)
    found = []
    for start in range(0, len(strategies), _TOGETHER):
        chunk = strategies[start : start + _TOGETHER]
        for strategy, result in zip(chunk, backtest_together(chunk, market_bars(bars, *chunk), account, costs), strict=True):
            sharpe = result.metrics.sharpe
            found.append(TriedVariant(strategy.script_hash, result.metrics.trades, None if sharpe is None else sharpe / 252**0.5))
    return tuple(found)


def random_strategies(brief: Brief, count: int, rng: np.random.Generator) -> list[Strategy]:
    """Distinct strategies: a pattern of the library at random, with each of its parameters at random within its bounds."""
    from lab.agents.builtin.patterns import PATTERNS
    from lab.agents.builtin.setting import setting_of
    from lab.backtest import BacktestError, Method, axes_of, design
    from lab.script import compile_strategy

    setting = setting_of(brief)
    found: dict[str, Strategy] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        scripts = PATTERNS[int(rng.integers(len(PATTERNS)))].write(setting)
        try:
            axes = axes_of(compile_strategy(scripts.scan, scripts.execution).parameters)
            (point,) = design(axes, Method.RANDOM, 1, int(rng.integers(2**31)))
            values = {axis.name: value for axis, value in zip(axes, point, strict=True)}
            strategy = compile_strategy(scripts.scan, scripts.execution, values)
        except (BacktestError, LabError):
            continue
        if strategy.required_context <= brief.context:
            found.setdefault(strategy.script_hash, strategy)
    return list(found.values())


def shuffled_job(bars: BarsSlice, brief: Brief, rules: AccountRules, iterations: int, seed: int) -> float | None:
    """The Sharpe ratio the built-in loop ends with on the learning span's bars, returns shuffled in blocks; None where it can't run."""
    from lab.agents.proof.loop import learn
    from lab.market import block_shuffled

    try:
        learned = learn(block_shuffled(market_bars(bars), seed), brief, rules, iterations, seed)
    except LabError:
        return None
    return learned.versions[-1].sharpe


def null_arm_report(own_sharpe: float | None, random: tuple[TriedVariant, ...], shuffled: tuple[float | None, ...]) -> NullArmReport:
    """The two arms beside the agent's version."""
    sharpes = [one.sharpe_daily * 252**0.5 for one in random if one.sharpe_daily is not None and one.trades >= MIN_TRADES]
    ended = [sharpe for sharpe in shuffled if sharpe is not None]
    below = None
    if own_sharpe is not None and sharpes:
        below = sum(sharpe < own_sharpe for sharpe in sharpes) / len(sharpes)
    return NullArmReport(
        own_sharpe=own_sharpe,
        budget=len(random),
        random_best=max(sharpes, default=None),
        random_median=median(sharpes) if sharpes else None,
        random_below=below,
        random_measured=len(sharpes),
        shuffled_best=max(ended, default=None),
        shuffled_mean=fmean(ended) if ended else None,
        shuffled_runs=len(ended),
    )
