"""`kill -9` of the real worker while a model thinks: no gap, nothing paid twice but what is declared in doubt, a sound database."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from lab.agents.budget.prices import Tokens, load_prices
from lab.agents.service import Lab
from lab.agents.span import bars_folder
from lab.store.models import STEPS
from tests.agents.model_server import KEY, MODEL, Model, competent, serving

INSTRUCTIONS = "A conservative VWAP scalper for tech stocks"
ENDED = {"awaiting approval", "no proposal", "failed"}
RANDOM_KILLS = int(os.environ.get("LAB_TEST_KILLS", "12"))
"""The proof asks for 1,000; so many take an hour."""
PRICE = load_prices(Path("/nowhere")).of(MODEL, date(2026, 11, 22))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lab.agents.data import keep_universe
    from lab.market import BarsCache, make_demo_market

    home = tmp_path_factory.mktemp("kill-model") / "home"
    lab = Lab(home)
    made = make_demo_market(BarsCache(bars_folder(lab.workspace.bars, synthetic=True)), lambda share, note: None, sessions=40)
    universe = keep_universe(lab.workspace, lab.store, "Demo", made.tickers[:4], "1m", "demo", True, made.first_session, made.last_session)
    agent_id = lab.create_agent("VWAP Guardian", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, universe.id)
    lab.usage.set_budget(agent_id, 100_000_000)
    lab.usage.set_budget(0, 100_000_000)
    lab.start_iteration(agent_id)
    lab.close()
    return home


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    shutil.copytree(workspace, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def model() -> Iterator[Model]:
    with serving(Model(brain=competent)) as running:
        yield running


def worker(home: Path, model: Model) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "LAB_CLAUDE_URL": model.url, "LAB_CONFIG": str(home / "config")}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "lab.work", str(home)], env=environment, **quiet)


def ask(home: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{home / 'lab.sqlite3'}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query).fetchall()


def ended(home: Path) -> bool:
    return ask(home, "select iteration_status from agent_iterations")[0][0] in ENDED


def finish(home: Path, model: Model) -> None:
    running = worker(home, model)
    until = time.monotonic() + 240
    try:
        while not ended(home):
            assert time.monotonic() < until, "the iteration comes to no end"
            time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


def prove(home: Path, model: Model) -> None:
    """The iteration is whole, and the books are the bill plus what they declare in doubt."""
    assert ask(home, "select iteration_status, failure from agent_iterations")[0][1] == ""
    steps = [step for (step,) in ask(home, "select step from iteration_steps order by id")]
    assert steps == [str(step) for step in STEPS]
    assert ask(home, "pragma integrity_check") == [("ok",)]
    calls = ask(home, "select state, request_hash, charged_micros, reserved_micros from model_calls")
    settled = Counter(request for state, request, _, _ in calls if state == "settled")
    assert set(settled.values()) == {1}, "a finished reply was bought twice"
    doubtful = [charged for state, _, charged, reserved in calls if state == "in doubt" and charged == reserved]
    assert {state for state, *_ in calls} <= {"settled", "in doubt"}
    billed = Counter(PRICE.cost_micros(Tokens(u.input, u.cache_write, 0, u.cache_read, u.output)) for u in model.bill)
    recorded = Counter(charged for state, _, charged, _ in calls if state == "settled")
    assert not recorded - billed
    assert (billed - recorded).total() <= len(doubtful)
    assert sum(cost * count for cost, count in billed.items()) <= sum(charged for _, _, charged, _ in calls)


@pytest.mark.slow
@pytest.mark.xdist_group("kill")
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 7])
def test_killed_while_the_model_answers_the_next_worker_ends_the_iteration(home: Path, model: Model, call: int) -> None:
    first = worker(home, model)

    def deadly(body: dict[str, object]) -> object:
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
        return competent(body)

    model.script[call] = deadly  # the bill is written, and nobody is there to read the reply
    first.wait(240)
    finish(home, model)
    prove(home, model)
    assert ask(home, "select count(*) from model_calls where state = 'in doubt'") == [(1,)]


@pytest.mark.slow
@pytest.mark.xdist_group("kill")
def test_killed_at_random_moments_again_and_again_the_iteration_ends_whole(workspace: Path, tmp_path: Path) -> None:
    hand, kills, number = random.Random(7), 0, 0
    while kills < RANDOM_KILLS:
        number += 1
        home = tmp_path / f"home-{number}"
        shutil.copytree(workspace, home)
        with serving(Model(brain=competent)) as model:
            for _ in range(hand.randrange(3, 12)):
                running = worker(home, model)
                time.sleep(hand.uniform(0.2, 5.0))
                running.kill()
                running.wait(10)
                kills += 1
                if ended(home):
                    break
            if not ended(home):
                finish(home, model)
            prove(home, model)
        shutil.rmtree(home)
