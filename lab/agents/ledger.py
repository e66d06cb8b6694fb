"""The trial ledger: every variant ever tested on a data set, only added to, outliving the agent that tried it."""

from __future__ import annotations

from statistics import variance

from sqlmodel import Session, select

from lab.agents.jobs import TrialsSoFar
from lab.store.models import AgentIteration, Trial, TrialOutcome

VERSION, REFINEMENT, PERSON, SWEEP, EXITS = "iteration", "refinement", "person", "sweep", "exits"
"""What a trial was for: a version itself, a variant of it, scripts that a person ran by hand, a point of a sweep, an exit plan."""
NOBODY = 0
"""The agent's id of a trial by a person without one, and the iteration's id of a trial outside iterations: real ids begin at 1."""


def record_trial(
    session: Session,
    iteration: AgentIteration,
    script_hash: str,
    purpose: str,
    outcome: TrialOutcome,
    trades: int,
    sharpe_daily: float | None,
) -> None:
    """Add a trial inside the caller's transaction. The same scripts on the same bars in one iteration are one trial."""
    assert iteration.id is not None
    _add_once(
        session,
        Trial(
            agent_id=iteration.agent_id,
            iteration_id=iteration.id,
            universe_id=iteration.universe_id,
            script_hash=script_hash,
            data_fingerprint=iteration.data_fingerprint,
            purpose=purpose,
            outcome=outcome,
            trades=trades,
            sharpe_daily=sharpe_daily,
        ),
    )


def record_own_trial(
    session: Session,
    universe_id: int,
    data_fingerprint: str,
    script_hash: str,
    outcome: TrialOutcome,
    trades: int,
    sharpe_daily: float | None,
    *,
    purpose: str = PERSON,
    agent_id: int = NOBODY,
) -> None:
    """Add what a person had tested inside the caller's transaction. The same scripts on the same bars are one trial."""
    _add_once(
        session,
        Trial(
            agent_id=agent_id,
            iteration_id=NOBODY,
            universe_id=universe_id,
            script_hash=script_hash,
            data_fingerprint=data_fingerprint,
            purpose=purpose,
            outcome=outcome,
            trades=trades,
            sharpe_daily=sharpe_daily,
        ),
    )


def _add_once(session: Session, trial: Trial) -> None:
    seen = select(Trial.id).where(
        Trial.iteration_id == trial.iteration_id,
        Trial.script_hash == trial.script_hash,
        Trial.data_fingerprint == trial.data_fingerprint,
    )
    if session.exec(seen).first() is None:
        session.add(trial)


def trials_so_far(session: Session, data_fingerprint: str, about_to_run: set[str]) -> TrialsSoFar:
    """All agents' distinct variants on these bars, with those about to run. A variant run twice is one variant."""
    rows = session.exec(select(Trial.script_hash, Trial.sharpe_daily).where(Trial.data_fingerprint == data_fingerprint))
    sharpes: dict[str, float | None] = dict(rows.all())
    measured = [sharpe for sharpe in sharpes.values() if sharpe is not None]
    return TrialsSoFar(
        count=len(sharpes.keys() | about_to_run),
        sharpe_variance=variance(measured) if len(measured) > 1 else None,
    )
