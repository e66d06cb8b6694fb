"""Estimates that keep their word, budgets that are set, and what is spent in terms of a person."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.budget.estimate import WANTED, prediction_range
from lab.agents.budget.money import budget_day
from lab.agents.budget.views import By
from lab.agents.claude.config import MODEL
from lab.agents.errors import BadAgent, NotThere
from lab.agents.service import Lab
from lab.store.models import AgentIteration, IterationStatus, ModelCall, Universe, utc_now
from tests.agents.made import INSTRUCTIONS


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    opened, day = Lab(tmp_path / "home"), date(2024, 1, 2)
    span = {"first_session": day, "learning_until": day, "last_session": day}
    with opened.store.write() as session:
        session.add(Universe(name="U", tickers=["A"], timeframe="1m", source="demo", **span))
    for name in ("Ann", "Ben"):
        opened.create_agent(name, INSTRUCTIONS, opened.detect(INSTRUCTIONS).personality, 1)
    yield opened
    opened.close()


def spend(lab: Lab, agent_id: int, number: int, micros: int, state: str = "settled") -> None:
    with lab.store.write() as session:
        row = AgentIteration(agent_id=agent_id, iteration_number=number, universe_id=1, iteration_status=IterationStatus.NO_PROPOSAL)
        session.add(row)
        session.flush()
        money = {"reserved_micros": micros, "charged_micros": micros, "state": state, "input_tokens": 10, "cache_read_tokens": 30}
        about = {"purpose": "analysis", "model": MODEL, "prompt_version": "", "prices_of": "", "request_hash": "", "prompt": "{}"}
        session.add(ModelCall(agent_id=agent_id, iteration_id=row.id or 0, day=budget_day(utc_now()), attempt=1, **money, **about))


def test_before_any_iteration_the_estimate_is_the_stated_range(lab: Lab) -> None:
    found = lab.usage.estimate(1)
    assert 0 < found.low_micros < found.high_micros <= 100_000
    assert found.past_iterations == 0


def test_an_estimate_is_made_of_the_agents_own_iterations_where_there_are_enough(lab: Lab) -> None:
    for number in range(1, 10):
        spend(lab, 1, number, 10_000 * number)
    own, others = lab.usage.estimate(1), lab.usage.estimate(2)
    assert (own.low_micros, own.high_micros, own.past_iterations, own.coverage) == (10_000, 90_000, 9, WANTED)
    assert others.past_iterations == 9, "without past of its own that of all agents"


def test_the_range_holds_as_often_as_it_says() -> None:
    hand, held = random.Random(3), 0
    for _ in range(2_000):
        costs = [int(hand.lognormvariate(10, 0.5)) for _ in range(20)]
        low, high, coverage = prediction_range(costs[:-1])
        held += low <= costs[-1] <= high
    assert abs(held / 2_000 - coverage) < 0.03
    assert coverage == pytest.approx(0.8)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_a_range_lies_among_the_costs_it_is_made_of(costs: list[int]) -> None:
    low, high, coverage = prediction_range(costs)
    assert min(costs) <= low <= high <= max(costs)
    assert 0 <= coverage < 1


def test_usage_is_summed_up_by_what_a_person_asks_for(lab: Lab) -> None:
    spend(lab, 1, 1, 10_000)
    spend(lab, 2, 1, 30_000)
    spend(lab, 2, 2, 5_000, state="in doubt")
    by_agent = {row.key: row for row in lab.usage.by(By.AGENT)}
    assert [row.key for row in lab.usage.by(By.AGENT)] == ["Ben", "Ann"], "dearest first"
    assert (by_agent["Ben"].cost_micros, by_agent["Ben"].in_doubt, by_agent["Ben"].in_doubt_micros) == (35_000, 1, 5_000)
    assert by_agent["Ann"].cache_hit_rate == 0.75
    assert {row.key for row in lab.usage.by(By.ITERATION)} == {"Ann #1", "Ben #1", "Ben #2"}
    for what in By:
        assert sum(row.cost_micros for row in lab.usage.by(what)) == lab.usage.total().cost_micros == 45_000


def test_what_a_deleted_agent_spent_stays_spent(lab: Lab) -> None:
    spend(lab, 2, 1, 30_000)
    lab.delete_agent(2)
    assert [row.key for row in lab.usage.by(By.AGENT)] == ["agent 2 (deleted)"]
    assert lab.usage.budgets()[0].spent_micros == 30_000


def test_a_budget_is_set_shown_and_refused_where_it_makes_no_sense(lab: Lab) -> None:
    assert [(b.name, b.daily_micros, b.own) for b in lab.usage.budgets()][:2] == [
        ("the whole lab", 5_000_000, False),
        ("Ann", 1_000_000, False),
    ]
    spend(lab, 1, 1, 400_000)
    view = lab.usage.set_budget(1, 2_500_000)
    assert (view.daily_micros, view.own, view.left_micros) == (2_500_000, True, 2_100_000)
    assert lab.usage.set_budget(1, 100_000).left_micros == 0
    for wrong in (-1, 10**15):
        with pytest.raises(BadAgent):
            lab.usage.set_budget(1, wrong)
    with pytest.raises(NotThere):
        lab.usage.set_budget(99, 1)
    with pytest.raises(NotThere):
        lab.usage.call(99)
