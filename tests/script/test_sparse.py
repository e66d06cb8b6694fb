"""What an account reads of many strategies is, to the bit, what each strategy's own columns say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lab.errors import LabError
from lab.script import Strategy, compile_strategy
from lab.script.sparse import ManyStrategies
from tests.script.bars import make_bars

SCAN = """near = low <= vwap() * (1 + param(0.1, low=0, high=1) / 100) and close > vwap()
loud = volume > param(1.2, low=0.5, high=5) * sma(volume, param(5, low=2, high=60))
long = near and loud
short = crosses_below(close, ema(close, 10)) and not loud
score = volume / sma(volume, 20)
"""
FIXED = """entry = at_open()
stop = (close - side * param(1.5, low=0.5, high=4) * atr(5)) if minutes_since_open() > 30 else min(low, close - side)
target = close + 2 * (close - stop)
"""
PULLED = "entry = limit(close - side * 0.1 * atr(5), bars=3)\nstop = close - side * 2 * atr(5)\nexit = close > sma(close, 5)\n"
ACROSS = """day = on("15m", sma(close, param(3, low=2, high=9)))
long = close > day and of("T01", close > open) and rank_across(roc(close, 5)) > 0.4
"""


def strategies() -> list[Strategy]:
    varied = [{"near": 0.05, "loud": 1.0}, {"loud_2": 40.0}, {"execution.stop": 3.0}, {"loud": 2.0, "execution.stop": 0.75}, {}, {}]
    made = [compile_strategy(SCAN, FIXED, values) for values in varied]
    made += [compile_strategy(ACROSS, "entry = at_open()\nstop = low\n", {"day": value}) for value in (3.0, 5.0)]
    return [*made, compile_strategy(SCAN, PULLED), compile_strategy("long = close > sma(close, 3)", "entry = at_open()\nstop = low\n")]


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("chunk", [1, 4, 10])
def test_signals_and_prices_are_those_of_the_columns(damaged: bool, chunk: int) -> None:
    frame = make_bars(damaged=damaged)
    many, every = ManyStrategies(frame), strategies()
    found = [one for start in range(0, len(every), chunk) for one in many.evaluate(every[start : start + chunk])]
    for strategy, signals in zip(every, found, strict=True):
        columns = strategy.evaluate(frame)
        for side in strategy.directions:
            rows = columns[f"signal.{side}"].arg_true().to_numpy()
            assert signals.rows[side].tolist() == rows.tolist()
            np.testing.assert_array_equal(signals.scores[side], columns["score"].to_numpy()[rows])
            if strategy.plan.has_exit:
                np.testing.assert_array_equal(signals.per_bar[f"{side}.exit"], columns[f"{side}.exit"].to_numpy())
            for name in ("stop", "target", "entry_price"):
                if f"{side}.{name}" in columns.columns:
                    np.testing.assert_array_equal(signals.prices[f"{side}.{name}"], columns[f"{side}.{name}"].to_numpy()[rows])


def test_what_is_kept_does_not_outgrow_its_room() -> None:
    frame = make_bars()
    small, large = ManyStrategies(frame, kept_bytes=0), ManyStrategies(frame)
    for one, other in zip(small.evaluate(strategies()), large.evaluate(strategies()), strict=True):
        assert {name: values.tolist() for name, values in one.rows.items()} == {
            name: values.tolist() for name, values in other.rows.items()
        }


def test_bars_out_of_order_and_missing_columns_are_named() -> None:
    with pytest.raises(LabError, match="not sorted"):
        ManyStrategies(make_bars().reverse())
    wants = compile_strategy("long = close > prev_day.high", "entry = at_open()\nstop = low\n")
    with pytest.raises(LabError, match=r"prev_day\.high"):
        ManyStrategies(make_bars().drop("prev_day.high")).evaluate([wants])


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = make_bars(tickers=5, damaged=True)
    found = []
    for threads in (1, 4):
        monkeypatch.setattr(pl, "thread_pool_size", lambda threads=threads: threads)
        found.append([strategy.evaluate(frame) for strategy in strategies()])
    assert all(one.equals(other) for one, other in zip(*found, strict=True))
