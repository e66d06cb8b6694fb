"""The null arm: what luck alone reaches at an agent's own budget, on the same bars and on bars without any pattern.

Random variants are patterns of the built-in library with random parameters, none of them refined. They are recorded in the ledger
under a name of their own and not counted among the trials: their scripts are never kept or shown, so none can be chosen.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from lab.agents.jobs import AccountRules, BarsSlice, account_of
from lab.agents.loading import market_bars
from lab.agents.proof.rules import MIN_TRADES
from lab.agents.proof.studies import TriedVariant
from lab.agents.proof.views import NullArmReport
from lab.agents.span import DAILY
from lab.errors import LabError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from lab.agents.strategist import Brief
    from lab.script import Strategy

MOST_VARIANTS = 200
SHUFFLED_RUNS = 3
_TOGETHER = 8
_BLOCK_BARS = 1
"""Bars whose returns stay together when the rest is shuffled: one, so that no bar foretells the next within a session either."""
_CONTEXT_DAYS = 430


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

    try:
        learned = learn(shuffled_bars(bars, seed), brief, rules, iterations, seed)
    except LabError:
        return None
    return learned.versions[-1].sharpe


def shuffled_bars(bars: BarsSlice, seed: int) -> pl.DataFrame:
    """The slice's bars, their returns dealt out anew, each at its time of day, with the context that follows from them."""
    from lab.market import BarsCache

    cache = BarsCache(Path(bars.folder))
    market = bars.market_ticker
    tickers = list(bars.tickers)
    if market is not None and market not in tickers and cache.has(market, bars.timeframe):
        tickers.append(market)
    past = bars.first - timedelta(days=_CONTEXT_DAYS)
    others = [ticker for ticker in (market, bars.vix_ticker) if ticker is not None and cache.has(ticker, DAILY)]
    daily = cache.read(others, DAILY, past, bars.last) if others else None
    return shuffled(cache.read(tickers, bars.timeframe, bars.first, bars.last), daily, bars, seed)


def shuffled(raw: pl.DataFrame, daily: pl.DataFrame | None, bars: BarsSlice, seed: int) -> pl.DataFrame:
    """Bars of the slice's tickers (and of the market) shuffled; `daily` are what is known of market and VIX beside them."""
    import polars as pl

    from lab.market.bars import BARS_SCHEMA
    from lab.market.context import USUAL_CONTEXT
    from lab.market.demo import block_shuffled
    from lab.market.demo.held import with_context
    from lab.market.timeframes import timeframe_minutes

    minutes = None if bars.timeframe == DAILY else _BLOCK_BARS * timeframe_minutes(bars.timeframe)
    mixed = block_shuffled(raw.select(list(BARS_SCHEMA)), seed, block_minutes=minutes)
    days = mixed.group_by("ticker", "session", maintain_order=True).agg(
        pl.col("timestamp").first(),
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
        pl.col("minute").first(),
        pl.col("close_minute").first(),
    )
    made = days.select(pl.col(name).cast(kind) for name, kind in BARS_SCHEMA.items())
    if daily is not None:
        # what lies before the span, and the VIX, stay as they were
        rest = daily.select(list(BARS_SCHEMA)).join(made, on=["ticker", "session"], how="anti")
        made = pl.concat([made, rest]).sort("ticker", "timestamp")
    known = set(made["ticker"].unique())
    market, vix = (ticker if ticker in known else None for ticker in (bars.market_ticker, bars.vix_ticker))
    return with_context(mixed, made, bars.tickers, bars.timeframe, market, vix, USUAL_CONTEXT)


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
