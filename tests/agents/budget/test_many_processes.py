"""Many processes, a budget, a server that errs and a hand that kills: not a micro-dollar too much, and the books are the bill."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, select

from lab.agents.budget.money import WHOLE_LAB, Daily, Till, budget_day, spent_micros
from lab.store.database import Store
from lab.store.models import CallState, ModelCall, utc_now
from tests.agents.books import Books, agree
from tests.agents.budget.places import opened
from tests.agents.model_server import KEY, Body, Model, Reply, fails, says, serving
from tests.nursery import Nursery, nursery

AGENTS = 8
LOOK_SECONDS = 0.25
A_CALL_MICROS = 2_500
"""About what a call costs here, those in doubt at their reservation included, so that a budget by this number runs out."""


@pytest.fixture(scope="module")
def spenders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery") / "log", "tests.agents.budget.spender") as started:
        yield started


class Unreliable:
    """Mostly answers; the rest of the time does all that servers do."""

    def __init__(self) -> None:
        self._chance = random.Random(4)

    def __call__(self, body: Body) -> Reply:
        chance, written = self._chance.random(), self._chance.randrange(1, 400)
        if chance < 0.01:
            return Reply(hang=True)
        if chance < 0.05:
            return says("{}", cut_after_events=self._chance.randrange(1, 5))
        if chance < 0.07:
            return says("{}", event_error="overloaded_error")
        if chance < 0.11:
            return fails(self._chance.choice([429, 500, 529]), "overloaded_error", headers={"retry-after": "0"})
        return says("{}", output_tokens=written)


def over(store: Store, daily: Daily) -> int:
    """By how much any budget is overspent at this moment, in micro-dollars; 0 where none is."""
    day = budget_day(utc_now())
    with store.read() as session:
        lab = spent_micros(session, WHOLE_LAB, day) - daily.lab_micros
        return max(0, lab, *(spent_micros(session, agent, day) - daily.agent_micros for agent in range(1, AGENTS + 1)))


def prove(spenders: Nursery, place: str, processes: int, calls: int, kills: int, silence_seconds: float = 5.0) -> Books:
    """Run it, look at the budgets all the while, then compare the books with what the server billed."""
    agents = min(AGENTS, processes // 2)
    daily = Daily(int(0.95 * A_CALL_MICROS * processes * calls / agents), int(0.85 * A_CALL_MICROS) * processes * calls)
    hand, began, looks, looked_at = random.Random(1), time.monotonic(), 0, 0.0
    with opened(place) as store, serving(Model(brain=Unreliable())) as model:
        running = [
            spenders.start(
                "tests.agents.budget.spender:spend",
                *(place, model.url, KEY, silence_seconds, 1 + number % agents, number, calls, daily.agent_micros, daily.lab_micros),
            )
            for number in range(1, processes + 1)
        ]
        # Spread over the first half of the calls, so that most of what is killed is killed in a call.
        at = sorted(hand.randrange(processes, max(processes + 1, processes * calls // 2)) for _ in range(kills))
        killed = []
        while alive := [child for child in running if not child.over.is_set()]:
            while at and model.calls >= at[0] and alive:
                at.pop(0)
                killed.append(alive.pop(hand.randrange(len(alive))))
                killed[-1].kill()
            if time.monotonic() - looked_at > LOOK_SECONDS:
                # Not all the time: who reads makes those wait who write.
                assert over(store, daily) == 0, "overspent"
                looks, looked_at = looks + 1, time.monotonic()
            time.sleep(0.02)
        model.done.set()
        assert not [child for child in running if child not in killed and child.status != 0], spenders.log.read_text()[-3_000:]
        assert sum(child.status == -9 for child in killed) == kills
        till = Till(store, daily)
        left = sum(till.doubt_left_open(number) for number in range(1, processes + 1))
        with store.read() as session:
            rows = session.exec(select(ModelCall).order_by(col(ModelCall.id))).all()
        assert over(store, daily) == 0, "overspent"
        assert store.problems() == ()
        books = agree(rows, model.bill)
    states = ", ".join(f"{sum(row.state == state for row in rows)} {state}" for state in CallState)
    refused = processes * calls - len({(row.iteration_id, row.request_hash) for row in rows})
    assert refused, "a budget that is never reached proves nothing"
    sys.stdout.write(
        f"{processes} processes x {calls} calls in {time.monotonic() - began:.0f} s: {len(rows)} attempts ({states}), "
        f"{refused} not made (budget, or killed before), {kills} killed ({left} in a call), budgets looked at {looks} times; "
        f"micro-dollars: spent {books.spent} = settled {books.settled} + in doubt {books.in_doubt}; billed {books.billed}; overshoot 0\n"
    )
    return books


def test_processes_with_a_kill_never_overspend_and_the_books_agree_with_the_bill(spenders: Nursery, tmp_path: Path) -> None:
    books = prove(spenders, str(tmp_path / "home"), processes=4, calls=12, kills=1, silence_seconds=0.5)
    assert books.settled
    assert books.in_doubt


PROCESSES, CALLS = map(int, os.environ.get("LAB_TEST_SPENDERS", "8x40").split("x"))
"""How many processes make how many calls in the slow test: LAB_TEST_SPENDERS=64x200 is the whole proof."""


@pytest.mark.slow
def test_many_processes_with_timeouts_and_kills_never_overspend(spenders: Nursery, place: str) -> None:
    prove(spenders, place, PROCESSES, CALLS, kills=PROCESSES // 3)
