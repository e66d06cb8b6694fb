"""A sweep of 200 points on all cores against vectorbt's way and against 200 runs of one loop written by hand.

Run: pytest tests/benchmarks/test_sweep_speed.py -n0    (vectorbt and numba come with `uv sync --group peers`)
"""

from __future__ import annotations

import importlib.util
import os
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.agents import sweep_jobs
from lab.agents.jobs import AccountRules, BarsSlice, Scripts
from lab.backtest import Together
from lab.market import BarsCache
from lab.script import compile_strategy
from lab.work.executor import Executor
from tests.benchmarks.common_job import COSTS, EXECUTION, SCAN, SMALL, account, make_bars, wide
from tests.benchmarks.measuring import NO_PEER, medians, say
from tests.benchmarks.peer_job import fused_kernel, vectorbt_sweep

POINTS, CHUNK = 200, 8
ENGINES = ("numba", "rust") if importlib.util.find_spec("vectorbt_rust") else ("numba",)
needs_peer = pytest.mark.skipif(importlib.util.find_spec("vectorbt") is None, reason=NO_PEER)
VARIANTS = [(1.5 + 0.1 * (i // 10), 1.0 + 0.15 * (i % 10)) for i in range(POINTS)]
NAMES = ("loud", "execution.stop")


@pytest.fixture(scope="module")
def slice_of_bars(tmp_path_factory: pytest.TempPathFactory) -> BarsSlice:
    folder = tmp_path_factory.mktemp("bars")
    with BarsCache(folder).batch() as batch:
        for (ticker,), part in make_bars(SMALL).partition_by("ticker", as_dict=True).items():
            batch.write(str(ticker), "1m", part.select("timestamp", "open", "high", "low", "close", "volume"), "made up")
    tickers = tuple(f"T{number:03d}" for number in range(SMALL))
    first, last = date(2000, 1, 1), date(2100, 1, 1)
    return BarsSlice(str(folder), tickers, "1m", first, last, None, None, "", synthetic=True, learning_until=last)


def _swept(bars: BarsSlice, folder: Path, executor: Executor) -> int:
    """As `lab sweep` has it done: the bars laid down once, then points in chunks on all processes."""
    scripts, rules = Scripts(SCAN, EXECUTION), AccountRules(SMALL, 1.0, 0.05, COSTS)
    executor.submit(sweep_jobs.share_job, bars, scripts, str(folder / "bars")).result()
    chunks = [tuple(VARIANTS[start : start + CHUNK]) for start in range(0, POINTS, CHUNK)]
    jobs = [
        executor.submit(sweep_jobs.sweep_job, bars, scripts, NAMES, chunk, rules, str(folder / f"points-{i}.parquet"), str(folder / "bars"))
        for i, chunk in enumerate(chunks)
    ]
    return sum(point.measured.trades for job in jobs for point in job.result())


@needs_peer
def test_two_hundred_points(slice_of_bars: BarsSlice, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bars = make_bars(SMALL)
    executor = Executor(os.cpu_count() or 1)
    try:
        executor.submit(os.getpid).result()  # the processes are there, as they are in a program that has run anything
        began = time.perf_counter()
        trades = _swept(slice_of_bars, tmp_path, executor)
        ours = time.perf_counter() - began
    finally:
        executor.shutdown(wait=False)
    assert trades > POINTS * 1_000
    theirs, few = wide(bars), VARIANTS[:: POINTS // 5][:5]
    peers = {}
    for engine in ENGINES:
        vectorbt_sweep(theirs, few[:1], engine)
        first, all_five = medians(
            lambda engine=engine: vectorbt_sweep(theirs, few[:1], engine),
            lambda engine=engine: vectorbt_sweep(theirs, few, engine),
            rounds=3,
        )
        # Indicators once, then so much for each further variant.
        peers[engine] = first + (all_five - first) / 4 * (POINTS - 1)
    columns = [np.ascontiguousarray(getattr(theirs, name).T) for name in ("open", "high", "low", "close", "volume")]
    run = fused_kernel()
    run(*columns, theirs.per_session, 2.0, 1.5)
    (fused,) = medians(lambda: [run(*columns, theirs.per_session, *variant) for variant in VARIANTS[:20]], rounds=3)
    fused *= POINTS / 20
    shown = ", ".join(f"{engine} {seconds:.1f} s ({seconds / ours:.0f} x)" for engine, seconds in peers.items())
    say(
        capsys,
        f"{POINTS} points on {bars.height:,} bars, {os.cpu_count()} processes: {ours:.2f} s; vectorbt {shown}; "
        f"{POINTS} runs of one loop by hand {fused:.2f} s: the sweep takes {ours / fused:.2f} x that",
    )
    assert min(peers.values()) / ours >= 20
    assert ours / fused <= 3


def test_a_point_costs_little_more_than_its_account(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """In one process: eight more points on bars of which the columns in common are there."""
    passes = Together(make_bars(SMALL))
    strategies = [compile_strategy(SCAN, EXECUTION, dict(zip(NAMES, variant, strict=True))) for variant in VARIANTS]
    list(passes.run(strategies[:8], account(SMALL), COSTS))
    found = benchmark.pedantic(lambda: list(passes.run(strategies[8:16], account(SMALL), COSTS)), rounds=5)
    alone, together = medians(
        lambda: list(Together(make_bars(SMALL)).run(strategies[:1], account(SMALL), COSTS)),
        lambda: list(passes.run(strategies[8:16], account(SMALL), COSTS)),
    )
    say(capsys, f"a further point {together / 8:.4f} s, {found[0].metrics.trades:,} trades; one alone {alone:.4f} s")
    assert together / 8 < alone
