"""A model server beside a workspace with real bars, and iterations that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest
from pydantic import SecretStr

from lab.agents.budget.money import Daily, Till
from lab.agents.budget.prices import load_prices
from lab.agents.claude.blind import Open
from lab.agents.claude.calls import Caller
from lab.agents.claude.config import ClaudeSettings
from lab.agents.claude.line import ModelLine
from lab.agents.claude.strategist import ClaudeStrategist, Surroundings
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.agents.views import IterationView
from lab.store.database import Store
from lab.store.workspace import Workspace
from tests.agents.conftest import HeldLease, agent_id, demo_home, lab, learn, threads
from tests.agents.model_server import KEY, MODEL, Model, competent, serving

__all__ = ["agent_id", "demo_home", "lab", "learn", "threads"]


@pytest.fixture
def model() -> Iterator[Model]:
    with serving(Model(brain=competent)) as running:
        yield running


@pytest.fixture
def claude(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClaudeSettings:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    return ClaudeSettings(config_folder=tmp_path / "config", base_url=model.url, silence_seconds=3.0)


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[Model, Callable[..., ClaudeStrategist], Store]]:
    """A server, strategists that ask it (by the number of their iteration) over real calls into a real database, and no market."""

    async def nothing(identifier: str = "") -> str:
        return "nothing"

    async def soon(seconds: float) -> None:
        del seconds

    with serving(Model()) as model, Store(Workspace(tmp_path / "home")) as store:
        async with ModelLine(SecretStr(KEY), model.url, 0.6) as line:
            till = Till(store, Daily(10**9, 10**9))

            def strategist(number: int) -> ClaudeStrategist:
                caller = Caller(line, till, load_prices(tmp_path), MODEL, "low", 1, number, soon)
                return ClaudeStrategist(caller, Surroundings(Open(), nothing, nothing))

            yield model, strategist, store


@pytest.fixture
def think(threads: Executor, claude: ClaudeSettings) -> Callable[..., IterationView]:
    """Run an agent's next iteration, or go on with one, with Claude."""

    def run(
        lab: Lab, agent_id: int, guidance: str = "", iteration_id: int | None = None, settings: ClaudeSettings = claude
    ) -> IterationView:
        started = lab.start_iteration(agent_id, guidance) if iteration_id is None else iteration_id
        asyncio.run(run_iteration(lab.store, started, threads, HeldLease(), claude=settings))
        return lab.iteration(started)

    return run
