"""A process that asks a model again and again, as a worker does, and may be killed at any moment: for the proof of the budget."""

from __future__ import annotations

import asyncio
import random
import sys

from pydantic import SecretStr

from lab.agents.budget.errors import OutOfBudget
from lab.agents.budget.money import Daily, Till
from lab.agents.budget.prices import SHIPPED, Prices, _read
from lab.agents.claude.calls import Caller, Request
from lab.agents.claude.line import ModelLine
from lab.agents.errors import StrategistFailed
from tests.agents.budget.places import opened

SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


async def spend(place: str, url: str, key: str, model: str, number: int, calls: int, daily_micros: int) -> None:
    random.seed(number)
    store = opened(place)
    prices = Prices(_read(SHIPPED), SHIPPED)

    async def no_wait(seconds: float) -> None:
        await asyncio.sleep(0)

    async with ModelLine(SecretStr(key), url, silence_seconds=1.0) as line:
        caller = Caller(line, Till(store, Daily(daily_micros, 10**12)), prices, model, "low", 1, number, no_wait)
        for turn in range(calls):
            text = f"{number}.{turn} " + "x" * random.randrange(2_000)
            messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
            try:
                await caller.call(Request("analysis", "test 1", [], messages, SCHEMA, 50 + random.randrange(400)))
            except OutOfBudget:
                break
            except StrategistFailed:
                continue
    store.close()


if __name__ == "__main__":
    place, url, key, model, number, calls, daily = sys.argv[1:]
    asyncio.run(spend(place, url, key, model, int(number), int(calls), int(daily)))
