"""What several exit plans, or several points of a sweep, cost in one pass against one alone. Run: pytest tests/benchmarks -n0"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest

from lab.agents.builtin.exits import exit_plans
from lab.backtest import Account, BacktestResult, Costs, backtest_together, run_backtest
from lab.market import BarsCache, load_market, make_demo_market
from lab.script import Strategy, compile_strategy
from tests.benchmarks.common_job import SMALL, make_bars
from tests.benchmarks.measuring import medians, say

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


def plans() -> list[Strategy]:
    return [compile_strategy(SCAN, execution) for execution in (EXECUTION, *(plan.execution for plan in exit_plans("1m", 0.5)))]


def points(count: int) -> list[Strategy]:
    return [compile_strategy(SCAN, EXECUTION, {"loud": 2 + 0.25 * (i // 4), "execution.stop": 1 + 0.25 * (i % 4)}) for i in range(count)]


@pytest.mark.parametrize("size", ["demo market", "common job"])
def test_six_exit_plans_in_one_pass(size: str, bars: pl.DataFrame, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    six = plans()
    bars = bars if size == "demo market" else make_bars(SMALL)
    found = benchmark.pedantic(lambda: together(six, bars), rounds=ROUNDS)
    assert [result.fingerprint for result in found] == [result.fingerprint for result in alone(six, bars)]
    whole, one, apart = medians(lambda: together(six, bars), lambda: alone(six[:1], bars), lambda: alone(six, bars))
    trades = ", ".join(str(result.metrics.trades) for result in found)
    say(
        capsys,
        f"{bars.height:,} bars; trades by plan: {trades}\n"
        f"six plans in one pass {whole:.3f} s, one plan {one:.3f} s: {whole / one:.2f} x the price of one; one by one {apart / one:.2f} x",
    )
    assert whole < 0.5 * apart


def test_a_sweep_evaluated_together(bars: pl.DataFrame, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    eight = points(8)
    benchmark.pedantic(lambda: together(eight, bars), rounds=ROUNDS)
    whole, one_by_one = medians(lambda: together(eight, bars), lambda: alone(eight, bars))
    say(capsys, f"eight points of a sweep {whole:.3f} s together, {one_by_one:.3f} s apart: {one_by_one / whole:.1f} x as fast")
    assert whole < 0.5 * one_by_one
