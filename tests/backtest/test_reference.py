"""The engine against the slow one: every trade, skip and equity point, on random strategies and markets."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.backtest import Account, BacktestResult, Costs, run_backtest
from lab.backtest.finer import FinerBars
from tests.backtest.markets import FINER_MINUTES, Planned, Shape, TestPlan, finer_of, random_market
from tests.backtest.reference import Outcome, Reference

EXACT = ("ticker", "direction", "signal_at", "entry_at", "exit_at", "entry_price")
EXACT_TOO = ("bars_held", "exit_reason", "stop", "target", "score", "session", "exits", "hung_on_order")
CLOSE = ("exit_price", "shares", "pnl", "costs", "r_multiple", "mae_r", "mfe_r")
FRACTIONS = [(), (), (1.0,), (1.0,), (0.5,), (0.5, 0.5), (0.25, 0.5), (0.3, 0.3, 0.4), (0.1, 0.1, 0.1), (0.9, 0.05, 0.05)]

plans = st.builds(
    TestPlan,
    entry_kind=st.sampled_from(["at_open", "limit", "stop_entry"]),
    expiry_bars=st.integers(1, 6),
    fractions=st.sampled_from(FRACTIONS),
    has_exit=st.booleans(),
    max_bars=st.none() | st.integers(1, 12),
    flat_by_minute=st.none() | st.sampled_from([570, 615, 660, 750, 840, 930, 960]),
    risk_percent=st.sampled_from([0.1, 0.5, 1.0, 5.0]),
    has_trail=st.booleans(),
    break_even_r=st.sampled_from([None, None, 0.5, 1.0, 2.5]),
    cooldown_bars=st.sampled_from([0, 0, 1, 4]),
    size_kind=st.sampled_from(["risk", "risk", "move", "dollars"]),
)
accounts = st.builds(
    Account,
    starting_equity=st.sampled_from([300.0, 10_000.0, 100_000.0]),
    max_positions=st.integers(1, 5),
    max_exposure=st.sampled_from([0.3, 1.0, 2.0]),
    max_position=st.sampled_from([0.1, 0.25, 1.0, 3.0]),
    buying_power=st.sampled_from([0.5, 1.0, 4.0]),
    whole_shares=st.booleans(),
    min_position=st.sampled_from([0.0, 0.01, 0.08]),
)
costs = st.builds(
    Costs,
    commission_bps=st.sampled_from([0.0, 0.5, 20.0]),
    slippage_bps=st.sampled_from([0.0, 1.0, 50.0]),
    participation_cap=st.sampled_from([None, 0.01, 0.05, 1.0]),
    borrow_bps_per_year=st.sampled_from([0.0, 50.0, 2_000.0]),
    commission_per_share=st.sampled_from([0.0, 0.005, 0.5]),
    slippage_atr=st.sampled_from([0.0, 0.1]),
    margin_bps_per_year=st.sampled_from([0.0, 600.0, 4_000.0]),
)
shapes = st.builds(
    Shape,
    tickers=st.integers(1, 5),
    sessions=st.integers(1, 5),
    bars=st.integers(1, 13),
    missing=st.sampled_from([0.0, 0.1, 0.4]),
    signals=st.sampled_from([0.05, 0.2, 0.6]),
    bad=st.sampled_from([0.0, 0.05, 0.2]),
    sides=st.sampled_from([("long", "short"), ("long",), ("short",)]),
)
seeds = st.integers(0, 2**32 - 1)


def assert_same(result: BacktestResult, outcome: Outcome) -> None:
    expected = sorted(outcome.trades, key=lambda t: (t["entry_at"], t["ticker"], t["signal_at"]))
    got = result.trades.to_dicts()
    assert [[t[name] for name in EXACT] for t in got] == [[t[name] for name in EXACT] for t in expected]
    assert [[t[name] for name in EXACT_TOO] for t in got] == [[t[name] for name in EXACT_TOO] for t in expected]
    for a, b in zip(got, expected, strict=True):
        assert [a[name] for name in CLOSE] == pytest.approx([b[name] for name in CLOSE], rel=1e-9, abs=1e-7)
    fills = result.fills.drop("trade").rows()
    every = [fill for trade in expected for fill in trade["fills"]]
    assert [(at, reason) for at, _, _, _, reason in fills] == [(fill.at, fill.reason) for fill in every]
    for (_, *numbers, _), fill in zip(fills, every, strict=True):
        assert numbers == pytest.approx([fill.price, fill.shares, fill.costs], rel=1e-9, abs=1e-7)
    assert result.fills["trade"].to_list() == [number for number, trade in enumerate(expected) for _ in trade["fills"]]
    assert result.interest_paid == pytest.approx(outcome.interest, rel=1e-9, abs=1e-6)
    skips = list(result.skips.select("ticker", "direction", "signal_at", "reason").iter_rows())
    assert sorted(skips) == sorted(outcome.skips)
    assert result.equity["session"].to_list() == [session for session, _ in outcome.equity]
    assert result.equity["equity"].to_list() == pytest.approx([equity for _, equity in outcome.equity], rel=1e-9, abs=1e-6)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds, shapes, plans, accounts, costs)
def test_every_trade_skip_and_equity_point_is_that_of_the_plain_engine(
    seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs
) -> None:
    market = random_market(seed, shape)
    result = run_backtest(Planned(plan), market, account, cost)
    assert_same(result, Reference(plan, market, account, cost).run())
    assert result.funnel["signals"] == result.funnel["trades"] + sum(v for k, v in result.funnel.items() if k not in ("signals", "trades"))
    assert result.funnel["signals"] == sum(int(market[f"signal.{side}"].sum()) for side in shape.sides)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds, shapes, plans, accounts, costs)
def test_finer_bars_settle_what_they_show_as_in_the_plain_engine(
    seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs
) -> None:
    market = random_market(seed, shape)
    finer = finer_of(market, seed)
    result = run_backtest(Planned(plan), market, account, cost, finer=FinerBars(finer, FINER_MINUTES))
    assert_same(result, Reference(plan, market, account, cost, finer, FINER_MINUTES).run())


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds, shapes, plans, accounts, costs)
def test_the_engines_agree_on_a_thousand_markets_with_finer_bars(
    seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs
) -> None:
    market = random_market(seed, shape)
    finer = finer_of(market, seed)
    result = run_backtest(Planned(plan), market, account, cost, finer=FinerBars(finer, FINER_MINUTES))
    assert_same(result, Reference(plan, market, account, cost, finer, FINER_MINUTES).run())


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds, shapes, plans, accounts, costs)
def test_the_engines_agree_on_thousands_of_markets(seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs) -> None:
    market = random_market(seed, shape)
    assert_same(run_backtest(Planned(plan), market, account, cost), Reference(plan, market, account, cost).run())
