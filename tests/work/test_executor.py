"""Computations in processes: what they may not do, what becomes of one that does, and that the pool goes on."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.work.confined import Limits
from lab.work.errors import TaskFailed, TaskTookTooLong, TaskTooLarge
from lab.work.executor import Executor
from lab.work.spawning import clean_environment
from tests.work import tasks


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    executor = Executor(1, Limits(memory_bytes=2 * 1024**3, niceness=0))
    yield executor
    executor.shutdown(cancel_futures=True)


def wait_for_file(path: Path) -> int:
    deadline = time.monotonic() + 15
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text())


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_results_and_errors_of_the_task_come_through_as_they_are(pool: Executor) -> None:
    assert pool.submit(tasks.divide, 6, b=4).result() == 1.5
    with pytest.raises(ZeroDivisionError) as raised:
        pool.submit(tasks.divide, 6, b=0).result()
    assert "in divide" in raised.value.__notes__[0]


def test_no_key_reaches_the_process_not_even_its_first_environment(pool: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ANTHROPIC_API_KEY", "POLYGON_API_KEY", "GITHUB_TOKEN", "PYTHON_SECRET", "DATABASE_URL")
    for name in names:
        monkeypatch.setenv(name, "canary-7f3a")
    fresh = Executor(1)
    try:
        environment, first = fresh.submit(tasks.environment).result()
    finally:
        fresh.shutdown()
    assert "canary-7f3a" not in str(environment)
    assert b"canary-7f3a" not in first
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["POLARS_MAX_THREADS"] == "1"
    assert os.environ["ANTHROPIC_API_KEY"] == "canary-7f3a"


def test_the_person_s_own_settings_of_names_that_look_like_keys_are_kept_out() -> None:
    assert "LD_API_KEY" not in clean_environment({"LD_API_KEY": "x", "HOME": "/h"})
    assert clean_environment({"HOME": "/h"})["HOME"] == "/h"


def test_it_computes_at_low_priority_without_the_interface_and_without_core_files(pool: Executor) -> None:
    with Executor(1) as executor:
        assert executor.submit(tasks.niceness).result() >= 10
    assert not pool.submit(tasks.loaded).result() & {"textual", "sqlmodel", "sqlalchemy", "anthropic"}
    assert pool.submit(tasks.core_limit).result() == (0, 0)


def test_too_much_memory_is_said_so_in_python_and_in_polars_and_the_pool_goes_on(pool: Executor) -> None:
    with pytest.raises(TaskTooLarge, match=r"more than the 2\.0 GiB of memory"):
        pool.submit(tasks.use_memory, 3 * 1024**3).result()
    with pytest.raises(TaskTooLarge, match=r"more than the 2\.0 GiB of memory"):
        pool.submit(tasks.use_memory_in_polars, 400_000_000).result()
    assert pool.submit(tasks.divide, 1).result() == 1


def test_a_task_that_sleeps_past_its_time_is_ended_and_the_pool_goes_on() -> None:
    with Executor(1, Limits(wall_seconds=1.0, niceness=0)) as executor:
        with pytest.raises(TaskTookTooLong, match="longer than 1 s"):
            executor.submit(tasks.sleep, 30).result()
        assert executor.submit(tasks.divide, 1).result() == 1


def test_processor_time_is_limited_by_itself() -> None:
    with Executor(1, Limits(cpu_seconds=1, niceness=0)) as executor, pytest.raises(TaskTookTooLong, match="1 s of processor time"):
        executor.submit(tasks.spin).result()


@pytest.mark.parametrize(
    ("number", "sentence"), [(signal.SIGKILL, "killed from outside"), (signal.SIGSEGV, "ended by itself with status -11")]
)
def test_a_process_that_dies_gives_a_sentence_and_is_replaced(pool: Executor, number: int, sentence: str) -> None:
    with pytest.raises(TaskFailed, match=sentence):
        pool.submit(tasks.end_with, number).result()
    assert pool.submit(tasks.divide, 1).result() == 1


def test_an_idle_process_that_is_killed_does_not_break_the_pool(pool: Executor) -> None:
    os.kill(pool.submit(tasks.sleep, 0).result(), signal.SIGKILL)
    time.sleep(0.3)
    assert [pool.submit(tasks.divide, number).result() for number in range(3)] == [0, 1, 2]


def test_an_expected_failure_comes_back_as_it_is_whatever_it_was_made_of(pool: Executor) -> None:
    with pytest.raises(tasks.Precise, match=r"Line 3, column 7: a word too many\.") as failed:
        pool.submit(tasks.precise).result()
    assert failed.value.line == 3


def test_what_can_not_be_sent_back_is_said_and_does_not_break_the_pool(pool: Executor) -> None:
    with pytest.raises(TaskFailed, match=r"Line 3, column 7: no such name\."):
        pool.submit(tasks.awkward).result()
    with pytest.raises(TaskFailed, match=r"could not be read.*on the other side"):
        pool.submit(tasks.unloadable).result()
    with pytest.raises(TaskFailed, match="SystemExit"):
        pool.submit(tasks.leave).result()
    with pytest.raises((AttributeError, TypeError)):
        pool.submit(lambda: 1)
    assert pool.submit(tasks.divide, 1).result() == 1


def test_cancelling_ends_a_running_task_at_once(pool: Executor, tmp_path: Path) -> None:
    future = pool.submit(tasks.mark_and_sleep, tmp_path / "pid", 60)
    pid = wait_for_file(tmp_path / "pid")
    assert future.cancel()
    pool.submit(tasks.divide, 1).result()
    assert not running(pid)


def test_cancelling_the_await_of_a_task_ends_the_task(pool: Executor, tmp_path: Path) -> None:
    async def main() -> int:
        waiting = asyncio.create_task(
            asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, tasks.mark_and_sleep, tmp_path / "pid", 60), 60)
        )
        pid = await asyncio.to_thread(wait_for_file, tmp_path / "pid")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return pid

    pid = asyncio.run(main())
    pool.submit(tasks.divide, 1).result()
    assert not running(pid)


def test_after_shutdown_no_process_is_left_and_nothing_is_taken(tmp_path: Path) -> None:
    executor = Executor(2)
    executor.submit(tasks.mark_and_sleep, tmp_path / "pid", 60)
    pid = wait_for_file(tmp_path / "pid")
    started = time.monotonic()
    executor.shutdown(cancel_futures=True)
    assert time.monotonic() - started < 20
    assert not running(pid)
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(tasks.divide, 1)


def test_shutdown_lets_what_was_submitted_finish_unless_told_otherwise() -> None:
    with Executor(1) as executor:
        futures = [executor.submit(tasks.sleep, 0.05) for _ in range(3)]
    assert len({future.result() for future in futures}) == 1


def test_where_no_process_can_be_started_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    executor = Executor(1)
    with pytest.raises(TaskFailed, match=r"could not be started: .*temporarily unavailable"):
        executor.submit(tasks.divide, 1).result()
    monkeypatch.undo()
    assert executor.submit(tasks.divide, 1).result() == 1
    executor.shutdown()
