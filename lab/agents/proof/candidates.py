"""Which agents may wait for a decision on graduation, and which decision on it can be taken back: read from what is stored of them."""

from __future__ import annotations

from collections.abc import Hashable

from sqlalchemy import func
from sqlmodel import Session, col, select

from lab.store.models import AgentIteration, AgentStatus, AgentStrategy, TradingAgent, Trial, Universe
from lab.store.proof_models import UP_AGAIN, Graduation, ProofKind, ProofRun, ProofState, VaultOpening


def may_be_up(session: Session) -> dict[int, Hashable]:
    """Agents that learn and whose current version was put up for graduation or may now be, where nothing was decided on it since.

    Each with everything that its checklist hangs on: while that is the same, so is the checklist. That it is passed is not looked at;
    a version that nothing shook and that was not in the vault can't have passed it.
    """
    studied = (
        select(TradingAgent, Universe, AgentIteration.id, AgentStrategy.version)
        .join(AgentIteration, onclause=col(TradingAgent.id) == col(AgentIteration.agent_id))
        .join(Universe, onclause=col(Universe.id) == col(TradingAgent.universe_id))
        .join(AgentStrategy, onclause=col(AgentStrategy.id) == col(AgentIteration.strategy_id))
        .where(
            col(AgentIteration.id).in_(
                select(ProofRun.iteration_id).where(
                    col(ProofRun.kind).in_((ProofKind.ROBUSTNESS, ProofKind.VAULT)), ProofRun.state == ProofState.DONE
                )
            ),
            TradingAgent.status == AgentStatus.LEARNING,
            AgentIteration.universe_id == TradingAgent.universe_id,
            col(AgentStrategy.is_current_version),
        )
        .order_by(col(TradingAgent.id), col(AgentIteration.id))
    )
    tried = session.exec(select(func.max(Trial.id))).one(), session.exec(select(func.max(VaultOpening.id))).one()
    made = session.exec(select(func.count()).where(ProofRun.state == ProofState.DONE)).one()
    found: dict[int, Hashable] = {}
    for agent, universe, iteration_id, version in session.exec(studied):
        if agent.id is None or iteration_id is None or _being_opened(session, iteration_id):
            continue
        if not _decided(session, agent.id, iteration_id, version):
            asked = tuple(sorted(agent.graduation_rules.items()))
            span = universe.first_session, universe.learning_until, universe.last_session, universe.folds
            found[agent.id] = tried, made, iteration_id, version, agent.name, asked, universe.id, span
    return found


def opening_of(session: Session, agent_id: int, iteration_id: int | None) -> int | None:
    """The last opening of the vault for an iteration of an agent."""
    rows = select(func.max(VaultOpening.id)).where(VaultOpening.agent_id == agent_id, VaultOpening.iteration_id == iteration_id)
    return session.exec(rows).one()


def last_decision(session: Session, agent_id: int) -> Graduation | None:
    return session.exec(select(Graduation).where(Graduation.agent_id == agent_id).order_by(col(Graduation.id).desc()).limit(1)).first()


def undoable(session: Session) -> list[Graduation]:
    """The decisions on agents that were up for graduation which can be taken back now, the one decided last first."""
    newest = select(func.max(Graduation.id)).group_by(col(Graduation.agent_id))
    rows = session.exec(select(Graduation).where(col(Graduation.id).in_(newest)).order_by(col(Graduation.id).desc()))
    return [row for row in rows if not why_final(session, row)]


def why_final(session: Session, row: Graduation) -> str:
    """Why an agent's last decision can't be taken back any more; empty where it can."""
    agent = session.get(TradingAgent, row.agent_id)
    if agent is None:
        return "That agent no longer exists."
    if row.from_status != AgentStatus.LEARNING or row.to_status != agent.status:
        return f"There is no decision on the graduation of {agent.name} to take back."
    newer = select(AgentIteration.iteration_number).where(
        AgentIteration.agent_id == row.agent_id, col(AgentIteration.created_at) > row.decided_at
    )
    if (number := session.exec(newer.limit(1)).first()) is not None:
        return f"Iteration {number} has started since, so the decision stands; on the agent's screen it can be sent back to learning."
    current = select(AgentStrategy.version).where(AgentStrategy.agent_id == row.agent_id, col(AgentStrategy.is_current_version))
    if session.exec(current).first() != row.version:
        return f"{agent.name} is at another version than the {row.version} that was decided on."
    return ""


def _being_opened(session: Session, iteration_id: int) -> bool:
    under_way = select(ProofRun.id).where(
        ProofRun.iteration_id == iteration_id,
        ProofRun.kind == ProofKind.VAULT,
        col(ProofRun.state).in_((ProofState.QUEUED, ProofState.RUNNING)),
    )
    return session.exec(under_way).first() is not None


def _decided(session: Session, agent_id: int, iteration_id: int, version: str) -> bool:
    """Whether the person's last word was on this very version, and the vault was not opened for it since."""
    last = last_decision(session, agent_id)
    if last is None or last.to_status == UP_AGAIN or last.version != version:
        return False
    return last.opening_id == opening_of(session, agent_id, iteration_id)
