"""One learning iteration, step by step: each step's output is committed before the next starts.

A step that was committed is never done again, so an iteration that was interrupted anywhere goes on from its last
finished step. Every commit first checks, in its own transaction, that this worker still holds the iteration's lease.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlmodel import Session, col, select

from lab.agents import jobs
from lab.agents.builtin import BuiltInStrategist
from lab.agents.decisions import add_version
from lab.agents.errors import StrategistFailed
from lab.agents.knowledge import known_insights, remember
from lab.agents.ledger import record_trial, trials_so_far
from lab.agents.outputs import folder_of
from lab.agents.queries import personality_of
from lab.agents.results import from_json, to_json
from lab.agents.strategist import (
    AnalysisRequest,
    Brief,
    Comparison,
    DiscardedProposal,
    Insight,
    NoRefinement,
    ParentComparison,
    ProposalRequest,
    Strategist,
    StrategyDraft,
    Variant,
    VariantResult,
)
from lab.agents.views import Change, Interval, MeasuredEffect, ResultSummary
from lab.errors import LabError
from lab.script import check, compile_strategy, describe_changes
from lab.store.database import Store
from lab.store.models import (
    STEPS,
    AgentIteration,
    AgentStrategy,
    IterationStatus,
    IterationStep,
    Proposal,
    ProposalState,
    TradingAgent,
    TrialOutcome,
    Universe,
    utc_now,
)

T = TypeVar("T")

GENERATE_ATTEMPTS = 3
"""So often may a strategist write a first strategy before one has to compile."""
MAX_VARIANTS = 8
"""Refinements a strategist may test in one iteration."""


class Lease(Protocol):
    """The worker's hold on an iteration."""

    def check(self, session: Session) -> None:
        """Raise, inside the transaction, where the hold was lost or the iteration was cancelled."""
        ...


@dataclass(slots=True)
class Iteration:
    """What the steps of one iteration share: the rows it was started from, and the outputs of its finished steps."""

    id: int
    number: int
    seed: int
    guidance: str
    agent: TradingAgent
    universe: Universe
    bars: jobs.BarsSlice
    rules: jobs.AccountRules
    folder: str
    insights: tuple[Insight, ...]
    outputs: dict[str, dict[str, Any]]
    strategy_id: int | None
    version: str
    scripts: jobs.Scripts = field(default_factory=lambda: jobs.Scripts("", ""))


async def run_iteration(
    store: Store, iteration_id: int, executor: Executor, lease: Lease, strategist: Strategist | None = None
) -> None:
    """Bring an iteration from its last finished step to its end. Raises LabError where it can't go on."""
    await _Run(store, executor, lease, strategist or BuiltInStrategist()).run(iteration_id)


