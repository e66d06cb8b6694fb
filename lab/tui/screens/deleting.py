"""Deleting agents: asked for by their name, or by their number, since no key hit by mistake may do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lab.agents.agent_views import AgentRow
from lab.tui.screen import LabScreen
from lab.tui.text import clean, plural


def ask_deletion(screen: LabScreen[Any], agents: Sequence[AgentRow], then: Callable[[], Awaitable[None]]) -> None:
    """Ask for the agent's name, or for "delete" and the number of several, and delete them where it is typed."""
    several = len(agents) > 1
    asked = f"delete {len(agents)}" if several else " ".join(clean(agents[0].name).split())

    async def answered(typed: str) -> None:
        if typed != asked:
            stays = "They all stay." if several else f"That is not its name: {agents[0].name} stays."
            screen.tell(stays, warning=True)
            return
        deleted = [agent.name for agent in agents if await screen.attempt(screen.lab.delete_agent, agent.id)]
        if deleted:
            screen.tell(f"Deleted {', '.join(deleted)}.")
            await then()

    names = ", ".join(agent.name for agent in agents)
    has = plural(sum(agent.iterations for agent in agents), "iteration")
    question = f"Delete {names} with {has}, versions and knowledge? This can't be undone. The ledger of tried variants stays."
    how = f"Type “{asked}” to delete them." if several else "Type its name to delete it."
    screen.pose("ask_line", f"{question} {how}", asked, "delete", then=answered)
