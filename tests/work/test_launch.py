"""Starting the worker: one a workspace, however many ask, and gone when there is nothing to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.store.errors import FolderError
from lab.store.filelock import FileLock
from lab.store.workspace import Workspace
from lab.work import launch
from lab.work.errors import WorkerNotStarted
from lab.work.launch import ensure_worker, let_worker_end, worker_lock, worker_pid
from tests.work.fakes import add_iterations, statuses


@pytest.fixture
def ended(home: Path) -> Iterator[None]:
    """Ends the worker that the test started."""
    yield
    pid = worker_pid(home)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def wait_until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.usefixtures("ended")
def test_many_asking_at_once_start_one_worker_of_its_own_session(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_API_KEY", "aSecretKey")
    with ThreadPoolExecutor(6) as several:
        pids = set(several.map(lambda _: ensure_worker(home), range(6)))
    assert len(pids) == 1
    (pid,) = pids
    assert pid == worker_pid(home)
    assert os.getsid(pid) == pid
    assert ensure_worker(home) == pid
    environment = Path(f"/proc/{pid}/environ")
    assert not environment.exists() or b"aSecretKey" not in environment.read_bytes(), "it fetches nothing"
    share = Path(f"/proc/{pid}/autogroup")
    assert not share.exists() or share.read_text().endswith("nice 10\n"), "its whole session stands back behind the interface's"
    assert {path.stat().st_mode & 0o777 for path in home.rglob("*") if path.is_file()} == {0o600}


@pytest.mark.usefixtures("ended")
def test_several_programs_asking_at_once_start_one_worker(home: Path) -> None:
    ask = "import sys, pathlib; from lab.work.launch import ensure_worker; print(ensure_worker(pathlib.Path(sys.argv[1])))"
    programs = [subprocess.Popen([sys.executable, "-c", ask, str(home)], stdout=subprocess.PIPE) for _ in range(3)]
    assert len({program.communicate(timeout=30)[0] for program in programs}) == 1


@pytest.mark.usefixtures("ended")
def test_the_worker_runs_what_is_queued_and_a_killed_one_is_replaced(home: Path) -> None:
    first = ensure_worker(home)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: worker_pid(home) is None)
    add_iterations(home, 1)
    assert ensure_worker(home) != first
    # There are no bars, so the loop of the lab ends it with a sentence; that it was taken is what counts here.
    wait_until(lambda: statuses(home) != ["queued"])


@pytest.mark.usefixtures("ended")
def test_told_to_stop_the_worker_goes_within_a_second_or_two(home: Path) -> None:
    os.kill(ensure_worker(home), signal.SIGTERM)
    wait_until(lambda: worker_pid(home) is None, seconds=5)


@pytest.mark.usefixtures("ended")
def test_told_that_nobody_needs_it_a_worker_ends_at_once_but_not_before_its_work_is_done(home: Path) -> None:
    add_iterations(home, 1)
    pid = ensure_worker(home)
    let_worker_end(home)  # however early: while it still starts
    wait_until(lambda: worker_pid(home) is None, seconds=10)
    assert statuses(home) != ["queued"], "there are no bars, so the loop of the lab ended it with a sentence"
    assert ensure_worker(home) != pid
    time.sleep(0.5)
    let_worker_end(home)
    wait_until(lambda: worker_pid(home) is None, seconds=5)


def test_a_worker_without_work_ends_by_itself(home: Path) -> None:
    Workspace(home).open()
    done = subprocess.run([sys.executable, "-m", "lab.work", str(home), "--idle-seconds", "0.2"], timeout=20, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_second_worker_leaves_at_once(home: Path) -> None:
    Workspace(home).open()
    lock = FileLock(worker_lock(home))
    assert lock.acquire()
    done = subprocess.run([sys.executable, "-m", "lab.work", str(home)], timeout=20, capture_output=True)
    lock.release()
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_worker_that_can_not_start_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Workspace(home).open()
    monkeypatch.setattr(launch.sys, "executable", "/bin/false")
    with pytest.raises(WorkerNotStarted, match=r"its log .*worker.log ends: nothing"):
        ensure_worker(home)


def test_a_folder_that_can_not_be_used_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(FolderError, match="a file stands in its place"):
        ensure_worker(tmp_path / "home")


def test_asking_for_a_worker_loads_no_database_layer_and_no_data_frames() -> None:
    heavy = "{'sqlmodel', 'sqlalchemy', 'polars', 'pydantic', 'textual'}"
    look = f"import sys, lab.work.launch; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"
