"""A person at a real terminal: runs the program in a pseudo-terminal, presses keys and reads the screen."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Self

import pexpect
import pyte

PRIVATE_SEQUENCES = re.compile(rb"\x1b\[[>=<][0-9;:]*[a-zA-Z]")
"""Sequences pyte takes for others, such as the keyboard protocol's."""
ARROWS = {"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D"}
KEYS = {"enter": "\r", "tab": "\t", "escape": "\x1b", "ctrl+g": "\x07", **ARROWS}


class Terminal:
    def __init__(self, home: Path, *arguments: str, columns: int = 120, rows: int = 36) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = bytearray()
        """All that the program wrote to the terminal, to the byte."""
        # COLUMNS and LINES, which the test runner may set, would outdo the terminal's own size.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment = {**inherited, "LAB_HOME": str(home), "LAB_CONFIG": str(home.parent / "config"), "TERM": "xterm-256color"}
        self.program = pexpect.spawn(sys.executable, ["-m", "lab.cli", *arguments], env=environment, dimensions=(rows, columns), timeout=5)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.program.send(KEYS.get(key, key))
            self._read(0.15)

    def see(self, words: str, seconds: float = 60) -> str:
        """Wait until the words are on the screen; fails with what is there instead."""
        end = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < end, f"never saw {words!r} on:\n{self.text}"
            assert self.program.isalive() or words in self.text, f"the program ended before {words!r}:\n{self.text}"
            self._read(0.2)
        return self.text

    def quit(self) -> int:
        """Press q and wait for the end. Returns the exit status."""
        self.press("q")
        end = time.monotonic() + 1.0
        while time.monotonic() < end and self.program.isalive() and "Hand over" not in self.text:
            self._read(0.1)
        if self.program.isalive():
            self.program.send("h")
        self.program.expect(pexpect.EOF, timeout=20)
        self.program.close()
        return int(self.program.exitstatus if self.program.exitstatus is not None else -(self.program.signalstatus or 0))

    def _read(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                data = self.program.read_nonblocking(65536, timeout=left)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return
            self.sent += data
            self._stream.feed(PRIVATE_SEQUENCES.sub(b"", data))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.program.close(force=True)
