"""The program over a laboratory in memory."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.agents.service import Lab
from lab.tui.app import LabApp
from tests.conftest import made_once
from tests.tui.fake_lab import FakeLab
from tests.tui.settling import settling

__all__ = ["settling"]

MakeApp = Callable[..., LabApp]


@pytest.fixture
def fake(tmp_path: Path) -> FakeLab:
    """Three agents, one iterating, two proposals waiting."""
    return FakeLab(tmp_path)


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """Makes the program over a given fake laboratory; worker starts are noted in its `calls`."""

    def make(lab: FakeLab) -> LabApp:
        config = tmp_path / "config"
        config.mkdir(exist_ok=True)
        return LabApp(tmp_path, lambda _: lab, lambda _: getattr(lab, "calls", []).append("ensure_worker"), config)  # type: ignore[arg-type,return-value]

    return make


@pytest.fixture(scope="session")
def learned_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real workspace in which one agent has learned for an iteration; copied by the tests, never changed."""

    def make(home: Path) -> None:
        from lab.agents.data import keep_universe
        from lab.agents.loop import run_iteration
        from lab.agents.span import bars_folder
        from lab.market import BarsCache, make_demo_market
        from tests.agents.conftest import INSTRUCTIONS, AlwaysProposes, HeldLease

        lab = Lab(home)
        made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=40)
        keep_universe(lab.workspace, lab.store, "Demo market", made.tickers[:4], "1m", "demo", True, made.first_session, made.last_session)
        agent_id = lab.create_agent("VWAP Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, lab.state().universes[0].id)
        iteration_id = lab.start_iteration(agent_id)
        with ThreadPoolExecutor(2) as pool:
            asyncio.run(run_iteration(lab.store, iteration_id, pool, HeldLease(), AlwaysProposes()))
        lab.close()

    return made_once(tmp_path_factory, "learned-by-four", make)


@pytest.fixture
def learned(learned_home: Path, tmp_path: Path) -> Iterator[Lab]:
    """That workspace, opened: agent 1 with iteration 1 and its trades. The program closes it."""
    shutil.copytree(learned_home, tmp_path / "home")
    opened = Lab(tmp_path / "home")
    yield opened
    opened.close()
