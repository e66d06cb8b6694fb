"""What several exit plans, or several points of a sweep, cost in one pass against one alone. Run: pytest tests/benchmarks -n0"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest

from lab.agents.builtin.exits import exit_plans
from lab.backtest import Account, BacktestResult, Costs, backtest_together, evaluate_together, run_backtest
from lab.market import BarsCache, load_market, make_demo_market
from lab.script import Strategy, compile_strategy

SCAN = """near = low <= vwap() * 1.001 and close > vwap()
loud = volume > param(2.0, low=1, high=5, step=0.25) * sma(volume, 20)
long = near and loud and rsi(close, 14) < 60
"""
EXECUTION = """entry = at_open()
stop = close - param(1.5, low=0.5, high=4, step=0.25) * atr(14)
target = close + 2 * (close - stop)
max_bars = 60
flat_by = "15:55"
"""
ROUNDS = 5


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The demo market in memory: 20 tickers, 60 sessions of 1-minute bars."""
    cache = BarsCache(tmp_path_factory.mktemp("bars"))
    made = make_demo_market(cache, lambda share, note: None, sessions=60)
    return load_market(cache, list(made.tickers), "1m", date(2000, 1, 1), date(2100, 1, 1))


def alone(strategies: Sequence[Strategy], bars: pl.DataFrame) -> list[BacktestResult]:
    return [run_backtest(strategy, strategy.evaluate(bars), Account(), Costs()) for strategy in strategies]


def together(strategies: Sequence[Strategy], bars: pl.DataFrame) -> list[BacktestResult]:
    return list(backtest_together(strategies, bars, Account(), Costs()))


def medians(*works: Callable[[], Any]) -> list[float]:
    """Seconds of each, measured in turns: whatever else the machine does meets all of them alike."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, seconds in zip(works, spent, strict=True):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in spent]


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with capsys.disabled():
        sys.stdout.write(words)


def plans() -> list[Strategy]:
    return [compile_strategy(SCAN, execution) for execution in (EXECUTION, *(plan.execution for plan in exit_plans("1m", 0.5)))]


def points(count: int) -> list[Strategy]:
    return [compile_strategy(SCAN, EXECUTION, {"loud": 2 + 0.25 * (i // 4), "execution.stop": 1 + 0.25 * (i % 4)}) for i in range(count)]


def test_six_exit_plans_in_one_pass(bars: pl.DataFrame, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    six = plans()
    found = benchmark.pedantic(lambda: together(six, bars), rounds=ROUNDS)
    assert [result.fingerprint for result in found] == [result.fingerprint for result in alone(six, bars)]
    whole, one, apart, columns, one_columns = medians(
        lambda: together(six, bars),
        lambda: alone(six[:1], bars),
        lambda: alone(six, bars),
        lambda: list(evaluate_together(six, bars)),
        lambda: six[0].evaluate(bars),
    )
    trades = ", ".join(str(result.metrics.trades) for result in found)
    say(
        capsys,
        f"\n{bars.height:,} bars; trades by plan: {trades}"
        f"\nsix plans in one pass {whole:.3f} s, one plan {one:.3f} s: {whole / one:.2f} x the price of one; one by one {apart / one:.2f} x"
        f"\n  of it the columns {columns:.3f} s against {one_columns:.3f} s for one: {columns / one_columns:.2f} x\n",
    )
    assert whole < 0.8 * apart


def test_a_sweep_evaluated_together(bars: pl.DataFrame, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    eight = points(8)
    benchmark.pedantic(lambda: list(evaluate_together(eight, bars)), rounds=ROUNDS)
    columns, apart, whole, one_by_one = medians(
        lambda: list(evaluate_together(eight, bars)),
        lambda: [strategy.evaluate(bars) for strategy in eight],
        lambda: together(eight, bars),
        lambda: alone(eight, bars),
    )
    say(
        capsys,
        f"\neight points of a sweep: columns {columns:.3f} s together, {apart:.3f} s apart: {apart / columns:.1f} x as fast"
        f"\n  with their accounts {whole:.3f} s together, {one_by_one:.3f} s apart: {one_by_one / whole:.1f} x as fast\n",
    )
    assert columns < 0.5 * apart
