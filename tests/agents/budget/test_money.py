"""The till on SQLite and on PostgreSQL: what is reserved counts as spent, what is settled costs what it cost, and once."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, delete, select

from lab.agents.budget.errors import OutOfBudget
from lab.agents.budget.money import WHOLE_LAB, CallEnd, CallStart, Daily, Till, budget_day, next_day_at, spent_micros
from lab.agents.budget.prices import Tokens, load_prices
from lab.agents.claude.config import MODEL
from lab.store.database import Store
from lab.store.models import Budget, CallState, ModelCall

PRICE = load_prices(Path("/nowhere")).of(MODEL, date(2026, 11, 22))
NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
END = CallEnd(Tokens(input=100, output=50), '{"content": []}', "end_turn", 12)
COST = PRICE.cost_micros(END.tokens)


def start(agent_id: int = 1, iteration_id: int = 1, request_hash: str = "h") -> CallStart:
    return CallStart(agent_id, iteration_id, "analysis", MODEL, "{}", "analyse 1", request_hash)


def spent(store: Store, agent_id: int) -> int:
    with store.read() as session:
        return spent_micros(session, agent_id, budget_day(NOON))


def row(store: Store, call_id: int) -> ModelCall:
    with store.read() as session:
        return session.get_one(ModelCall, call_id)


def test_a_reservation_counts_as_spent_until_it_is_settled(store: Store) -> None:
    till = Till(store, Daily(1_000, 5_000))
    call = till.reserve(start(), PRICE, 900, NOON)
    assert spent(store, 1) == spent(store, WHOLE_LAB) == 900
    with pytest.raises(OutOfBudget):
        till.reserve(start(), PRICE, 101, NOON)
    assert till.settle(call, PRICE, END) == COST == 700
    assert spent(store, 1) == 700
    assert till.reserve(start(), PRICE, 300, NOON)


def test_the_refusal_says_whose_budget_how_much_is_left_and_when_it_goes_on(store: Store) -> None:
    till = Till(store, Daily(1_000_000, 5_000_000))
    till.reserve(start(), PRICE, 990_000, NOON)
    with pytest.raises(
        OutOfBudget, match=r"\$1\.00 a day has \$0\.0100 left.*up to \$0\.0200.*00:00 New York time on Monday, 23 November"
    ) as refused:
        till.reserve(start(), PRICE, 20_000, NOON)
    assert refused.value.until == datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    with store.read() as session:
        assert len(session.exec(select(ModelCall)).all()) == 1, "a refused call leaves no row"


def test_the_whole_labs_budget_holds_for_all_agents_together(store: Store) -> None:
    till = Till(store, Daily(1_000, 1_500))
    till.reserve(start(1), PRICE, 1_000, NOON)
    with pytest.raises(OutOfBudget, match="The whole lab's"):
        till.reserve(start(2), PRICE, 501, NOON)
    till.reserve(start(2), PRICE, 500, NOON)


def test_a_new_york_day_begins_with_a_new_budget(store: Store) -> None:
    till = Till(store, Daily(1_000, 5_000))
    before, after = datetime(2026, 11, 23, 4, 59, tzinfo=UTC), datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    till.reserve(start(), PRICE, 1_000, before)
    with pytest.raises(OutOfBudget):
        till.reserve(start(), PRICE, 1, before)
    till.reserve(start(), PRICE, 1_000, after)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-08T03:00+00:00", "2026-03-08T05:00+00:00"),  # the day summer time begins is reached in winter time
        ("2026-03-08T12:00+00:00", "2026-03-09T04:00+00:00"),
        ("2026-11-01T12:00+00:00", "2026-11-02T05:00+00:00"),
    ],
)
def test_midnight_is_new_yorks_whatever_the_season(at: str, until: str) -> None:
    assert next_day_at(datetime.fromisoformat(at)) == datetime.fromisoformat(until)


def test_a_call_in_doubt_stays_spent_in_full_and_can_still_be_settled_by_who_made_it(store: Store) -> None:
    till = Till(store, Daily(10_000, 50_000))
    cut, killed = till.reserve(start(), PRICE, 900, NOON), till.reserve(start(iteration_id=2), PRICE, 800, NOON)
    till.doubt(cut, "The connection broke.", "half")
    assert till.doubt_left_open(2) == 1
    assert spent(store, 1) == 1_700
    assert (row(store, cut).state, row(store, cut).reply) == (CallState.IN_DOUBT, "half")
    assert row(store, killed).state == CallState.IN_DOUBT
    till.settle(killed, PRICE, END)
    till.release(killed, "too late")
    assert spent(store, 1) == 900 + COST


def test_a_refused_call_costs_nothing_and_a_settled_one_is_settled_once(store: Store) -> None:
    till = Till(store, Daily(10_000, 50_000))
    refused, answered = till.reserve(start(), PRICE, 900, NOON), till.reserve(start(), PRICE, 900, NOON)
    till.release(refused, "Overloaded.")
    till.settle(answered, PRICE, END)
    till.settle(answered, PRICE, CallEnd(Tokens(output=1), "{}", "end_turn", 1))
    till.doubt(answered, "no")
    assert spent(store, 1) == COST
    assert row(store, answered).reply == END.reply


def test_a_paid_reply_is_found_again_by_its_iteration_and_request(store: Store) -> None:
    till = Till(store, Daily(10_000, 50_000))
    till.settle(till.reserve(start(request_hash="a"), PRICE, 900, NOON), PRICE, END)
    till.doubt(till.reserve(start(request_hash="b"), PRICE, 900, NOON), "cut", "half")
    found = till.bought(1, "a")
    assert found is not None
    assert found[1] == END.reply
    till.reject(found[0], "It is no JSON.")
    assert till.bought(1, "a") is None, "what was of no use is asked for anew"
    assert spent(store, 1) == COST + 900
    assert till.bought(1, "b") is None
    assert till.bought(2, "a") is None


def test_eight_threads_never_overspend(store: Store) -> None:
    till, refused = Till(store, Daily(25_000, 500_000)), []

    def spend() -> None:
        for _ in range(6):
            try:
                call = till.reserve(start(), PRICE, 1_000, NOON)
            except OutOfBudget:
                refused.append(1)
            else:
                assert spent(store, 1) <= 25_000
                till.settle(call, PRICE, END)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spent(store, 1) <= 25_000
    assert refused
    assert spent(store, 1) == COST * (48 - len(refused))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 1_500), st.sampled_from(["settle", "release", "doubt", "leave"])), max_size=12))
def test_whatever_happens_the_sum_is_that_of_the_calls_and_within_the_budget(store: Store, steps: list[tuple[int, int, str]]) -> None:
    with store.write() as session:
        session.exec(delete(ModelCall).where(col(ModelCall.id) > 0))
        session.merge(Budget(agent_id=2, daily_micros=3_000))
    till, expected = Till(store, Daily(4_000, 6_000)), {1: 0, 2: 0}
    for agent_id, most, then in steps:
        fits = expected[agent_id] + most <= {1: 4_000, 2: 3_000}[agent_id] and sum(expected.values()) + most <= 6_000
        try:
            call = till.reserve(start(agent_id), PRICE, most, NOON)
        except OutOfBudget:
            assert not fits
            continue
        assert fits
        if then == "settle":
            tokens = Tokens(input=most // 2)
            till.settle(call, PRICE, CallEnd(tokens, "{}", "end_turn", 1))
            expected[agent_id] += PRICE.cost_micros(tokens)
        elif then == "release":
            till.release(call, "no")
        else:
            if then == "doubt":
                till.doubt(call, "cut")
            expected[agent_id] += most
    assert {agent_id: spent(store, agent_id) for agent_id in (1, 2)} == expected
    assert spent(store, WHOLE_LAB) == sum(expected.values())
