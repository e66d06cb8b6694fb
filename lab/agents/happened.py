"""What happened in a workspace, newest first: read from the rows that everything leaves anyway, so nothing can be missing or made up."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, col, select

from lab.agents.continuous import BY_RULE
from lab.agents.events import Event
from lab.agents.proof.views import moved
from lab.store.models import (
    UNFINISHED,
    AgentIteration,
    AgentStrategy,
    DecisionUndone,
    IterationStatus,
    ModelCall,
    Proposal,
    ProposalState,
    TradingAgent,
)
from lab.store.proof_models import Graduation, ProofRun, ProofState, VaultOpening

MOST = 500
_DECIDED = (IterationStatus.APPLIED, IterationStatus.EDITED, IterationStatus.DISCARDED)
"""Ends that the decision itself tells."""


def happened(session: Session, most: int = MOST) -> tuple[Event, ...]:
    """The newest events over all agents."""
    names: dict[int, str] = {row[0]: row[1] for row in session.exec(select(TradingAgent.id, TradingAgent.name)) if row[0] is not None}
    told = (_agents, _iterations, _proposals, _decisions, _taken_back, _proof, _calls)
    events = [event for tell in told for event in tell(session, names, most)]
    return tuple(sorted(events, key=lambda event: event.at, reverse=True)[:most])


def _name(names: dict[int, str], agent_id: int) -> str:
    return names.get(agent_id) or f"agent {agent_id} (deleted)"


def _agents(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    for agent in session.exec(select(TradingAgent).order_by(col(TradingAgent.created_at).desc()).limit(most)):
        yield Event(agent.created_at, agent.name, "agent", f"made: {agent.instructions}")


def _iterations(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    columns = (
        select(
            AgentIteration.id,
            AgentIteration.agent_id,
            AgentIteration.iteration_number,
            AgentIteration.iteration_status,
            AgentIteration.created_at,
            AgentIteration.finished_at,
            AgentIteration.failure,
            AgentIteration.guidance,
            AgentIteration.pause_reason,
        )  # type: ignore[call-overload]  # SQLModel types `select` for at most four columns
        .order_by(col(AgentIteration.id).desc())
        .limit(most)
    )
    for row_id, agent_id, number, status, created_at, finished_at, failure, guidance, paused in session.exec(columns):
        agent = _name(names, agent_id)
        asked = f", with guidance: {guidance}" if guidance else ""
        yield Event(created_at, agent, "iteration", f"{number} asked for{asked}", iteration_id=row_id)
        if finished_at is not None and status not in _DECIDED:
            words = f"{number} failed: {failure}" if failure else f"{number} ended: {status}"
            yield Event(finished_at, agent, "iteration", words, trouble=bool(failure), iteration_id=row_id)
        elif paused and status in UNFINISHED:
            yield Event(created_at, agent, "iteration", f"{number} waits: {paused}", trouble=True, iteration_id=row_id)


def _proposals(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    for proposal in session.exec(select(Proposal).order_by(col(Proposal.id).desc()).limit(most)):
        agent = _name(names, proposal.agent_id)
        yield Event(proposal.created_at, agent, "iteration", f"proposes “{proposal.title}”", iteration_id=proposal.iteration_id)


def _decisions(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    decided = (
        select(Proposal, AgentStrategy.version)
        .join(AgentStrategy, onclause=col(Proposal.resulting_strategy_id) == col(AgentStrategy.id), isouter=True)
        .where(col(Proposal.decided_at).is_not(None))
        .order_by(col(Proposal.decided_at).desc())
        .limit(most)
    )
    for proposal, version in session.exec(decided):
        assert proposal.decided_at is not None
        by_rule = proposal.decided_by == BY_RULE
        who = "by the agent's rule" if by_rule else "by you"
        result = f", version {version}" if version else ""
        why = f": {proposal.reason}" if proposal.reason else ""
        yield Event(
            proposal.decided_at,
            _name(names, proposal.agent_id),
            "decision",
            f"“{proposal.title}” {proposal.state} {who}{result}{why}",
            iteration_id=proposal.iteration_id,
            undo_id=proposal.id if by_rule and proposal.state == ProposalState.APPLIED else None,
        )


def _taken_back(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    undone = (
        select(DecisionUndone, Proposal)
        .join(Proposal, onclause=col(DecisionUndone.proposal_id) == col(Proposal.id))
        .order_by(col(DecisionUndone.id).desc())
        .limit(most)
    )
    for row, proposal in session.exec(undone):
        agent, why = _name(names, proposal.agent_id), f": {row.reason}" if row.reason else ""
        yield Event(row.decided_at, agent, "decision", f"“{proposal.title}” {row.state} by you{why}", iteration_id=proposal.iteration_id)
        yield Event(row.undone_at, agent, "decision", f"“{proposal.title}” taken back, waits again", iteration_id=proposal.iteration_id)


def _proof(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    ended = select(ProofRun).where(col(ProofRun.finished_at).is_not(None)).order_by(col(ProofRun.id).desc()).limit(most)
    for run in session.exec(ended):
        assert run.finished_at is not None
        failed = run.state == ProofState.FAILED
        words = f"{run.kind} failed: {run.failure}" if failed else f"{run.kind} made"
        yield Event(run.finished_at, _name(names, run.agent_id), "study", words, trouble=failed, iteration_id=run.iteration_id)
    for opening in session.exec(select(VaultOpening).order_by(col(VaultOpening.id).desc()).limit(most)):
        words = f"opened for version {opening.version}: {opening.first_session} to {opening.last_session}"
        yield Event(opening.opened_at, _name(names, opening.agent_id), "vault", words, iteration_id=opening.iteration_id)
    for row in session.exec(select(Graduation).order_by(col(Graduation.id).desc()).limit(most)):
        words = f"version {row.version}: {moved(row.from_status, row.to_status)}" + (f": {row.note}" if row.note else "")
        yield Event(row.decided_at, row.agent, "graduation", words)


def _calls(session: Session, names: dict[int, str], most: int) -> Iterator[Event]:
    failed = select(ModelCall).where(col(ModelCall.error) != "").order_by(col(ModelCall.id).desc()).limit(most)
    for call in session.exec(failed):
        words = f"{call.purpose}: {call.error}"
        yield Event(call.created_at, _name(names, call.agent_id), "model", words, trouble=True, iteration_id=call.iteration_id)
