"""Reading the workspace into the snapshots of `lab.agents.views`; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from lab.agents.chosen import chosen_until
from lab.agents.errors import NotThere
from lab.agents.evidence import EvidencePack
from lab.agents.gaps import gaps_of
from lab.agents.knowledge import knowledge_rows
from lab.agents.outputs import folder_of
from lab.agents.results import from_json
from lab.agents.standing import Run, Standings
from lab.agents.strategist import Comparison
from lab.agents.views import (
    AgainstParent,
    AgentRow,
    AgentView,
    EvidenceRow,
    Interval,
    IterationRow,
    IterationView,
    MeasuredEffect,
    PairedDifference,
    Personality,
    ProposalView,
    ResultSummary,
    StepView,
    UniverseView,
    VersionComparison,
    VersionRow,
    WorkspaceState,
)
from lab.store.models import (
    STEPS,
    UNFINISHED,
    AgentIteration,
    AgentStrategy,
    IterationStatus,
    IterationStep,
    Proposal,
    ProposalState,
    TradingAgent,
    Universe,
)

ENDINGS = {
    IterationStatus.QUEUED: "Waiting for the worker.",
    IterationStatus.CANCELLED: "Cancelled by you: what it computed can be read, but it is not gone on with.",
    IterationStatus.NO_PROPOSAL: "No refinement is proposed.",
}


def workspace_state(session: Session, home: str, notices: Sequence[str]) -> WorkspaceState:
    universes = tuple(universe_view(universe) for universe in session.exec(select(Universe).order_by(col(Universe.id))))
    pending = session.exec(select(func.count()).where(Proposal.state == ProposalState.PENDING)).one()
    under_way = select(func.count(), func.count(col(AgentIteration.paused_until))).where(
        col(AgentIteration.iteration_status).in_(UNFINISHED)
    )
    unfinished, paused = session.exec(under_way).one()
    return WorkspaceState(
        home=home,
        has_data=bool(universes),
        universes=universes,
        pending_approvals=pending,
        unfinished_iterations=unfinished,
        paused_iterations=paused,
        notices=tuple(notices),
    )


def interrupted_notices(session: Session) -> tuple[str, ...]:
    """A sentence for each iteration that was under way when the lab last ended, be it interrupted or still in the worker's hands."""
    rows = session.exec(
        select(AgentIteration, TradingAgent.name)
        .where(AgentIteration.agent_id == TradingAgent.id, col(AgentIteration.iteration_status).in_(STEPS))
        .order_by(col(AgentIteration.id))
    )
    return tuple(
        f"Iteration {iteration.iteration_number} of {name} was in its step “{iteration.iteration_status}” when the lab last closed; "
        "it goes on from the last finished step."
        for iteration, name in rows
    )


def universe_view(universe: Universe) -> UniverseView:
    assert universe.id is not None
    return UniverseView(
        id=universe.id,
        name=universe.name,
        tickers=tuple(universe.tickers),
        timeframe=universe.timeframe,
        source=universe.source,
        synthetic=universe.synthetic,
        first_session=universe.first_session,
        learning_until=universe.learning_until,
        last_session=universe.last_session,
        missing_context=tuple(gap.sentence for gap in gaps_of(universe)),
    )


def personality_of(agent: TradingAgent) -> Personality:
    return Personality(
        risk=agent.risk_tolerance,
        style=agent.trading_style,
        focus=tuple(agent.pattern_focus),
        markets=tuple(agent.market_conditions),
    )


def result_of(iteration: AgentIteration) -> ResultSummary | None:
    return None if iteration.backtest_results is None else from_json(ResultSummary, iteration.backtest_results)


def runner(session: Session) -> Run:
    """Runs plain SQL in this session."""
    return lambda sql: session.connection().exec_driver_sql(sql).all()


def agent_rows(session: Session, agent_id: int | None = None) -> list[AgentRow]:
    """All agents with their results, or the one with this id."""
    return list(Standings().rows(runner(session), agent_id, curves=True))


