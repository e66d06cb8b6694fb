"""Who an agent shall be, read by Claude from a person's words before the agent is made; by the built-in words where that can't be.

The call belongs to no agent and no iteration yet, so it counts against the whole lab's budget. The same words asked about
again are not paid for again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from lab.agents.claude.config import ClaudeSettings
from lab.agents.errors import IterationPaused, NotThere
from lab.agents.minds import KEY_PLACES, veil_over
from lab.agents.personality import detect
from lab.agents.views import DetectedPersonality
from lab.errors import LabError
from lab.store.database import Store
from lab.store.models import NO_ITERATION, ModelCall, Universe

SILENCE_SECONDS = 30.0
"""A person waits for this answer."""


def personality_read(store: Store, claude: ClaudeSettings | None, words: str, universe_id: int | None) -> DetectedPersonality:
    """The personality that the words describe, with a sentence on who read it. Blocks while the model answers; never raises LabError."""
    found = detect(words)
    if claude is None or claude.key() is None:
        return replace(found, read_by=f"Read by the built-in words: no key for Claude is set ({KEY_PLACES}).")
    if not found.has_trading_content:
        return replace(found, read_by="Nothing to ask Claude about yet: the words say nothing about trading.")
    try:
        return asyncio.run(_asked(store, claude, words, universe_id))
    except IterationPaused:
        why = "today's budget of the whole lab does not cover the question; raise it on the usage screen or with `lab usage budget --lab`"
    except LabError as error:
        why = str(error).rstrip(".")
    return replace(found, read_by=f"Read by the built-in words, as Claude was not asked or gave no answer: {why}.")


async def _asked(store: Store, claude: ClaudeSettings, words: str, universe_id: int | None) -> DetectedPersonality:
    from lab.agents.budget.money import WHOLE_LAB, Till
    from lab.agents.budget.prices import dollars, load_prices
    from lab.agents.claude.calls import Caller
    from lab.agents.claude.line import ModelLine
    from lab.agents.claude.reading import read_personality

    key = claude.key()
    if key is None or store.workspace is None:
        raise NotThere("The key for Claude is gone")
    with store.read() as session:
        universe = session.get(Universe, universe_id) if universe_id is not None else None
        session.expunge_all()
    till = Till(store, claude.daily)
    # A call by another terminal that is under way is settled all the same when it ends.
    await asyncio.to_thread(till.doubt_left_open, NO_ITERATION)
    async with ModelLine(key, claude.base_url, min(claude.silence_seconds, SILENCE_SECONDS)) as line:
        caller = Caller(line, till, load_prices(store.workspace.home), claude.model, claude.effort, WHOLE_LAB, NO_ITERATION)
        found, call_id = await read_personality(caller, await asyncio.to_thread(veil_over, store, claude, universe), words)
    with store.read() as session:
        cost_micros = session.get_one(ModelCall, call_id).charged_micros
    return replace(found, read_by=f"Read by {claude.model} for {dollars(cost_micros)}; change what does not fit.")


__all__ = ["personality_read"]
