"""A process that has imported everything and forks others from it: real processes to kill, at a hundredth of a program's start."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Threads of a library would not live on in a forked process."""


class Child:
    """A forked process, as its test sees it."""

    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid, self._nursery = pid, nursery
        self.over = threading.Event()
        self.status: int | None = None
        """0 when it ended well, the negative number of the signal that ended it, else its exit status; None while it runs."""

    def kill(self) -> None:
        """End it with SIGKILL, if it still runs."""
        self._nursery.tell({"kill": self.pid})

    def wait(self, seconds: float) -> int:
        if not self.over.wait(seconds):
            raise TimeoutError(f"process {self.pid} did not end within {seconds:.0f} s")
        assert self.status is not None
        return self.status


class Nursery:
    """Starts functions, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self.log = process, log
        self._children: dict[int, Child] = {}
        self._born: list[int] = []
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, function: str, *arguments: Any, environment: Mapping[str, str] | None = None) -> Child:
        """Run `module:function(*arguments)`; the arguments have to be JSON."""
        with self._news:
            known = len(self._born)
            self.tell({"start": function, "arguments": arguments, "environment": dict(environment or {})})
            if not self._news.wait_for(lambda: len(self._born) > known, 900):
                raise TimeoutError(f"no process was started; {self.log} says: {self.log.read_text()[-2000:]}")
            return self._children[self._born[known]]

    def tell(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._news:
                if "born" in said:
                    self._children[said["born"]] = Child(said["born"], self)
                    self._born.append(said["born"])
                else:
                    child = self._children[said["over"]]
                    child.status = said["status"]
                    child.over.set()
                self._news.notify_all()


@contextmanager
def nursery(log: Path, *modules: str) -> Iterator[Nursery]:
    """A process that has imported these modules. All it started end with it."""
    environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            env=environment,
        )
    with process:
        try:
            yield Nursery(process, log)
        finally:
            process.kill()


# --- in the process itself


def _serve(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    news, tell_news = os.pipe()
    os.set_blocking(tell_news, False)
    signal.set_wakeup_fd(tell_news)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    alive: set[int] = set()
    buffered = b""
    while True:
        ready, _, _ = select.select([0, news], [], [])
        if news in ready:
            os.read(news, 4096)
            _bury(alive)
        if 0 not in ready:
            continue
        data = os.read(0, 65536)
        if not data:
            return
        *lines, buffered = (buffered + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "kill" in command:
                # Only this process buries them, so the number can't be another's by now.
                if command["kill"] in alive:
                    os.kill(command["kill"], signal.SIGKILL)
            else:
                pid = _fork(command)
                alive.add(pid)
                _say({"born": pid})


def _bury(alive: set[int]) -> None:
    for pid in [*alive]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            alive.remove(pid)
            _say({"over": pid, "status": os.waitstatus_to_exitcode(status)})


def _say(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _fork(command: Mapping[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.environ.update(command["environment"])
        module, _, function = command["start"].partition(":")
        getattr(importlib.import_module(module), function)(*command["arguments"])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1:])
