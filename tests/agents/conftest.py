"""A small workspace with real bars, and iterations run in this process on threads."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import Session

from lab.agents.builtin import BuiltInStrategist
from lab.agents.loop import run_iteration
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.agents.strategist import ProposalRequest, RefinementDraft, Strategist, TestBench, Variant
from lab.agents.views import IterationView
from lab.script import compile_strategy, set_parameters
from tests.conftest import made_once

SESSIONS = 40
INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"


class HeldLease:
    """A lease nobody else wants."""

    def check(self, session: Session) -> None:
        return None


class AlwaysProposes(BuiltInStrategist):
    """The built-in strategist, but it proposes its first untried parameter step, whatever that measured."""

    async def propose(self, request: ProposalRequest, bench: TestBench) -> RefinementDraft:
        turned_down = {(gone.scan_script, gone.execution_script) for gone in request.discarded}
        for parameter in compile_strategy(request.subject.scan_script, request.subject.execution_script).parameters:
            for value in (parameter.low, parameter.high):
                scan, execution = set_parameters(request.subject.scan_script, request.subject.execution_script, {parameter.name: value})
                if value != parameter.value and (scan, execution) not in turned_down:
                    title = f"{parameter.name} to {value:g}"
                    (result,) = await bench.test([Variant(scan, execution, title, "to see")])
                    return RefinementDraft(title, "to see", scan, execution, (), result)
        raise AssertionError("the pattern has no parameter left to step")


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a short demo market; copied by the tests, never changed."""

    def make(home: Path) -> None:
        from lab.agents.data import keep_universe
        from lab.market import BarsCache, make_demo_market

        lab = Lab(home)
        made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=SESSIONS)
        tickers = made.tickers[:8]
        keep_universe(lab.workspace, lab.store, "Demo market", tickers, "1m", "demo", True, made.first_session, made.last_session)
        lab.close()

    return made_once(tmp_path_factory, "demo", make)


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
        asyncio.run(run_iteration(lab.store, iteration_id, threads, HeldLease(), strategist or AlwaysProposes()))
        return lab.iteration(iteration_id)

    return run
