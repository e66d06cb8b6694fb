"""Decisions on proposals and the strategy versions they make: each takes effect once, whoever asks, however often."""

from __future__ import annotations

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from lab.agents.errors import AlreadyDecided, BadScript, CannotUndo, NotThere
from lab.agents.span import refuse_missing_context
from lab.errors import LabError
from lab.script import check, compile_strategy
from lab.store.database import Store
from lab.store.models import (
    AgentIteration,
    AgentStrategy,
    DecisionUndone,
    IterationStatus,
    Proposal,
    ProposalState,
    TradingAgent,
    Universe,
    utc_now,
)

PERSON = "person"


def apply_proposal(store: Store, proposal_id: int, decided_by: str = PERSON) -> str:
    """Make the proposed scripts the agent's current version. Returns the new version.

    Raises AlreadyDecided where the proposal is not pending any more, NotThere where there is none, BadScript where the agent's
    universe no longer has what the scripts read.
    """
    return _accept(store, proposal_id, ProposalState.APPLIED, None, decided_by)


def apply_edited(store: Store, proposal_id: int, scan: str, execution: str) -> str:
    """Make the person's own edit of the proposed scripts the current version. Returns the new version.

    Raises BadScript where the scripts do not compile, change nothing, or read context the agent's universe lacks; AlreadyDecided, NotThere.
    """
    problems = check(scan, execution)
    if problems:
        raise BadScript(str(problems[0]))
    return _accept(store, proposal_id, ProposalState.EDITED, (scan, execution), PERSON)


def discard(store: Store, proposal_id: int, reason: str = "", decided_by: str = PERSON) -> None:
    """Turn a proposal down; the reason is kept and the strategist is told. Raises AlreadyDecided, NotThere."""
    with store.write() as session:
        proposal = _take(session, proposal_id, ProposalState.DISCARDED, reason.strip(), decided_by)
        _end_iteration(session, proposal.iteration_id, IterationStatus.DISCARDED)


def undo(store: Store, proposal_id: int) -> str:
    """Take back a person's decision: the proposal waits again, and a version made of it is gone. Returns the version that is current then.

    Possible until the agent's next iteration. Raises CannotUndo with the reason, NotThere.
    """
    with store.write() as session:
        proposal = session.get(Proposal, proposal_id)
        if proposal is None:
            raise NotThere.numbered("proposal", proposal_id)
        if reason := _why_final(session, proposal):
            raise CannotUndo(reason)
        made = session.get(AgentStrategy, proposal.resulting_strategy_id) if proposal.resulting_strategy_id else None
        assert proposal.decided_at is not None
        session.add(DecisionUndone(proposal_id=proposal_id, state=proposal.state, reason=proposal.reason, decided_at=proposal.decided_at))
        proposal.state, proposal.reason, proposal.decided_at, proposal.resulting_strategy_id = ProposalState.PENDING, "", None, None
        session.add(proposal)
        session.flush()
        if made is not None:
            was_current = made.is_current_version
            session.delete(made)
            session.flush()
            if was_current:
                _set_current(session, session.get_one(AgentStrategy, proposal.parent_strategy_id))
        waits = update(AgentIteration).where(col(AgentIteration.id) == proposal.iteration_id)
        session.execute(waits.values(iteration_status=IterationStatus.AWAITING_APPROVAL, finished_at=None))
        current = select(AgentStrategy.version).where(AgentStrategy.agent_id == proposal.agent_id, col(AgentStrategy.is_current_version))
        return session.exec(current).one()


def undoable(session: Session) -> list[Proposal]:
    """The proposals whose decision `undo` takes back now, the one decided last first."""
    newest = select(func.max(AgentIteration.id)).group_by(col(AgentIteration.agent_id))
    decided = session.exec(
        select(Proposal)
        .where(Proposal.state != ProposalState.PENDING, col(Proposal.iteration_id).in_(newest))
        .order_by(col(Proposal.decided_at).desc())
    )
    return [proposal for proposal in decided if not _why_final(session, proposal)]


def _why_final(session: Session, proposal: Proposal) -> str:
    """Why a decision can't be taken back any more; empty where it can."""
    if proposal.state == ProposalState.PENDING:
        return "This proposal waits for your decision: there is nothing to take back."
    if proposal.decided_by != PERSON:
        return "The agent's rule decided this, and would do so again; what it applied is taken back in the log."
    newer = select(AgentIteration.iteration_number).where(
        AgentIteration.agent_id == proposal.agent_id, col(AgentIteration.id) > proposal.iteration_id
    )
    if (number := session.exec(newer.order_by(col(AgentIteration.id))).first()) is not None:
        return f"Iteration {number} has started since, so the decision stands; to go back to another version, make it current."
    if proposal.resulting_strategy_id is not None:
        used = select(AgentIteration.id).where(AgentIteration.strategy_id == proposal.resulting_strategy_id)
        children = select(Proposal.id).where(Proposal.parent_strategy_id == proposal.resulting_strategy_id)
        if session.exec(used).first() is not None or session.exec(children).first() is not None:
            return "The version it made is in use; to go back to another version, make that one current."
    return ""