class _Run:
    def __init__(self, store: Store, executor: Executor, lease: Lease, strategist: Strategist) -> None:
        self._store, self._executor, self._lease, self._strategist = store, executor, lease, strategist
        self._steps: dict[IterationStatus, Callable[[Iteration], Awaitable[_Outcome]]] = {
            IterationStatus.GENERATE: self._generate,
            IterationStatus.SCAN: self._scan,
            IterationStatus.ENRICH: self._enrich,
            IterationStatus.BACKTEST: self._backtest,
            IterationStatus.ANALYSE: self._analyse,
            IterationStatus.PROPOSE: self._propose,
        }

    async def run(self, iteration_id: int) -> None:
        iteration = await asyncio.to_thread(self._load, iteration_id)
        for step in STEPS:
            if step in iteration.outputs:
                continue
            await asyncio.to_thread(self._enter, iteration, step)
            started = time.monotonic()
            outcome = await self._steps[step](iteration)
            seconds = round(time.monotonic() - started, 3)
            await asyncio.to_thread(self._commit, iteration, step, outcome, seconds)
            iteration.outputs[step] = outcome.output

    # --- the database side of a step

    def _load(self, iteration_id: int) -> Iteration:
        with self._store.read() as session:
            row = session.get_one(AgentIteration, iteration_id)
            agent = session.get_one(TradingAgent, row.agent_id)
            universe = session.get_one(Universe, row.universe_id)
            steps = session.exec(select(IterationStep).where(IterationStep.iteration_id == iteration_id))
            outputs = {step.step: step.output for step in steps}
            strategy = session.get(AgentStrategy, row.strategy_id) if row.strategy_id else None
            insights = known_insights(session, row.agent_id)
            session.expunge_all()
        workspace = self._store.workspace
        return Iteration(
            id=iteration_id,
            number=row.iteration_number,
            seed=row.seed,
            guidance=row.guidance,
            agent=agent,
            universe=universe,
            bars=learning_slice(universe, workspace.bars),
            rules=account_rules(agent.risk_config),
            folder=str(folder_of(workspace.results, iteration_id)),
            insights=insights,
            outputs=outputs,
            strategy_id=row.strategy_id,
            version=strategy.version if strategy else "",
            scripts=jobs.Scripts(row.scan_script, row.execution_script),
        )

    def _enter(self, iteration: Iteration, step: IterationStatus) -> None:
        with self._store.write() as session:
            self._lease.check(session)
            row = session.get_one(AgentIteration, iteration.id)
            row.iteration_status, row.progress, row.progress_note = step, 0.0, FIRST_NOTES[step]
            session.add(row)

    async def report(self, iteration: Iteration, share: float, note: str) -> None:
        """Show how far the running step is."""

        def write() -> None:
            with self._store.write() as session:
                self._lease.check(session)
                row = session.get_one(AgentIteration, iteration.id)
                row.progress, row.progress_note = share, note
                session.add(row)

        await asyncio.to_thread(write)

    def _commit(self, iteration: Iteration, step: IterationStatus, outcome: _Outcome, seconds: float) -> None:
        with self._store.write() as session:
            self._lease.check(session)
            row = session.get_one(AgentIteration, iteration.id)
            outcome.effect(session, row)
            row.progress, row.progress_note = 1.0, ""
            session.add(row)
            session.add(IterationStep(iteration_id=iteration.id, step=step, output=outcome.output, seconds=seconds))

    async def _job(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.wrap_future(self._executor.submit(function, *args))

    # --- the steps

    async def _generate(self, iteration: Iteration) -> _Outcome:
        with self._store.read() as session:
            current = session.exec(
                select(AgentStrategy).where(AgentStrategy.agent_id == iteration.agent.id, col(AgentStrategy.is_current_version))
            ).one_or_none()
        if current is not None:
            scripts, note = jobs.Scripts(current.scan_script, current.execution_script), f"runs version {current.version}"
            notes, draft = current.changes_from_parent, None
        else:
            draft = await self._first_strategy(iteration)
            scripts, notes, note = jobs.Scripts(draft.scan_script, draft.execution_script), draft.version_notes, f"wrote a {draft.pattern} strategy"
        script_hash = compile_strategy(scripts.scan, scripts.execution).script_hash
        agent_id = iteration.agent.id
        assert agent_id is not None

        def effect(session: Session, row: AgentIteration) -> None:
            strategy = current or add_version(session, agent_id, scripts.scan, scripts.execution, None, notes)
            row.strategy_id, iteration.strategy_id, iteration.version = strategy.id, strategy.id, strategy.version
            row.scan_script, row.execution_script, row.version_notes = scripts.scan, scripts.execution, notes
            row.script_hash, row.data_fingerprint = script_hash, iteration.bars.fingerprint

        iteration.scripts = scripts
        return _Outcome({"note": note, "rationale": draft.rationale if draft else ""}, effect)

    async def _first_strategy(self, iteration: Iteration) -> StrategyDraft:
        agent = iteration.agent
        brief = Brief(
            name=agent.name,
            instructions=agent.instructions,
            system_prompt=agent.system_prompt,
            personality=personality_of(agent),
            risk_config=agent.risk_config,
            timeframe=iteration.universe.timeframe,
            context=known_context(iteration.universe),
            knowledge=iteration.insights,
            guidance=iteration.guidance,
        )
        problem = ""
        for _ in range(GENERATE_ATTEMPTS):
            draft = await self._strategist.generate(brief)
            problems = check(draft.scan_script, draft.execution_script)
            if not problems:
                return draft
            problem = str(problems[0])
        raise StrategistFailed(f"The strategist wrote no script that compiles in {GENERATE_ATTEMPTS} attempts. The last error: {problem}")

    async def _scan(self, iteration: Iteration) -> _Outcome:
        report = await self._job(jobs.scan_job, iteration.bars, iteration.scripts)

        def effect(session: Session, row: AgentIteration) -> None:
            row.signals_found = report.signals

        note = f"{report.signals:,} signals in {report.bars:,} bars of {report.sessions} sessions"
        return _Outcome({"note": note, **to_json(report)}, effect)

    async def _enrich(self, iteration: Iteration) -> _Outcome:
        rows = await self._job(jobs.enrich_job, iteration.bars, iteration.scripts, iteration.folder)
        return _Outcome({"note": f"{rows:,} signals with their context", "rows": rows})

    async def _backtest(self, iteration: Iteration) -> _Outcome:
        with self._store.read() as session:
            trials = trials_so_far(session, iteration.bars.fingerprint, {self._hash(iteration)})
            parent = self._parent_iteration(session, iteration)
        report = await self._job(
            jobs.backtest_job, iteration.bars, iteration.scripts, iteration.rules, trials, iteration.seed, iteration.folder
        )
        summary = report.summary
        against_parent = None
        if parent is not None:
            old = from_json(ResultSummary, parent[1].backtest_results or {})
            old_folder = str(folder_of(self._store.workspace.results, parent[1].id or 0))
            comparison = await self._job(jobs.compare_job, old_folder, iteration.folder, iteration.seed)
            against_parent = _against_parent(parent[0], old, summary, comparison)

        def effect(session: Session, row: AgentIteration) -> None:
            row.backtest_results, row.win_rate, row.sharpe_ratio = to_json(summary), summary.win_rate, summary.sharpe
            row.engine_version = report.engine_version
            strategy = session.get(AgentStrategy, iteration.strategy_id)
            if strategy is not None:
                strategy.backtest_sharpe, strategy.backtest_win_rate = summary.sharpe, summary.win_rate
                session.add(strategy)
            record_trial(session, row, row.script_hash, "iteration", TrialOutcome.COMPLETED, summary.trades, report.sharpe_daily)

        note = f"{summary.trades:,} trades, {summary.signals - summary.trades:,} skipped"
        return _Outcome({"note": note, "fingerprint": report.fingerprint, "against_parent": against_parent}, effect)

    async def _analyse(self, iteration: Iteration) -> _Outcome:
        summary = self._summary(iteration)
        evidence = await self._job(jobs.evidence_job, iteration.folder, summary)
        agent = iteration.agent
        analysis = await self._strategist.analyse(
            AnalysisRequest(
                name=agent.name,
                instructions=agent.instructions,
                system_prompt=agent.system_prompt,
                personality=personality_of(agent),
                timeframe=iteration.universe.timeframe,
                version=iteration.version,
                iteration_number=iteration.number,
                scan_script=iteration.scripts.scan,
                execution_script=iteration.scripts.execution,
                evidence=evidence.whole,
                parent=self._parent_comparison(iteration, evidence),
                knowledge=iteration.insights,
                guidance=iteration.guidance,
                synthetic=iteration.universe.synthetic,
            )
        )
        learned = f"{self._hash(iteration)}:{iteration.bars.fingerprint}"

        def effect(session: Session, row: AgentIteration) -> None:
            row.expert_analysis = analysis.text
            output["insights"] = remember(session, row.agent_id, iteration.id, learned, analysis.insights)
            output["note"] = f"{len(evidence.whole.buckets)} breakdowns, {output['insights']} new insights"

        output = {"evidence": to_json(evidence), "note": "", "insights": 0}
        return _Outcome(output, effect)

    async def _propose(self, iteration: Iteration) -> _Outcome:
        agent = iteration.agent
        evidence = from_json(jobs.EvidenceReport, iteration.outputs[IterationStatus.ANALYSE]["evidence"])
        with self._store.read() as session:
            insights = known_insights(session, agent.id or 0)
            discarded = self._discarded(session, agent.id or 0)
        bench = _Bench(self, iteration)
        draft = await self._strategist.propose(
            ProposalRequest(
                name=agent.name,
                instructions=agent.instructions,
                system_prompt=agent.system_prompt,
                personality=personality_of(agent),
                timeframe=iteration.universe.timeframe,
                version=iteration.version,
                scan_script=iteration.scripts.scan,
                execution_script=iteration.scripts.execution,
                evidence=evidence.whole,
                selection_evidence=evidence.selection,
                current=evidence.current,
                context=known_context(iteration.universe),
                knowledge=insights,
                discarded=discarded,
                guidance=iteration.guidance,
                max_variants=MAX_VARIANTS,
            ),
            bench,
        )
        if isinstance(draft, NoRefinement):

            def nothing(session: Session, row: AgentIteration) -> None:
                row.iteration_status, row.finished_at, row.refinements_suggested = IterationStatus.NO_PROPOSAL, utc_now(), []
                row.lease_owner = row.lease_expires_at = None

            return _Outcome({"note": f"{bench.tested} variants tested, none proposed", "reason": draft.reason}, nothing)
        changes = describe_changes(iteration.scripts.scan, iteration.scripts.execution, draft.scan_script, draft.execution_script)
        results, confirmation = draft.result.results, draft.result.confirmation
        if results is None or confirmation is None:
            raise StrategistFailed(f"The strategist proposed “{draft.title}” without having tested it.")
        now, then = evidence.current.whole, results.whole

        def effect(session: Session, row: AgentIteration) -> None:
            measured = MeasuredEffect(
                trades=(now.trades, then.trades),
                win_rate=(now.win_rate, then.win_rate),
                sharpe=(now.sharpe, then.sharpe),
                total_return=(now.total_return, then.total_return),
                max_drawdown=(now.max_drawdown, then.max_drawdown),
                verdict=confirmation.verdict.value,
                daily_difference=confirmation.mean_difference,
                daily_difference_interval=None
                if confirmation.low is None or confirmation.high is None
                else Interval(confirmation.low, confirmation.high),
                confirmed_sessions=confirmation.sessions,
                trials=trials_so_far(session, iteration.bars.fingerprint, set()).count,
            )
            session.add(
                Proposal(
                    agent_id=row.agent_id,
                    iteration_id=iteration.id,
                    parent_strategy_id=iteration.strategy_id or 0,
                    title=draft.title,
                    rationale=draft.rationale,
                    scan_script=draft.scan_script,
                    execution_script=draft.execution_script,
                    changes=list(changes),
                    effect=to_json(measured),
                )
            )
            row.iteration_status, row.refinements_suggested = IterationStatus.AWAITING_APPROVAL, list(changes)
            row.lease_owner = row.lease_expires_at = None

        return _Outcome({"note": f"{bench.tested} variants tested", "title": draft.title}, effect)

    # --- what several steps need

    def _hash(self, iteration: Iteration) -> str:
        return str(iteration.outputs[IterationStatus.SCAN]["script_hash"])

    def _summary(self, iteration: Iteration) -> ResultSummary:
        with self._store.read() as session:
            return from_json(ResultSummary, session.get_one(AgentIteration, iteration.id).backtest_results or {})

    def _parent_iteration(self, session: Session, iteration: Iteration) -> tuple[str, AgentIteration] | None:
        """The newest measured iteration, on the same bars, of the version this one was refined from."""
        strategy = session.get_one(AgentStrategy, iteration.strategy_id)
        if strategy.parent_version is None:
            return None
        found = session.exec(
            select(AgentIteration)
            .join(AgentStrategy, onclause=col(AgentIteration.strategy_id) == col(AgentStrategy.id))
            .where(
                AgentIteration.agent_id == strategy.agent_id,
                AgentStrategy.version == strategy.parent_version,
                AgentIteration.data_fingerprint == iteration.bars.fingerprint,
                col(AgentIteration.backtest_results).is_not(None),
            )
            .order_by(col(AgentIteration.id).desc())
            .limit(1)
        ).one_or_none()
        return None if found is None else (strategy.parent_version, found)

    def _parent_comparison(self, iteration: Iteration, evidence: jobs.EvidenceReport) -> ParentComparison | None:
        against = iteration.outputs[IterationStatus.BACKTEST].get("against_parent")
        if not against:
            return None
        with self._store.read() as session:
            parent = self._parent_iteration(session, iteration)
        if parent is None:
            return None
        version, old = parent
        summary = from_json(ResultSummary, old.backtest_results or {})
        return ParentComparison(
            parent_version=version,
            changes=describe_changes(old.scan_script, old.execution_script, iteration.scripts.scan, iteration.scripts.execution),
            before=jobs.whole_span(summary),
            after=evidence.current.whole,
            comparison=from_json(Comparison, against["comparison"]),
        )

    def _discarded(self, session: Session, agent_id: int) -> tuple[DiscardedProposal, ...]:
        rows = session.exec(select(Proposal).where(Proposal.agent_id == agent_id, Proposal.state == ProposalState.DISCARDED))
        return tuple(DiscardedProposal(row.title, row.scan_script, row.execution_script, row.reason) for row in rows)

    async def test_variant(self, iteration: Iteration, variant: Variant) -> VariantResult:
        """Measure one variant and write it into the trial ledger, whatever becomes of it."""
        problems = check(variant.scan_script, variant.execution_script)
        if problems:
            return VariantResult(variant, "", None, None, None, error=str(problems[0]))
        script_hash = compile_strategy(variant.scan_script, variant.execution_script).script_hash
        scripts = jobs.Scripts(variant.scan_script, variant.execution_script)
        try:
            report = await self._job(jobs.variant_job, iteration.bars, scripts, iteration.rules, iteration.folder, iteration.seed)
        except LabError as error:
            await asyncio.to_thread(self._record, iteration, script_hash, TrialOutcome.CRASHED, 0, None)
            return VariantResult(variant, script_hash, None, None, None, error=str(error))
        await asyncio.to_thread(
            self._record, iteration, script_hash, TrialOutcome.COMPLETED, report.results.whole.trades, report.sharpe_daily
        )
        return VariantResult(variant, script_hash, report.results, report.selection, report.confirmation)

    def _record(self, iteration: Iteration, script_hash: str, outcome: TrialOutcome, trades: int, sharpe_daily: float | None) -> None:
        with self._store.write() as session:
            self._lease.check(session)
            row = session.get_one(AgentIteration, iteration.id)
            record_trial(session, row, script_hash, "refinement", outcome, trades, sharpe_daily)


class _Bench:
    """The strategist's test bench: all variants of a call run side by side in the pool."""

    def __init__(self, run: _Run, iteration: Iteration) -> None:
        self._run, self._iteration = run, iteration
        self.tested = 0

    async def test(self, variants: Sequence[Variant]) -> list[VariantResult]:
        if self.tested + len(variants) > MAX_VARIANTS:
            raise StrategistFailed(f"The strategist asked for more than {MAX_VARIANTS} trials in one iteration.")
        total = self.tested + len(variants)

        async def one(variant: Variant) -> VariantResult:
            result = await self._run.test_variant(self._iteration, variant)
            self.tested += 1
            await self._run.report(self._iteration, self.tested / total, f"variant {self.tested} of {total}: {variant.title}")
            return result

        tasks = [asyncio.ensure_future(one(variant)) for variant in variants]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()


def _nothing(session: Session, row: AgentIteration) -> None:
    """A step whose output is all it leaves."""


@dataclass(slots=True)
class _Outcome:
    output: dict[str, Any]
    effect: Callable[[Session, AgentIteration], None] = _nothing
    """What the step changes beside its own output, done in the same transaction."""


FIRST_NOTES = {
    IterationStatus.GENERATE: "writing the scripts",
    IterationStatus.SCAN: "looking for signals",
    IterationStatus.ENRICH: "adding the context of each signal",
    IterationStatus.BACKTEST: "trading the signals",
    IterationStatus.ANALYSE: "weighing the evidence",
    IterationStatus.PROPOSE: "looking for a refinement",
}


def learning_slice(universe: Universe, bars: Any) -> jobs.BarsSlice:
    """The bars an iteration may see: the universe's learning span and nothing after it."""
    from lab.market import BarsCache

    context = [ticker for ticker in (universe.market_ticker, universe.vix_ticker) if ticker is not None]
    fingerprint = BarsCache(bars).fingerprint(
        [*universe.tickers, *context], universe.timeframe, universe.first_session, universe.learning_until
    )
    return jobs.BarsSlice(
        folder=str(bars),
        tickers=tuple(universe.tickers),
        timeframe=universe.timeframe,
        first=universe.first_session,
        last=universe.learning_until,
        market_ticker=universe.market_ticker,
        vix_ticker=universe.vix_ticker,
        fingerprint=fingerprint,
    )


def account_rules(risk_config: Mapping[str, float]) -> jobs.AccountRules:
    return jobs.AccountRules(max_positions=int(risk_config["max_positions"]), max_exposure=float(risk_config["max_exposure"]))


def known_context(universe: Universe) -> frozenset[str]:
    """The context namespaces a script for this universe may rely on."""
    always = {"levels", "prev_day"}
    return frozenset(always | {"market"} if universe.market_ticker is not None else always)


def _against_parent(version: str, old: ResultSummary, new: ResultSummary, comparison: Comparison) -> dict[str, Any]:
    from lab.agents.summary import win_rate_verdict

    return {
        "parent_version": version,
        "sharpe": to_json(Change(before=old.sharpe, after=new.sharpe, verdict=comparison.verdict.value)),
        "win_rate": to_json(Change(before=old.win_rate, after=new.win_rate, verdict=win_rate_verdict(old, new))),
        "comparison": to_json(comparison),
    }
