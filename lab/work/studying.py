"""The studies a worker does beside its iterations: one at a time, given back when the worker ends."""

from __future__ import annotations

import asyncio
import logging

from lab.store.database import Store
from lab.store.errors import StoreError
from lab.work.executor import Executor
from lab.work.processes import surely_dead

log = logging.getLogger("lab.worker")


class Studies:
    """Takes studies that wait and runs them, one after the other: they are long, and iterations go first."""

    def __init__(self, store: Store, executor: Executor, owner: str) -> None:
        self._store, self._executor, self._owner = store, executor, owner
        self._task: asyncio.Task[None] | None = None
        self.broken: StoreError | None = None
        """Why the database can't be used any more."""

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is at work now."""
        return {self._task} if self._task is not None and not self._task.done() else set()

    async def take(self) -> None:
        """Begin the next study unless one is at work. Raises StoreError where the database can't be read."""
        if self.tasks:
            return
        from lab.agents.proof.running import claim

        run_id = await asyncio.to_thread(claim, self._store, self._owner, _may_live)
        if run_id is not None:
            self._task = asyncio.create_task(self._one(run_id), name=f"study {run_id}")

    async def close(self) -> None:
        """End what is at work; it waits for the next worker."""
        for task in self.tasks:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _one(self, run_id: int) -> None:
        from lab.agents.proof import running

        try:
            await running.run(self._store, run_id, self._owner, self._executor)
        except asyncio.CancelledError:
            await asyncio.to_thread(running.release, self._store, self._owner, run_id)
            raise
        except StoreError as error:
            self.broken = error
        except BaseException as error:
            # BaseException, because what Polars raises in a panic is not an Exception.
            log.exception("Study %d broke off", run_id)
            reason = f"A mistake in the lab itself stopped this study ({type(error).__name__}). The file logs/worker.log says where."
            try:
                await asyncio.to_thread(running.fail, self._store, self._owner, run_id, reason)
            except StoreError as broken:
                self.broken = broken


def studies_wait(store: Store) -> bool:
    """Whether some study is in nobody's hands."""
    from lab.agents.proof.running import waiting

    return waiting(store, _may_live) > 0


def _may_live(owner: str) -> bool:
    return not surely_dead(owner)
