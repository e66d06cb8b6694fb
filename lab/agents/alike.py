"""Agents that are much like one that is about to be made: two of a kind try the same twice, and each try costs evidence."""

from __future__ import annotations

from collections.abc import Sequence

from lab.agents.views import AgentRow, Personality

ANY_MARKET = "any market"
_ENOUGH = 0.55
_MOST = 2


def alike(personality: Personality, agents: Sequence[AgentRow]) -> tuple[tuple[AgentRow, str], ...]:
    """The agents most like this personality, the nearest first, each with what they share in words; few or none."""
    near = [(share, agent) for agent in agents if (share := _share(personality, agent.personality)) >= _ENOUGH]
    near.sort(key=lambda pair: (-pair[0], pair[1].id))
    return tuple((agent, _shared(personality, agent.personality)) for _, agent in near[:_MOST])


def _share(a: Personality, b: Personality) -> float:
    """How much two have in common, 0 to 1: mostly what they look for, then how they trade."""
    return 0.5 * _overlap(a.focus, b.focus) + 0.25 * (a.style == b.style) + 0.1 * (a.risk == b.risk) + 0.15 * _overlap(a.markets, b.markets)


def _overlap(a: Sequence[str], b: Sequence[str]) -> float:
    both = set(a) | set(b)
    return len(set(a) & set(b)) / len(both) if both else 1.0


def _shared(a: Personality, b: Personality) -> str:
    """Such as "also a conservative scalper, looks for VWAP bounce"."""
    kind = " ".join(word for word, same in ((a.risk, a.risk == b.risk), (a.style, a.style == b.style)) if same)
    focus = [name for name in a.focus if name in b.focus]
    markets = [name for name in a.markets if name in b.markets and name != ANY_MARKET]
    parts = [
        f"also {kind}" if kind else "",
        f"looks for {' and '.join(focus)}" if focus else "",
        f"in {', '.join(markets)}" if markets else "",
    ]
    return ", ".join(part for part in parts if part)
