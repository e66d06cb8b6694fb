"""The laboratory in a process of its own: it answers the calls of one interface, which then computes and loads nothing itself.

`python -m lab.work.lab_process HOME DESCRIPTOR`, started by `lab.work.lab_client`. It ends with the interface, whatever ends that. What the
first screen shows is read by plain SQL before the database layer is loaded.
"""

from __future__ import annotations

import os
import pickle
import socket
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.agents.standing import Run, Standings, open_read_only
from lab.errors import LabError
from lab.work.priority import stand_back
from lab.work.wire import REMEMBERED, Call, Reply, Report, Reported, Stop, identity, receive, send

if TYPE_CHECKING:
    from lab.agents.service import Lab

AT_ONCE = 6
NICENESS = 3
"""Behind the interface, before the worker: what a person waits for goes before what they don't, but after the next key."""
AT_FIRST = frozenset({"standing", "firm", "curve", "preference"})
"""Calls answered before the laboratory is open."""


class _Desk:
    """Takes calls from the connection, has threads answer them, sends the replies."""

    def __init__(self, home: Path, connection: socket.socket) -> None:
        self._home, self._connection = home, connection
        self._sending = threading.Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, "lab-call")
        self._opening = threading.Lock()
        self._begun = False
        self._lab: Future[Lab] = Future()
        self._first = _FirstReads(home)
        self._stopped: dict[int, Exception] = {}
        self._sent: dict[bytes, tuple[bytes, ...]] = {}

    def serve(self) -> None:
        """Until the interface is gone."""
        if not self._first.ready:
            self._begin_to_open()
        while True:
            message = receive(self._connection)
            if isinstance(message, Stop):
                self._stopped[message.number] = message.error
                continue
            if message.path[0] not in AT_FIRST:
                # Only now: loading everything while the first screen waits for what it shows would hold it up.
                self._begin_to_open()
            self._threads.submit(self._answer, message)

    def _begin_to_open(self) -> None:
        with self._opening:
            if not self._begun:
                self._begun = True
                threading.Thread(target=self._open, name="lab-open", daemon=True).start()

    def _open(self) -> None:
        try:
            from lab.agents.service import Lab
            from lab.settings import Settings
            from lab.work.claude import claude_settings

            self._lab.set_result(Lab(self._home, claude_settings(Settings())))
        except BaseException as error:
            self._lab.set_exception(error)

    def _answer(self, call: Call) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = self._value(call)
        except LabError as failed:
            error = failed
        except BaseException as failed:
            error = RuntimeError("".join(traceback.format_exception(failed)))
        finally:
            self._stopped.pop(call.number, None)
        with self._sending:
            # Parts are left out in the order in which they are sent, which is the order in which the interface remembers them.
            parts, rows = self._parts(call, value) if error is None else ((), None)
            send(self._connection, Reply(call.number, parts, rows, error))

    def _value(self, call: Call) -> Any:
        positional, named = pickle.loads(call.arguments)
        arguments = [self._reporter(call.number, value) for value in positional]
        by_name = {name: self._reporter(call.number, value) for name, value in named.items()}
        if call.path[0] in AT_FIRST and self._first.ready:
            try:
                return getattr(self._first, call.path[0])(*arguments, **by_name)
            except sqlite3.Error:
                # The laboratory itself says in a sentence what is wrong with the database.
                self._first.give_up()
        self._begin_to_open()
        return reduce(getattr, call.path, self._lab.result())(*arguments, **by_name)  # type: ignore[operator]  # a path leads to a function

    def _parts(self, call: Call, value: Any) -> tuple[tuple[bytes | None, ...], type[Any] | None]:
        """The value pickled, without the parts that the interface has from the last reply to the same call."""
        rows = type(value) if type(value) in (list, tuple) else None
        now = tuple(_pickled(row) for row in value) if rows is not None else (_pickled(value),)
        key = identity(call.path, call.arguments)
        before = self._sent.pop(key, ())
        self._sent[key] = now
        while len(self._sent) > REMEMBERED:
            self._sent.pop(next(iter(self._sent)))
        return tuple(part if place >= len(before) or before[place] != part else None for place, part in enumerate(now)), rows

    def _reporter(self, number: int, value: Any) -> Any:
        if not isinstance(value, Report):
            return value

        def report(*arguments: Any) -> None:
            if (error := self._stopped.get(number)) is not None:
                raise error
            with self._sending:
                send(self._connection, Reported(number, value.place, arguments))

        return report


class _FirstReads:
    """The first screen's calls, where the database is there and of this version."""

    def __init__(self, home: Path) -> None:
        self._connection = open_read_only(home)
        self._standings = Standings()
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        return self._connection is not None

    def give_up(self) -> None:
        self._connection = None

    def standing(self) -> Any:
        return self._with(self._standings.rows)

    def firm(self) -> Any:
        return self._with(self._standings.firm)

    def curve(self, agent_id: int) -> Any:
        return self._with(lambda run: self._standings.curve(run, agent_id))

    def preference(self, key: str) -> Any:
        return self._with(lambda run: dict(run("SELECT key, value FROM preferences")).get(key))

    def _with(self, read: Callable[[Run], Any]) -> Any:
        connection = self._connection
        if connection is None:
            raise sqlite3.ProgrammingError("given up")
        with self._lock:
            connection.execute("BEGIN")
            try:
                return read(lambda sql: connection.execute(sql).fetchall())
            finally:
                connection.execute("COMMIT")


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def main() -> None:
    os.umask(0o077)
    stand_back(NICENESS)
    connection = socket.socket(fileno=int(sys.argv[2]))
    try:
        _Desk(Path(sys.argv[1]), connection).serve()
    except EOFError:
        pass
    finally:
        # The interface is gone, and so is everybody who could wait for what is still under way.
        os._exit(0)


if __name__ == "__main__":
    main()
