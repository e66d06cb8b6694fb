"""Deleting an agent: asked for by its name, since no key hit by mistake may do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from lab.tui.screen import LabScreen
from lab.tui.text import clean


def ask_deletion(screen: LabScreen[Any], agent_id: int, name: str, has: str, then: Callable[[], Awaitable[None]]) -> None:
    """Ask for the agent's name and delete it where it is typed; `has` says what goes with it."""

    async def answered(typed: str) -> None:
        if typed != " ".join(clean(name).split()):
            screen.tell(f"That is not its name: {name} stays.", warning=True)
        elif await screen.attempt(screen.lab.delete_agent, agent_id):
            screen.tell(f"Deleted {name}.")
            await then()

    question = f"Delete {name} with {has}, versions and knowledge? This can't be undone. The ledger of tried variants stays."
    screen.pose("ask_line", f"{question} Type its name to delete it.", name, "delete", then=answered)
