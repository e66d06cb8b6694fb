"""The queue: who may work on what, and for how long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, delete, update

from lab.store.database import Store
from lab.store.models import AgentIteration, IterationStatus, Preference, TradingAgent, utc_now
from lab.store.workspace import Workspace
from lab.work import processes, queue
from lab.work.errors import IterationCancelled, LeaseLost
from lab.work.processes import alive, new_owner, started, surely_dead, this_host
from lab.work.queue import Held, Lease
from tests.work.fakes import add_iterations, iteration

ELSEWHERE = "another-host:1:abcd:1"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(Workspace(home)) as store:
        yield store


def end(store: Store, iteration_id: int, status: IterationStatus = IterationStatus.NO_PROPOSAL) -> None:
    with store.write() as session:
        session.exec(update(AgentIteration).where(col(AgentIteration.id) == iteration_id).values(iteration_status=status))


def test_an_empty_queue_gives_nothing(store: Store) -> None:
    assert queue.claim(store, new_owner()) is None
    assert queue.waiting(store) == 0


def test_iterations_are_taken_oldest_first_and_one_an_agent(home: Path, store: Store) -> None:
    add_iterations(home, 2, 1)
    me = new_owner()
    assert [queue.claim(store, me), queue.claim(store, me), queue.claim(store, me)] == [1, 3, None]
    end(store, 1)
    assert queue.claim(store, me) == 2


def test_one_iteration_is_never_given_to_two(home: Path, store: Store) -> None:
    add_iterations(home, *[1] * 12)
    taken: list[int] = []

    def take() -> None:
        me = new_owner()
        while (number := queue.claim(store, me)) is not None:
            taken.append(number)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 13))


def test_a_lease_from_another_host_is_respected_until_it_runs_out(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    assert queue.claim(store, ELSEWHERE) == 1
    assert queue.claim(store, new_owner()) is None
    assert queue.waiting(store) == 0
    assert queue.claim(store, new_owner(), at=utc_now() + timedelta(seconds=queue.LEASE_SECONDS + 1)) == 1


def test_the_lease_of_a_dead_process_on_this_host_is_free_at_once(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    other = subprocess.run(
        [sys.executable, "-c", "from lab.work.processes import new_owner; print(new_owner())"], capture_output=True, text=True, check=True
    )
    assert queue.claim(store, other.stdout.strip()) == 1
    assert queue.waiting(store) == 1
    assert queue.claim(store, new_owner()) == 1


def test_a_later_process_with_the_same_id_is_not_taken_for_the_owner() -> None:
    assert not surely_dead(new_owner())
    assert surely_dead(f"{this_host()}:{os.getpid()}:abcd:1")
    assert not surely_dead(f"{this_host()}:{os.getpid()}:abcd:")
    assert not surely_dead(ELSEWHERE)
    assert not surely_dead("nonsense")


def test_a_process_that_ended_but_was_not_waited_for_counts_as_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(child.pid)
    child.wait()
    assert not alive(child.pid)


def test_where_there_is_no_proc_the_start_is_asked_of_ps() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        start = processes._started_by_ps(child.pid)
        if start == "":
            pytest.skip("there is no ps on this machine")
        assert start is not None
        assert ":" not in start
        assert len(start) > 10
    finally:
        child.communicate()
    assert processes._started_by_ps(child.pid) is None
    assert started(child.pid) is None


def test_a_heartbeat_renews_the_lease_and_tells_what_is_no_longer_ours(home: Path, store: Store) -> None:
    add_iterations(home, 1, 1, 1, 1)
    me = new_owner()
    for _ in range(4):
        queue.claim(store, me, at=utc_now() - timedelta(seconds=8))
    end(store, 2, IterationStatus.CANCELLED)
    with store.write() as session:
        session.exec(update(AgentIteration).where(col(AgentIteration.id) == 3).values(lease_owner=ELSEWHERE))
        session.exec(delete(TradingAgent).where(col(TradingAgent.id) == 4))
    assert queue.heartbeat(store, me, [1, 2, 3, 4]) == {1: Held.HELD, 2: Held.CANCELLED, 3: Held.LOST, 4: Held.LOST}
    assert (iteration(store, 1).lease_expires_at or utc_now()) > utc_now() + timedelta(seconds=8)


def test_nothing_is_stored_of_an_iteration_that_another_worker_took(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    me = new_owner()
    queue.claim(store, me, at=utc_now() - timedelta(seconds=60))
    assert queue.claim(store, ELSEWHERE) == 1

    def store_a_step(owner: str) -> None:
        with store.write() as session:
            session.add(Preference(key="step", value="done"))
            Lease(1, owner).check(session)

    with pytest.raises(LeaseLost):
        store_a_step(me)
    with store.read() as session:
        assert session.get(Preference, "step") is None
    store_a_step(ELSEWHERE)


def test_nothing_is_stored_of_an_iteration_that_was_cancelled(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    me = new_owner()
    queue.claim(store, me)
    end(store, 1, IterationStatus.CANCELLED)
    with pytest.raises(IterationCancelled), store.write() as session:
        Lease(1, me).check(session)


def test_what_is_given_back_can_be_taken_by_anyone_but_only_its_owner_gives_it_back(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    me = new_owner()
    queue.claim(store, me)
    queue.release(store, ELSEWHERE, 1)
    assert queue.claim(store, ELSEWHERE) is None
    queue.release(store, me, 1)
    assert queue.claim(store, ELSEWHERE) == 1


def test_failing_an_iteration_does_not_overwrite_a_decision_of_the_person(home: Path, store: Store) -> None:
    add_iterations(home, 1)
    me = new_owner()
    queue.claim(store, me)
    end(store, 1, IterationStatus.CANCELLED)
    queue.fail(store, me, 1, "It broke.")
    assert iteration(store, 1).iteration_status == IterationStatus.CANCELLED
    assert iteration(store, 1).failure == ""
