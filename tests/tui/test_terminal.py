"""In a real pseudo-terminal: how the program ends, and how little it sends."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[pexpect.spawn]:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tests.tui.fake_program", str(tmp_path)],
        cwd=str(ROOT),
        dimensions=(24, 80),
        env={**os.environ, "TERM": "xterm-256color"},
        timeout=20,
    )
    child.expect("VWAP Guardian")
    yield child
    child.close(force=True)


def settle(child: pexpect.spawn, seconds: float = 1.2) -> bytes:
    """What the program sends until it has been quiet for that long."""
    sent = b""
    while True:
        try:
            sent += child.read_nonblocking(100_000, timeout=seconds)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return sent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_program_and_restores_the_terminal(program: pexpect.spawn, number: int) -> None:
    program.kill(number)
    start = time.monotonic()
    program.expect(pexpect.EOF)
    assert time.monotonic() - start < 3
    assert b"\x1b[?1049l" in program.before
    assert b"\x1b[?25h" in program.before
    program.wait()
    assert program.exitstatus == 128 + number


@pytest.mark.parametrize("hup_ignored", [False, True], ids=["SIGHUP as usual", "SIGHUP ignored"])
@pytest.mark.parametrize("controlling", [False, True], ids=["not its controlling terminal", "its controlling terminal"])
def test_a_lost_terminal_ends_the_program_soon(tmp_path: Path, hup_ignored: bool, controlling: bool) -> None:
    ours, theirs = pty.openpty()

    def prepare() -> None:
        if hup_ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if controlling:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    child = subprocess.Popen(
        [sys.executable, "-m", "tests.tui.fake_program", str(tmp_path)],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=prepare,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    try:
        seen, until = b"", time.monotonic() + 20
        while b"VWAP Guardian" not in seen and time.monotonic() < until:
            seen += os.read(ours, 100_000)
        assert b"VWAP Guardian" in seen
        os.close(ours)
        started = time.monotonic()
        assert child.wait(timeout=10) == 128 + signal.SIGHUP
        assert time.monotonic() - started < 3
    finally:
        child.kill()
        child.wait()


def test_quitting_restores_the_terminal_with_status_0(program: pexpect.spawn) -> None:
    settle(program, 0.7)
    program.send("q")
    program.expect("Hand over")
    program.send("h")
    program.expect(pexpect.EOF)
    assert b"\x1b[?1049l" in program.before
    program.wait()
    assert program.exitstatus == 0


def test_nothing_is_sent_while_nothing_changes(program: pexpect.spawn) -> None:
    settle(program)
    assert settle(program, 2.0) == b""


def test_a_cursor_key_costs_few_bytes(program: pexpect.spawn) -> None:
    settle(program)
    program.send("j")
    first = settle(program, 0.4)
    assert 0 < len(first) < 4_000


CRASHING = """
import sys
from pathlib import Path
from lab.tui.app import LabApp
from tests.tui.fake_lab import FakeLab
home = Path(sys.argv[1])
lab = FakeLab(home)
lab.agent = lambda _: 1 / 0
app = LabApp(home, lambda _: lab, lambda _: None, home)
app.run()
sys.exit(app.return_code or 0)
"""


def test_a_crash_is_told_on_lines_of_its_own_after_the_picture_is_gone(tmp_path: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", CRASHING, str(tmp_path)],
        cwd=str(ROOT),
        dimensions=(24, 80),
        env={**os.environ, "TERM": "xterm-256color"},
        timeout=20,
        encoding="utf-8",
    )
    child.expect("VWAP Guardian")
    child.send("\r")
    child.expect(pexpect.EOF)
    picture, left, told = child.before.rpartition("\x1b[?1049l")
    assert left
    assert "\x1b[2J" in picture
    assert "lab stopped on an error it did not expect." in told
    said = [line for line in told.replace("\x1b", "\n\x1b").splitlines() if "lab stopped" in line or "written in" in line]
    assert all(len(line) <= 80 for line in said)
    child.wait()
    assert child.exitstatus == 1
    assert "ZeroDivisionError" in (tmp_path / "logs" / "lab.log").read_text()
