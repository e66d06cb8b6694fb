"""The laboratory as the interface has it: every call goes to a process of its own, which loads the database and computes.

So that the interface stays small and its event loop free: nothing that a call does holds up a key. Imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lab.errors import LabError
from lab.work.wire import REMEMBERED, Call, Reply, Report, Stop, identity, receive, send

if TYPE_CHECKING:
    from lab.agents.service import Lab


class LabGone(LabError):
    """The process of the laboratory ended in the middle of a call."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call under way."""

    key: bytes
    reports: tuple[Callable[..., object], ...]
    answer: Future[Any]


class LabClient:
    """Starts the process when it is made, and again at the next call after it has ended. Safe to use from any thread."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._count = 0
        self._waiting: dict[int, _Waiting] = {}
        self._known: dict[bytes, list[Any]] = {}
        """By call, the parts of its last reply."""
        self._connection: socket.socket | None = None
        with self._lock:
            self._start()

    def call(self, path: tuple[str, ...], *positional: Any, **named: Any) -> Any:
        """Call a function of the laboratory and wait for its value. Raises what it raises, or LabGone.

        A function among the arguments is called with the progress; where it raises, the call ends with that error.
        """
        reports: list[Callable[..., object]] = []

        def sendable(value: Any) -> Any:
            if not callable(value) or isinstance(value, type):
                return value
            reports.append(value)
            return Report(len(reports) - 1)

        arguments = pickle.dumps((tuple(map(sendable, positional)), {name: sendable(value) for name, value in named.items()}))
        with self._lock:
            if self._connection is None:
                self._start()
            assert self._connection is not None
            self._count += 1
            waiting = self._waiting[self._count] = _Waiting(identity(path, arguments), tuple(reports), Future())
            with contextlib.suppress(OSError):  # the thread that reads sees the same, and answers every call that waits
                send(self._connection, Call(self._count, path, arguments))
        return waiting.answer.result()

    def close(self) -> None:
        """Let the process end."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lab.work.lab_process", str(self._home.absolute()), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A hang-up of the terminal is for the interface, with which the process ends.
                start_new_session=True,
            )
        self._connection = ours
        self._known = {}
        threading.Thread(target=self._read, args=(ours, process), name="lab-replies", daemon=True).start()

    def _read(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
        known = self._known
        try:
            while True:
                message = receive(connection)
                waiting = self._waiting[message.number]
                if isinstance(message, Reply):
                    del self._waiting[message.number]
                    _settle(waiting, message, known)
                else:
                    try:
                        waiting.reports[message.place](*message.arguments)
                    except Exception as error:
                        with self._lock:
                            send(connection, Stop(message.number, error))
        except (EOFError, OSError):
            pass
        process.wait()
        with self._lock:
            if self._connection is connection:
                self._connection = None
            left = [self._waiting.pop(number) for number in list(self._waiting)]
        connection.close()
        for waiting in left:
            waiting.answer.set_exception(LabGone("The process that reads and writes the workspace ended. Try again: it is started anew."))


def _settle(waiting: _Waiting, reply: Reply, known: dict[bytes, list[Any]]) -> None:
    """Put the value together from what was sent and what is known, and give it to whoever waits."""
    if reply.error is not None:
        waiting.answer.set_exception(reply.error)
        return
    before = known.pop(waiting.key, [])
    parts = [before[place] if part is None else pickle.loads(part) for place, part in enumerate(reply.parts)]
    known[waiting.key] = parts
    while len(known) > REMEMBERED:
        known.pop(next(iter(known)))
    waiting.answer.set_result(parts[0] if reply.rows is None else reply.rows(parts))


class _Path:
    """A name of the laboratory, or a name under one: calling it calls the function there."""

    def __init__(self, client: LabClient, path: tuple[str, ...]) -> None:
        self._client, self._path = client, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if not self._path and name == "close":
            return self._client.close
        return _Path(self._client, (*self._path, name))

    def __call__(self, *positional: Any, **named: Any) -> Any:
        return self._client.call(self._path, *positional, **named)


def remote_lab(client: LabClient) -> Lab:
    """The laboratory behind the client. What it is asked for are functions, on itself or on its services; nothing else can be read."""
    return cast("Lab", _Path(client, ()))
