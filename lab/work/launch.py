"""Sees that a workspace has its worker: a program of its own that outlives the one that started it.

Imports neither the database layer nor Polars, so that the interface can call it at any time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from lab.store.errors import folder_error
from lab.store.filelock import FileLock, holding, note
from lab.store.workspace import FILE_MODE, Workspace
from lab.work.errors import WorkerNotStarted
from lab.work.processes import alive

LET_END = signal.SIGUSR1
_START_SECONDS = 15.0
_LARGEST_LOG_BYTES = 1024 * 1024


def worker_lock(home: Path) -> Path:
    """The file that the one worker of a workspace holds locked as long as it lives."""
    return Workspace(home).locks / "worker.lock"


def worker_pid(home: Path) -> int | None:
    """The process id of the workspace's worker, or None where none is alive."""
    path = worker_lock(home)
    said = note(path)
    if not said.isdigit() or not alive(int(said)):
        return None
    lock = FileLock(path)
    if lock.acquire():
        lock.release()
        return None
    return int(said)


def ensure_worker(home: Path) -> int:
    """Starts the workspace's worker unless it is alive and returns its process id.

    Call it after the commit that queued something. Any number of callers at once start one worker.
    Raises `WorkerNotStarted` with what its log says, or `StoreError` where the folder can't be used. Takes a quarter
    of a second when it starts one, so not in an event loop.
    """
    workspace = Workspace(home.absolute()).open()
    with holding(workspace.locks / "launch.lock", _START_SECONDS * 2):
        running = worker_pid(workspace.home)
        return running if running is not None else _start(workspace)


def let_worker_end(home: Path) -> None:
    """Tells the workspace's worker, where there is one, to end as soon as nothing waits instead of staying for what may be asked next."""
    pid = worker_pid(home)
    if pid is not None:
        with contextlib.suppress(OSError):
            os.kill(pid, LET_END)


def _start(workspace: Workspace) -> int:
    log_path = workspace.logs / "worker.log"
    try:
        if log_path.exists() and log_path.stat().st_size > _LARGEST_LOG_BYTES:
            log_path.replace(log_path.with_suffix(".log.1"))
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise folder_error(error, log_path) from error
    try:
        begins_at = os.fstat(log).st_size
        # -P and the workspace as its folder: what happens to lie where the person stands is not imported.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.work", str(workspace.home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=workspace.home,
            # Iterations fetch no bars: the key for that is no business of theirs.
            env={name: value for name, value in os.environ.items() if name != "POLYGON_API_KEY"},
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerNotStarted(f"The worker could not be started: {error.strerror or error}.") from error
    finally:
        os.close(log)
    # Waits for the child to end, so that it does not stay in the process table while this program goes on.
    threading.Thread(target=process.wait, name="lab-worker-wait", daemon=True).start()
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = worker_pid(workspace.home)
        if running is not None:
            return running
        if process.returncode is not None:
            break
        time.sleep(0.01)
    raise WorkerNotStarted(f"The worker did not start; its log {log_path} ends: {_last_line(log_path, begins_at)}")


def _last_line(path: Path, begins_at: int) -> str:
    with path.open("rb") as log:
        log.seek(begins_at)
        lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
