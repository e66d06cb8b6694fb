"""The terminal program's figures, each beside its limit: the real program in a pseudo-terminal, on workspaces as after months of use.

Run: pytest -n0 -s tests/benchmarks/test_terminal.py. LAB_KEY_SECONDS=600 presses keys for ten minutes instead of half of one.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from lab.agents.errors import CannotIterate
from lab.work.lab_client import LabClient, remote_lab
from lab.work.launch import ensure_worker, worker_pid
from tests.benchmarks.big_workspace import make
from tests.benchmarks.measuring import say
from tests.benchmarks.pty_program import PtyProgram

KEY_SECONDS = float(os.environ.get("LAB_KEY_SECONDS", "30"))
LAB = ("-m", "lab.cli")
MINIMAL = """
from textual.app import App
from textual.widgets import Static

class Minimal(App):
    def compose(self):
        yield Static("It is on the screen")

Minimal().run()
"""
NAMES = ["Gap Hunter 1", "Reversal Artist 2", "Range Breaker 3", "VWAP Guardian 4", "Gap Hunter 5", "Reversal Artist 6", "Range Breaker 7"]
"""The first agents of the workspaces, in the order of the dashboard."""
WORKING = tuple(number for number in range(8, 50) if number % 10)
"""Agents that iterate under load: not those the cursor is moved over, nor those with a proposal that waits."""
AT_ONCE = 8
PAINT_ROUNDS = 5
LARGER = 1.2
"""What the larger workspace may take of the smaller one's limits."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 agents, 2,000 iterations."""
    folder = tmp_path_factory.mktemp("small") / "home"
    make(folder, 50, 2_000)
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 agents, 10,000 iterations."""
    folder = tmp_path_factory.mktemp("large") / "home"
    make(folder, 200, 10_000)
    return folder


class Figures:
    """Lines of figures beside their limits; `check` fails where one is beyond."""

    def __init__(self, title: str) -> None:
        self._lines = [title]
        self._beyond: list[str] = []

    def add(self, what: str, value: float, limit: float | None, unit: str, digits: int = 0) -> None:
        beyond = limit is not None and value > limit
        told = f"at most {limit:,.{digits}f} {unit}" if limit is not None else ""
        line = f"{what:<58} {value:>9,.{digits}f} {unit:<5} {told}{'   BEYOND' if beyond else ''}"
        self._lines.append("  " + line)
        if beyond:
            self._beyond.append(line)

    def check(self, capsys: pytest.CaptureFixture[str]) -> None:
        say(capsys, "\n".join(self._lines))
        assert not self._beyond, "\n".join(self._beyond)


def opened(home: Path, *, arguments: Sequence[str] = LAB, bytes_per_second: int | None = None) -> PtyProgram:
    """The program on its dashboard, everything loaded and drawn, the cursor on the first agent."""
    program = PtyProgram(arguments, home, bytes_per_second=bytes_per_second)
    program.until(NAMES[0])
    time.sleep(3)
    return program


def latencies(program: PtyProgram, seconds: float, every: float = 0.1) -> list[float]:
    """Milliseconds from each key to the row it brings the cursor to, down and up the first agents."""
    found: list[float] = []
    place, step = 0, 1
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if not 0 <= place + step < len(NAMES):
            step = -step
        place += step
        found.append(1_000 * program.key_to_screen("j" if step > 0 else "k", NAMES[place]))
        time.sleep(every)
    return sorted(found)


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def test_first_useful_paint(home: Path, large: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the start of the process to the first agent's row, against a program of one line started in turn with it."""
    spent: dict[str, list[float]] = {"minimal": [], "small": [], "large": []}
    for _ in range(PAINT_ROUNDS):
        for name, arguments, folder, words in (
            ("minimal", ("-c", MINIMAL), home, "It is on the screen"),
            ("small", LAB, home, NAMES[0]),
            ("large", LAB, large, NAMES[0]),
        ):
            with PtyProgram(arguments, folder) as program:
                spent[name].append(program.until(words) - program.began)
    minimal, small, larger = (statistics.median(seconds) for seconds in spent.values())
    figures = Figures("First useful paint (medians)")
    figures.add("a minimal Textual program", minimal, None, "s", 2)
    figures.add("50 agents and 2,000 iterations", small, None, "s", 2)
    figures.add("   of the minimal program's", small / minimal, 1.6, "x", 2)
    figures.add("200 agents and 10,000 iterations, of the minimal program's", larger / minimal, 1.6 * LARGER, "x", 2)
    figures.check(capsys)