def agent_view(session: Session, agent_id: int) -> AgentView:
    rows = agent_rows(session, agent_id)
    agent = session.get(TradingAgent, agent_id)
    if not rows or agent is None:
        raise NotThere("That agent no longer exists.")
    universe = session.get_one(Universe, agent.universe_id)
    iterations = tuple(iteration_rows(session, agent_id))
    return AgentView(
        row=rows[0],
        system_prompt=agent.system_prompt,
        risk_config=agent.risk_config,
        strategist=agent.strategist,
        created_at=agent.created_at,
        universe=universe_view(universe),
        iterations=iterations,
        versions=tuple(version_row(strategy) for strategy in _versions(session, agent_id)),
        knowledge=knowledge_rows(session, agent_id, {row.id: row.number for row in iterations}),
    )


def iteration_rows(session: Session, agent_id: int | None = None) -> list[IterationRow]:
    """Iterations, newest first; of all agents or of one."""
    query = (
        select(AgentIteration, TradingAgent.name, AgentStrategy.version)
        .select_from(AgentIteration)
        .join(TradingAgent)
        .join(AgentStrategy, isouter=True, onclause=col(AgentIteration.strategy_id) == col(AgentStrategy.id))
        .order_by(col(AgentIteration.id).desc())
    )
    if agent_id is not None:
        query = query.where(AgentIteration.agent_id == agent_id)
    return [_iteration_row(iteration, name, version) for iteration, name, version in session.exec(query)]


def iteration_view(session: Session, iteration_id: int) -> IterationView:
    iteration = session.get(AgentIteration, iteration_id)
    if iteration is None:
        raise NotThere.numbered("iteration", iteration_id)
    agent = session.get_one(TradingAgent, iteration.agent_id)
    strategy = session.get(AgentStrategy, iteration.strategy_id) if iteration.strategy_id else None
    steps = {step.step: step for step in session.exec(select(IterationStep).where(IterationStep.iteration_id == iteration_id))}
    backtest = steps.get(IterationStatus.BACKTEST)
    proposal = session.exec(select(Proposal).where(Proposal.iteration_id == iteration_id)).one_or_none()
    return IterationView(
        row=_iteration_row(iteration, agent.name, strategy.version if strategy else None),
        steps=tuple(_step_view(step, steps.get(step), iteration) for step in STEPS),
        progress=iteration.progress,
        progress_note=iteration.progress_note,
        scan_script=iteration.scan_script,
        execution_script=iteration.execution_script,
        version_notes=iteration.version_notes,
        guidance=iteration.guidance,
        analysis=iteration.expert_analysis,
        result=result_of(iteration),
        against_parent=_against_parent(session, iteration, backtest.output.get("against_parent") if backtest else None),
        proposal=_proposal_view(session, proposal) if proposal else None,
        universe=universe_view(session.get_one(Universe, iteration.universe_id)),
        evidence=_evidence(steps.get(IterationStatus.ANALYSE)),
        explanation=_explanation(iteration, steps),
        strategist=iteration.strategist,
        paused_until=iteration.paused_until,
    )


def pending_proposals(session: Session) -> list[ProposalView]:
    """What waits for a decision, oldest first."""
    pending = session.exec(select(Proposal).where(Proposal.state == ProposalState.PENDING).order_by(col(Proposal.id)))
    return [_proposal_view(session, proposal) for proposal in pending]


def proposal_view(session: Session, proposal_id: int) -> ProposalView:
    proposal = session.get(Proposal, proposal_id)
    if proposal is None:
        raise NotThere.numbered("proposal", proposal_id)
    return _proposal_view(session, proposal)


def version_row(strategy: AgentStrategy) -> VersionRow:
    assert strategy.id is not None
    return VersionRow(
        id=strategy.id,
        version=strategy.version,
        parent_version=strategy.parent_version,
        is_current=strategy.is_current_version,
        sharpe=strategy.backtest_sharpe,
        win_rate=strategy.backtest_win_rate,
        changes=strategy.changes_from_parent,
        created_at=strategy.created_at,
        scan_script=strategy.scan_script,
        execution_script=strategy.execution_script,
    )


