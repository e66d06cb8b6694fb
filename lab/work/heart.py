"""The heartbeat of a worker: a thread that keeps leases alive even while the worker's event loop is busy."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from lab.store.database import Store
from lab.store.errors import StoreError
from lab.work.queue import Held, heartbeat

log = logging.getLogger("lab.worker")

BEAT_SECONDS = 2.0


class Heart:
    """Renews the leases it holds every two seconds; tells the event loop of those that are not this owner's any more."""

    def __init__(self, store: Store, owner: str, on_not_ours: Callable[[int, Held], None]) -> None:
        self._store = store
        self._owner = owner
        self._on_not_ours = on_not_ours
        self._ids: set[int] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._thread = threading.Thread(target=self._beat_on, args=(loop,), name="lab-heart", daemon=True)
        self._thread.start()

    def hold(self, iteration_id: int) -> None:
        with self._lock:
            self._ids.add(iteration_id)

    def drop(self, iteration_id: int) -> None:
        with self._lock:
            self._ids.discard(iteration_id)

    def stop(self) -> None:
        """Ends the thread; returns when its last beat is over."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _beat_on(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            with self._lock:
                held = set(self._ids)
            try:
                found = heartbeat(self._store, self._owner, held)
            except StoreError as error:
                # Nothing is lost by a missed beat: each step checks the lease in the transaction that stores it.
                log.warning("A heartbeat failed: %s", error)
                continue
            for iteration_id, state in found.items():
                if state is not Held.HELD:
                    self.drop(iteration_id)
                    loop.call_soon_threadsafe(self._on_not_ours, iteration_id, state)