@pytest.mark.parametrize(("size", "more"), [("home", 1.0), ("large", LARGER)], ids=["50 agents", "200 agents"])
def test_what_it_sends_and_uses_at_rest(size: str, more: float, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes of cursor keys, then ten seconds of nothing: bytes and processor time, of the interface and of its laboratory's process."""
    with opened(request.getfixturevalue(size)) as program:
        moves, rests = [], []
        for key, name in [*(("j", name) for name in NAMES[1:]), *(("k", name) for name in reversed(NAMES[:-1]))]:
            before = len(program.data)
            program.key_to_screen(key, name)
            time.sleep(0.04)
            moves.append(len(program.data) - before)
            at_rest = len(program.data)
            time.sleep(0.5)
            rests.append(len(program.data) - at_rest)
        time.sleep(2)
        before, used, alone = len(program.data), program.cpu_seconds(), program.cpu_seconds(children=False)
        time.sleep(10)
        sent, used, alone = len(program.data) - before, program.cpu_seconds() - used, program.cpu_seconds(children=False) - alone
        resident = program.resident_mib()
        ends = program.seconds_to_end(program.press("q"))
        assert program.process.returncode == 0
    figures = Figures(f"At rest, {'200 agents and 10,000' if more > 1 else '50 agents and 2,000'} iterations, 120x40")
    figures.add("a cursor key in the table", statistics.median(moves), 400 * more, "bytes")
    figures.add("   and the panes of that agent, once the cursor rests", statistics.median(rests), None, "bytes")
    figures.add("sent in ten seconds of nothing", sent, 0, "bytes")
    figures.add("processor at idle, the interface", 10 * alone, 0.5 * more, "%", 2)
    figures.add("   with the process of its laboratory", 10 * used, None, "%", 2)
    figures.add("resident in the interface", resident, 70 * more, "MiB")
    figures.add("from q to the end", ends, 0.4 * more, "s", 2)
    figures.check(capsys)


class Load:
    """Keeps so many agents of a workspace iterating: queues the next where one has ended, discards what they propose."""

    def __init__(self, home: Path) -> None:
        # In a process of its own: what it does must not hold up the thread that takes the times.
        self._home, self._lab = home, remote_lab(LabClient(home))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_on)
        self._turn = iter(WORKING * 1_000)

    def __enter__(self) -> Load:
        self._fill()
        self._thread.start()
        return self

    def _keep_on(self) -> None:
        while not self._stop.wait(1.0):
            self._fill()

    def _fill(self) -> None:
        for proposal in self._lab.approvals():
            if proposal.agent_id in WORKING:
                self._lab.discard(proposal.id)
        missing = AT_ONCE - self._lab.state().unfinished_iterations
        for agent_id in self._turn if missing > 0 else ():
            try:
                self._lab.start_iteration(agent_id)
            except CannotIterate:
                continue
            missing -= 1
            if missing <= 0:
                break
        ensure_worker(self._home)

    def steps(self) -> int:
        """Steps of iterations that were ever finished."""
        with sqlite3.connect(f"file:{self._home / 'lab.sqlite3'}?mode=ro", uri=True, timeout=30) as database:
            return int(database.execute("SELECT count(*) FROM iteration_steps").fetchone()[0])

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for row in self._lab.standing():
            if row.running_iteration_id is not None:
                with suppress(CannotIterate):  # it ended meanwhile
                    self._lab.cancel_iteration(row.running_iteration_id)
        self._lab.close()
        if (worker := worker_pid(self._home)) is not None:
            os.kill(worker, signal.SIGTERM)


@pytest.fixture(scope="module")
def load(home: Path) -> Iterator[Load]:
    with Load(home) as load:
        end = time.monotonic() + 60
        before = load.steps()
        while load.steps() < before + 8 and time.monotonic() < end:
            time.sleep(0.2)
        yield load


