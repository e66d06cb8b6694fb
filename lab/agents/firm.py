"""The agents taken together: what they made on their learning spans, and how far they did the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt

from lab.agents.agent_views import AgentRow

SHARED_SESSIONS = 20
"""Sessions that all agents must have in common for a correlation."""
Curve = tuple[tuple[date, float], ...]
"""Dollars at the close of each session."""


@dataclass(frozen=True, slots=True)
class Firm:
    """All measured agents, each with an account of its own. Money in dollars, after costs, on the learning spans."""

    measured: int
    """Agents with a result."""
    pnl: float
    curve: Curve
    """What they had made together by the close of each session; an agent that has no bars any more keeps what it made."""
    correlation: float | None
    """Mean correlation of daily results between two of them, sessions that one of them lacks counted as flat; None below two, and
    where some traded in other years than others: that says nothing of how alike they are."""


def firm_of(agents: Sequence[AgentRow]) -> Firm:
    """Sum the agents' newest results up."""
    curves = [
        {day: equity - agent.result.starting_equity for day, equity in agent.result.equity}
        for agent in agents
        if agent.result is not None and agent.result.equity
    ]
    days = sorted({day for curve in curves for day in curve})
    total = [0.0] * len(days)
    changes: list[list[float]] = []
    for curve in curves:
        made, moved = 0.0, []
        for place, day in enumerate(days):
            now = curve.get(day, made)
            moved.append(now - made)
            made = now
            total[place] += made
        changes.append(moved)
    pnl = total[-1] if total else 0.0
    together = set.intersection(*map(set, curves)) if curves else set()
    correlation = _mean_correlation(changes) if len(together) >= SHARED_SESSIONS else None
    return Firm(len(curves), pnl, tuple(zip(days, total, strict=True)), correlation)


def _mean_correlation(changes: Sequence[Sequence[float]]) -> float | None:
    """Over all pairs at once: the standardised series' sum varies by n + n (n - 1) times their mean correlation."""
    standard = []
    for moved in changes:
        mean = sum(moved) / len(moved)
        spread = sqrt(sum((value - mean) ** 2 for value in moved) / len(moved))
        if spread > 0:
            standard.append([(value - mean) / spread for value in moved])
    n = len(standard)
    if n < 2:
        return None
    sums = [sum(values) for values in zip(*standard, strict=True)]
    together = sum(value * value for value in sums) / len(sums)
    return float((together - n) / (n * (n - 1)))
