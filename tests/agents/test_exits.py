"""Exit plans: five ways out for any scan and bar length, tested in one pass as if each were tested alone."""

from __future__ import annotations

from concurrent.futures import Executor

import pytest
from sqlmodel import select

from lab.agents import sweep_jobs
from lab.agents.builtin.exits import entry_of, exit_plans
from lab.agents.exits import OWN, compare_exits
from lab.agents.jobs import account_of
from lab.agents.loading import market_bars
from lab.agents.service import Lab
from lab.agents.span import learning_slice
from lab.agents.sweeps import subject_of_scripts
from lab.backtest import compare_paired, daily_returns, run_backtest
from lab.errors import LabError
from lab.script import check, compile_strategy
from lab.store.models import Trial, Universe
from tests.agents.made import EXECUTION, SCAN

BOTH_SIDES = "long = crosses_above(close, sma(close, 20))\nshort = crosses_below(close, sma(close, 20))\n"
LIMIT = """def part(n): return 0.1 * atr(n)
away = part(14)
far = 3 * away
entry = limit(close - side * param(1, low=0.5, high=2) * away, bars=3)
stop = close - side * far
"""


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "30m", "1h", "1d"])
@pytest.mark.parametrize("own", ["", LIMIT])
def test_every_plan_is_right_for_both_sides_on_every_timeframe(timeframe: str, own: str) -> None:
    plans = exit_plans(timeframe, 0.4, own)
    assert [plan.name for plan in plans] == ["conservative", "aggressive", "time-based", "ATR-adaptive", "price-action"]
    for plan in plans:
        assert check(BOTH_SIDES, plan.execution) == ()
        strategy = compile_strategy(BOTH_SIDES, plan.execution)
        assert strategy.plan.risk_percent == 0.4
        assert strategy.plan.entry_kind == ("limit" if own else "at_open")
        assert (strategy.plan.flat_by_minute is not None) == (timeframe in ("1m", "5m", "15m"))
    assert len({compile_strategy(BOTH_SIDES, plan.execution).script_hash for plan in plans}) == 5


def test_a_stay_is_as_long_in_minutes_whatever_the_bar() -> None:
    held = {timeframe: compile_strategy(BOTH_SIDES, exit_plans(timeframe, 0.5)[2].execution).plan.max_bars for timeframe in ("1m", "5m")}
    assert held == {"1m": 60, "5m": 12}


def test_the_entry_keeps_the_lines_it_is_made_of_and_no_others() -> None:
    before, entry = entry_of(LIMIT)
    assert before == "def part(n): return 0.1 * atr(n)\naway = part(14)\n"
    assert entry == "limit(close - side * param(1, low=0.5, high=2) * away, bars=3)"


def test_plans_tested_in_one_pass_are_the_same_to_the_bit_as_tested_alone(lab: Lab, threads: Executor) -> None:
    subject = subject_of_scripts(SCAN, EXECUTION, 1, "balanced")
    report = compare_exits(lab.workspace, lab.store, threads, subject)
    with lab.store.read() as session:
        bars = learning_slice(session.get_one(Universe, 1), lab.workspace.bars)
        trials = list(session.exec(select(Trial)))
    returns = {}
    for plan in report.plans:
        strategy = compile_strategy(SCAN, plan.execution)
        result = run_backtest(strategy, strategy.evaluate(market_bars(bars)), *account_of(subject.rules))
        returns[plan.name] = daily_returns(result.equity, result.metrics.starting_equity)
        for name in ("trades", "win_rate", "sharpe", "total_return", "max_drawdown", "profit_factor", "expectancy_r", "average_bars_held"):
            assert getattr(plan.measured, name) == getattr(result.metrics, name)
    assert [plan.name for plan in report.plans] == [OWN, "conservative", "aggressive", "time-based", "ATR-adaptive", "price-action"]
    assert report.plans[0].comparison is None
    for plan in report.plans[1:]:
        assert plan.comparison is not None
        paired = compare_paired(returns[OWN], returns[plan.name], 20_260_101, min(report.plans[0].measured.trades, plan.measured.trades))
        assert (str(plan.comparison.verdict), plan.comparison.low) == (str(paired.verdict), paired.low)
    assert [(trial.purpose, trial.outcome) for trial in trials] == [("exits", "completed")] * 6
    assert report.trials == 6
    assert "6 variants" in report.warning


def test_a_plan_that_does_not_fit_the_scan_is_named_and_the_others_are_tested(lab: Lab, threads: Executor) -> None:
    scan = "def far(n): return n * atr(14)\n" + SCAN
    own = EXECUTION.replace("close - param(3.5, low=2, high=10, step=0.5) * atr(30)", "close - far(4)")
    report = compare_exits(lab.workspace, lab.store, threads, subject_of_scripts(scan, own, 1, "balanced"))
    assert [plan.name for plan in report.plans] == [OWN]
    assert len(report.untested) == 5
    assert "`far` is never used" in report.untested[0].reason


def test_a_computation_that_was_ended_counts_as_a_trial_of_each_plan(lab: Lab, threads: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*arguments: object) -> None:
        raise LabError("The computation took longer than 600 s and was ended.")

    monkeypatch.setattr(sweep_jobs, "exits_job", ended)
    with pytest.raises(LabError, match="longer"):
        compare_exits(lab.workspace, lab.store, threads, subject_of_scripts(SCAN, EXECUTION, 1, "balanced"))
    with lab.store.read() as session:
        assert [trial.outcome for trial in session.exec(select(Trial))] == ["crashed"] * 6
