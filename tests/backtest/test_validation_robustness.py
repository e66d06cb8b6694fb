"""Each change changes one thing: the costs, the bar of entry, the best trades, the start, the tickers."""

from __future__ import annotations

from dataclasses import fields

import polars as pl
import pytest

from lab.backtest import Account, Costs, run_backtest
from lab.backtest.validation.robustness import (
    BEST_TRADES,
    Shaken,
    break_even_costs,
    costs_times,
    one_bar_later,
    shake,
    ticker_halves,
    without_best,
)
from tests.backtest.markets import Planned, Shape, TestPlan, hand_written, random_market

PLAN = Planned(TestPlan(fractions=(1.0,), max_bars=10))
BAR = (10.0, 10.5, 9.5, 10.0)


def test_a_signal_moves_one_bar_with_its_own_prices_and_not_into_another_day() -> None:
    frame = hand_written([BAR] * 6, sessions=[0, 0, 0, 1, 1, 1], long={0: {"stop": 9.0, "target": 12.0}, 2: {"stop": 8.0, "target": 11.0}})
    later = one_bar_later(frame)
    assert later["signal.long"].to_list() == [False, True, False, False, False, False]
    assert later["long.stop"][1] == 9.0
    assert later["long.exit"].to_list() == frame["long.exit"].to_list()
    daily = hand_written([BAR] * 3, sessions=[0, 1, 2], minutes=[570] * 3, long={0: {"stop": 9.0, "target": 12.0}})
    assert one_bar_later(daily)["signal.long"].to_list() == [False, True, False]


def test_costs_scale_and_the_place_where_the_edge_dies_is_found() -> None:
    costs = Costs(1.0, 2.0, 0.1, 30.0, commission_per_share=0.005, slippage_atr=0.4, margin_bps_per_year=500.0)
    for multiple in (1, 2, 3):
        for field in fields(Costs):
            own, times = getattr(costs, field.name), getattr(costs_times(costs, multiple), field.name)
            most = {"participation_cap": own, "slippage_atr": 1.0}.get(field.name, 4_999.0)
            assert times == min(own * multiple, most)
    free = costs_times(costs, 0)
    assert {getattr(free, field.name) for field in fields(Costs)} == {0.0, 0.1}, "without costs nothing at all is paid"

    def at(*returns: float) -> float | None:
        return break_even_costs([Shaken("costs", f"x{i}", 50, 1.0, value) for i, value in enumerate(returns)])

    assert at(0.3, 0.2, 0.1, -0.1) == pytest.approx(2.5)
    assert at(0.3, 0.2, 0.1, 0.05) is None
    assert at(-0.1, -0.2, -0.3, -0.4) is None


def test_without_its_best_trades_a_result_loses_just_their_profit() -> None:
    result = run_backtest(PLAN, random_market(3, Shape(sessions=6)), Account(), Costs())
    assert result.trades.height > BEST_TRADES
    found = without_best(result)
    best = result.trades["pnl"].sort(descending=True).head(BEST_TRADES).sum()
    assert found.total_return == pytest.approx((result.metrics.final_equity - best) / 100_000 - 1)
    assert found.trades == result.trades.height - BEST_TRADES


def test_all_of_it_is_the_same_for_the_same_seed_and_the_base_is_among_it() -> None:
    frame = random_market(5, Shape())
    base = run_backtest(PLAN, frame, Account(), Costs())
    found = shake(PLAN, frame, Account(), Costs(), base, 1)
    assert found == shake(PLAN, frame, Account(), Costs(), base, 1)
    kinds = [one.name for one in found]
    assert {name: kinds.count(name) for name in dict.fromkeys(kinds)} == {
        "costs": 4,
        "entry one bar later": 1,
        "five best trades removed": 1,
        "start shifted": 3,
        "half of the tickers": 8,
    }
    by = {(one.name, one.detail): one for one in found}
    assert by["costs", "x1"].total_return == base.metrics.total_return
    assert by["costs", "x0"].total_return > by["costs", "x3"].total_return
    assert all(one.trades <= base.metrics.trades for one in found if one.name == "start shifted")


def test_halves_hold_half_of_the_tickers() -> None:
    drawn = ticker_halves(["A", "B", "C", "D", "E"], 2)
    assert all(len(half) == 3 == len(set(half)) for half in drawn)
    assert len(set(drawn)) > 3


def test_one_ticker_alone_is_not_halved() -> None:
    frame = hand_written([BAR] * 40, long={3: {"stop": 9.0, "target": 12.0}})
    base = run_backtest(PLAN, frame, Account(), Costs())
    assert isinstance(frame, pl.DataFrame)
    assert "half of the tickers" not in {one.name for one in shake(PLAN, frame, Account(), Costs(), base, 1)}
