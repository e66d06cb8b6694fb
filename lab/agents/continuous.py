"""Continuous learning: an agent that a person set to iterate by itself, until a budget, a number, or no more progress.

It is off unless a person sets it. Refinements wait for the person's decision all the same, unless the rule says to apply
those measured as better. Nothing is kept of what is to come: from an agent's rule and its iterations it follows what is
due, so a program that was killed anywhere goes on at the next look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import func
from sqlmodel import Session, col, select

from lab.agents import decisions
from lab.agents.budget.prices import dollars
from lab.agents.errors import AlreadyDecided, BadAgent, NotThere
from lab.agents.results import from_json, to_json
from lab.agents.rules import Refinements, Rule
from lab.agents.strategist import Verdict
from lab.agents.views import MeasuredEffect
from lab.errors import LabError
from lab.store.database import Store
from lab.store.models import (
    UNFINISHED,
    AgentIteration,
    AgentStrategy,
    IterationStatus,
    ModelCall,
    Proposal,
    ProposalState,
    TradingAgent,
    utc_now,
)

BY_RULE = "rule"
RULE_REASON = "By the agent's rule: not measured as better, or a deflated Sharpe ratio that falls."


def rule_of(agent: TradingAgent) -> Rule | None:
    """The agent's rule, ended or not; None where it learns only when told."""
    return from_json(Rule, agent.learning) if agent.learning else None


def set_rule(store: Store, agent_id: int, rule: Rule | None) -> None:
    """Let an agent learn by itself from now on, or no longer. Raises BadAgent (`field` "learning"), NotThere."""
    if rule is not None:
        ends = (rule.max_iterations, rule.max_micros, rule.patience)
        if all(end is None for end in ends):
            raise BadAgent("learning", "Say when it shall end: after a number of iterations, an amount, or iterations without progress.")
        if any(end is not None and end < 1 for end in ends):
            raise BadAgent("learning", "The ends of continuous learning have to be above zero.")
    with store.write() as session:
        agent = session.get(TradingAgent, agent_id)
        if agent is None:
            raise NotThere("That agent no longer exists.")
        newest = session.exec(select(func.max(AgentIteration.iteration_number)).where(AgentIteration.agent_id == agent_id)).one()
        agent.learning = {} if rule is None else to_json(replace(rule, after_number=newest or 0, stopped=""))
        session.add(agent)


def go_on(store: Store, seed: int) -> list[int]:
    """Do what is due for every agent that learns by itself: decide by its rule, queue its next iteration, or end the rule.

    Returns the iterations queued. Calling it again, from anywhere, does nothing that was not due.
    """
    with store.read() as session:
        learning = [
            agent.id
            for agent in session.exec(select(TradingAgent).order_by(col(TradingAgent.id)))
            if agent.id is not None and (rule := rule_of(agent)) is not None and not rule.stopped
        ]
    queued = []
    for agent_id in learning:
        _decide(store, agent_id)
        started = _next(store, agent_id, seed)
        if started is not None:
            queued.append(started)
    return queued


def _decide(store: Store, agent_id: int) -> None:
    """Apply or discard the waiting refinement where the agent's rule says so."""
    with store.read() as session:
        agent = session.get(TradingAgent, agent_id)
        rule = rule_of(agent) if agent is not None else None
        pending = session.exec(select(Proposal).where(Proposal.agent_id == agent_id, Proposal.state == ProposalState.PENDING)).first()
    if rule is None or rule.stopped or rule.refinements is not Refinements.APPLY_BETTER or pending is None or pending.id is None:
        return
    try:
        if may_be_applied(from_json(MeasuredEffect, pending.effect)):
            decisions.apply_proposal(store, pending.id, BY_RULE)
        else:
            decisions.discard(store, pending.id, RULE_REASON, BY_RULE)
    except (AlreadyDecided, NotThere):
        # A person was quicker.
        return


def may_be_applied(effect: MeasuredEffect) -> bool:
    """Whether a rule may apply a refinement with this effect.

    Better by the paired test on unseen sessions; and the deflated Sharpe ratio does not fall: of two results on the same
    sessions among the same trials it falls if and only if the Sharpe ratio does, skewness and kurtosis aside.
    """
    before, after = effect.whole_sharpe
    return effect.verdict == Verdict.BETTER and after is not None and (before is None or after >= before)


