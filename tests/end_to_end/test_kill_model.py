"""`kill -9` of a worker while a model thinks: no gap, nothing paid twice but what is declared in doubt, a sound database.

LAB_TEST_KILLS=1000 and LAB_TEST_COMMITS=all are the whole proof; LAB_TEST_SEED draws other moments.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from sqlmodel import select

from lab.store.database import Store
from lab.store.models import STEPS, CallState, ModelCall
from lab.store.workspace import Workspace
from tests.agents.books import Books, agree
from tests.agents.model_server import KEY, Model, competent, serving
from tests.end_to_end.iterations import ENDED, leavings, make_workspace, program, status, wait_for
from tests.nursery import Child, Nursery, nursery

RANDOM_KILLS = int(os.environ.get("LAB_TEST_KILLS", "15"))
EVERY_COMMIT = 1 if os.environ.get("LAB_TEST_COMMITS") == "all" else 9
SEED = int(os.environ.get("LAB_TEST_SEED", "7"))
KILLED = -int(signal.SIGKILL)
A_DAY_MICROS = 1_000_000_000

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kill")]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the tests of this file share."""

    workspace: Path
    """With an iteration that waits; copied, never changed."""
    victims: Nursery
    undisturbed: tuple[list[object], ...]
    """What the iteration leaves where nobody kills anything."""
    calls: int
    """That it makes."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("kill-model")
    make_workspace(folder / "home", tickers=3, a_day_micros=A_DAY_MICROS)
    with nursery(folder / "log", "tests.end_to_end.victims") as victims, serving(Model(brain=competent)) as model:
        home = Path(shutil.copytree(folder / "home", folder / "undisturbed"))
        assert start(victims, home, model).wait(900) == 0, (folder / "log").read_text()
        yield Ground(folder / "home", victims, leavings(home), model.calls)


@pytest.fixture
def home(ground: Ground, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ground.workspace, tmp_path / "home"))


@pytest.fixture
def model() -> Iterator[Model]:
    with serving(Model(brain=competent)) as running:
        yield running


def environment(home: Path, model: Model) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": KEY, "LAB_CLAUDE_URL": model.url, "LAB_CONFIG": str(home / "config")}


def start(victims: Nursery, home: Path, model: Model, function: str = "work", *more: object) -> Child:
    return victims.start(f"tests.end_to_end.victims:{function}", str(home), *more, environment=environment(home, model))


def said(figures: str) -> None:
    """For who runs it with -s."""
    sys.stdout.write(f"{figures}\n")
    sys.stdout.flush()


def look_over(home: Path, scratch: Path) -> None:
    """What a killed worker left is sound and in step. Looks at a copy: the next worker has to find it as it was left."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for left in home.glob("lab.sqlite3*"):
        shutil.copy(left, scratch)
    with closing(sqlite3.connect(scratch / "lab.sqlite3")) as database:

        def ask(query: str) -> list[object]:
            return [row[0] for row in database.execute(query)]

        assert ask("pragma integrity_check") == ["ok"]
        done = ask("select step from iteration_steps order by id")
        assert done == [str(step) for step in STEPS[: len(done)]], "a gap"
        over = ask("select iteration_status from agent_iterations")[0] in ENDED
        assert over == (len(done) == len(STEPS)), "half an end"
        assert ask("select count(*) from agent_strategies") == [int("generate" in done)]
        assert ask("select count(*) from trials where purpose = 'iteration'") == [int("backtest" in done)]
        assert ask("select expert_analysis <> '' from agent_iterations") == [int("analyse" in done)]
        twice = "select count(*) from model_calls where state = 'settled' group by request_hash having count(*) > 1"
        assert ask(twice) == [], "a finished reply was bought twice"


def prove(ground: Ground, home: Path, model: Model, kills: int) -> Books:
    """The iteration is as if nothing had happened, and the books are the bill plus what they declare in doubt."""
    assert leavings(home) == ground.undisturbed
    with Store(Workspace(home)) as store:
        assert store.problems() == ()
        with store.read() as session:
            rows = session.exec(select(ModelCall)).all()
    settled = Counter(row.request_hash for row in rows if row.state == CallState.SETTLED)
    assert set(settled.values()) == {1}, "a finished reply was bought twice"
    assert len(settled) == ground.calls
    books = agree(rows, model.bill)
    assert books.calls_in_doubt <= kills, "more in doubt than was killed"
    return books


