"""On which sessions the step from one version to another was chosen: there it looks better than it is."""

from __future__ import annotations

from datetime import date

from sqlmodel import Session, col, select

from lab.agents.comparing import last_of_selection
from lab.store.models import AgentIteration, AgentStrategy, Proposal


def chosen_until(session: Session, old: AgentStrategy, new: AgentStrategy) -> date | None:
    """Last session on which a proposal between two versions was chosen by measurement; None where a person made every step by hand.

    A proposal applied with the person's edits counts: what was edited had been chosen.
    """
    apart = _line(session, old) ^ _line(session, new)
    if not apart:
        return None
    found = session.exec(
        select(AgentIteration.backtest_results)
        .join(Proposal, onclause=col(Proposal.iteration_id) == col(AgentIteration.id))
        .where(col(Proposal.resulting_strategy_id).in_(apart))
    )
    days = [date.fromisoformat(day) for each in found if (day := last_of_selection([row[0] for row in (each or {}).get("equity", [])]))]
    return max(days, default=None)


def _line(session: Session, strategy: AgentStrategy) -> set[int]:
    """The ids of a version and of all it came from."""
    rows = select(AgentStrategy.version, AgentStrategy.id, AgentStrategy.parent_version).where(AgentStrategy.agent_id == strategy.agent_id)
    versions = {version: (id_, parent) for version, id_, parent in session.exec(rows)}
    line: set[int] = set()
    at: str | None = strategy.version
    while at in versions:
        id_, at = versions.pop(at)
        line.add(id_ or 0)
    return line
