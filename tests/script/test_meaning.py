"""What scripts mean: operators, missing data, parameters, own functions, directions and the execution plan."""

from __future__ import annotations

import pickle

import polars as pl
import pytest

from lab.errors import LabError
from lab.script import ScriptError, check, compile_strategy
from tests.script.bars import EXECUTION, column, make_bars, strategy_of

SCAN = """
near  = low <= vwap() * 1.001 and close > vwap()
loud  = volume > param(3.0, low=1.0, high=5.0) * sma(volume, 20)
long  = near and loud and time_between("10:00", "11:30") and market.trend >= 0
score = volume / sma(volume, 20)           # optional: who goes first when slots are short
"""
EXECUTION_SCRIPT = """
entry    = at_open()                       # next bar's open
stop     = low - 0.5 * atr(14)             # required
target   = close + 2.0 * (close - stop)
exit     = crosses_below(close, ema(close, 20))
max_bars = 60
flat_by  = "15:55"
risk     = 0.5                             # percent of equity lost if the stop is hit
"""


def test_the_design_example_compiles_and_runs() -> None:
    strategy = compile_strategy(SCAN, EXECUTION_SCRIPT)
    plan = strategy.plan
    assert (plan.entry_kind, plan.expiry_bars, plan.max_bars, plan.flat_by_minute, plan.risk_percent) == ("at_open", 1, 60, 955, 0.5)
    assert plan.fractions == (1.0,)
    assert plan.has_exit
    assert strategy.directions == ("long",)
    assert strategy.required_context == {"market"}
    assert strategy.warm_up_bars == 19
    frame = make_bars()
    evaluated = strategy.evaluate(frame)
    assert evaluated.select(frame.columns).equals(frame)
    assert evaluated.columns[len(frame.columns) :] == [
        "signal.long",
        "score",
        "long.stop",
        "long.target",
        "long.exit",
        "scan.near",
        "scan.loud",
    ]
    assert evaluated["signal.long"].null_count() == 0
    assert evaluated["long.exit"].null_count() == 0


def test_conditions_mean_what_they_say_bar_by_bar() -> None:
    frame = make_bars()
    bars = frame.select("open", "high", "low", "close", "volume").rows()
    expected = [1 < c - o + 1.2 < 1.5 or (not c > o and v >= 1000) for o, h, low, c, v in bars]
    assert column(frame, "x = 1 < close - open + 1.2 < 1.5 or (not close > open and volume >= 1000)") == expected
    assert column(frame, "x = close if close > open else -open") == [c if c > o else -o for o, h, low, c, v in bars]
    assert column(frame, "x = (close - open) ** 2") == pytest.approx([(c - o) ** 2 for o, h, low, c, v in bars])
    assert column(frame, "x = close == open or close != open") == [True] * len(frame)


def test_missing_data_never_makes_a_signal_whichever_way_it_is_asked() -> None:
    frame = make_bars(tickers=1).with_columns(volume=pl.lit(None, dtype=pl.Float64))
    asks = ("volume > 100", "not volume > 100", "volume <= 100", "not (volume > 100 and close > 0)", "volume == volume", "volume != volume")
    for ask in (*asks, "volume > 100 if volume > 5 else close > 0", "was(not volume > 100, 3)", "sma(volume, 5) < 100"):
        assert not strategy_of(f"long = {ask}").evaluate(frame)["signal.long"].any(), ask
    assert strategy_of("long = volume > 100 or close > 0").evaluate(frame)["signal.long"].all()


def test_division_by_zero_and_overflow_are_missing_values() -> None:
    frame = make_bars(tickers=1).with_columns(volume=0.0)
    assert set(column(frame, "x = close / volume")) == {None}
    assert set(column(frame, "x = volume / volume")) == {None}
    assert set(column(frame, "x = (1e12 * close) ** 4 * (1e12 * close) ** 4")) == {None}
    assert not strategy_of("long = close / volume > 0").evaluate(frame)["signal.long"].any()


def test_warm_up_bars_give_no_signal_even_where_part_of_the_condition_is_known() -> None:
    frame = make_bars(tickers=2)
    strategy = strategy_of("long = close > 0 or close > sma(close, 30)")
    assert strategy.warm_up_bars == 29
    for part in strategy.evaluate(frame).partition_by("ticker"):
        assert part["signal.long"].to_list() == [False] * 29 + [True] * (len(part) - 29)


