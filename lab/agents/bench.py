"""The test bench a strategist tries its ideas on: every variant is compiled, measured on the learning span and a trial for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from sqlmodel import Session

from lab.agents import jobs
from lab.agents.errors import StrategistFailed
from lab.agents.journal import Iteration, Journal
from lab.agents.ledger import REFINEMENT, record_trial
from lab.agents.span import refuse_missing_context
from lab.agents.strategist import Variant, VariantResult
from lab.errors import LabError
from lab.script import check, compile_strategy
from lab.store.models import AgentIteration, TrialOutcome

MAX_VARIANTS = 8
"""Refinements a strategist may test in one iteration."""


class Bench:
    """`lab.agents.strategist.TestBench` over the process pool: the variants of a call run side by side."""

    def __init__(self, journal: Journal, executor: Executor, iteration: Iteration) -> None:
        self._journal, self._executor, self._iteration = journal, executor, iteration
        self.tested = 0

    async def test(self, variants: Sequence[Variant]) -> list[VariantResult]:
        """The results in the order of `variants`. Raises StrategistFailed past MAX_VARIANTS in one iteration."""
        total = self.tested + len(variants)
        if total > MAX_VARIANTS:
            raise StrategistFailed(f"The strategist asked for {total} trials in one iteration; {MAX_VARIANTS} are the most.")

        async def one(variant: Variant) -> VariantResult:
            result = await self._measure(variant)
            self.tested += 1
            await self._journal.report(self._iteration, self.tested / total, f"variant {self.tested} of {total}: {variant.title}")
            return result

        tasks = [asyncio.ensure_future(one(variant)) for variant in variants]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _measure(self, variant: Variant) -> VariantResult:
        iteration = self._iteration
        problems = check(variant.scan_script, variant.execution_script)
        if problems:
            return VariantResult(variant, "", None, None, None, error=str(problems[0]))
        strategy = compile_strategy(variant.scan_script, variant.execution_script)
        try:
            refuse_missing_context(strategy, iteration.universe, self._journal.workspace.bars)
        except LabError as error:
            return VariantResult(variant, "", None, None, None, error=str(error))
        script_hash = strategy.script_hash
        scripts = jobs.Scripts(variant.scan_script, variant.execution_script)
        job = self._executor.submit(jobs.variant_job, iteration.bars, scripts, iteration.rules, iteration.folder, iteration.seed)
        try:
            report = await asyncio.wrap_future(job)
        except LabError as error:
            await self._record(script_hash, TrialOutcome.CRASHED, 0, None)
            return VariantResult(variant, script_hash, None, None, None, error=str(error))
        await self._record(script_hash, TrialOutcome.COMPLETED, report.results.whole.trades, report.sharpe_daily, report.returns)
        return VariantResult(variant, script_hash, report.results, report.selection, report.confirmation)

    async def _record(
        self, script_hash: str, outcome: TrialOutcome, trades: int, sharpe_daily: float | None, returns: tuple[float, ...] = ()
    ) -> None:
        def add(session: Session, row: AgentIteration) -> None:
            record_trial(session, row, script_hash, REFINEMENT, outcome, trades, sharpe_daily, returns)

        await self._journal.write(self._iteration, add)