def test_keys_while_eight_agents_iterate(home: Path, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(home) as program:
        before, began = len(program.data), time.perf_counter()
        time.sleep(10)
        rate = (len(program.data) - before) / (time.perf_counter() - began)
        found = latencies(program, KEY_SECONDS)
        resident = program.resident_mib()
    figures = Figures(f"Eight agents iterating: {len(found):,} keys in {KEY_SECONDS:.0f} s")
    for share, limit in ((0.5, 5), (0.95, 15), (0.99, 30)):
        figures.add(f"key to screen, p{100 * share:.0f}", quantile(found, share), limit, "ms", 1)
    figures.add("the slowest key", found[-1], 100, "ms", 1)
    figures.add("sent without a key", rate, 5_000, "B/s")
    figures.add("resident in the interface", resident, 70, "MiB")
    figures.check(capsys)


def test_keys_on_a_slow_line(home: Path, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(home, bytes_per_second=32_000) as program:
        found = latencies(program, 10)
    figures = Figures(f"Eight agents iterating, 32 kB/s: {len(found):,} keys")
    figures.add("key to screen, p50", quantile(found, 0.5), None, "ms", 1)
    figures.add("key to screen, p95", quantile(found, 0.95), 20, "ms", 1)
    figures.check(capsys)


def test_pauses_of_the_event_loop(home: Path, load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "pauses.json"
    with opened(home, arguments=("-m", "tests.benchmarks.probed_program", str(written))) as program:
        latencies(program, 12)
        program.process.send_signal(signal.SIGTERM)
        program.process.wait(20)
    pauses = sorted(1_000 * seconds for seconds in json.loads(written.read_text()))
    figures = Figures(f"Eight agents iterating: the event loop, {len(pauses):,} looks in 12 s of keys")
    figures.add("pause, p50", quantile(pauses, 0.5), None, "ms", 1)
    figures.add("pause, p99", quantile(pauses, 0.99), 20, "ms", 1)
    figures.add("the longest pause", pauses[-1], None, "ms", 1)
    figures.check(capsys)


def test_a_terminal_that_stops_reading_stops_no_agent(home: Path, load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(home) as program:
        program.stop_reading()
        before, halves = load.steps(), []
        for _ in range(2):
            for _ in range(50):
                program.press("T")  # a new theme each: more than a terminal that takes nothing can hold
                time.sleep(0.1)
            halves.append(load.steps())
        program.go_on_reading()
        program.settle(1.0, 60)
        again = program.key_to_screen("j", NAMES[1], 20)
    figures = Figures("A terminal that takes nothing for 10 s")
    figures.add("steps finished in the first half", halves[0] - before, None, "")
    figures.add("steps finished in the second half", halves[1] - halves[0], None, "")
    figures.add("the first key after it", again, None, "s", 2)
    figures.check(capsys)
    assert before < halves[0] < halves[1]


def _ignore_hang_ups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "terminal lost", "terminal lost, SIGHUP ignored"])
def test_how_it_ends(how: str, large: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the signal to the end, the terminal as it was before, and no process left."""
    with PtyProgram(LAB, large, prepare=_ignore_hang_ups if "ignored" in how else None) as program:
        program.until(NAMES[0])
        time.sleep(2)
        children = program.children()
        assert children
        if how.startswith("SIG"):
            since = time.perf_counter()
            program.process.send_signal(signal.Signals[how])
        else:
            program.hang_up()
            since = time.perf_counter()
        seconds = program.seconds_to_end(since)
        if how.startswith("SIG"):
            time.sleep(0.2)
            assert b"\x1b[?1049l" in program.data[-2_000:]
            assert b"\x1b[?25h" in program.data[-2_000:]
            assert program.line_settings_are_back()
        assert program.process.returncode != 0
        end = time.monotonic() + 2
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < end:
            time.sleep(0.01)
        left = [child for child in children if Path(f"/proc/{child}").exists()]
        all_gone = time.perf_counter() - since
    figures = Figures(f"{how}: status {program.process.returncode}")
    figures.add("to the end of the interface", seconds, 0.5, "s", 2)
    figures.add("to the end of its last process", all_gone, None, "s", 2)
    figures.check(capsys)
    assert not left
