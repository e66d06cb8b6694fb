"""Real programs in real terminals: two on one workspace, one whose size never rests, one within tmux."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


class Screen:
    """A program in a pseudo-terminal, and what a person sees of it."""

    def __init__(self, home: Path, rows: int = 24, columns: int = 100) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        environment = {**os.environ, **ENVIRONMENT, "LAB_HOME": str(home), "LAB_CONFIG": str(home / "config")}
        environment.pop("TMUX", None)
        self.child = pexpect.spawn(
            sys.executable, ["-m", "lab.cli"], cwd=str(ROOT), dimensions=(rows, columns), env=environment, timeout=30
        )

    def send(self, keys: str) -> None:
        self.child.send(keys)

    def resize(self, rows: int, columns: int) -> None:
        self._screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def look(self, seconds: float = 0.02) -> None:
        try:
            data = self.child.read_nonblocking(100_000, timeout=seconds)
        except pexpect.TIMEOUT:
            return
        # pyte takes CSI > and CSI = for colours

        self._stream.feed(re.sub(rb"\x1b\[[>=<][0-9;:]*[a-zA-Z]", b"", data))

    def until(self, condition: Callable[[str], bool], seconds: float = 30.0) -> float:
        """Wait until what is seen is so; the seconds it took."""
        start = time.monotonic()
        while not condition(self.text):
            assert time.monotonic() - start < seconds, self.text
            self.look()
        return time.monotonic() - start

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture
def home(learned_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(learned_home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def opened(home: Path) -> Iterator[Callable[[], Screen]]:
    screens: list[Screen] = []

    def open_one() -> Screen:
        screens.append(Screen(home))
        screens[-1].until(lambda text: "VWAP Guardian" in text)
        return screens[-1]

    yield open_one
    for screen in screens:
        screen.close()


@pytest.mark.slow
def test_a_decision_made_in_one_terminal_shows_in_the_other_and_neither_waits(opened: Callable[[], Screen]) -> None:
    one, other = opened(), opened()
    other.until(lambda text: "1 to approve" in text)
    one.send("p")
    one.until(lambda text: "Approvals" in text and "Apply" in text)
    other.send("?")
    other.until(lambda text: "Keys: Agents" in text)
    other.send("?")
    other.until(lambda text: "Keys: Agents" not in text)
    one.send("a")
    one.until(lambda text: "Applied" in text)
    took = other.until(lambda text: "1 to approve" not in text)
    assert took < 3  # a second and what a busy machine adds
    other.send("q")
    other.child.expect(pexpect.EOF)
    one.send("\x1b")
    one.until(lambda text: "lab  Agents" in text)


@pytest.mark.slow
def test_a_storm_of_sizes_leaves_a_whole_picture(opened: Callable[[], Screen]) -> None:
    screen = opened()
    chance = random.Random(5)
    for _ in range(80):
        screen.resize(chance.randint(3, 70), chance.randint(10, 220))
        screen.send(chance.choice("jk"))
        screen.look(0.01)
    screen.resize(24, 100)
    screen.until(lambda text: "lab  Agents" in text and "VWAP Guardian" in text and "q Quit" in text)
    lines = screen.text.split("\n")
    assert lines[0].startswith(" lab  Agents")
    assert "q Quit" in lines[23]
    assert sum("lab  Agents" in line for line in lines) == 1, "nothing of an older size is left"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_within_tmux_it_works_and_what_is_copied_is_in_its_buffer(home: Path, tmp_path: Path) -> None:
    socket = str(tmp_path / "tmux")

    def tmux(*words: str) -> str:
        done = subprocess.run(["tmux", "-S", socket, "-f", "/dev/null", *words], capture_output=True, text=True, check=False)
        return done.stdout

    command = f"cd {ROOT} && LAB_HOME={home} LAB_CONFIG={home}/config {sys.executable} -m lab.cli"
    environment = {**{name: value for name, value in os.environ.items() if name != "TMUX"}, "LANG": "C.UTF-8"}
    subprocess.run(
        ["tmux", "-S", socket, "-f", "/dev/null", "-u", "new-session", "-d", "-x", "100", "-y", "30", command], env=environment, check=True
    )
    try:

        def seen(words: str, look: Callable[[], str]) -> None:
            end = time.monotonic() + 30
            while words not in look():
                assert time.monotonic() < end, look()
                time.sleep(0.05)

        seen("VWAP Guardian", lambda: tmux("capture-pane", "-p"))
        tmux("send-keys", "y")
        seen("Copied:", lambda: tmux("capture-pane", "-p"))
        seen("VWAP Guardian", lambda: tmux("show-buffer"))
        tmux("resize-window", "-x", "80", "-y", "24")
        tmux("send-keys", "?")
        seen("Keys: Agents", lambda: tmux("capture-pane", "-p"))
        tmux("send-keys", "q", "q")
    finally:
        tmux("kill-server")