def make_current(store: Store, strategy_id: int) -> str:
    """Let the agent's next iteration run this version, be it older or on another branch. Returns its version."""
    with store.write() as session:
        strategy = session.get(AgentStrategy, strategy_id)
        if strategy is None:
            raise NotThere("That version no longer exists.")
        _set_current(session, strategy)
        return strategy.version


def add_version(
    session: Session,
    agent_id: int,
    scan: str,
    execution: str,
    parent_version: str | None,
    changes: str,
) -> AgentStrategy:
    """Store a new strategy version inside the caller's transaction and make it current."""
    newest = session.exec(select(func.count()).where(AgentStrategy.agent_id == agent_id)).one()
    strategy = AgentStrategy(
        agent_id=agent_id,
        version=f"1.{newest}",
        scan_script=scan,
        execution_script=execution,
        parent_version=parent_version,
        changes_from_parent=changes,
        script_hash=compile_strategy(scan, execution).script_hash,
    )
    session.add(strategy)
    session.flush()
    _set_current(session, strategy)
    return strategy


def _accept(store: Store, proposal_id: int, state: ProposalState, edited: tuple[str, str] | None, decided_by: str) -> str:
    with store.write() as session:
        proposal = _take(session, proposal_id, state, "", decided_by)
        parent = session.get(AgentStrategy, proposal.parent_strategy_id)
        if parent is None:
            raise NotThere("The version this proposal refines no longer exists.")
        scan, execution = edited or (proposal.scan_script, proposal.execution_script)
        _refuse_blind_scripts(session, store, proposal.agent_id, scan, execution)
        if edited and compile_strategy(scan, execution).script_hash == parent.script_hash:
            raise BadScript(f"The edited scripts do the same as version {parent.version}: discard the proposal instead.")
        changes = proposal.title if edited is None else f"{proposal.title} (edited)"
        strategy = add_version(session, proposal.agent_id, scan, execution, parent.version, changes)
        proposal.resulting_strategy_id = strategy.id
        session.add(proposal)
        _end_iteration(session, proposal.iteration_id, IterationStatus(state.value))
        return strategy.version


def _refuse_blind_scripts(session: Session, store: Store, agent_id: int, scan: str, execution: str) -> None:
    """Raise BadScript where the scripts read what the agent's universe does not have: they would silently never signal."""
    agent = session.get(TradingAgent, agent_id)
    universe = session.get(Universe, agent.universe_id) if agent is not None else None
    if universe is None or store.workspace is None:
        return
    try:
        refuse_missing_context(compile_strategy(scan, execution), universe, store.workspace.bars)
    except LabError as error:
        raise BadScript(str(error)) from None


def _take(session: Session, proposal_id: int, state: ProposalState, reason: str, decided_by: str) -> Proposal:
    """The one gate of all decisions: only one transaction finds the proposal pending."""
    taken = session.execute(
        update(Proposal)
        .where(col(Proposal.id) == proposal_id, col(Proposal.state) == ProposalState.PENDING)
        .values(state=state, reason=reason, decided_at=utc_now(), decided_by=decided_by)
        .returning(col(Proposal.id))
    ).one_or_none()
    proposal = session.get(Proposal, proposal_id, populate_existing=True)
    if proposal is None:
        raise NotThere.numbered("proposal", proposal_id)
    if taken is None:
        decided = f" at {proposal.decided_at:%H:%M} UTC" if proposal.decided_at else ""
        raise AlreadyDecided(f"This proposal was already {proposal.state}{decided}; nothing was changed.")
    return proposal


def _end_iteration(session: Session, iteration_id: int, status: IterationStatus) -> None:
    session.execute(
        update(AgentIteration).where(col(AgentIteration.id) == iteration_id).values(iteration_status=status, finished_at=utc_now())
    )


def _set_current(session: Session, strategy: AgentStrategy) -> None:
    session.execute(
        update(AgentStrategy)
        .where(col(AgentStrategy.agent_id) == strategy.agent_id, col(AgentStrategy.is_current_version))
        .values(is_current_version=False)
    )
    strategy.is_current_version = True
    session.add(strategy)
    session.execute(update(TradingAgent).where(col(TradingAgent.id) == strategy.agent_id).values(updated_at=utc_now()))
    session.flush()
