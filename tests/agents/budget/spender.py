"""A process that asks a model again and again, as a worker does, and may be killed at any moment: for the proof of the budget."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import anthropic
import httpx2
import pydantic

from lab.agents.budget.errors import OutOfBudget
from lab.agents.budget.money import Daily, Till
from lab.agents.budget.prices import SHIPPED, Prices, _read
from lab.agents.claude.calls import Caller, Request
from lab.agents.claude.line import ModelLine
from lab.agents.errors import StrategistFailed
from lab.store.errors import DatabaseBusy
from tests.agents.budget.places import opened
from tests.agents.model_server import MODEL

T = TypeVar("T")
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
IMPORTED = (anthropic, httpx2)
"""What a line to a model imports when it is made: here once, before any process is forked."""


def spend(
    place: str, url: str, key: str, silence_seconds: float, agent_id: int, number: int, calls: int, agent_micros: int, lab_micros: int
) -> None:
    """Make so many calls for an agent. One that the budget refuses is one of them, and no reason to stop."""
    asyncio.run(_spend(place, url, pydantic.SecretStr(key), silence_seconds, agent_id, number, calls, Daily(agent_micros, lab_micros)))


async def _spend(
    place: str, url: str, key: pydantic.SecretStr, silence_seconds: float, agent_id: int, number: int, calls: int, daily: Daily
) -> None:
    chance = random.Random(number)
    store = await _patiently(lambda: asyncio.to_thread(opened, place))
    prices = Prices(_read(SHIPPED), SHIPPED)

    async def no_wait(seconds: float) -> None:
        await asyncio.sleep(0)

    async with ModelLine(key, url, silence_seconds=silence_seconds) as line:
        caller = Caller(line, Till(store, daily), prices, MODEL, "low", agent_id, number, no_wait)
        for turn in range(calls):
            text = f"{number}.{turn} " + "x" * chance.randrange(2_000)
            messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
            request = Request("analysis", "test 1", [], messages, SCHEMA, 50 + chance.randrange(400))
            with suppress(OutOfBudget, StrategistFailed):
                await _patiently(partial(caller.call, request))
    store.close()


async def _patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Try again where the database was busy for half a minute, as a worker does: on a crowded machine it may be."""
    for _ in range(20):
        with suppress(DatabaseBusy):
            return await act()
    return await act()
