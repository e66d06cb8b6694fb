"""The plan's rate, by the server's clock: never a call too many, with several threads, several processes, and one killed midway."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from lab.market.polygon.line import PolygonLine
from lab.market.polygon.pace import Pace
from lab.market.polygon.reference import market_status
from tests.market.polygon_server import KEY, Polygon, Reply, serving

CALLS, WINDOW = 4, 0.6
"""The plan of these tests: four calls in 0.6 seconds."""


def never_too_many(times: list[float], calls: int = CALLS, window: float = WINDOW) -> bool:
    ordered = sorted(times)
    return all(later - earlier >= window for earlier, later in zip(ordered, ordered[calls:], strict=False))


def caller(url: str, path: Path, count: int) -> subprocess.Popen[bytes]:
    """A process that asks for the market's state so many times."""
    code = (
        "import sys; from pathlib import Path; from pydantic import SecretStr; from lab.market.polygon.line import PolygonLine;"
        "from lab.market.polygon.pace import Pace; from lab.market.polygon.reference import market_status;"
        f"line = PolygonLine(SecretStr({KEY!r}), {url!r}, {CALLS}, pace=Pace({CALLS}, Path({str(path)!r}), window_seconds={WINDOW}));"
        f"[market_status(line, lambda _: None) for _ in range({count})]"
    )
    return subprocess.Popen([sys.executable, "-c", code])


def test_two_processes_together_never_make_more_calls_than_the_plan_allows(tmp_path: Path) -> None:
    with serving(Polygon()) as polygon:
        both = [caller(polygon.url, tmp_path / "calls", 9) for _ in range(2)]
        assert [process.wait(60) for process in both] == [0, 0]
        assert len(polygon.times) == 18
        assert never_too_many(polygon.times)
        assert max(polygon.times) - min(polygon.times) < 4 * WINDOW + 3


def test_threads_over_one_line_keep_the_rate_even_where_the_server_is_slow(tmp_path: Path) -> None:
    """A call that takes long may arrive late: it counts from its end."""

    def slow(reply: Reply) -> None:
        time.sleep(0.2)

    with serving(Polygon(any_call={2: slow, 5: slow})) as polygon:
        line = PolygonLine(SecretStr(KEY), polygon.url, CALLS, pace=Pace(CALLS, tmp_path / "calls", window_seconds=WINDOW))
        threads = [threading.Thread(target=lambda: [market_status(line, lambda _: None) for _ in range(4)]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(polygon.times) == 12
        assert never_too_many(polygon.times)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


def test_a_call_counts_from_its_end_for_a_whole_window(tmp_path: Path, clock: Time) -> None:
    pace = Pace(1, tmp_path / "calls", clock, 60.0)
    first, wait = pace.take()
    assert wait == 0
    clock.now += 50
    assert pace.take()[1] > 0
    clock.now += 40
    assert pace.take()[1] > 0, "under way for longer than a window, and not arrived for all we know"
    pace.end(first)
    assert pace.take()[1] == pytest.approx(60)
    clock.now += 60
    assert pace.take()[1] == 0


def test_a_call_of_a_process_that_was_killed_does_not_block_for_ever(tmp_path: Path, clock: Time) -> None:
    path = tmp_path / "calls"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(20)
    path.write_text(f'[["a", {gone.pid}, 999.0, false]]')
    pace = Pace(1, path, clock, 60.0)
    assert pace.take()[1] == pytest.approx(60), "it may have called until just now"
    clock.now += 60
    assert pace.take()[1] == 0


@pytest.mark.parametrize("content", ["[[", "{}", '[["a"]]', "\x00" * 50, "7"])
def test_a_torn_file_counts_as_all_calls_used(tmp_path: Path, clock: Time, content: str) -> None:
    path = tmp_path / "calls"
    path.write_text(content)
    pace = Pace(2, path, clock, 60.0)
    assert pace.take()[1] == pytest.approx(60)
    clock.now += 60
    assert pace.take()[1] == 0


def test_a_clock_set_back_frees_nothing_and_blocks_nothing_for_ever(tmp_path: Path, clock: Time) -> None:
    pace = Pace(1, tmp_path / "calls", clock, 60.0)
    pace.end(pace.take()[0])
    clock.now -= 500
    assert pace.take()[1] == pytest.approx(60)
    clock.now += 60
    assert pace.take()[1] == 0


def test_a_plan_without_a_limit_never_waits_and_writes_nothing(tmp_path: Path) -> None:
    pace = Pace(0, tmp_path / "calls")
    assert [pace.take() for _ in range(100)] == [("", 0.0)] * 100
    assert not (tmp_path / "calls").exists()
