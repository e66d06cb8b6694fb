"""A strategy that asks for far more work than any limit allows: what a worker process is given in the containment tests."""

from __future__ import annotations

import time
from pathlib import Path

SCAN = "\n".join([*(f"x{n} = point_of_control({500 - n}, 100)" for n in range(120)), "long = close > x1"])


def warm_up() -> int:
    """Loads what a run needs, so that only the run itself is timed."""
    import polars as pl

    from lab.script import compile_strategy
    from tests.script.bars import EXECUTION, make_bars

    return len(compile_strategy("long = close > kama(close, 5)", EXECUTION).evaluate(make_bars())) + pl.Series([0]).len()


def run(note: Path) -> int:
    """Evaluates the runaway scan; writes down when it began."""
    from lab.script import compile_strategy
    from tests.script.bars import EXECUTION, make_bars

    strategy = compile_strategy(SCAN, EXECUTION)
    frame = make_bars(tickers=1, sessions=150, per_session=390, step=1)
    note.write_text(repr(time.monotonic()), encoding="ascii")
    return len(strategy.evaluate(frame))