def version_comparison(session: Session, results: Path, a_id: int, b_id: int) -> VersionComparison:
    """From version `a_id` to version `b_id`, by the newest result of each, with the paired test of the two. Reads files."""
    from lab.script import describe_changes

    a, b = session.get(AgentStrategy, a_id), session.get(AgentStrategy, b_id)
    if a is None or b is None:
        raise NotThere("One of these versions no longer exists.")
    old, new = newest_measured(session, a_id), newest_measured(session, b_id)
    return VersionComparison(
        a=version_row(a),
        b=version_row(b),
        changes=describe_changes(a.scan_script, a.execution_script, b.scan_script, b.execution_script),
        result_a=None if old is None else result_of(old),
        result_b=None if new is None else result_of(new),
        paired=None if old is None or new is None else _paired(results, a.version, old, new, chosen_until(session, a, b)),
    )


def _paired(results: Path, version: str, old: AgentIteration, new: AgentIteration, after: date | None) -> AgainstParent | None:
    """The paired test of two stored results, on the sessions after a day where one is given; None where they are not of the same bars."""
    from lab.agents.jobs import compare_job

    if old.id is None or new.id is None or old.data_fingerprint != new.data_fingerprint:
        return None
    before, changed = (str(folder_of(results, each)) for each in (old.id, new.id))
    paired, whole = compare_job(before, changed, new.seed, after)
    return _in_view(version, paired, whole, (old.win_rate, new.win_rate), (old.sharpe_ratio, new.sharpe_ratio))


def _versions(session: Session, agent_id: int) -> Iterable[AgentStrategy]:
    return session.exec(select(AgentStrategy).where(AgentStrategy.agent_id == agent_id).order_by(col(AgentStrategy.id)))


def newest_measured(session: Session, strategy_id: int) -> AgentIteration | None:
    """The newest iteration that measured a version; None where none did."""
    return session.exec(
        select(AgentIteration)
        .where(AgentIteration.strategy_id == strategy_id, col(AgentIteration.backtest_results).is_not(None))
        .order_by(col(AgentIteration.id).desc())
        .limit(1)
    ).one_or_none()


def _iteration_row(iteration: AgentIteration, agent: str, version: str | None) -> IterationRow:
    assert iteration.id is not None
    result = result_of(iteration)
    return IterationRow(
        id=iteration.id,
        agent_id=iteration.agent_id,
        agent=agent,
        number=iteration.iteration_number,
        version=version,
        status=iteration.iteration_status,
        created_at=iteration.created_at,
        signals=iteration.signals_found,
        trades=result.trades if result else None,
        win_rate=iteration.win_rate,
        win_rate_interval=result.win_rate_interval if result else None,
        sharpe=iteration.sharpe_ratio,
        total_return=result.total_return if result else None,
        verdict=result.verdict if result else "",
        failure=iteration.failure,
        sharpe_interval=result.sharpe_interval if result else None,
    )


def _step_view(step: IterationStatus, finished: IterationStep | None, iteration: AgentIteration) -> StepView:
    if finished is not None:
        return StepView(step=step.value, state="done", seconds=finished.seconds, note=str(finished.output.get("note", "")))
    here = iteration.iteration_status == step
    state = "waiting" if not here else "running" if iteration.paused_until is None else "paused"
    return StepView(step=step.value, state=state, seconds=None, note=iteration.progress_note if here else "")


def _evidence(analysed: IterationStep | None) -> tuple[EvidenceRow, ...]:
    return tuple(from_json(EvidenceRow, row) for row in analysed.output["rows"]) if analysed else ()


def iteration_evidence(session: Session, iteration_id: int) -> EvidencePack | None:
    """All that may be said of an iteration's result; None before its analysis has finished."""
    step = session.exec(
        select(IterationStep).where(IterationStep.iteration_id == iteration_id, IterationStep.step == IterationStatus.ANALYSE)
    ).one_or_none()
    return None if step is None else from_json(EvidencePack, step.output["evidence"]["whole"])


def _against_parent(session: Session, iteration: AgentIteration, stored: dict[str, Any] | None) -> AgainstParent | None:
    if not stored:
        return None
    if "whole" not in stored:
        chosen = session.exec(select(Proposal).where(Proposal.resulting_strategy_id == iteration.strategy_id)).first()
        if chosen is not None:
            return _as_proposed(session, iteration, chosen, stored)
    paired = from_json(Comparison, stored["comparison"])
    win_rate, sharpe = stored["win_rate"], stored["sharpe"]
    whole = from_json(Comparison, stored["whole"]) if stored.get("whole") else None
    return _in_view(stored["parent_version"], paired, whole, (win_rate["before"], win_rate["after"]), (sharpe["before"], sharpe["after"]))


