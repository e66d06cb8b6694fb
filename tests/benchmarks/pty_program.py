"""A program in a pseudo-terminal, timed from outside: when what it sends arrives, how much that is, and what its process uses."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from tests.benchmarks.measuring import ROOT

_TICKS = os.sysconf("SC_CLK_TCK")
KEYS = {"down": b"\x1b[B", "up": b"\x1b[A", "enter": b"\r", "escape": b"\x1b"}


class PtyProgram:
    """A command at a terminal of its own. What it sends is read by a thread as fast as it comes, or as fast as a slow line lets it."""

    def __init__(
        self,
        arguments: Sequence[str],
        home: Path,
        *,
        columns: int = 120,
        rows: int = 40,
        bytes_per_second: int | None = None,
        prepare: Callable[[], None] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        """`arguments` are Python's; `prepare` runs in the child before it."""
        self.master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.cooked = termios.tcgetattr(self._slave)
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "PYTHONDONTWRITEBYTECODE")}
        extra = {"LAB_HOME": str(home), "LAB_CONFIG": str(home.parent / "config"), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        slave = self._slave

        def start() -> None:
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            if prepare is not None:
                prepare()

        self.data = bytearray()
        self.arrivals: list[tuple[float, int]] = []
        """(moment, bytes received up to then)."""
        self._changed = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._bytes_per_second = bytes_per_second
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=start,
            env={**inherited, **extra, **(environment or {})},
        )
        self.ended_at: float | None = None
        self._hung_up = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, daemon=True).start()

    # What arrives

    def _read(self) -> None:
        while not self._hung_up:
            self._reading.wait()
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self.master, 65536 if self._bytes_per_second is None else 256)
            except OSError:
                return
            if not data:
                return
            if self._bytes_per_second is not None:
                time.sleep(len(data) / self._bytes_per_second)
            with self._changed:
                self.data += data
                self.arrivals.append((time.perf_counter(), len(self.data)))
                self._changed.notify_all()

    def _wait(self) -> None:
        self.process.wait()
        self.ended_at = time.perf_counter()

    def stop_reading(self) -> None:
        self._reading.clear()

    def go_on_reading(self) -> None:
        self._reading.set()

    def until(self, words: str | bytes, since: int = 0, seconds: float = 60) -> float:
        """Wait until the words have come after the first `since` bytes. Returns the moment in which their last byte came."""
        wanted = words.encode() if isinstance(words, str) else words
        end = time.monotonic() + seconds
        with self._changed:
            while (place := self.data.find(wanted, since)) < 0:
                left = end - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and left < seconds - 1):
                    raise AssertionError(f"never sent {words!r}; the last bytes: {bytes(self.data[-600:])!r}")
                self._changed.wait(min(left, 0.5))
            return next(moment for moment, received in self.arrivals if received >= place + len(wanted))

    def settle(self, quiet: float = 0.5, seconds: float = 30) -> None:
        """Wait until nothing has come for `quiet` seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = len(self.data)
            time.sleep(quiet)
            if len(self.data) == before:
                return
        raise AssertionError("it never stopped sending")

    # What is typed

    def press(self, key: str) -> float:
        """Returns the moment just before it."""
        moment = time.perf_counter()
        os.write(self.master, KEYS.get(key, key.encode()))
        return moment

    def key_to_screen(self, key: str, words: str, seconds: float = 5) -> float:
        """Seconds from a key to the arrival of the words that it brings."""
        since = len(self.data)
        pressed = self.press(key)
        return self.until(words, since, seconds) - pressed

    # What the process uses

    def resident_mib(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the process is gone")

    def cpu_seconds(self, children: bool = True) -> float:
        """Processor time of the program so far, with that of the processes it started and still has."""
        pids = [self.process.pid, *(self.children() if children else [])]
        return sum(_cpu_seconds(pid) for pid in pids)

    def children(self) -> list[int]:
        """Processes it started, directly or not, that are alive."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = _stat(int(entry.name))
                if fields:
                    parents[int(entry.name)] = int(fields[1])
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    # How it ends

    def line_settings_are_back(self) -> bool:
        """Echo, lines and signals as they were before the program: the terminal is usable."""
        return termios.tcgetattr(self._slave)[:4] == self.cooked[:4]

    def hang_up(self) -> None:
        """Take the terminal away."""
        self._hung_up = True
        self._reader.join()  # a read under way would keep the terminal alive
        os.close(self._slave)
        os.close(self.master)

    def seconds_to_end(self, since: float, at_most: float = 10) -> float:
        """From `since` (a moment of time.perf_counter) to the program's end."""
        self.process.wait(at_most)
        while self.ended_at is None:
            time.sleep(0.001)
        return self.ended_at - since

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if not self._hung_up:
            self._reading.set()
            self.hang_up()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; none where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0
