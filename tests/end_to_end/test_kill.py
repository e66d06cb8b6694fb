"""`kill -9` of the real worker in every step of an iteration: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlmodel import select

from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.store.models import STEPS, AgentIteration, AgentStrategy, IterationStatus, IterationStep, Proposal, Trial

INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a short demo market, an agent and a queued iteration."""
    from lab.agents.data import keep_universe
    from lab.market import BarsCache, make_demo_market

    home = tmp_path_factory.mktemp("kill") / "home"
    lab = Lab(home)
    made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=40)
    universe = keep_universe(
        lab.workspace, lab.store, "Demo market", made.tickers[:8], "1m", "demo", True, made.first_session, made.last_session
    )
    lab.start_iteration(lab.create_agent("VWAP Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, universe.id))
    lab.close()
    return home


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "home"
    subprocess.run(["cp", "-a", str(workspace), str(copy)], check=True)
    return copy


def worker(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "lab.work", str(home)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def status(home: Path) -> str:
    with sqlite3.connect(f"file:{home / 'lab.sqlite3'}?mode=ro", uri=True, timeout=30) as database:
        found: str = database.execute("select iteration_status from agent_iterations").fetchone()[0]
        return found


def wait_for(home: Path, wanted: set[str], seconds: float = 120) -> str:
    end = time.monotonic() + seconds
    while (now := status(home)) not in wanted:
        assert time.monotonic() < end, f"the iteration stays {now!r}"
        time.sleep(0.01)
    return now


def leavings(home: Path) -> tuple[list[object], ...]:
    """Everything the iteration left in the database, times and seconds aside."""
    lab = Lab(home)
    try:
        with lab.store.read() as session:
            return (
                [(step.step, step.output) for step in session.exec(select(IterationStep))],
                [(s.version, s.scan_script, s.execution_script, s.is_current_version) for s in session.exec(select(AgentStrategy))],
                sorted((t.script_hash, t.purpose, t.trades, t.sharpe_daily) for t in session.exec(select(Trial))),
                [(i.iteration_status, i.backtest_results, i.expert_analysis) for i in session.exec(select(AgentIteration))],
                [(p.title, p.state, p.effect) for p in session.exec(select(Proposal))],
            )
    finally:
        lab.close()


IN_THE_SUITE = {IterationStatus.BACKTEST}
ENDED = {"awaiting approval", "no proposal", "failed"}


@pytest.fixture(scope="module")
def undisturbed(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[object], ...]:
    copy = tmp_path_factory.mktemp("undisturbed") / "home"
    subprocess.run(["cp", "-a", str(workspace), str(copy)], check=True)
    running = worker(copy)
    assert wait_for(copy, ENDED) != "failed"
    running.send_signal(signal.SIGTERM)
    running.wait(20)
    return leavings(copy)


@pytest.mark.xdist_group("kill")
@pytest.mark.parametrize("step", [pytest.param(step, marks=() if step in IN_THE_SUITE else pytest.mark.slow) for step in STEPS])
def test_killed_in_any_step_the_next_worker_finishes_the_iteration_as_if_nothing_had_happened(
    home: Path, undisturbed: tuple[list[object], ...], step: str
) -> None:
    first = worker(home)
    reached = wait_for(home, set(STEPS[STEPS.index(step) :]) | ENDED)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(10)
    if reached in ENDED:
        pytest.fail(f"the step {step} was over before it was seen")

    opened = Lab(home)
    assert "when the lab last closed" in opened.state().notices[0]
    opened.close()

    second = worker(home)
    try:
        assert wait_for(home, ENDED) != "failed"
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(20)
    assert leavings(home) == undisturbed
