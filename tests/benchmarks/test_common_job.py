"""The common job against vectorbt: warm on two sizes, cold, in memory, against reading; the cost from 2 to 50 million bars.

Run: pytest tests/benchmarks/test_common_job.py -n0    (vectorbt comes with `uv sync --group peers`)
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lab.market import BarsCache
from tests.benchmarks.common_job import EXECUTION, LARGE, PER_SESSION, SCAN, SMALL, make_bars, our_job, wide
from tests.benchmarks.cost_chart import FIGURES
from tests.benchmarks.cost_chart import main as draw_chart
from tests.benchmarks.measuring import NO_PEER, in_process, medians, say
from tests.benchmarks.peer_job import vectorbt_job

ENGINES = ("numba", "rust") if importlib.util.find_spec("vectorbt_rust") else ("numba",)
needs_peer = pytest.mark.skipif(importlib.util.find_spec("vectorbt") is None, reason=NO_PEER)


@needs_peer
@pytest.mark.parametrize(("tickers", "times"), [(SMALL, 8.0), (LARGE, 10.0)], ids=["2 million bars", "10 million bars"])
def test_warm(tickers: int, times: float, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bars = make_bars(tickers)
    theirs = wide(bars)
    found = our_job(bars)
    peers = {engine: vectorbt_job(theirs, engine) for engine in ENGINES}
    # The same trades but for where the rules differ (see tests/peers): nobody wins by doing less.
    assert all(0.9 < found.metrics.trades / peer.trades < 1.1 for peer in peers.values()), (found.metrics, peers)
    benchmark.pedantic(our_job, args=(bars,), rounds=5, warmup_rounds=1)
    ours, *others = medians(lambda: our_job(bars), *(lambda engine=engine: vectorbt_job(theirs, engine) for engine in ENGINES))
    shown = ", ".join(f"{engine} {seconds:.3f} s ({seconds / ours:.1f} x)" for engine, seconds in zip(ENGINES, others, strict=True))
    ratio = min(others) / ours
    say(capsys, f"warm, {bars.height:,} bars, {found.metrics.trades:,} trades: {ours:.4f} s; vectorbt {shown}: {ratio:.1f} x as fast")
    assert ratio >= times


COLD = """
import json, sys
from lab.backtest import Account, Costs, run_backtest
from lab.market.cache import BarsCache
from lab.script import compile_strategy
from pathlib import Path
scan, execution, folder, tickers = sys.argv[1:]
names = [f"T{number:03d}" for number in range(int(tickers))]
bars = BarsCache(Path(folder)).read(names, "1m")
strategy = compile_strategy(scan, execution)
count = len(names)
account = Account(1e6 * count, max_positions=count, max_exposure=1.0, max_position=0.05 / count, buying_power=2.0, min_position=0.0)
found = run_backtest(strategy, strategy.evaluate(bars), account, Costs(1.0, 1.0, None))
heavy = [name for name in ("scipy", "arch", "pandas", "statsmodels", "exchange_calendars", "anthropic", "textual") if name in sys.modules]
print(json.dumps({"trades": found.trades.height, "heavy": len(heavy)}))
"""
COLD_PEER = """
import json, sys
import numpy as np
import polars as pl
from pathlib import Path
engine, folder, tickers = sys.argv[1:]
names = ("open", "high", "low", "close", "volume")
bars = pl.read_parquet([path for path in sorted(Path(folder).rglob("*.parquet"))], columns=list(names))
from tests.benchmarks.peer_job import Wide, vectorbt_job
shaped = Wide(*(np.ascontiguousarray(bars[name].to_numpy().reshape(int(tickers), -1).T) for name in names), 390)
print(json.dumps({"trades": vectorbt_job(shaped, engine).trades}))
"""


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the smaller size in it."""
    folder = tmp_path_factory.mktemp("bars")
    with BarsCache(folder).batch() as batch:
        for (ticker,), part in make_bars(SMALL).partition_by("ticker", as_dict=True).items():
            batch.write(str(ticker), "1m", part.select("timestamp", "open", "high", "low", "close", "volume"), "made up")
    return folder


