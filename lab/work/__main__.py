"""`python -m lab.work HOME`: the worker as a program of its own, one a workspace.

Imports what it needs only when it runs: every process of the pool loads this module anew.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

NICENESS = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.work", description="Runs the waiting iterations of a workspace.")
    parser.add_argument("home", type=Path, help="the workspace folder")
    parser.add_argument("--drain", action="store_true", help="end as soon as nothing waits")
    parser.add_argument("--idle-seconds", type=float, default=20.0, help="how long to wait for work before ending")
    parser.add_argument("--processes", type=int, help="processes for backtests (LAB_PROCESSES, or 2)")
    choices = parser.parse_args()

    from lab.store.errors import StoreError
    from lab.store.filelock import FileLock
    from lab.store.workspace import Workspace
    from lab.work.launch import LET_END, worker_lock
    from lab.work.priority import stand_back

    let_end = threading.Event()
    signal.signal(LET_END, lambda *_: let_end.set())  # before the lock is held: from then on the signal may come
    os.umask(0o077)
    stand_back(NICENESS)
    try:
        workspace = Workspace(choices.home).open()
        lock = FileLock(worker_lock(workspace.home))
        while lock.acquire(wait_seconds=1.0):
            lock.write(str(os.getpid()))
            stopped = _work(choices, let_end)
            lock.release()
            # Looked at after the lock is free: whoever queued something while it was held saw a worker and started none.
            if stopped or not _work_waits(choices.home):
                break
    except StoreError as error:
        print(error, file=sys.stderr)  # noqa: T201  (standard error is the worker's log)
        return 1
    return 0


def _work(choices: argparse.Namespace, let_end: threading.Event) -> bool:
    """Runs the worker; true when a signal ended it."""
    import asyncio

    from lab.settings import Settings
    from lab.work import worker

    async def until_signalled() -> bool:
        stop = asyncio.Event()
        worker.stop_on_signals(stop)
        processes = choices.processes or Settings().processes
        await worker.run(choices.home, choices.drain, processes=processes, idle_seconds=choices.idle_seconds, stop=stop, let_end=let_end)
        return stop.is_set()

    return asyncio.run(until_signalled())


def _work_waits(home: Path) -> bool:
    from lab.work.worker import work_waits

    return work_waits(home)


if __name__ == "__main__":
    sys.exit(main())
