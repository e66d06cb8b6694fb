"""The worker: takes iterations from the queue and runs several of them at once, each to its end in the database."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lab.agents.errors import IterationPaused
from lab.errors import LabError
from lab.store.backup import make_daily_backup
from lab.store.database import Store
from lab.store.errors import DatabaseBusy, DiskFull, StoreError
from lab.store.models import UNFINISHED
from lab.store.workspace import FILE_MODE, Workspace
from lab.work import queue
from lab.work.confined import Limits
from lab.work.errors import IterationCancelled, LeaseLost
from lab.work.executor import Executor
from lab.work.heart import Heart
from lab.work.processes import new_owner
from lab.work.queue import Held, Lease
from lab.work.studying import Studies, studies_wait

log = logging.getLogger("lab.worker")

RunIteration = Callable[[Store, int, Executor, Lease], Awaitable[None]]
"""Does one iteration from its last finished step on, storing each step under its lease, and ends it in the database."""

AT_ONCE = 4
IDLE_SECONDS = 20.0
_LOOK_SECONDS = 0.25
_LOOK_ANYWAY_SECONDS = 2.0
"""That an owner died or a lease ran out changes nothing in the database, so it is looked at without a change, too."""

_PAUSES_SECONDS = (1.0, 4.0)
"""Before an iteration is tried again that could not be stored because the database was busy or the disk full."""


async def _learning_loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
    from lab.agents.loop import run_iteration
    from lab.settings import Settings
    from lab.work.claude import claude_settings

    await run_iteration(store, iteration_id, executor, lease, claude=claude_settings(Settings()))


def _due(store: Store) -> None:
    """What an agent that learns by itself was to do next when the last worker ended."""
    from lab.agents.continuous import go_on
    from lab.agents.service import SEED

    go_on(store, SEED)


async def run(
    home: Path,
    drain: bool = False,
    *,
    run_iteration: RunIteration = _learning_loop,
    processes: int = 2,
    limits: Limits | None = None,
    at_once: int = AT_ONCE,
    idle_seconds: float = IDLE_SECONDS,
    stop: asyncio.Event | None = None,
    let_end: threading.Event | None = None,
) -> int:
    """Works until there is nothing to do; returns how many iterations it brought to an end.

    Nothing to do means that no iteration waits or runs: at once where `drain` is set, else for `idle_seconds`.
    Setting `stop` ends it early: what runs is given back unfinished. Setting `let_end` makes it wait for nothing more once
    there is nothing to do. Any number of workers may share a workspace.
    `run_iteration` is the learning loop unless another is given. Logs to `worker.log` in the workspace.
    Raises `StoreError` when the database can't be used any more; the next worker goes on with what ran.
    """
    workspace = Workspace(home)
    store = await asyncio.to_thread(Store, workspace)
    executor = Executor(processes, limits)
    try:
        with _logging_to(workspace.logs / "worker.log"):
            await asyncio.to_thread(_due, store)
            worker = _Worker(store, executor, run_iteration, at_once, stop or asyncio.Event(), let_end or threading.Event())
            ended = await worker.work(0.0 if drain else idle_seconds)
            if worker.broken is not None:
                raise worker.broken
            await asyncio.to_thread(_back_up, workspace)
            return ended
    finally:
        await asyncio.to_thread(executor.shutdown, cancel_futures=True)
        await asyncio.to_thread(store.close)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Makes SIGTERM and SIGINT set `stop`; a lost terminal is no reason to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def work_waits(home: Path) -> bool:
    """Whether some iteration is in nobody's hands."""
    with Store(Workspace(home)) as store:
        return queue.waiting(store) > 0 or studies_wait(store)


