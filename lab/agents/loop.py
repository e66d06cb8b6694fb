"""One learning iteration, step by step: each step's output is committed before the next starts.

A step that was committed is never done again, so an iteration that was interrupted anywhere goes on from its last
finished step. Every commit first checks, in its own transaction, that this worker still holds the iteration's lease.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlmodel import Session, col, select

from lab.agents import jobs
from lab.agents.bench import MAX_VARIANTS, Bench
from lab.agents.chosen import chosen_until
from lab.agents.comparing import whole_span
from lab.agents.context_rows import keep_context
from lab.agents.continuous import BY_RULE, go_on
from lab.agents.decisions import add_version
from lab.agents.errors import IterationPaused, StrategistFailed
from lab.agents.evidence import EvidencePack, with_parent
from lab.agents.journal import Iteration, Journal, Lease, Outcome
from lab.agents.knowledge import known_insights, remember
from lab.agents.ledger import REFINEMENT, VERSION, record_trial, trials_so_far
from lab.agents.lookup import evidence_rows
from lab.agents.minds import mind_of, thinking
from lab.agents.news_reading import news_before
from lab.agents.outputs import folder_of
from lab.agents.queries import personality_of
from lab.agents.results import from_json, to_json
from lab.agents.span import known_context, refuse_missing_context
from lab.agents.strategist import (
    AnalysisRequest,
    Brief,
    Comparison,
    DiscardedProposal,
    Insight,
    NoRefinement,
    ParentComparison,
    ProposalRequest,
    RefinementDraft,
    Strategist,
    StrategyDraft,
    Subject,
)
from lab.agents.views import Interval, MeasuredEffect, ResultSummary
from lab.errors import LabError
from lab.script import check, compile_strategy, describe_changes
from lab.store.database import Store
from lab.store.models import (
    STEPS,
    AgentIteration,
    AgentStrategy,
    IterationStatus,
    Proposal,
    ProposalState,
    Trial,
    TrialOutcome,
    utc_now,
)

if TYPE_CHECKING:
    from lab.agents.claude.config import ClaudeSettings

T = TypeVar("T")

GENERATE_ATTEMPTS = 3
"""So often may a strategist write a first strategy before one has to compile."""


async def run_iteration(
    store: Store,
    iteration_id: int,
    executor: Executor,
    lease: Lease,
    strategist: Strategist | None = None,
    claude: ClaudeSettings | None = None,
) -> None:
    """Bring an iteration from its last finished step to its end, with the agent's own strategist where none is given.

    Raises IterationPaused where it has to wait for the next day's budget, LabError where it can't go on.
    """
    journal = Journal(store, lease)
    iteration = await journal.load(iteration_id)
    if strategist is not None:
        await _Run(journal, executor, strategist).run(iteration)
        return
    mind = mind_of(iteration.agent.strategist, claude)
    await journal.thought_by(iteration, mind.sentence)
    try:
        async with thinking(mind, claude, journal, iteration, executor) as own:
            await _Run(journal, executor, own).run(iteration)
    except IterationPaused as pause:
        await journal.pause(iteration, pause)
        raise
    await asyncio.to_thread(go_on, store, iteration.seed)


class _Run:
    def __init__(self, journal: Journal, executor: Executor, strategist: Strategist) -> None:
        self._journal, self._executor, self._strategist = journal, executor, strategist
        self._store, self._results = journal.store, journal.workspace.results
        self._steps: dict[IterationStatus, Callable[[Iteration], Awaitable[Outcome]]] = {
            IterationStatus.GENERATE: self._generate,
            IterationStatus.SCAN: self._scan,
            IterationStatus.ENRICH: self._enrich,
            IterationStatus.BACKTEST: self._backtest,
            IterationStatus.ANALYSE: self._analyse,
            IterationStatus.PROPOSE: self._propose,
        }

    async def run(self, iteration: Iteration) -> None:
        for step in STEPS:
            if step in iteration.outputs:
                continue
            await self._journal.enter(iteration, step)
            started = time.monotonic()
            outcome = await self._steps[step](iteration)
            await self._journal.commit(iteration, step, outcome, round(time.monotonic() - started, 3))

    async def _job(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.wrap_future(self._executor.submit(function, *args))

    async def _tried(self, iteration: Iteration, function: Callable[..., T], *args: Any) -> T:
        """A job that runs the version itself: one that crashes was a trial too."""
        try:
            return await self._job(function, *args)
        except LabError:
            await self._journal.write(iteration, _crashed)
            raise

    # --- the steps

    async def _generate(self, iteration: Iteration) -> Outcome:
        with self._store.read() as session:
            current = session.exec(
                select(AgentStrategy).where(AgentStrategy.agent_id == iteration.agent.id, col(AgentStrategy.is_current_version))
            ).one_or_none()
        if current is not None:
            scripts, note = jobs.Scripts(current.scan_script, current.execution_script), f"runs version {current.version}"
            notes, draft = current.changes_from_parent, None
        else:
            draft = await self._first_strategy(iteration)
            scripts, notes, note = (
                jobs.Scripts(draft.scan_script, draft.execution_script),
                draft.version_notes,
                f"wrote a {draft.pattern} strategy",
            )
        strategy = compile_strategy(scripts.scan, scripts.execution)
        refuse_missing_context(strategy, iteration.universe, self._journal.workspace.bars)
        script_hash = strategy.script_hash

        def effect(session: Session, row: AgentIteration) -> None:
            version = current or add_version(session, iteration.agent_id, scripts.scan, scripts.execution, None, notes)
            row.strategy_id, iteration.strategy_id, iteration.version = version.id, version.id, version.version
            row.scan_script, row.execution_script, row.version_notes = scripts.scan, scripts.execution, notes
            row.script_hash, row.data_fingerprint = script_hash, iteration.bars.fingerprint

        iteration.scripts = scripts
        return Outcome({"note": note, "rationale": draft.rationale if draft else ""}, effect)

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

    async def _scan(self, iteration: Iteration) -> Outcome:
        report = await self._tried(iteration, jobs.scan_job, iteration.bars, iteration.scripts)

        def effect(session: Session, row: AgentIteration) -> None:
            row.signals_found = report.signals

        note = f"{report.signals:,} signals in {report.bars:,} bars of {report.sessions} sessions"
        return Outcome({"note": note, **to_json(report)}, effect)

    async def _enrich(self, iteration: Iteration) -> Outcome:
        rows = await self._job(jobs.enrich_job, iteration.bars, iteration.scripts, iteration.folder)

        def effect(session: Session, row: AgentIteration) -> None:
            keep_context(session, iteration.universe, Path(iteration.folder))

        return Outcome({"note": f"{rows:,} signals with their context", "rows": rows}, effect)

    async def _backtest(self, iteration: Iteration) -> Outcome:
        with self._store.read() as session:
            trials = trials_so_far(session, iteration.bars, {iteration.script_hash})
            parent = self._parent_iteration(session, iteration)
            chosen = None if parent is None else self._chosen_until(session, iteration, parent[1])
        report = await self._tried(
            iteration, jobs.backtest_job, iteration.bars, iteration.scripts, iteration.rules, trials, iteration.seed, iteration.folder
        )
        summary = report.summary
        against_parent = None
        if parent is not None:
            old = from_json(ResultSummary, parent[1].backtest_results or {})
            old_folder = str(folder_of(self._results, parent[1].id or 0))
            compared = await self._job(jobs.compare_job, old_folder, iteration.folder, iteration.seed, chosen)
            against_parent = _against_parent(parent[0], old, summary, *compared)

        def effect(session: Session, row: AgentIteration) -> None:
            row.backtest_results, row.win_rate, row.sharpe_ratio = to_json(summary), summary.win_rate, summary.sharpe
            row.engine_version = report.engine_version
            strategy = session.get(AgentStrategy, iteration.strategy_id)
            if strategy is not None:
                strategy.backtest_sharpe, strategy.backtest_win_rate = summary.sharpe, summary.win_rate
                session.add(strategy)
            done, sharpe = TrialOutcome.COMPLETED, report.sharpe_daily
            record_trial(session, row, row.script_hash, VERSION, done, summary.trades, sharpe, report.returns)

        note = f"{summary.trades:,} trades, {summary.signals - summary.trades:,} skipped"
        output = {
            "note": note,
            "fingerprint": report.fingerprint,
            "others_fingerprint": report.others_fingerprint,
            "finer_fingerprint": report.finer_fingerprint,
            "rules": to_json(iteration.rules),
            "against_parent": against_parent,
        }
        return Outcome(output, effect)

    async def _analyse(self, iteration: Iteration) -> Outcome:
        summary = self._summary(iteration)
        news, of_news = await news_before(self._journal, iteration, self._strategist)
        evidence = await self._job(jobs.evidence_job, iteration.folder, summary, news)
        parent = self._parent_comparison(iteration, evidence)
        if parent is not None:
            evidence = replace(evidence, whole=with_parent(evidence.whole, parent))
        agent = iteration.agent
        analysis = await self._strategist.analyse(
            AnalysisRequest(
                subject=_subject(iteration, evidence.whole, iteration.insights),
                name=agent.name,
                personality=personality_of(agent),
                iteration_number=iteration.number,
                parent=parent,
                synthetic=iteration.universe.synthetic,
            )
        )
        learned = f"{iteration.script_hash}:{iteration.bars.fingerprint}"

        def effect(session: Session, row: AgentIteration) -> None:
            row.expert_analysis = analysis.text
            output["insights"] = remember(session, row.agent_id, iteration.id, learned, analysis.insights)
            output["note"] = f"{len(evidence.whole.buckets)} breakdowns, {output['insights']} new insights{of_news}"

        rows = [to_json(row) for row in evidence_rows(evidence.whole)]
        output = {"evidence": to_json(evidence), "rows": rows, "note": "", "insights": 0}
        return Outcome(output, effect)

    async def _propose(self, iteration: Iteration) -> Outcome:
        evidence = from_json(jobs.EvidenceReport, iteration.outputs[IterationStatus.ANALYSE]["evidence"])
        with self._store.read() as session:
            insights = known_insights(session, iteration.agent_id)
            discarded = self._discarded(session, iteration.agent_id)
            failed = self._failed(session, iteration)
        bench = Bench(self._journal, self._executor, iteration)
        draft = await self._strategist.propose(
            ProposalRequest(
                subject=_subject(iteration, evidence.whole, insights),
                selection_evidence=evidence.selection,
                current=evidence.current,
                context=known_context(iteration.universe),
                discarded=discarded,
                failed=failed,
                max_variants=MAX_VARIANTS,
            ),
            bench,
        )
        if isinstance(draft, RefinementDraft):
            again = compile_strategy(draft.scan_script, draft.execution_script).script_hash
            if again in {gone.script_hash for gone in discarded}:
                draft = NoRefinement(f"I came to “{draft.title}” once more, which was turned down before, so I propose nothing.")
        if isinstance(draft, NoRefinement):

            def nothing(session: Session, row: AgentIteration) -> None:
                row.iteration_status, row.finished_at, row.refinements_suggested = IterationStatus.NO_PROPOSAL, utc_now(), []
                row.lease_owner = row.lease_expires_at = None

            return Outcome({"note": f"{bench.tested} variants tested, none proposed", "reason": draft.reason}, nothing)
        changes = describe_changes(iteration.scripts.scan, iteration.scripts.execution, draft.scan_script, draft.execution_script)
        results, confirmation = draft.result.results, draft.result.confirmation
        if results is None or confirmation is None:
            raise StrategistFailed(f"The strategist proposed “{draft.title}” without having tested it.")
        now, then = evidence.current.confirmation, results.confirmation

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
                whole_trades=(evidence.current.whole.trades, results.whole.trades),
                whole_sharpe=(evidence.current.whole.sharpe, results.whole.sharpe),
                trials=trials_so_far(session, iteration.bars, set()).count,
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

        return Outcome({"note": f"{bench.tested} variants tested", "title": draft.title}, effect)

    # --- what several steps need

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
            before=whole_span(summary),
            after=evidence.current.whole,
            comparison=from_json(Comparison, against["comparison"]),
            whole=from_json(Comparison, against["whole"]) if against.get("whole") else None,
        )

    def _chosen_until(self, session: Session, iteration: Iteration, parent: AgentIteration) -> date | None:
        old, new = session.get_one(AgentStrategy, parent.strategy_id), session.get_one(AgentStrategy, iteration.strategy_id)
        return chosen_until(session, old, new)

    def _failed(self, session: Session, iteration: Iteration) -> frozenset[str]:
        """What iterations of this version tested on these bars and ended without proposing."""
        fruitless = select(AgentIteration.id).where(
            AgentIteration.strategy_id == iteration.strategy_id, AgentIteration.iteration_status == IterationStatus.NO_PROPOSAL
        )
        rows = session.exec(
            select(Trial.script_hash).where(
                Trial.data_fingerprint == iteration.bars.fingerprint, Trial.purpose == REFINEMENT, col(Trial.iteration_id).in_(fruitless)
            )
        )
        return frozenset(rows)

    def _discarded(self, session: Session, agent_id: int) -> tuple[DiscardedProposal, ...]:
        rows = session.exec(select(Proposal).where(Proposal.agent_id == agent_id, Proposal.state == ProposalState.DISCARDED))
        return tuple(
            DiscardedProposal(row.title, row.scan_script, row.execution_script, row.reason, row.decided_by != BY_RULE) for row in rows
        )


def _subject(iteration: Iteration, evidence: EvidencePack, knowledge: tuple[Insight, ...]) -> Subject:
    return Subject(
        system_prompt=iteration.agent.system_prompt,
        timeframe=iteration.universe.timeframe,
        version=iteration.version,
        scan_script=iteration.scripts.scan,
        execution_script=iteration.scripts.execution,
        evidence=evidence,
        knowledge=knowledge,
        guidance=iteration.guidance,
    )


def _crashed(session: Session, row: AgentIteration) -> None:
    record_trial(session, row, row.script_hash, VERSION, TrialOutcome.CRASHED, 0, None)


def _against_parent(
    version: str, old: ResultSummary, new: ResultSummary, comparison: Comparison, whole: Comparison | None
) -> dict[str, Any]:
    return {
        "parent_version": version,
        "sharpe": {"before": old.sharpe, "after": new.sharpe},
        "win_rate": {"before": old.win_rate, "after": new.win_rate},
        "comparison": to_json(comparison),
        "whole": None if whole is None else to_json(whole),
    }
