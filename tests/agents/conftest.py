"""A small workspace with real bars, and iterations run in this process on threads."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import Session

from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.agents.strategist import Strategist
from lab.agents.views import IterationView

SESSIONS = 40
INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"


class HeldLease:
    """A lease nobody else wants."""

    def check(self, session: Session) -> None:
        return None


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a short demo market; copied by the tests, never changed."""
    from lab.agents.data import _keep_universe
    from lab.market import BarsCache, make_demo_market

    home = tmp_path_factory.mktemp("demo") / "home"
    lab = Lab(home)
    made = make_demo_market(BarsCache(lab.workspace.bars), lambda share, note: None, sessions=SESSIONS)
    tickers = made.tickers[:8]
    _keep_universe(lab.workspace, lab.store, "Demo market", tickers, "1m", "demo", True, made.first_session, made.last_session)
    lab.close()
    return home


@pytest.fixture
def lab(demo_home: Path, tmp_path: Path) -> Iterator[Lab]:
    shutil.copytree(demo_home, tmp_path / "home")
    opened = Lab(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def agent_id(lab: Lab) -> int:
    return lab.create_agent("VWAP Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, lab.state().universes[0].id)


@pytest.fixture(scope="session")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def learn(threads: Executor) -> Callable[..., IterationView]:
    """Run an agent's next iteration to its end."""

    def run(lab: Lab, agent_id: int, strategist: Strategist | None = None, guidance: str = "") -> IterationView:
        iteration_id = lab.start_iteration(agent_id, guidance)
        asyncio.run(run_iteration(lab.store, iteration_id, threads, HeldLease(), strategist))
        return lab.iteration(iteration_id)

    return run
