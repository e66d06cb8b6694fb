"""The process that fetches: one a workspace, on its own, so that a fetch goes on when the program that started it is closed.

`python -m lab.work.fetcher HOME` takes the key from its standard input, else from where the person keeps it. The key is in no
command line and in no environment of this process, and no other process of the lab gets it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pydantic import SecretStr

from lab.agents.fetch_lock import fetcher_lock
from lab.store.errors import StoreError, folder_error
from lab.store.filelock import FileLock, holding, note
from lab.store.workspace import FILE_MODE, Workspace
from lab.work.errors import WorkerNotStarted
from lab.work.priority import stand_back
from lab.work.processes import alive
from lab.work.spawning import clean_environment

_START_SECONDS = 15.0
_LARGEST_LOG_BYTES = 1024 * 1024
_NICENESS = 5
_LONGEST_KEY = 1000
_RESTARTS = 2
_GONE_SECONDS = 1.0
"""A fetcher that has just been started, or ends well, holds no lock for a moment."""
_SETTINGS = ("LAB_HOME", "LAB_CONFIG", "LAB_POLYGON_URL", "LAB_POLYGON_CALLS_PER_MINUTE", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
"""What of the person's environment it needs to find the key that is kept and the vendor; none of them holds a secret."""


def fetcher_pid(home: Path) -> int | None:
    """The process id of the workspace's fetcher, or None where none is alive."""
    path = fetcher_lock(Workspace(home))
    said = note(path)
    if not said.isdigit() or not alive(int(said)):
        return None
    lock = FileLock(path)
    if lock.acquire():
        lock.release()
        return None
    return int(said)


def ensure_fetcher(home: Path, key: SecretStr | None = None) -> None:
    """Starts the workspace's fetcher unless it is alive.

    Call it after `Lab.fetches.start`, `update` or `resume`. `key` is handed over through a pipe; without it the fetcher takes the
    one that is kept. Raises `WorkerNotStarted` with what its log says, or `StoreError`. Not in an event loop: it waits for a start.
    """
    workspace = Workspace(home.absolute()).open()
    with holding(workspace.locks / "fetcher-launch.lock", _START_SECONDS * 2):
        if fetcher_pid(workspace.home) is None:
            _start(workspace, key)


class Keeper:
    """Starts the fetcher, and again where it is gone while a fetch is watched; twice at most."""

    def __init__(self, home: Path, key: SecretStr | None) -> None:
        self._home, self._key = home, key
        self._left = _RESTARTS
        self._gone_since: float | None = None
        ensure_fetcher(home, key)

    def look(self, interrupted: bool) -> None:
        """Call it while watching, with `FetchView.interrupted`. Raises `WorkerNotStarted` where the fetcher ends again and again."""
        if not interrupted:
            self._gone_since = None
            return
        self._gone_since = self._gone_since or time.monotonic()
        if time.monotonic() - self._gone_since < _GONE_SECONDS:
            return
        if self._left == 0:
            raise WorkerNotStarted("The fetching process ends again and again; logs/fetch.log in the workspace says why.")
        self._left -= 1
        self._gone_since = None
        ensure_fetcher(self._home, self._key)


def _start(workspace: Workspace, key: SecretStr | None) -> None:
    log_path = workspace.logs / "fetch.log"
    try:
        if log_path.exists() and log_path.stat().st_size > _LARGEST_LOG_BYTES:
            log_path.replace(log_path.with_suffix(".log.1"))
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise folder_error(error, log_path) from error
    settings = {name: os.environ[name] for name in _SETTINGS if name in os.environ}
    try:
        begins_at = os.fstat(log).st_size
        # -P and the workspace as its folder: what happens to lie where the person stands is not imported.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.work.fetcher", str(workspace.home)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=workspace.home,
            env={**clean_environment(os.environ), **settings},
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerNotStarted(f"The fetching process could not be started: {error.strerror or error}.") from error
    finally:
        os.close(log)
    assert process.stdin is not None
    try:
        with process.stdin as pipe:
            pipe.write((key.get_secret_value().strip() if key is not None else "").encode() + b"\n")
    except BrokenPipeError:
        pass  # it has ended already; its log says why
    # Waits for the child to end, so that it does not stay in the process table while this program goes on.
    threading.Thread(target=process.wait, name="lab-fetcher-wait", daemon=True).start()
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        # One that has done its work and ended well was there, too.
        if process.returncode == 0 or fetcher_pid(workspace.home) is not None:
            return
        if process.returncode is not None:
            break
        time.sleep(0.01)
    raise WorkerNotStarted(f"The fetching process did not start; its log {log_path} ends: {_last_line(log_path, begins_at)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.work.fetcher", description="Does the queued fetches of a workspace.")
    parser.add_argument("home", type=Path, help="the workspace folder")
    home: Path = parser.parse_args().home
    given = sys.stdin.readline(_LONGEST_KEY).strip()
    os.umask(0o077)
    stand_back(_NICENESS)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s [%(process)d] %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("lab").setLevel(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _fetch(home, given, stop)
    except StoreError as error:
        print(error, file=sys.stderr)  # noqa: T201  (standard error is the fetcher's log)
        return 1
    return 0


def _fetch(home: Path, given: str, stop: threading.Event) -> None:
    from lab.agents.fetch_run import Wire, run_fetches
    from lab.agents.keys import FILE, polygon_key
    from lab.settings import Settings
    from lab.store.database import Store

    settings = Settings()
    key = SecretStr(given) if given else polygon_key(settings.config / FILE)
    workspace = Workspace(home)
    with Store(workspace) as store:
        run_fetches(workspace, store, Wire(key or SecretStr(""), settings.polygon_url), stop)


def _last_line(path: Path, begins_at: int) -> str:
    with path.open("rb") as log:
        log.seek(begins_at)
        lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


if __name__ == "__main__":
    sys.exit(main())
