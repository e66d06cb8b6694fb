"""Strategies evaluated together give what each gives alone, to the bit."""

from __future__ import annotations

import polars as pl
import pytest

from lab.backtest import Account, BacktestError, Costs, run_backtest
from lab.backtest.sweep import METRICS, result_table
from lab.backtest.together import Together, backtest_together
from lab.errors import LabError
from lab.script import Strategy, compile_strategy, traded_bars
from tests.script.bars import make_bars

SCAN = """near = low <= vwap() * (1 + param(0.1, low=0, high=1) / 100) and close > vwap()
loud = volume > param(1.2, low=0.5, high=5) * sma(volume, param(5, low=2, high=60))
long = near and loud
short = crosses_below(close, ema(close, 10)) and not loud
score = volume / sma(volume, 20)
"""
FIXED = (
    "entry = at_open()\nstop = close - side * param(1.5, low=0.5, high=4) * atr(5)\ntarget = close + 2 * (close - stop)\nmax_bars = 20\n"
)
PULLED = "entry = limit(close - side * 0.1 * atr(5), bars=3)\nstop = close - side * 2 * atr(5)\nexit = close > sma(close, 5)\n"
ACROSS = """day = on("15m", sma(close, param(3, low=2, high=9)))
long = close > day and of("T01", close > open) and rank_across(roc(close, 5)) > 0.4
"""
SIMPLE = "long = close > sma(close, 3)\n"


def strategies() -> list[Strategy]:
    varied = [{"near": 0.05, "loud": 1.0}, {"loud_2": 40.0}, {"execution.stop": 3.0}, {"loud": 2.0, "execution.stop": 0.75}, {}, {}]
    made = [compile_strategy(SCAN, FIXED, values) for values in varied]
    made += [compile_strategy(ACROSS, FIXED, {"day": value}) for value in (3.0, 5.0)]
    return [*made, compile_strategy(SCAN, PULLED), compile_strategy(SIMPLE, "entry = at_open()\nstop = low\n")]


@pytest.mark.parametrize("damaged", [False, True])
def test_together_is_the_same_as_alone_to_the_bit(damaged: bool) -> None:
    frame = make_bars(damaged=damaged)
    many = strategies()
    assert len({strategy.warm_up_bars for strategy in many}) > 2, "each has a warm-up of its own"
    results = backtest_together(many, frame, Account(), Costs())
    passes = Together(frame)
    again = [result for start in range(0, len(many), 3) for result in passes.run(many[start : start + 3], Account(), Costs())]
    for strategy, result, one in zip(many, results, again, strict=True):
        alone = run_backtest(strategy, strategy.evaluate(frame), Account(), Costs())
        assert alone.funnel["signals"] > 0
        assert alone.fingerprint == result.fingerprint == one.fingerprint
        assert (alone.funnel, alone.metrics) == (result.funnel, result.metrics) == (one.funnel, one.metrics)


def test_tickers_that_are_only_looked_at_are_not_traded() -> None:
    frame = make_bars(tickers=3, damaged=True)
    looked_at = frame.with_columns(traded=pl.col("ticker") != "T01")
    for strategy, result in zip(strategies(), backtest_together(strategies(), looked_at, Account(), Costs()), strict=True):
        alone = run_backtest(strategy, traded_bars(strategy.evaluate(looked_at)), Account(), Costs())
        assert alone.fingerprint == result.fingerprint
        assert "T01" not in result.trades["ticker"]


def test_what_one_of_them_lacks_is_said() -> None:
    wants = compile_strategy("long = close > prev_day.high", "entry = at_open()\nstop = low\n")
    with pytest.raises(LabError, match=r"prev_day\.high"):
        list(backtest_together([compile_strategy(SIMPLE, FIXED), wants], make_bars().drop("prev_day.high"), Account(), Costs()))
    with pytest.raises(BacktestError):
        list(backtest_together([], make_bars(), Account(), Costs()))
    with pytest.raises(BacktestError, match="not sorted"):
        list(backtest_together(strategies(), make_bars().reverse(), Account(), Costs()))


def test_the_table_of_a_sweep_has_a_row_a_point() -> None:
    frame = make_bars()
    strategy = compile_strategy(SCAN, FIXED)
    metrics = run_backtest(strategy, strategy.evaluate(frame), Account(), Costs()).metrics
    none = run_backtest(strategy, strategy.evaluate(frame.head(0)), Account(), Costs()).metrics
    table = result_table(["near", "loud"], [((0.1, 1.2), metrics), ((0.2, 1.2), none)])
    assert table.columns == ["near", "loud", *METRICS]
    assert table["trades"].to_list() == [metrics.trades, 0]
    assert table["sharpe"].to_list() == [metrics.sharpe, None]