@pytest.mark.parametrize("call", [1, 2, 4, 7])
def test_killed_while_the_model_answers_the_next_worker_ends_the_iteration(ground: Ground, home: Path, model: Model, call: int) -> None:
    first = start(ground.victims, home, model)

    def deadly(body: dict[str, object]) -> object:
        first.kill()
        first.wait(10)
        return competent(body)

    model.script[call] = deadly  # the bill is written, and nobody is there to read the reply
    assert first.wait(900) == KILLED
    assert start(ground.victims, home, model).wait(900) == 0
    books = prove(ground, home, model, kills=1)
    assert (books.calls_in_doubt, books.unread) == (1, 1)


def test_the_program_itself_killed_while_the_model_answers_is_followed_by_another(ground: Ground, home: Path, model: Model) -> None:
    first = program(home, environment(home, model))

    def deadly(body: dict[str, object]) -> object:
        first.kill()
        first.wait(10)
        return competent(body)

    model.script[3] = deadly
    first.wait(900)
    second = program(home, environment(home, model))
    try:
        assert wait_for(home, ENDED) != "failed"
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(30)
    assert prove(ground, home, model, kills=1).calls_in_doubt == 1


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_a_commit_the_iteration_ends_as_if_nothing_had_happened(ground: Ground, tmp_path: Path, before: bool) -> None:
    """The process kills itself just before, or just after, each commit of an undisturbed iteration in turn."""
    points = 0
    for number in count(1 if before else min(2, EVERY_COMMIT), EVERY_COMMIT):
        home = Path(shutil.copytree(ground.workspace, tmp_path / f"home-{number}"))
        with serving(Model(brain=competent)) as model:
            ended = start(ground.victims, home, model, "work_until_commit", number, before).wait(900)
            assert ended in (0, KILLED), ground.victims.log.read_text()[-3_000:]
            if ended == KILLED:
                points += 1
                look_over(home, tmp_path / "scratch")
                assert start(ground.victims, home, model).wait(900) == 0
            prove(ground, home, model, kills=1)
        shutil.rmtree(home)
        if ended == 0:
            break
    said(f"killed {'before' if before else 'after'} {points} commits, every {EVERY_COMMIT}. of about {number - 1}")
    assert points * EVERY_COMMIT > 30


def test_killed_at_random_moments_again_and_again_the_iteration_ends_whole(ground: Ground, tmp_path: Path) -> None:
    hand, kills, began, longest = random.Random(SEED), 0, time.monotonic(), 0.0
    spent = in_doubt = billed = unread = 0
    for number in count(1):
        # How long an iteration takes changes with what else the machine does: now and then it is measured anew.
        measure = number % 20 == 1
        home = Path(shutil.copytree(ground.workspace, tmp_path / f"home-{number}"))
        killed = 0
        with serving(Model(brain=competent)) as model:
            while status(home) not in ENDED:
                started = time.monotonic()
                running = start(ground.victims, home, model)
                if not measure and kills + killed < RANDOM_KILLS and not running.over.wait(hand.uniform(0, longest)):
                    running.kill()
                ended = running.wait(900)
                assert ended in (0, KILLED), ground.victims.log.read_text()[-3_000:]
                if ended == KILLED:
                    killed += 1
                    look_over(home, tmp_path / "scratch")
            if measure:
                longest = time.monotonic() - started
            books = prove(ground, home, model, killed)
        kills += killed
        spent, in_doubt = spent + books.spent, in_doubt + books.in_doubt
        billed, unread = billed + books.billed, unread + books.unread
        shutil.rmtree(home)
        if kills >= RANDOM_KILLS or number % 10 == 0:
            said(
                f"{kills} kills in {number} iterations, {time.monotonic() - began:.0f} s (an iteration {longest:.1f} s): "
                f"spent {spent} micro-dollars, of it in doubt {in_doubt}; billed {billed}; {unread} replies billed and never read"
            )
        if kills >= RANDOM_KILLS:
            break