@needs_peer
def test_cold_and_memory(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fresh process: imports, loading from the cache, compiling, running.

    The bars are packed at their first reading once they are two seconds old, as numba fills a cache of its own at its first run: both
    are measured from the second on, and what our first one took is said beside it.
    """
    time.sleep(2.5)
    first = in_process(COLD, SCAN, EXECUTION, str(cached), str(SMALL))
    ours = [in_process(COLD, SCAN, EXECUTION, str(cached), str(SMALL)) for _ in range(5)]
    assert all(run["heavy"] == 0 for run in ours)
    seconds, peak = statistics.median(run["seconds"] for run in ours), max(run["peak_bytes"] for run in ours)
    lines, ratios, shares = [], [], []
    for engine in ENGINES:
        in_process(COLD_PEER, engine, str(cached), str(SMALL))  # fills numba's own cache on the disk
        theirs = [in_process(COLD_PEER, engine, str(cached), str(SMALL)) for _ in range(3)]
        other = statistics.median(run["seconds"] for run in theirs)
        memory = min(run["peak_bytes"] for run in theirs)
        ratios.append(other / seconds)
        shares.append(peak / memory)
        lines.append(f"vectorbt {engine} {other:.2f} s ({other / seconds:.1f} x), {memory / 1e6:.0f} MB ({peak / memory:.2f} of it)")
    say(capsys, f"cold: {seconds:.3f} s (the first {first['seconds']:.3f} s), {peak / 1e6:.0f} MB at most; " + "; ".join(lines))
    assert min(ratios) >= 8
    assert max(shares) <= 0.5


def test_against_reading(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole job beside reading its five columns from the cache."""
    cache, names = BarsCache(cached), [f"T{number:03d}" for number in range(SMALL)]
    files = sorted(cached.rglob("*.parquet"))
    five = ["open", "high", "low", "close", "volume"]

    def bare() -> list[pl.DataFrame]:
        return [pl.read_parquet(file, columns=five) for file in files]

    def through_the_cache() -> pl.DataFrame:
        return cache.read(names, "1m")

    bars = through_the_cache()
    job, reading, cached_reading = medians(lambda: our_job(bars), bare, through_the_cache)
    say(
        capsys,
        f"five columns by bare Polars {reading:.4f} s, all columns through the cache with checksums {cached_reading:.4f} s; "
        f"the job {job:.4f} s: {job / reading:.2f} x the bare reading, {job / cached_reading:.2f} x the cache's",
    )
    assert job <= 4 * reading


LINEAR = """
import json, sys, time
from tests.benchmarks.common_job import make_bars, our_job
tickers = int(sys.argv[1])
bars = make_bars(tickers)
times = []
for _ in range(3):
    began = time.perf_counter()
    found = our_job(bars)
    times.append(time.perf_counter() - began)
print(json.dumps({"bars": bars.height, "job_seconds": sorted(times)[1], "trades": found.metrics.trades}))
"""


def test_cost_is_linear(capsys: pytest.CaptureFixture[str]) -> None:
    """From 2 to 50 million bars, each size in a process of its own; the chart of the docs is drawn anew from the figures."""
    sizes = (20, 50, 100, 200, 350, 513)
    runs = [in_process(LINEAR, str(tickers)) for tickers in sizes]
    rows = [(int(run["bars"]), run["job_seconds"], run["peak_bytes"], int(run["trades"])) for run in runs]
    text = "\n".join(
        f"{bars:>11,} bars {seconds:7.3f} s {seconds / bars * 1e9:6.1f} ns a bar, {peak / 1e9:5.1f} GB, {trades:,} trades"
        for bars, seconds, peak, trades in rows
    )
    say(capsys, text)
    FIGURES.write_text(json.dumps(rows))
    draw_chart()
    each = [seconds / bars for bars, seconds, _, _ in rows]
    assert each[-1] <= 1.5 * each[0]
    assert rows[-1][2] <= 24e9
    assert rows[-1][0] >= PER_SESSION * 250 * 513