def _as_proposed(session: Session, iteration: AgentIteration, chosen: Proposal, stored: dict[str, Any]) -> AgainstParent | None:
    """Of a version from a proposal, where only the test on all sessions was stored: what the proposal measured on those it was not
    chosen on; None where that was of other scripts or other bars."""
    made_in = session.get_one(AgentIteration, chosen.iteration_id)
    if chosen.state != ProposalState.APPLIED or made_in.data_fingerprint != iteration.data_fingerprint:
        return None
    effect, all_of = from_json(MeasuredEffect, chosen.effect), from_json(Comparison, stored["comparison"])
    return AgainstParent(
        stored["parent_version"],
        effect.verdict,
        effect.daily_difference,
        effect.daily_difference_interval,
        effect.confirmed_sessions,
        (stored["win_rate"]["before"], stored["win_rate"]["after"]),
        (stored["sharpe"]["before"], stored["sharpe"]["after"]),
        PairedDifference(all_of.mean_difference, _interval(all_of), all_of.sessions),
    )


def _in_view(
    version: str,
    paired: Comparison,
    whole: Comparison | None,
    win_rate: tuple[float | None, float | None],
    sharpe: tuple[float | None, float | None],
) -> AgainstParent:
    too = None if whole is None else PairedDifference(whole.mean_difference, _interval(whole), whole.sessions)
    return AgainstParent(version, paired.verdict.value, paired.mean_difference, _interval(paired), paired.sessions, win_rate, sharpe, too)


def _interval(paired: Comparison) -> Interval | None:
    return None if paired.low is None or paired.high is None else Interval(paired.low, paired.high)


def _explanation(iteration: AgentIteration, steps: dict[str, IterationStep]) -> str:
    if iteration.failure:
        return iteration.failure
    if iteration.pause_reason:
        return iteration.pause_reason
    proposing = steps.get(IterationStatus.PROPOSE)
    if iteration.iteration_status == IterationStatus.NO_PROPOSAL and proposing is not None and proposing.output.get("reason"):
        return str(proposing.output["reason"])
    return ENDINGS.get(IterationStatus(iteration.iteration_status), "")


def _proposal_view(session: Session, proposal: Proposal) -> ProposalView:
    iteration = session.get_one(AgentIteration, proposal.iteration_id)
    agent = session.get_one(TradingAgent, proposal.agent_id)
    parent = session.get_one(AgentStrategy, proposal.parent_strategy_id)
    universe = session.get_one(Universe, iteration.universe_id)
    resulting = session.get(AgentStrategy, proposal.resulting_strategy_id) if proposal.resulting_strategy_id else None
    assert proposal.id is not None
    scan, execution, changes = proposal.scan_script, proposal.execution_script, tuple(proposal.changes)
    if proposal.state == ProposalState.EDITED and resulting is not None:
        from lab.script import describe_changes

        scan, execution = resulting.scan_script, resulting.execution_script
        changes = describe_changes(parent.scan_script, parent.execution_script, scan, execution)
    return ProposalView(
        id=proposal.id,
        iteration_id=proposal.iteration_id,
        agent_id=proposal.agent_id,
        agent=agent.name,
        iteration_number=iteration.iteration_number,
        parent_version=parent.version,
        title=proposal.title,
        rationale=proposal.rationale,
        changes=changes,
        effect=from_json(MeasuredEffect, proposal.effect),
        old_scan=parent.scan_script,
        old_execution=parent.execution_script,
        new_scan=scan,
        new_execution=execution,
        state=proposal.state,
        reason=proposal.reason,
        created_at=proposal.created_at,
        decided_at=proposal.decided_at,
        resulting_version=resulting.version if resulting else None,
        synthetic=universe.synthetic,
        universe=universe.name,
        decided_by=proposal.decided_by,
    )
