"""Every catalogue function keeps the promises of the language: it never looks ahead, and is honest about its warm-up."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from lab.script import CATALOGUE, FIELDS, Category, Function, Kind, catalogue_text, check, check_scan, truncation_check
from lab.script.entries import Scope
from tests.script.bars import EXECUTION, column, make_bars, strategy_of
from tests.script.calls import ALONE, COMPUTED, call_of, scans_of

_DATA_DECIDES = {
    "value_when", "swing_high", "swing_low", "bars_since", "relative_volume", "previous_close", "gap", "gap_filled",
    "opening_range_high", "opening_range_low", "prior_swing_high", "prior_swing_low", "higher_highs", "higher_lows", "lower_highs",
    "lower_lows", "anchored_vwap", "highest_since", "lowest_since", "since", "last_bars", "on", "rank_across",
    "prev_week_open", "prev_week_high", "prev_week_low", "prev_week_close",
}  # fmt: skip
"""Functions whose first value depends on what happened, not on a count of bars."""


@pytest.mark.parametrize("damaged", [False, True], ids=["clean bars", "bars with gaps and nulls"])
@pytest.mark.parametrize("window", [2, 5, 13])
def test_no_function_sees_later_bars(window: int, damaged: bool) -> None:
    """Over the three windows and both kinds of bars, each function is cut 140 times; real bars follow elsewhere."""
    frame = make_bars(window, tickers=2, sessions=4, per_session=40, damaged=damaged)
    rng = np.random.default_rng(window)
    counts = {0, 1, 2, window - 1, window, window + 1, 2 * window, 2 * window + 1, *(int(cut) for cut in rng.integers(3, 150, 8))}
    times = [frame["timestamp"][int(row)] for row in rng.integers(0, len(frame), 6)]
    cuts: list[int | datetime] = [*sorted(counts), *times]
    assert len(cuts) >= 18
    for lines in scans_of(COMPUTED, window):
        assert truncation_check(strategy_of(*lines), frame, cuts) == ()


def test_the_check_finds_a_function_that_does_look_ahead() -> None:
    class Peeks:
        def evaluate(self, frame: pl.DataFrame) -> pl.DataFrame:
            return frame.with_columns(tomorrow=pl.col("close").shift(-1).over("ticker"), fine=pl.col("close"))

    class SmoothsOverAll:
        def evaluate(self, frame: pl.DataFrame) -> pl.DataFrame:
            return frame.with_columns(mean=pl.col("close").mean().over("ticker", "session"))

    frame = make_bars()
    found = truncation_check(Peeks(), frame, [10])
    assert [(violation.column, violation.ticker, violation.truncated) for violation in found] == [
        ("tomorrow", "T00", None),
        ("tomorrow", "T01", None),
    ]
    assert truncation_check(SmoothsOverAll(), frame, [1, 5])


def test_one_tickers_values_do_not_depend_on_the_others() -> None:
    frame = make_bars(4, tickers=3, damaged=True)
    for lines in scans_of(ALONE, 4):
        strategy = strategy_of(*lines)
        together = strategy.evaluate(frame)
        for ticker in ("T00", "T01", "T02"):
            alone = strategy.evaluate(frame.filter(pl.col("ticker") == ticker))
            assert alone.equals(together.filter(pl.col("ticker") == ticker))


@pytest.mark.parametrize("function", COMPUTED, ids=lambda function: function.name)
def test_warm_up_is_honest(function: Function) -> None:
    """One bar less than the warm-up gives no value; one more does. A condition may be known to be false earlier, never to be true."""
    frame = make_bars(7, tickers=2, sessions=9, per_session=30)
    call = call_of(function)
    shown = f"x = 1 if {call} else 0" if function.returns is Kind.CONDITION else f"x = {call}"
    strategy = strategy_of(shown, "long = x > -1000000")
    values = strategy.evaluate(frame).filter(pl.col("ticker") == "T00")["scan.x"].to_list()
    warm_up = strategy.warm_up_bars
    if function.returns is Kind.CONDITION:
        assert not any(values[:warm_up])
        assert values[warm_up] is not None or function.name in _DATA_DECIDES
        return
    assert all(value is None for value in values[:warm_up])
    first = next(row for row, value in enumerate(values) if value is not None)
    if function.name in _DATA_DECIDES:
        assert first >= warm_up
    else:
        assert first == warm_up


@pytest.mark.parametrize("function", COMPUTED, ids=lambda function: function.name)
def test_no_function_gives_infinities_or_not_a_numbers(function: Function) -> None:
    if function.returns is not Kind.NUMBER:
        return
    flat = make_bars(1, tickers=1, damaged=True).with_columns(open=50.0, high=50.0, low=50.0, close=50.0, volume=0.0)
    for frame in (flat, make_bars(2, tickers=1, damaged=True)):
        values = [value for value in column(frame, f"x = {call_of(function)}") if value is not None]
        assert all(np.isfinite(values))


@pytest.mark.parametrize("function", list(CATALOGUE.values()), ids=lambda function: function.name)
def test_every_entry_is_complete_and_its_example_works(function: Function) -> None:
    assert function.meaning
    assert function.source
    ways = [way for way in (function.build, function.steps, function.among, function.formula) if way is not None]
    assert len(ways) == (function.category not in (Category.ORDER, Category.OTHER))
    example = function.example
    if example.startswith(("entry = ", "stop = ")):
        line = "entry" if example.startswith("entry") else "stop"
        execution = "\n".join([example, *(kept for kept in EXECUTION.splitlines() if not kept.startswith(line))])
        assert check("long = close > open", execution) == ()
    else:
        assert check_scan(f"example = {example}\nlong = close > open") == ()
    assert function.name in catalogue_text()
    if function.scope is Scope.SESSION:
        assert function.formula is None


def test_the_catalogue_has_what_the_built_in_patterns_need() -> None:
    needed = """
        sma ema rma wma rsi atr true_range stdev vwap bollinger_upper bollinger_lower highest lowest roc zscore relative_volume
        opening_range_high opening_range_low session_high session_low session_open gap minutes_since_open minutes_to_close time_between
        day_of_week crosses_above crosses_below rising falling was count_true first_in_session bars_since abs min max sqrt log sign round
        clip nz body upper_wick lower_wick range_ keltner_upper keltner_lower adx at_open limit stop_entry
    """
    assert [name for name in needed.split() if name not in CATALOGUE] == []


def test_every_field_can_be_read() -> None:
    frame = make_bars(tickers=1)
    for name in FIELDS:
        strategy = strategy_of(f"x = {name} * 2")
        assert strategy.evaluate(frame)["scan.x"].null_count() == 0
        assert strategy.required_context == ({name.split(".")[0]} if "." in name else set())