def test_own_functions_are_written_out_and_parameters_of_them_are_shared() -> None:
    frame = make_bars(3)
    lines = ("def near(level, band): return abs(close / level - 1) < band * param(1.0, low=0.5, high=2.0)", "y = near(vwap(), 0.01)")
    strategy = strategy_of(*lines, "x = near(session_open(), 0.01)")
    assert [(parameter.name, parameter.value) for parameter in strategy.parameters] == [("near", 1.0)]
    assert column(frame, *lines, "x = y") == column(frame, "x = abs(close / vwap() - 1) < 0.01")


def test_parameters_are_named_by_their_line_and_bound_from_outside() -> None:
    scan = "n = param(20, low=5, high=50, step=5)\nx = sma(close, n) * param(1.0) + param(0.0)\nlong = close > x"
    execution = "entry = at_open()\nstop = close - param(1.5, low=0.5, high=4.0) * atr(14)"
    strategy = compile_strategy(scan, execution, {"n": 10, "execution.stop": 2.0})
    named = {parameter.name: (parameter.script, parameter.default, parameter.value) for parameter in strategy.parameters}
    assert named == {"n": ("scan", 20, 10), "x": ("scan", 1, 1), "x_2": ("scan", 0, 0), "execution.stop": ("execution", 1.5, 2.0)}
    assert strategy.parameters[0].whole
    assert strategy.warm_up_bars == 9
    for wrong in ({"m": 3.0}, {"n": 51}, {"n": 12.5}, {"n": float("nan")}):
        with pytest.raises(ScriptError):
            compile_strategy(scan, execution, wrong)


def test_a_parameter_that_must_be_whole_has_a_step_of_one() -> None:
    strategy = strategy_of("x = sma(close, param(20, low=5, high=50)) * param(2, low=1, high=3)")
    assert [(parameter.step, parameter.whole) for parameter in strategy.parameters] == [(1.0, True), (None, False)]
    assert not strategy.evaluate(make_bars()).is_empty()


def test_side_turns_one_execution_script_round_for_shorts() -> None:
    scan = "long = close > open\nshort = close < open"
    execution = "entry = limit(close - side * 0.1, bars=3)\nstop = low - 1 if side > 0 else high + 1\nexit = close * side < 0"
    strategy = compile_strategy(scan, execution)
    assert strategy.directions == ("long", "short")
    assert (strategy.plan.entry_kind, strategy.plan.expiry_bars) == ("limit", 3)
    frame = strategy.evaluate(make_bars())
    assert (frame["long.entry_price"] == frame["close"] - 0.1).all()
    assert (frame["short.entry_price"] == frame["close"] + 0.1).all()
    assert (frame["long.stop"] == frame["low"] - 1).all()
    assert (frame["short.stop"] == frame["high"] + 1).all()
    assert (frame["short.exit"]).all()
    assert not frame["long.exit"].any()


def test_the_hash_sees_meaning_and_not_layout() -> None:
    def digest(scan: str, execution: str = EXECUTION, **params: float) -> str:
        return compile_strategy(scan, execution, params).script_hash

    first = digest("near = close > vwap()\nloud = volume > param(3.0) * sma(volume, 20)\nlong = near and loud")
    assert first == digest(
        "# why\nloud=volume>(param(3.0, low=1, high=9)*sma(volume,n=20)) ; near=(close>vwap())\n\nlong=near and loud # so"
    )
    assert first != digest("near = close > vwap()\nloud = volume > param(3.0) * sma(volume, 20)\nlong = near and loud", loud=4.0)
    assert first != digest("near = close >= vwap()\nloud = volume > param(3.0) * sma(volume, 20)\nlong = near and loud")
    assert digest("long = close > open") != digest("long = close > open", EXECUTION + "max_bars = 5")


def test_a_strategy_survives_pickling_with_its_parameters() -> None:
    strategy = compile_strategy(SCAN, EXECUTION_SCRIPT, {"loud": 2.0})
    again = pickle.loads(pickle.dumps(strategy))
    assert again == strategy
    assert again.parameters[0].value == 2.0
    frame = make_bars()
    assert again.evaluate(frame).equals(strategy.evaluate(frame))


