"""A workspace whose agent has made its first iteration: run once, copied for every test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest

from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from tests.agents.conftest import INSTRUCTIONS, AlwaysProposes, HeldLease
from tests.conftest import made_once


@pytest.fixture(scope="session")
def learned_home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory, threads: Executor) -> Path:
    """Agent 1, "VWAP Guardian", has finished iteration 1 on universe 1 and waits with a proposal."""

    def make(home: Path) -> None:
        shutil.copytree(demo_home, home)
        lab = Lab(home)
        agent_id = lab.create_agent("VWAP Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, lab.state().universes[0].id)
        iteration_id = lab.start_iteration(agent_id, "")
        asyncio.run(run_iteration(lab.store, iteration_id, threads, HeldLease(), AlwaysProposes()))
        assert (agent_id, iteration_id) == (1, 1)
        lab.close()

    return made_once(tmp_path_factory, "learned", make)


@pytest.fixture
def learned(learned_home: Path, tmp_path: Path) -> Iterator[Lab]:
    shutil.copytree(learned_home, tmp_path / "learned")
    opened = Lab(tmp_path / "learned")
    yield opened
    opened.close()
