"""The plan's rate: never more calls within a minute than it allows, counted over all processes that share one file."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.market.durable import explaining_write_errors, make_folder

WINDOW_SECONDS = 60.5
"""A minute, and a little for clocks that differ."""
_LONGEST_CALL_SECONDS = 180.0
"""A call that is still under way after this was left behind by a machine that went down."""


@dataclass(slots=True)
class _Call:
    id: str
    process: int
    at: float
    """When it began; when it ended, once that is known."""
    ended: bool = False


class Pace:
    """Gives out calls: at most `calls` of them in any `window_seconds`; 0 calls means no limit.

    The server counts a call when it arrives, which is some time between its start and its end. So a call counts from its start
    and for a whole window after its *end*: then no two that are `calls` apart can arrive within one window, however long the
    line takes. A call of a process that was killed in the middle counts as ended when that is noticed.
    """

    def __init__(
        self, calls: int, path: Path | None = None, now: Callable[[], float] = time.time, window_seconds: float = WINDOW_SECONDS
    ) -> None:
        """`path` is the file shared with the other processes; without it only this object is counted. `now` is in seconds and must
        be the same clock in all of them."""
        self.calls = calls
        self._path = path
        self._now = now
        self._window = window_seconds
        self._own: list[_Call] = []
        self._guard = threading.Lock()

    def take(self) -> tuple[str, float]:
        """A call that may start at once, by its id, and 0; or "" and the seconds after which to ask again."""
        if self.calls == 0:
            return "", 0.0
        with self._known() as known:
            now = self._now()
            if len(known) < self.calls:
                mine = _Call(secrets.token_hex(6), os.getpid(), now)
                known.append(mine)
                return mine.id, 0.0
            # The oldest that has ended leaves first; one still under way can't leave before a whole window from now.
            first = min(call.at if call.ended else now for call in known)
            return "", max(0.01, first + self._window - now)

    def end(self, call_id: str) -> None:
        """The call of this id is over, however it ended."""
        if not call_id:
            return
        with self._known() as known:
            for call in known:
                if call.id == call_id:
                    call.at, call.ended = self._now(), True

    @contextmanager
    def _known(self) -> Iterator[list[_Call]]:
        """The calls that still count, held so that nobody else changes them."""
        with self._guard:
            if self._path is None:
                self._own = self._counting(self._own)
                yield self._own
                return
            with explaining_write_errors(self._path.parent), self._file(self._path) as descriptor:
                known = self._counting(self._read(descriptor))
                yield known
                content = json.dumps([[call.id, call.process, call.at, call.ended] for call in known]).encode()
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, content, 0)

    @contextmanager
    def _file(self, path: Path) -> Iterator[int]:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> list[_Call]:
        content = os.pread(descriptor, 1 << 20, 0)
        if not content:
            return []
        try:
            calls = json.loads(content)
            if not isinstance(calls, list):
                raise TypeError(calls)
            return [_Call(str(one[0]), int(one[1]), float(one[2]), bool(one[3])) for one in calls]
        except (ValueError, TypeError, IndexError, KeyError):
            # A writer was killed in the middle: what it knew is lost, so all that could have been called counts.
            return [_Call(secrets.token_hex(6), 0, self._now(), ended=True) for _ in range(self.calls)]

    def _counting(self, known: list[_Call]) -> list[_Call]:
        now = self._now()
        for call in known:
            call.at = min(call.at, now)  # the clock was set back
            if not call.ended and (now - call.at > _LONGEST_CALL_SECONDS or not _alive(call.process)):
                call.at, call.ended = now, True
        return [call for call in known if not call.ended or now - call.at < self._window]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