def test_bars_that_do_not_fit_are_refused_in_a_sentence() -> None:
    strategy = compile_strategy(SCAN, EXECUTION_SCRIPT)
    frame = make_bars()
    with pytest.raises(LabError, match=r"no market\.trend"):
        strategy.evaluate(frame.drop("market.trend"))
    with pytest.raises(LabError, match="not sorted"):
        strategy.evaluate(frame.reverse())
    with pytest.raises(LabError, match="not sorted"):
        strategy.evaluate(pl.concat([frame.head(5), frame.head(5)]))
    assert strategy.evaluate(frame.clear()).columns == strategy.evaluate(frame).columns


def test_context_may_come_as_small_whole_numbers() -> None:
    frame = make_bars().with_columns(pl.col("market.trend").cast(pl.Int8))
    assert column(frame, "x = market.trend >= 0") == [value >= 0 for value in frame["market.trend"].to_list()]


def test_several_mistakes_are_all_reported_in_reading_order_without_echoes() -> None:
    found = check("near = clse > vwap()\nloud = volume > smaa(volume, 20)\nlong = near and loud", "entry = at_open()\nstop = low - atr(0)")
    assert [(error.script, error.line, error.column) for error in found] == [("scan", 1, 8), ("scan", 2, 17), ("execution", 2, 18)]
    assert "Did you mean `close`?" in str(found[0])
    assert found[1].render().splitlines()[1:3] == ["    loud = volume > smaa(volume, 20)", "                    ^"]


def test_what_two_lines_share_is_computed_once() -> None:
    lines = "\n".join(f"x{i} = ema(close, 20) > sma(close, 20) + {i}" for i in range(30)) + "\nlong = x1 and x2"
    strategy = compile_strategy(lines, EXECUTION)
    roots = {id(part) for name, root in strategy.outputs if name.startswith("scan.x") for part in root.parts if part.name == "ema"}
    assert len(roots) == 1


def test_the_orders_of_an_execution_script_are_the_plan() -> None:
    execution = """
entry = at_open()
stop = close - side * 2 * atr(14)
target = close + side * 2 * atr(14)
fraction = 0.5
target_2 = close + side * 4 * atr(14)
trail = 3 * atr(14)
break_even = 1.5
cooldown = 10
risk = 0.4
risk_move = 2 * atr(20)
"""
    strategy = compile_strategy("long = close > open\nshort = close < open", execution)
    plan = strategy.plan
    assert (plan.fractions, plan.has_trail, plan.break_even_r, plan.cooldown_bars) == ((0.5, 0.5), True, 1.5, 10)
    assert (plan.size_kind, plan.risk_percent) == ("move", 0.4)
    columns = strategy.evaluate(make_bars()).columns
    assert {f"{side}.{name}" for side in ("long", "short") for name in ("target", "target_2", "trail", "size")} <= set(columns)
    fixed = compile_strategy("long = close > open", "entry = at_open()\nstop = low\nsize = param(5000, low=1000, high=9000)\ntrail = 0.5")
    assert fixed.plan.size_kind == "dollars"
    evaluated = fixed.evaluate(make_bars())
    assert (set(evaluated["long.size"]), set(evaluated["long.trail"])) == ({5000.0}, {0.5})
    kept = compile_strategy("long = close > open", "entry = at_open()\nstop = low\ntarget = high + atr(14)\nfraction = 0.25").plan
    assert kept.fractions == (0.25,), "the rest waits for the stop"


def test_words_a_script_does_not_use_leave_its_hash_as_it_was() -> None:
    plan = compile_strategy(
        "long = close > open", 'entry = limit(low, bars=3)\nstop = low - atr(14)\ntarget = high\nflat_by = "15:55"'
    ).plan
    assert plan.text() == (
        "ExecutionPlan(entry_kind='limit', expiry_bars=3, has_target=True, has_exit=False, max_bars=None, "
        "flat_by_minute=955, risk_percent=0.5)"
    )
    used = compile_strategy("long = close > open", "entry = at_open()\nstop = low - atr(14)\ncooldown = 5").plan
    assert used.text().endswith("risk_percent=0.5, cooldown_bars=5)")


def test_a_scan_may_have_a_line_called_as_a_later_word_of_the_execution_script() -> None:
    scan = "size = abs(gap())\nlong = size > 1"
    plan = compile_strategy(scan, EXECUTION).plan
    assert plan.size_kind == "risk"
    assert compile_strategy(scan, f"{EXECUTION}size = 5000\n").plan.size_kind == "dollars"
    assert [error.message for error in check("size = 5000 * close\nlong = close > open", EXECUTION)] == [
        "`size` belongs in the execution script"
    ]
