"""Many processes, a budget, a server that errs and a hand that kills: not a micro-dollar too much, and the books agree with the bill."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import col, select

from lab.agents.budget.money import Daily, Till
from lab.agents.budget.prices import Tokens, load_prices
from lab.store.models import CallState, ModelCall
from tests.agents.budget.places import opened
from tests.agents.model_server import KEY, MODEL, Body, Model, Reply, fails, says, serving

PRICE = load_prices(Path("/nowhere")).of(MODEL, date(2026, 11, 22))


def unreliable(body: Body) -> Reply:
    """Mostly answers; the rest of the time does all that servers do."""
    said = body["messages"][0]["content"][0]["text"]
    chance = random.Random(said).random()
    if chance < 0.02:
        return Reply(hang=True)
    if chance < 0.06:
        return says("{}", cut_after_events=random.Random(said).randrange(1, 5))
    if chance < 0.08:
        return says("{}", event_error="overloaded_error")
    if chance < 0.12:
        return fails(random.Random(said).choice([429, 500, 529]), "overloaded_error", headers={"retry-after": "0"})
    return says("{}", output_tokens=random.Random(said).randrange(1, 400))


def prove(place: str, processes: int, calls: int, daily_micros: int, kills: int, at_once: int) -> None:
    """Run it, then compare what the books say with what the server billed."""
    opened(place).close()
    started: list[subprocess.Popen[bytes]] = []
    with serving(Model(brain=unreliable)) as model:
        arguments = [place, model.url, KEY, MODEL]
        waiting = list(range(1, processes + 1))
        hand = random.Random(1)
        while waiting or any(each.poll() is None for each in started):
            while waiting and sum(each.poll() is None for each in started) < at_once:
                more = [*arguments, str(waiting.pop()), str(calls), str(daily_micros)]
                started.append(subprocess.Popen([sys.executable, "-m", "tests.agents.budget.spender", *more]))
            alive = [each for each in started if each.poll() is None]
            if kills and alive and model.calls > 3 * at_once and hand.random() < 0.3:
                hand.choice(alive).kill()
                kills -= 1
            time.sleep(0.05)
        model.done.set()
    with opened(place) as store:
        till = Till(store, Daily())
        for number in range(1, processes + 1):
            till.doubt_left_open(number)
        with store.read() as session:
            rows = session.exec(select(ModelCall).order_by(col(ModelCall.id))).all()
        assert store.problems() == ()
    spent = sum(row.charged_micros for row in rows)
    assert spent <= daily_micros, "overspent"
    assert all(row.charged_micros <= row.reserved_micros for row in rows)
    assert not any(row.state == CallState.RESERVED for row in rows)
    settled = [row for row in rows if row.state == CallState.SETTLED]
    doubtful = [row for row in rows if row.state == CallState.IN_DOUBT]
    assert all(row.charged_micros == 0 for row in rows if row.state == CallState.RELEASED)
    billed = sorted(PRICE.cost_micros(Tokens(u.input, u.cache_write, 0, u.cache_read, u.output)) for u in model.bill)
    recorded = sorted(row.charged_micros for row in settled)
    unmatched = list(billed)
    for cost in recorded:
        unmatched.remove(cost)  # raises where the books have a call that the server never billed
    # What the server billed and the books could not settle is declared in doubt, each such call at no less than its bill.
    assert len(unmatched) <= len(doubtful)
    assert spent == sum(recorded) + sum(row.reserved_micros for row in doubtful)
    assert sum(billed) <= spent


def test_processes_with_a_kill_never_overspend_and_the_books_agree_with_the_bill(tmp_path: Path) -> None:
    prove(str(tmp_path / "home"), processes=2, calls=8, daily_micros=40_000, kills=1, at_once=2)


PROCESSES, CALLS = map(int, os.environ.get("LAB_TEST_SPENDERS", "12x40").split("x"))
"""How many processes make how many calls in the slow test: LAB_TEST_SPENDERS=64x200 is the whole proof."""


@pytest.mark.slow
def test_many_processes_with_timeouts_and_kills_never_overspend(place: str) -> None:
    prove(place, processes=PROCESSES, calls=CALLS, daily_micros=900 * PROCESSES * CALLS, kills=PROCESSES // 3, at_once=PROCESSES)
