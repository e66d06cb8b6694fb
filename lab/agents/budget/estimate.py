"""What the next iteration may cost: the range of past ones, with how often such a range holds.

Costs of past iterations and the next one are taken for draws from the same source. Then the next lies between the k-th
smallest and the k-th largest of n with probability (n + 1 - 2k) / (n + 1) (the distribution-free prediction interval of
order statistics, Wilks 1941). The widest k that keeps WANTED is used, so the range is no wider than it has to be.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlmodel import Session, col

from lab.agents.budget.prices import Price, Tokens
from lab.agents.budget.views import Estimate
from lab.store.models import UNFINISHED, AgentIteration, CallState, ModelCall

WANTED = 0.8
MOST_PAST = 40
LEAST_PAST = 4
"""With fewer past iterations of its own an agent's estimate is made of all agents'."""
STATED_LEAST, STATED_MOST = Tokens(input=8_000, output=1_500), Tokens(cache_write=13_000, cache_read=45_000, output=6_000)
"""What an iteration was built to use, where none has been run: as tests/benchmarks/test_model_cost.py measures it, with an empty
cache and as much output as it may have."""


def estimate(session: Session, agent_id: int, price: Price) -> Estimate:
    """The range for an agent's next iteration with this model."""
    costs = _past(session, price.model, agent_id)
    if len(costs) < LEAST_PAST:
        costs = _past(session, price.model, None)
    if len(costs) < LEAST_PAST:
        return Estimate(price.cost_micros(STATED_LEAST), price.cost_micros(STATED_MOST), 0, WANTED)
    low, high, coverage = prediction_range(costs)
    return Estimate(low, high, len(costs), coverage)


def prediction_range(costs: list[int]) -> tuple[int, int, float]:
    """Low, high and coverage of the narrowest range of order statistics that keeps WANTED, else of the widest there is."""
    ordered, n = sorted(costs), len(costs)
    k = max(1, int((n + 1) * (1 - WANTED) / 2 + 1e-9))
    return ordered[k - 1], ordered[n - k], (n + 1 - 2 * k) / (n + 1)


def _past(session: Session, model: str, agent_id: int | None) -> list[int]:
    """The costs of the newest ended iterations that asked this model, what other models read for them included."""
    asked = select(col(ModelCall.iteration_id)).where(col(ModelCall.model) == model)
    query = (
        select(func.sum(col(ModelCall.charged_micros)))
        .join(AgentIteration, col(ModelCall.iteration_id) == col(AgentIteration.id))
        .where(
            col(ModelCall.iteration_id).in_(asked),
            col(ModelCall.state).in_((CallState.SETTLED, CallState.IN_DOUBT)),
            col(AgentIteration.iteration_status).not_in(UNFINISHED),
        )
        .group_by(col(ModelCall.iteration_id))
        .order_by(col(ModelCall.iteration_id).desc())
        .limit(MOST_PAST)
    )
    if agent_id is not None:
        query = query.where(col(ModelCall.agent_id) == agent_id)
    return [int(row[0]) for row in session.execute(query)]
