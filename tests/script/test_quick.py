"""The language is quick enough to check while someone types, and light enough to load at start-up."""

from __future__ import annotations

import subprocess
import sys
import time

from lab.script import check, compile_strategy
from tests.script.bars import make_bars
from tests.script.calls import COMPUTED, call_of
from tests.script.test_meaning import EXECUTION_SCRIPT, SCAN


def test_checking_scripts_does_not_load_the_data_libraries() -> None:
    program = (
        "import sys, lab.script as s\n"
        f"assert s.check({SCAN!r}, {EXECUTION_SCRIPT!r}) == ()\n"
        f"s.compile_strategy({SCAN!r}, {EXECUTION_SCRIPT!r}); s.catalogue_text()\n"
        "print([name for name in ('polars', 'numpy', 'pandas', 'textual') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_thirty_line_script_is_checked_while_one_types() -> None:
    lines = [f"line{position} = {call_of(function)}" for position, function in enumerate(COMPUTED[:29])]
    scan = "\n".join([*lines, "long = line1 > line2 and line3 > line4"])
    assert check(scan, EXECUTION_SCRIPT) == ()
    best = 1.0
    for attempt in range(5):
        started = time.perf_counter()
        check(f"{scan}\n# {attempt}", EXECUTION_SCRIPT)
        best = min(best, time.perf_counter() - started)
    assert best < 0.05


def test_a_scan_of_usual_size_costs_little_on_many_bars() -> None:
    frame = make_bars(tickers=4, sessions=120, per_session=390, step=1)
    strategy = compile_strategy(SCAN, EXECUTION_SCRIPT)
    best = 10.0
    for _ in range(3):
        started = time.perf_counter()
        strategy.evaluate(frame)
        best = min(best, time.perf_counter() - started)
    # A million bars take about 0.15 s on one free core; the bound leaves room for a busy machine.
    assert best / len(frame) * 1_000_000 < 2.0
