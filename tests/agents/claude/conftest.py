"""A model server beside a workspace with real bars, and iterations that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest

from lab.agents.claude.config import ClaudeSettings
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.agents.views import IterationView
from tests.agents.conftest import HeldLease, agent_id, demo_home, lab, learn, threads
from tests.agents.model_server import KEY, Model, competent, serving

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
def think(threads: Executor, claude: ClaudeSettings) -> Callable[..., IterationView]:
    """Run an agent's next iteration, or go on with one, with Claude."""

    def run(
        lab: Lab, agent_id: int, guidance: str = "", iteration_id: int | None = None, settings: ClaudeSettings = claude
    ) -> IterationView:
        started = lab.start_iteration(agent_id, guidance) if iteration_id is None else iteration_id
        asyncio.run(run_iteration(lab.store, started, threads, HeldLease(), claude=settings))
        return lab.iteration(started)

    return run
