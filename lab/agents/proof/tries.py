"""What was tried on an iteration's bars up to now, and what its result is worth after all of it.

The figures stored with a result count what had been tried when it was measured. Whoever chooses it later, chooses it among more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from sqlalchemy import func
from sqlmodel import Session, col, select

from lab.agents.jobs import TrialsSoFar
from lab.agents.ledger import NULL_ARM, trials_so_far
from lab.agents.proof.rules import Verdict, deflate, learning_verdict
from lab.agents.span import learning_span
from lab.agents.views import ResultSummary
from lab.store.models import AgentIteration, Trial, Universe


@dataclass(frozen=True, slots=True)
class Tries:
    """All variants ever tested on bars that overlap with a result's, and the result as the best of them."""

    trials: TrialsSoFar
    effective: float
    """The number of independent ones that so many like these are worth."""
    deflated: float | None
    """The deflated Sharpe ratio of the result over them; None where it can't be computed."""

    def verdict(self, result: ResultSummary) -> Verdict:
        """What the learning span alone allows to say of the result now."""
        return learning_verdict(result.trades, result.sharpe, result.sharpe_interval, self.deflated, self.trials)


def tries_until_now(session: Session, iteration: AgentIteration, result: ResultSummary) -> Tries:
    """Of a measured iteration."""
    universe = session.get_one(Universe, iteration.universe_id)
    # Nothing is read of the bars: the span only says which they are.
    bars = replace(learning_span(universe, Path()), fingerprint=iteration.data_fingerprint)
    trials = trials_so_far(session, bars, {iteration.script_hash})
    deflated, effective = _deflated((result.starting_equity, *(value for _, value in result.equity)), trials)
    return Tries(trials, effective, deflated)


@lru_cache(maxsize=4)
def _deflated(worth: tuple[float, ...], trials: TrialsSoFar) -> tuple[float | None, float]:
    """Screens ask for the same again and again."""
    return deflate([now / before - 1 if before > 0 else 0.0 for before, now in pairwise(worth)], trials)


def trials_of_agent(session: Session, agent_id: int) -> dict[str, int]:
    """How many variants an agent tried, by what each was first tried for: so the parts add up. The null arm's are no tries."""
    first = (
        select(func.min(Trial.id))
        .where(Trial.agent_id == agent_id, Trial.purpose != NULL_ARM)
        .group_by(col(Trial.script_hash), col(Trial.data_fingerprint))
    )
    rows = select(Trial.purpose, func.count()).where(col(Trial.id).in_(first)).group_by(col(Trial.purpose)).order_by(Trial.purpose)
    return dict(session.exec(rows).all())