def _next(store: Store, agent_id: int, seed: int) -> int | None:
    with store.write() as session:
        agent = session.get(TradingAgent, agent_id)
        rule = rule_of(agent) if agent is not None else None
        if agent is None or rule is None or rule.stopped:
            return None
        unfinished = (AgentIteration.agent_id == agent_id, col(AgentIteration.iteration_status).in_(UNFINISHED))
        if session.exec(select(AgentIteration.id).where(*unfinished)).first() is not None:
            return None
        pending = select(Proposal.id).where(Proposal.agent_id == agent_id, Proposal.state == ProposalState.PENDING)
        if session.exec(pending).first() is not None:
            return None
        own = session.exec(
            select(AgentIteration)
            .where(AgentIteration.agent_id == agent_id, AgentIteration.iteration_number > rule.after_number)
            .order_by(col(AgentIteration.iteration_number).desc())
        ).all()
        if stopped := _end(session, rule, own):
            agent.learning = to_json(replace(rule, stopped=stopped))
            session.add(agent)
            return None
        number = own[0].iteration_number if own else rule.after_number
        iteration = AgentIteration(agent_id=agent_id, iteration_number=number + 1, universe_id=agent.universe_id, seed=seed)
        session.add(iteration)
        session.flush()
        return iteration.id


def _end(session: Session, rule: Rule, own: Sequence[AgentIteration]) -> str:
    """Why the rule ends now, or empty. `own` are its iterations, newest first."""
    if own and own[0].iteration_status == IterationStatus.FAILED:
        return f"Ended {_when()}: iteration {own[0].iteration_number} failed."
    if own and own[0].iteration_status == IterationStatus.CANCELLED:
        return f"Ended {_when()}: you cancelled iteration {own[0].iteration_number}."
    if rule.max_iterations is not None and len(own) >= rule.max_iterations:
        return f"Ended {_when()}: {len(own)} iterations, as many as were set."
    if rule.max_micros is not None:
        ids = [iteration.id for iteration in own]
        spent = session.exec(select(func.coalesce(func.sum(ModelCall.charged_micros), 0)).where(col(ModelCall.iteration_id).in_(ids))).one()
        if spent >= rule.max_micros:
            return f"Ended {_when()}: {dollars(spent, 2)} spent, of {dollars(rule.max_micros, 2)} that were set."
    if rule.patience is not None and len(own) >= rule.patience and not any(_progress(session, each) for each in own[: rule.patience]):
        return f"Ended {_when()}: no evidence of progress in {rule.patience} iterations."
    return ""


def _progress(session: Session, iteration: AgentIteration) -> bool:
    """Whether it ended with a refinement measured as better that was taken."""
    if iteration.iteration_status not in (IterationStatus.APPLIED, IterationStatus.EDITED):
        return False
    proposal = session.exec(select(Proposal).where(Proposal.iteration_id == iteration.id)).first()
    return proposal is not None and from_json(MeasuredEffect, proposal.effect).verdict == Verdict.BETTER


def undo(store: Store, proposal_id: int) -> str:
    """Take back a refinement that a rule applied: the version it refined is current again. Returns that version.

    The version it made stays in the tree. Raises LabError where no rule applied it, NotThere.
    """
    with store.read() as session:
        proposal = session.get(Proposal, proposal_id)
    if proposal is None:
        raise NotThere.numbered("proposal", proposal_id)
    if proposal.decided_by != BY_RULE or proposal.state != ProposalState.APPLIED:
        raise LabError("Only what a rule has applied can be undone here; to go back to another version, make it current.")
    return decisions.make_current(store, proposal.parent_strategy_id)


def undoable(session: Session) -> list[Proposal]:
    """The refinements that a rule applied and whose version is its agent's current one, the one applied last first."""
    current = select(AgentStrategy.id).where(col(AgentStrategy.is_current_version))
    applied = select(Proposal).where(
        Proposal.decided_by == BY_RULE, Proposal.state == ProposalState.APPLIED, col(Proposal.resulting_strategy_id).in_(current)
    )
    return list(session.exec(applied.order_by(col(Proposal.decided_at).desc())))


def _when() -> str:
    return f"{utc_now():%Y-%m-%d %H:%M} UTC"