class _Worker:
    """One owner of leases and the iterations it runs at the moment."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        run_iteration: RunIteration,
        at_once: int,
        stop: asyncio.Event,
        let_end: threading.Event,
    ) -> None:
        self.store = store
        self.executor = executor
        self.run_iteration = run_iteration
        self.at_once = at_once
        self.stop = stop
        self.let_end = let_end
        self.owner = new_owner()
        self.running: dict[int, asyncio.Task[None]] = {}
        self.ended = 0
        self.broken: StoreError | None = None
        """Why the database can't be used any more; ends the worker."""
        self.heart = Heart(store, self.owner, self._not_ours)
        self.studies = Studies(store, executor, self.owner)

    async def work(self, idle_seconds: float) -> int:
        self.heart.start(asyncio.get_running_loop())
        stopping = asyncio.create_task(self.stop.wait())
        busy_at = time.monotonic()
        try:
            while not self.stop.is_set() and self.broken is None and self.studies.broken is None:
                await self._take()
                if self.running or self.studies.tasks:
                    busy_at = time.monotonic()
                elif (self.let_end.is_set() or time.monotonic() - busy_at >= idle_seconds) and not await asyncio.to_thread(
                    queue.waiting, self.store, idle_seconds > 0
                ):
                    break
                await self._until_something_changes(stopping)
        except StoreError as error:
            self.broken = error
        finally:
            stopping.cancel()
            for task in self.running.values():
                task.cancel()
            await asyncio.gather(*self.running.values(), return_exceptions=True)
            await self.studies.close()
            await asyncio.to_thread(self.heart.stop)
        self.broken = self.broken or self.studies.broken
        if self.broken is not None:
            log.error("The worker ends: %s", self.broken)
        return self.ended

    async def _take(self) -> None:
        await self._take_iterations()
        if not self.stop.is_set():
            await self.studies.take()

    async def _take_iterations(self) -> None:
        while len(self.running) < self.at_once and not self.stop.is_set():
            iteration_id = await asyncio.to_thread(queue.claim, self.store, self.owner)
            if iteration_id is None:
                return
            self.heart.hold(iteration_id)
            task = asyncio.create_task(self._one(iteration_id), name=f"iteration {iteration_id}")
            self.running[iteration_id] = task
            task.add_done_callback(partial(self._forget, iteration_id))

    async def _until_something_changes(self, stopping: asyncio.Task[bool]) -> None:
        """Returns when an iteration ended, the database changed or `stop` was set; after two seconds at most."""
        token = await asyncio.to_thread(self.store.change_token)
        until, told = time.monotonic() + _LOOK_ANYWAY_SECONDS, self.let_end.is_set()
        while time.monotonic() < until and self.let_end.is_set() == told:
            waited_for = {stopping, *self.running.values(), *self.studies.tasks}
            done, _ = await asyncio.wait(waited_for, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if done or await asyncio.to_thread(self.store.change_token) != token:
                return

    async def _one(self, iteration_id: int) -> None:
        """Runs an iteration and settles what became of it; never raises but for the end of the program."""
        try:
            reason = await self._reason_of_failure(iteration_id)
        except asyncio.CancelledError:
            reason = None
        except (IterationCancelled, LeaseLost, IterationPaused) as error:
            log.info("Iteration %d: %s", iteration_id, error)
            reason = None
        except StoreError as error:
            self.broken = error
            reason = None
        else:
            self.ended += 1
        self.heart.drop(iteration_id)
        try:
            if reason is not None:
                await asyncio.to_thread(queue.fail, self.store, self.owner, iteration_id, reason)
            else:
                await asyncio.to_thread(queue.release, self.store, self.owner, iteration_id)
        except StoreError as error:
            self.broken = error

    async def _reason_of_failure(self, iteration_id: int) -> str | None:
        """Runs the iteration; None when it ended as it should, else the sentence that says why it failed."""
        try:
            await self._persistently(iteration_id)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit, IterationCancelled, LeaseLost, IterationPaused, StoreError):
            raise
        except LabError as error:
            log.info("Iteration %d failed: %s", iteration_id, error)
            return str(error)
        except BaseException as error:
            # BaseException, because what Polars raises in a panic is not an Exception.
            log.exception("Iteration %d broke off", iteration_id)
            return f"A mistake in the lab itself stopped this iteration ({type(error).__name__}). The file logs/worker.log says where."
        if await asyncio.to_thread(queue.status, self.store, iteration_id) in UNFINISHED:
            log.error("Iteration %d came back unfinished", iteration_id)
            return "A mistake in the lab itself stopped this iteration: its last step came to no end."
        return None

    async def _persistently(self, iteration_id: int) -> None:
        lease = Lease(iteration_id, self.owner)
        for pause in _PAUSES_SECONDS:
            try:
                return await self.run_iteration(self.store, iteration_id, self.executor, lease)
            except (DatabaseBusy, DiskFull) as error:
                log.warning("Iteration %d goes on in %.0f s: %s", iteration_id, pause, error)
                await asyncio.sleep(pause)
        return await self.run_iteration(self.store, iteration_id, self.executor, lease)

    def _forget(self, iteration_id: int, _: asyncio.Task[None]) -> None:
        del self.running[iteration_id]

    def _not_ours(self, iteration_id: int, state: Held) -> None:
        task = self.running.get(iteration_id)
        if task is not None:
            log.info("Iteration %d is %s: stopping it", iteration_id, state)
            task.cancel()


def _back_up(workspace: Workspace) -> None:
    try:
        make_daily_backup(workspace, datetime.now(UTC))
    except StoreError as error:
        log.warning("No backup was made: %s", error)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Sends what the lab's rooms log to the file; tracebacks without the values of variables, which may be private."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE))
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(levelname)s %(message)s"))
    logger = logging.getLogger("lab")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()
