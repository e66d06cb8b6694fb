"""What runs inside a process of the pool: its limits, its tie to the parent's life, and one task at a time.

Imports nothing heavy and nothing of the interface: it is loaded anew in every such process.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError
from lab.work.errors import TaskFailed, TaskTooLarge
from lab.work.priority import stand_back

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one task may use before its process is ended, and how politely."""

    memory_bytes: int = 4 * 1024**3
    """Address space of the process, libraries included."""
    cpu_seconds: int = 600
    """Processor time."""
    wall_seconds: float = 600.0
    """Time on the clock, waiting for a free process not included."""
    niceness: int = 10
    """How far the process stands back behind the interface, which has 0."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a task ended: its value, or the exception it raised with the traceback in words."""

    value: Any = None
    error: BaseException | None = None
    trace: str = ""


def confine(parent_pid: int, limits: Limits) -> None:
    """Called once, when the process starts, before any task."""
    _die_with_parent(parent_pid)
    # The pool's own handler only runs between two instructions of Python, which a long computation never reaches.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stand_back(limits.niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_AS, limits.memory_bytes)


def run(task: bytes, limits: Limits) -> bytes:
    """Does one pickled `(function, args, kwargs)` and returns a pickled `Finished`.

    Both ways in bytes, because an object that can't be unpickled on the other side would break the whole pool.
    """
    _allow_processor_time(limits.cpu_seconds)
    try:
        function, args, kwargs = pickle.loads(task)
        return pickle.dumps(Finished(_call(function, args, kwargs)), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return pickle.dumps(Finished(error=TaskTooLarge(too_large(limits))))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return _failed(error)
    except BaseException as error:
        # Polars' PanicException is no Exception, and its class is not there to unpickle in a process without Polars.
        return pickle.dumps(Finished(error=TaskFailed(_in_words(error)), trace=traceback.format_exc()))


def too_large(limits: Limits) -> str:
    return (
        f"The computation needed more than the {limits.memory_bytes / 1024**3:.1f} GiB of memory it may have and was ended: "
        "use fewer tickers, a shorter span or a longer timeframe."
    )


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


def _failed(error: BaseException) -> bytes:
    trace = traceback.format_exc()
    kept: BaseException = error if isinstance(error, Exception) else TaskFailed(_in_words(error))
    try:
        finished = pickle.dumps(Finished(error=kept, trace=trace), pickle.HIGHEST_PROTOCOL)
        pickle.loads(finished)
    except Exception:
        kept = TaskFailed(str(error) if isinstance(error, LabError) else _in_words(error))
        return pickle.dumps(Finished(error=kept, trace=trace), pickle.HIGHEST_PROTOCOL)
    return finished


def _in_words(error: BaseException) -> str:
    return f"The computation failed with {type(error).__name__}: {str(error)[:300] or 'no reason given'}."


def _lower(which: int, value: int) -> None:
    """Lowers a limit of this process; a limit that is lower already stays."""
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(which, (value, value))
    except (ValueError, OSError):
        if sys.platform == "linux":
            raise
        # macOS knows the limit but does not let it be set; the limit of time still holds there.


def _allow_processor_time(seconds: int) -> None:
    """Counted from now: the process has done other tasks before."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    wanted = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)
    threading.Thread(target=_watch_parent, name="lab-parent-watch", daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
