"""Fetching from the command line as it really runs: a process of its own that a person or a crash can stop at any moment."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lab.market import BarsCache
from lab.store.workspace import Workspace
from lab.work.fetcher import fetcher_pid
from tests.market.polygon_server import KEY, Polygon, Reply, serving, some_bars

FIRST, LAST = date(2024, 7, 1), date(2024, 7, 12)
SPAN = ["--from", str(FIRST), "--to", str(LAST), "--timeframe", "5m"]


class Program:
    """`lab` in a workspace of its own, over a server of its own."""

    def __init__(self, home: Path, polygon: Polygon) -> None:
        self.home, self.polygon = home, polygon
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
        self.environment = {
            **kept,
            "LAB_HOME": str(home),
            "LAB_CONFIG": str(home.parent / "config"),
            "LAB_POLYGON_URL": polygon.url,
            "LAB_POLYGON_CALLS_PER_MINUTE": "0",
            "POLYGON_API_KEY": KEY,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "lab.cli", "data", *arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment, stdin=subprocess.DEVNULL
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def stamps(self, ticker: str) -> list[int]:
        bars, lost = BarsCache(Workspace(self.home).bars).read_undamaged(ticker, "5m")
        assert not lost
        return bars["timestamp"].sort().dt.epoch("ms").to_list()

    def sent(self, ticker: str) -> list[int]:
        return [int(bar["t"]) for bar in self.polygon.bars[ticker]]


@pytest.fixture
def polygon() -> Iterator[Polygon]:
    bars = {"AAPL": some_bars(FIRST, LAST, 5), "MSFT": some_bars(FIRST, LAST, 5, price=400.0)}
    with serving(Polygon(bars, page_size=200)) as server:
        yield server


@pytest.fixture
def program(tmp_path: Path, polygon: Polygon) -> Iterator[Program]:
    opened = Program(tmp_path / "home", polygon)
    yield opened
    pid = fetcher_pid(opened.home)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def held(polygon: Polygon, page: int) -> tuple[threading.Event, threading.Event]:
    asked, go_on = threading.Event(), threading.Event()

    def hold(reply: Reply) -> None:
        asked.set()
        go_on.wait(30)

    polygon.faults[page] = hold
    return asked, go_on


@pytest.mark.slow
def test_a_killed_fetch_goes_on_without_a_gap_and_without_a_second_download(program: Program, polygon: Polygon) -> None:
    asked, go_on = held(polygon, 4)
    command = program.start("fetch", "AAPL", *SPAN)
    assert asked.wait(60)
    fetcher = fetcher_pid(program.home)
    assert fetcher is not None
    environment = Path(f"/proc/{fetcher}/environ").read_bytes() + Path(f"/proc/{fetcher}/cmdline").read_bytes()
    assert KEY.encode() not in environment, "the key goes through a pipe"
    command.kill()
    command.communicate(timeout=60)
    os.kill(fetcher, signal.SIGKILL)
    go_on.set()
    assert not BarsCache(Workspace(program.home).bars).has("AAPL", "5m"), "never a short series"

    polygon.faults.clear()
    before = len(polygon.pages)
    status, out, err = program.run("resume", "1")
    assert status == 0, err
    assert program.stamps("AAPL") == program.sent("AAPL")
    pages = -(-len(program.sent("AAPL")) // polygon.page_size)
    assert len(polygon.pages) - before == pages - 3, "the three pages that had come were not asked for again"
    assert len(polygon.asked_for("/v3/reference/splits")) == 1
    assert "as the universe AAPL 5m 2024-07-01 to 2024-07-12" in out

    written = [path for path in program.home.rglob("*") if path.is_file()]
    assert written
    assert all(KEY.encode() not in path.read_bytes() for path in written), "the key is in no log, no database, no page"
    assert KEY not in out + err


@pytest.mark.slow
def test_a_line_that_drops_leaves_the_fetch_running_and_another_terminal_sees_it(program: Program, polygon: Polygon) -> None:
    asked, go_on = held(polygon, 2)
    command = program.start("fetch", "AAPL", "MSFT", *SPAN, "--name", "two")
    assert asked.wait(60)
    command.send_signal(signal.SIGHUP)
    command.communicate(timeout=20)
    _, out, _ = program.run("fetches", "--json")
    (view,) = json.loads(out)
    assert (view["state"], view["interrupted"]) == ("running", False)
    go_on.set()
    wait_for(program, "finished")
    assert program.stamps("MSFT") == program.sent("MSFT")


@pytest.mark.slow
def test_ctrl_c_pauses_and_the_same_command_goes_on(program: Program, polygon: Polygon) -> None:
    asked, go_on = held(polygon, 3)
    command = program.start("fetch", "AAPL", *SPAN)
    assert asked.wait(60)
    time.sleep(0.5)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=30)
    go_on.set()
    assert command.returncode == 130
    assert "lab data resume 1 goes on" in err
    wait_for(program, "paused")
    polygon.asked.clear()
    status, _, err = program.run("fetch", "AAPL", *SPAN)
    assert status == 0, err
    assert program.stamps("AAPL") == program.sent("AAPL")
    whole = -(-len(program.sent("AAPL")) // polygon.page_size)
    # The third page was under way when it paused: it may have come and been kept, or is asked for again.
    assert whole - 3 <= len(polygon.pages) <= whole - 2


@pytest.mark.slow
def test_without_a_key_or_with_an_unknown_ticker_it_says_so_and_a_kept_key_is_used(program: Program, polygon: Polygon) -> None:
    del program.environment["POLYGON_API_KEY"]
    status, out, err = program.run("fetch", "AAPL", *SPAN)
    assert (status, out) == (1, "")
    assert "set POLYGON_API_KEY" in err
    config = program.home.parent / "config"
    config.mkdir()
    (config / "polygon.key").write_text(KEY)
    status, _, err = program.run("fetch", "AAPL,NOPE", *SPAN)
    assert status == 1
    assert "no bars of NOPE" in err
    assert "lab data resume 1 goes on" in err
    assert program.stamps("AAPL") == program.sent("AAPL")


def wait_for(program: Program, state: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        with sqlite3.connect(f"file:{program.home / 'lab.sqlite3'}?mode=ro", uri=True, timeout=30) as database:
            now = database.execute("select state from data_fetches").fetchone()[0]
        if now == state:
            return
        assert time.monotonic() < end, f"the fetch stays {now}"
        time.sleep(0.05)
