"""The worker: does what waits, survives what goes wrong in it, and hands over what it can't finish."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, update

from lab.errors import LabError
from lab.store.database import Store
from lab.store.errors import DatabaseBusy, DiskFull
from lab.store.models import STEPS, AgentIteration, IterationStatus, utc_now
from lab.store.workspace import Workspace
from lab.work import worker
from lab.work.executor import Executor
from lab.work.queue import Lease, claim, release
from tests.work.fakes import EAGER, add_iterations, iteration, long_loop, short_loop, statuses, steps_done

Loop = Callable[[Store, int, Executor, Lease], Awaitable[None]]

WORKER_PROGRAM = """
import asyncio, sys
from pathlib import Path
from lab.work import worker
from tests.work import fakes

async def main():
    stop = asyncio.Event()
    worker.stop_on_signals(stop)
    await worker.run(Path(sys.argv[1]), drain=True, run_iteration=getattr(fakes, sys.argv[2]), stop=stop, processes=1, limits=fakes.EAGER)

if __name__ == "__main__":
    asyncio.run(main())
"""


def start_worker(home: Path, loop: str) -> subprocess.Popen[bytes]:
    program = home.parent / "worker_program.py"
    program.write_text(WORKER_PROGRAM)
    return subprocess.Popen([sys.executable, str(program), str(home), loop], env={**os.environ, "PYTHONPATH": os.getcwd()})


def drain(home: Path, loop: Loop) -> int:
    return asyncio.run(worker.run(home, drain=True, run_iteration=loop, processes=1, limits=EAGER))


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] + [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        if task.name != str(pid)
        for child in (task / "children").read_text().split()
    ]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_every_queued_iteration_of_every_agent_is_done(home: Path) -> None:
    ids = add_iterations(home, 2, 1, 1)
    assert drain(home, short_loop) == 4
    assert statuses(home) == ["no proposal"] * 4
    assert sorted(steps_done(home)) == sorted((number, str(step)) for number in ids for step in STEPS)


def test_iterations_of_several_agents_run_beside_each_other_but_one_agent_does_one_at_a_time(home: Path) -> None:
    add_iterations(home, 2, 1)
    running: set[int] = set()
    together: list[set[int]] = []

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        running.add(iteration_id)
        together.append(set(running))
        await asyncio.sleep(0.4)
        running.remove(iteration_id)
        await short_loop(store, iteration_id, executor, lease)

    drain(home, loop)
    assert {1, 3} in together
    assert not any({1, 2} <= group for group in together)


def test_an_error_of_the_lab_ends_the_iteration_with_its_sentence_and_others_go_on(home: Path) -> None:
    add_iterations(home, 1, 1)

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        if iteration_id == 1:
            raise LabError("The universe holds no bars: import some.")
        await short_loop(store, iteration_id, executor, lease)

    drain(home, loop)
    assert statuses(home) == ["failed", "no proposal"]
    with Store(Workspace(home)) as store:
        assert iteration(store, 1).failure == "The universe holds no bars: import some."
        assert iteration(store, 1).finished_at is not None
        assert iteration(store, 1).lease_owner is None


def test_a_mistake_in_the_program_fails_the_iteration_and_its_traceback_shows_no_values(home: Path) -> None:
    add_iterations(home, 1)
    key = os.urandom(8).hex()

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        api_key = key
        raise KeyError(len(api_key))

    drain(home, loop)
    with Store(Workspace(home)) as store:
        assert iteration(store, 1).failure == (
            "A mistake in the lab itself stopped this iteration (KeyError). The file logs/worker.log says where."
        )
    log = (home / "logs" / "worker.log").read_text()
    assert "Traceback" in log
    assert key not in log


def test_what_polars_raises_in_a_panic_does_not_end_the_worker(home: Path) -> None:
    add_iterations(home, 1, 1)

    class PanicException(BaseException):
        pass

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        if iteration_id == 1:
            raise PanicException("index out of bounds")
        await short_loop(store, iteration_id, executor, lease)

    drain(home, loop)
    assert statuses(home) == ["failed", "no proposal"]


def test_an_iteration_that_comes_back_unfinished_is_not_run_for_ever(home: Path) -> None:
    add_iterations(home, 1)

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        return None

    drain(home, loop)
    assert statuses(home) == ["failed"]


def test_a_database_that_is_busy_for_a_while_costs_no_iteration(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_PAUSES_SECONDS", (0.01, 0.01))
    add_iterations(home, 1)
    tries: list[int] = []

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        tries.append(iteration_id)
        if len(tries) < 3:
            raise DatabaseBusy("busy")
        await short_loop(store, iteration_id, executor, lease)

    drain(home, loop)
    assert len(tries) == 3
    assert statuses(home) == ["no proposal"]


def test_a_full_disk_ends_the_worker_with_a_sentence_and_leaves_the_iteration_to_be_resumed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_PAUSES_SECONDS", (0.01, 0.01))
    add_iterations(home, 1)

    async def loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
        raise DiskFull("The disk is full.")

    with pytest.raises(DiskFull):
        drain(home, loop)
    assert statuses(home) == ["queued"]
    assert "The worker ends: The disk is full." in (home / "logs" / "worker.log").read_text()
    assert drain(home, short_loop) == 1


def test_a_cancelled_iteration_stops_within_seconds_though_its_backtest_takes_a_minute(home: Path) -> None:
    ids = add_iterations(home, 1)

    async def main() -> float:
        work = asyncio.create_task(worker.run(home, drain=True, run_iteration=long_loop, processes=1, limits=EAGER))
        await asyncio.to_thread(wait_until, lambda: (ids[0], "enrich") in steps_done(home))
        with Store(Workspace(home)) as store, store.write() as session:
            session.exec(update(AgentIteration).where(col(AgentIteration.id) == ids[0]).values(iteration_status=IterationStatus.CANCELLED))
        cancelled = time.monotonic()
        await work
        return time.monotonic() - cancelled

    assert asyncio.run(main()) < 20
    assert statuses(home) == ["cancelled"]
    assert (ids[0], "backtest") not in steps_done(home)


def test_killed_with_its_pool_at_work_it_leaves_no_process_and_the_next_one_goes_on_at_once(home: Path) -> None:
    (number,) = add_iterations(home, 1)
    first = start_worker(home, "long_loop")
    wait_until(lambda: (number, "enrich") in steps_done(home))
    time.sleep(0.2)
    pool = children(first.pid)
    assert len(pool) >= 2
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until(lambda: all(gone(pid) for pid in pool), seconds=5)

    before = steps_done(home)
    with Store(Workspace(home)) as store:
        assert (iteration(store, number).lease_expires_at or utc_now()) > utc_now() + timedelta(seconds=1)
        assert claim(store, "another:1:x:1") == number, "it waits for the dead worker's lease to run out"
        release(store, "another:1:x:1", number)
    assert drain(home, short_loop) == 1
    assert steps_done(home)[: len(before)] == before
    assert [step for _, step in steps_done(home)] == [str(step) for step in STEPS]


def test_told_to_stop_it_gives_back_what_it_runs_and_ends_its_processes(home: Path) -> None:
    (number,) = add_iterations(home, 1)
    first = start_worker(home, "long_loop")
    wait_until(lambda: (number, "enrich") in steps_done(home))
    pool = children(first.pid)
    first.terminate()
    assert first.wait(timeout=30) == 0
    # Python's own resource tracker ends when it finds the worker gone; the pool's processes ended before.
    wait_until(lambda: all(gone(pid) for pid in pool))
    with Store(Workspace(home)) as store:
        assert iteration(store, number).lease_owner is None
        assert claim(store, "another:1:x:1") == number


def test_two_workers_share_the_queue_and_nothing_is_done_twice(home: Path) -> None:
    add_iterations(home, *[1] * 5)
    workers = [start_worker(home, "short_loop") for _ in range(2)]
    assert [process.wait(timeout=60) for process in workers] == [0, 0]
    assert statuses(home) == ["no proposal"] * 5
    assert len(steps_done(home)) == len(set(steps_done(home))) == 5 * len(STEPS)


def test_a_drained_worker_leaves_a_backup_that_is_a_whole_database(home: Path) -> None:
    add_iterations(home, 1)
    drain(home, short_loop)
    drain(home, short_loop)
    (backup,) = Workspace(home).backup_files()
    copy = home.parent / "copy"
    copy.mkdir()
    (copy / "lab.sqlite3").write_bytes(backup.read_bytes())
    assert statuses(copy) == ["no proposal"]


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_loses_nothing_and_does_nothing_twice(home: Path) -> None:
    add_iterations(home, *[4] * 4)
    moments = random.Random(7)
    for _ in range(20):
        process = start_worker(home, "short_loop")
        time.sleep(moments.uniform(0.5, 2.5))
        process.kill()
        process.wait()
    drain(home, short_loop)
    assert statuses(home) == ["no proposal"] * 16
    assert len(steps_done(home)) == len(set(steps_done(home))) == 16 * len(STEPS)
    with Store(Workspace(home)) as store:
        assert store.problems() == ()
