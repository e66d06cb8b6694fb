"""Compiled scripts on real one-minute bars with their holes: both engines agree, and a strategy's plan is what the engine reads."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lab.backtest import Account, Costs, run_backtest
from lab.market.bars import place_in_sessions
from lab.script import compile_strategy
from tests.backtest.reference import Reference
from tests.backtest.test_reference import assert_same

DIP = """
dip   = close < sma(close, 20) - 1.5 * stdev(close, 20)
long  = dip
short = close > sma(close, 20) + 2.0 * stdev(close, 20)
score = volume / sma(volume, 20)
"""
PLANS = {
    "at the open, flat by the afternoon": """
entry    = at_open()
stop     = close - side * 2.0 * atr(14)
target   = close + side * 3.0 * atr(14)
exit     = rsi(close, 14) > 65 if side > 0 else rsi(close, 14) < 35
max_bars = 60
flat_by  = "15:45"
risk     = 0.5
""",
    "by limit, held overnight": """
entry  = limit(close - side * 0.5 * atr(14), bars=5)
stop   = close - side * 4.0 * atr(14)
target = close + side * 6.0 * atr(14)
""",
    "in parts, trailing": """
entry      = at_open()
stop       = close - side * 2.0 * atr(14)
target     = close + side * 1.5 * atr(14)
fraction   = 0.5
target_2   = close + side * 3.0 * atr(14)
fraction_2 = 0.25
trail      = 2.5 * atr(14)
break_even = 1.0
cooldown   = 15
risk_move  = 3 * atr(20)
flat_by    = "15:55"
""",
    "by stop entry": """
entry    = stop_entry(close + side * 0.5 * atr(14), bars=8)
stop     = close - side * 3.0 * atr(14)
max_bars = 300
flat_by  = "15:59"
""",
}


@pytest.fixture(scope="module")
def bars(shared_data: Path) -> pl.DataFrame:
    raw = pl.read_parquet(shared_data / "minute" / "blaizard_1m.parquet")
    months = raw.filter(pl.col("timestamp").dt.month().is_in([3, 7, 11]))
    placed = []
    for ticker in ("AZO", "LII", "SW", "TDG"):
        series = place_in_sessions(months.filter(pl.col("ticker") == ticker), "1m")
        placed.append(series.filter(pl.col("regular")).with_columns(pl.lit(ticker).alias("ticker")))
    return pl.concat(placed)


@pytest.mark.parametrize("plan", PLANS)
def test_both_engines_agree_on_real_bars(bars: pl.DataFrame, plan: str) -> None:
    strategy = compile_strategy(DIP, PLANS[plan])
    evaluated = strategy.evaluate(bars)
    account, costs = Account(max_positions=3, max_position=0.5), Costs(participation_cap=0.2)
    result = run_backtest(strategy, evaluated, account, costs)
    assert result.metrics.trades >= 30
    assert_same(result, Reference(strategy.plan, evaluated, account, costs).run())
