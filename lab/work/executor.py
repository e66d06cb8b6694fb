"""Computations in processes of their own, with limits: the seam through which backtests leave the program.

An `Executor` of `concurrent.futures`, so that something larger than this machine can take its place.
"""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from lab.errors import LabError
from lab.work.confined import Finished, Limits, confine, run, too_large
from lab.work.errors import TaskFailed, TaskTookTooLong, TaskTooLarge
from lab.work.spawning import KeylessContext

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 3
"""How often a task is started when the pool itself breaks under it, which says nothing against the task."""


class Executor(concurrent.futures.Executor):
    """A pool of processes at low priority; each task has limits of memory and time and is ended when it passes them.

    A task that is ended gives a `TaskTookTooLong`, `TaskTooLarge` or `TaskFailed` with a sentence, and the pool goes
    on with a fresh process. What the task itself raises comes through as it is. Cancelling a future ends its task
    even when it runs. The processes die with this one, however it dies.
    """

    def __init__(self, processes: int, limits: Limits | None = None) -> None:
        self._processes = processes
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._pool: _Pool | None = None
        self._tasks: set[_TaskFuture[Any]] = set()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Has `fn(*args, **kwargs)` done in a process; `fn` must be a top-level function of a module other than `__main__`.

        Raises `RuntimeError` after `shutdown`, and the pickling error at once where something can't be sent.
        """
        task = pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)
        future: _TaskFuture[T] = _TaskFuture()
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor has been shut down")
            self._tasks.add(future)
        self._start(future, task, attempt=1)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more tasks; `wait` lets those at work finish, `cancel_futures` ends them. Leaves no process behind."""
        with self._lock:
            self._closed = True
            tasks = list(self._tasks)
        if cancel_futures or not wait:
            for task in tasks:
                task.cancel()
        else:
            concurrent.futures.wait(tasks)
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def _start(self, future: _TaskFuture[T], task: bytes, attempt: int) -> None:
        try:
            inner = self._running_pool().schedule(task)
        except (RuntimeError, BrokenExecutor) as error:
            if attempt < _ATTEMPTS:
                return self._start(future, task, attempt + 1)
            return self._finish(future, None, TaskFailed(f"The processes for computations could not be started: {error}."))
        future.follow(inner)
        inner.add_done_callback(lambda done: self._ended(future, done, task, attempt))
        return None

    def _ended(self, future: _TaskFuture[T], done: Future[bytes], task: bytes, attempt: int) -> None:
        """Called in the pool's own thread."""
        if done.cancelled():
            return self._finish(future, None, None)
        error = done.exception()
        if isinstance(error, BrokenExecutor) and attempt < _ATTEMPTS and not future.cancelled() and not self._closed:
            return self._start(future, task, attempt + 1)
        if error is not None:
            return self._finish(future, None, self._sentence(error))
        try:
            finished: Finished = pickle.loads(done.result())
        except Exception as broken:
            # Raised here it would be swallowed, and whoever waits would wait for ever.
            return self._finish(future, None, TaskFailed(f"The result of the computation could not be read: {broken!r}."))
        if finished.error is not None and finished.trace and not isinstance(finished.error, LabError):
            finished.error.add_note(f"In the process:\n{finished.trace}")
        return self._finish(future, finished.value, finished.error)

    def _finish(self, future: _TaskFuture[T], value: Any, error: BaseException | None) -> None:
        with self._lock:
            self._tasks.discard(future)
        if not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def _sentence(self, error: BaseException) -> BaseException:
        if isinstance(error, TimeoutError | concurrent.futures.TimeoutError):
            return TaskTookTooLong(f"The computation took longer than {self._limits.wall_seconds:.0f} s and was ended.")
        if isinstance(error, ProcessExpired):
            match -(error.exitcode or 0):
                case signal.SIGXCPU:
                    return TaskTookTooLong(f"The computation used more than {self._limits.cpu_seconds} s of processor time and was ended.")
                case signal.SIGABRT:
                    # What is not Python can't raise MemoryError when an allocation fails: it aborts.
                    return TaskTooLarge(too_large(self._limits))
                case signal.SIGKILL:
                    return TaskFailed("The process of the computation was killed from outside, most likely because memory ran out.")
                case _:
                    return TaskFailed(f"The process of the computation ended by itself with status {error.exitcode}.")
        if isinstance(error, BrokenExecutor):
            return TaskFailed("The processes for computations ended again and again without a result.")
        return error

    def _running_pool(self) -> _Pool:
        with self._lock:
            if self._pool is None or not self._pool.sound:
                broken, self._pool = self._pool, _Pool(self._processes, self._limits)
                if broken is not None:
                    broken.stop(wait=False)
            return self._pool


class _TaskFuture(Future[T]):
    """A future whose cancellation also ends the task behind it. It counts as pending until it is done."""

    def __init__(self) -> None:
        super().__init__()
        self._inner: Future[bytes] | None = None

    def follow(self, inner: Future[bytes]) -> None:
        self._inner = inner
        if self.cancelled():
            inner.cancel()

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled and self._inner is not None:
            self._inner.cancel()
        return cancelled


class _Pool:
    """A pool of Pebble and the thread that starts and ends it.

    Linux ends a child together with the thread that started it, so that thread has to live as long as the pool.
    """

    def __init__(self, processes: int, limits: Limits) -> None:
        self._limits = limits
        self._pool = ProcessPool(processes, context=KeylessContext(), initializer=confine, initargs=(os.getpid(), limits))
        self._error: BaseException | None = None
        self._started = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="lab-pool", daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def sound(self) -> bool:
        return self._error is None and bool(self._pool.active)

    def schedule(self, task: bytes) -> Future[bytes]:
        if self._error is not None:
            raise self._error
        inner: Future[bytes] = self._pool.schedule(run, args=(task, self._limits), timeout=self._limits.wall_seconds)
        return inner

    def stop(self, wait: bool = True) -> None:
        self._stop.set()
        if wait:
            self._thread.join()

    def _live(self) -> None:
        try:
            self._pool.active  # noqa: B018  (asking is what starts it)
        except (BrokenExecutor, OSError) as error:
            self._error = BrokenExecutor(str(error.__cause__ or error))
        finally:
            self._started.set()
        self._stop.wait()
        self._pool.stop()
        self._pool.join()
