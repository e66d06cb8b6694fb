"""The learning loop in memory: the built-in strategist on a frame of bars, without a database, for studies of the loop itself.

It generates, tests, looks at the evidence, proposes and takes what is proposed, as an agent's iterations do whose person approves
everything: the loop at its most credulous. The analysis in words and the insights made of it are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.agents.comparing import compare_parts, daily_sharpe, returns_of, selection_until, span_results, traded, with_start
from lab.agents.jobs import AccountRules, Scripts, TrialsSoFar, account_of
from lab.agents.proof.rules import Verdict, deflate, learning_verdict
from lab.agents.strategist import Brief, NoRefinement, ProposalRequest, Subject, Variant, VariantResult
from lab.agents.views import Interval

if TYPE_CHECKING:
    import polars as pl

    from lab.backtest import BacktestResult
    from lab.script import Strategy

MAX_VARIANTS = 8


@dataclass(frozen=True, slots=True)
class LearnedVersion:
    """A version that the loop went through."""

    scripts: Scripts
    trades: int
    sharpe: float | None
    """Annualised, on the learning span."""
    sharpe_daily: float | None
    t_value: float | None
    """The mean daily return in standard errors: what the naive rule goes by."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of an agent's iterations."""

    versions: tuple[LearnedVersion, ...]
    """The first, then one for each refinement taken."""
    trials: TrialsSoFar
    verdict: Verdict
    """On the last version, by the rules for the learning span."""
    deflated: float | None
    """Its deflated Sharpe ratio, and the effective number of trials it is deflated by."""
    effective_trials: float
    returns: tuple[float, ...]
    """Daily, of the last version."""
    best_t: float | None
    """The largest t-value of any version: the naive rule's choice."""
    iterations: int


@dataclass(slots=True)
class _Bench:
    """Tests variants on the frame; every one of them stays in the ledger."""

    frame: pl.DataFrame
    rules: AccountRules
    seed: int
    base: BacktestResult | None = None
    ledger: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Script hash -> daily returns."""

    async def test(self, variants: Sequence[Variant]) -> list[VariantResult]:
        from lab.backtest import backtest_together
        from lab.errors import LabError
        from lab.script import compile_strategy

        compiled: list[Strategy | str] = []
        for variant in variants:
            try:
                compiled.append(compile_strategy(variant.scan_script, variant.execution_script))
            except LabError as error:
                compiled.append(str(error))
        usable = [one for one in compiled if not isinstance(one, str)]
        account, costs = account_of(self.rules)
        results: Iterator[BacktestResult] = iter(backtest_together(usable, self.frame, account, costs) if usable else ())
        return [
            VariantResult(variant, "", None, None, None, error=one)
            if isinstance(one, str)
            else self._result(variant, one, with_start(next(results)))
            for variant, one in zip(variants, compiled, strict=True)
        ]

    def _result(self, variant: Variant, strategy: Strategy, result: BacktestResult) -> VariantResult:
        assert self.base is not None
        changed = traded(result)
        selection, confirmation = compare_parts(traded(self.base), changed, self.seed)
        self.ledger[strategy.script_hash] = _daily(result)
        return VariantResult(
            variant=variant,
            script_hash=strategy.script_hash,
            results=span_results(changed),
            selection=selection,
            confirmation=confirmation,
        )


def learn(frame: pl.DataFrame, brief: Brief, rules: AccountRules, iterations: int, seed: int) -> Learned:
    """Run so many iterations on the bars of a learning span. The same arguments give the same outcome.

    Raises LabError where the brief's first strategy can't run on these bars.
    """
    return asyncio.run(_learn(frame, brief, rules, iterations, seed))


async def _learn(frame: pl.DataFrame, brief: Brief, rules: AccountRules, iterations: int, seed: int) -> Learned:
    from lab.agents.builtin import BuiltInStrategist
    from lab.agents.evidence import build_evidence
    from lab.backtest import sharpe_interval

    strategist, bench = BuiltInStrategist(), _Bench(frame, rules, seed)
    first = await strategist.generate(brief)
    scripts = Scripts(first.scan_script, first.execution_script)
    versions, failed = [], set[str]()
    result, explained, script_hash = _run(frame, scripts, rules)
    bench.ledger[script_hash] = _daily(result)
    versions.append(_version(scripts, result))
    done = 0
    for number in range(1, iterations + 1):
        done = number
        bench.base = result
        split = selection_until(result.equity)
        import polars as pl

        evidence = build_evidence(explained.filter(pl.col("session") <= split), prefix="S")
        draft = await strategist.propose(
            ProposalRequest(
                subject=Subject("", brief.timeframe, f"1.{len(versions) - 1}", scripts.scan, scripts.execution, evidence),
                selection_evidence=evidence,
                current=span_results(traded(result)),
                context=brief.context,
                failed=frozenset(failed),
                max_variants=MAX_VARIANTS,
            ),
            bench,
        )
        if isinstance(draft, NoRefinement):
            before = len(failed)
            failed |= bench.ledger.keys()
            if len(failed) == before:
                break  # nothing new was tested: another iteration would be the same
            continue
        scripts = Scripts(draft.scan_script, draft.execution_script)
        result, explained, script_hash = _run(frame, scripts, rules)
        bench.ledger[script_hash] = _daily(result)
        versions.append(_version(scripts, result))
    trials = TrialsSoFar(len(bench.ledger), None, tuple(bench.ledger.values()))
    returns = returns_of(result.equity).to_numpy()
    spread = sharpe_interval(returns, seed)
    deflated, effective = deflate(returns, trials)
    interval = None if spread is None else Interval(*spread)
    return Learned(
        versions=tuple(versions),
        trials=trials,
        verdict=learning_verdict(result.metrics.trades, result.metrics.sharpe, interval, deflated, trials),
        deflated=deflated,
        effective_trials=effective,
        returns=tuple(returns.tolist()),
        best_t=max((one.t_value for one in versions if one.t_value is not None), default=None),
        iterations=done,
    )


def _daily(result: BacktestResult) -> tuple[float, ...]:
    return tuple(returns_of(result.equity).to_list())


def _run(frame: pl.DataFrame, scripts: Scripts, rules: AccountRules) -> tuple[BacktestResult, pl.DataFrame, str]:
    """The result, and its trades with what was known at their signals."""
    from lab.agents.enrich import enrich_signals
    from lab.backtest import run_backtest
    from lab.script import compile_strategy

    strategy = compile_strategy(scripts.scan, scripts.execution)
    evaluated = strategy.evaluate(frame)
    account, costs = account_of(rules)
    result = with_start(run_backtest(strategy, evaluated, account, costs))
    signals = enrich_signals(evaluated).rename({"timestamp": "signal_at"})
    explained = result.trades.join(signals, on=["ticker", "signal_at", "direction"], how="left", maintain_order="left")
    return result, explained, strategy.script_hash


def _version(scripts: Scripts, result: BacktestResult) -> LearnedVersion:
    sharpe = result.metrics.sharpe
    daily = daily_sharpe(sharpe)
    t_value = None if daily is None else daily * result.equity.height**0.5
    return LearnedVersion(scripts, result.metrics.trades, sharpe, daily, t_value)
