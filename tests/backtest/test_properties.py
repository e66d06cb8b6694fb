"""What must hold of every run on every market."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.backtest import Account, BacktestResult, Costs, run_backtest
from tests.backtest.markets import Planned, Shape, TestPlan, random_market
from tests.backtest.reference import Reference
from tests.backtest.test_reference import accounts, costs, plans, seeds, shapes

quickly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
SAME = ("ticker", "direction", "signal_at", "entry_at", "entry_price", "shares")


@quickly
@given(seeds, shapes, plans, accounts, costs)
def test_every_fill_lies_inside_its_bar_and_after_its_signal(
    seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs
) -> None:
    market = random_market(seed, shape)
    result = run_backtest(Planned(plan), market, account, cost)
    trades = result.trades
    fills = result.fills.with_columns(trades["ticker"].gather(result.fills["trade"]), pl.col("at").alias("timestamp"))
    checked = fills.join(market.select("ticker", "timestamp", "low", "high"), on=["ticker", "timestamp"], how="inner")
    assert checked.height == fills.height == trades.height + trades["exits"].sum()
    assert checked.select((pl.col("price").is_between(pl.col("low"), pl.col("high"))).all()).item()
    left = fills.with_columns(pl.col("shares") * pl.when(pl.col("reason") == "entry").then(-1).otherwise(1))
    assert left.group_by("trade").agg(pl.col("shares").sum().abs())["shares"].to_list() == pytest.approx([0.0] * trades.height, abs=1e-9)
    assert (trades["entry_at"] > trades["signal_at"]).all()
    assert (trades["exit_at"] >= trades["entry_at"]).all()


@quickly
@given(seeds, shapes, plans, accounts, costs)
def test_the_account_keeps_within_its_limits_and_its_books_add_up(
    seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs
) -> None:
    market = random_market(seed, shape)
    result = run_backtest(Planned(plan), market, account, cost)
    trades, equity = result.trades, result.equity["equity"]
    if equity.len():
        assert equity[-1] == pytest.approx(account.starting_equity + trades["pnl"].sum() - result.interest_paid, abs=0.005)
        assert result.equity["session"].to_list() == sorted(set(result.equity["session"]))
    move = (trades["exit_price"] - trades["entry_price"]) * trades["shares"]
    signed = pl.select(pl.when(trades["direction"] == "long").then(move).otherwise(-move)).to_series()
    assert (signed - trades["costs"]).to_list() == pytest.approx(trades["pnl"].to_list(), abs=0.005)
    assert ((trades["mae_r"] <= 0) & (trades["mfe_r"] >= 0) & (trades["shares"] > 0) & (trades["bars_held"] >= 1)).all()
    for at in trades["entry_at"].unique():
        held = trades.filter((pl.col("entry_at") <= at) & (pl.col("exit_at") > at))
        assert held.height <= account.max_positions
        assert held["ticker"].is_unique().all()
    books = Reference(plan, market, account, cost).run().cash_and_positions
    if account.buying_power <= 1 and shape.sides == ("long",):
        assert all(cash >= -0.005 for _, cash, _ in books)


@quickly
@given(seeds, shapes, plans, accounts, costs)
def test_tickers_and_rows_in_another_order_change_nothing(seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs) -> None:
    market = random_market(seed, shape)
    there = run_backtest(Planned(plan), market, account, cost)
    assert run_backtest(Planned(plan), market.reverse(), account, cost).fingerprint == there.fingerprint
    assert run_backtest(Planned(plan), market.sample(fraction=1.0, shuffle=True, seed=1), account, cost).fingerprint == there.fingerprint


@quickly
@given(seeds, shapes, plans, accounts, costs, st.floats(0.1, 1.0))
def test_cutting_the_future_changes_no_past_trade(
    seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs, share: float
) -> None:
    market = random_market(seed, shape)
    times = sorted(set(market["timestamp"]))
    if not times:
        return
    cut = times[int(share * (len(times) - 1))]
    whole = run_backtest(Planned(plan), market, account, cost)
    early = run_backtest(Planned(plan), market.filter(pl.col("timestamp") <= cut), account, cost)
    assert entered(whole, cut) == entered(early, cut)
    assert skipped(whole, cut) <= skipped(early, cut)
    # a close that ends a session or the data is known only when it is over
    known = (pl.col("exit_at") <= cut) & ~pl.col("exit_reason").is_in(["flat by", "end of data"])
    assert whole.trades.filter(known).rows() == early.trades.filter(known).rows()
    before = whole.equity.filter(pl.col("session") < cut.date())
    assert before.equals(early.equity.filter(pl.col("session") < cut.date()))


def entered(result: BacktestResult, until: datetime) -> list[tuple[object, ...]]:
    return result.trades.filter(pl.col("entry_at") <= until).select(SAME).rows()


def skipped(result: BacktestResult, until: datetime) -> set[tuple[object, ...]]:
    """Signals that were turned away on the spot, which no later bar can change."""
    on_the_spot = ["conflicting", "in position", "order pending", "no stop", "no entry price", "no slot"]
    return set(result.skips.filter((pl.col("signal_at") <= until) & pl.col("reason").is_in(on_the_spot)).rows())


@quickly
@given(seeds, shapes, plans, st.sampled_from([0.5, 2.0, 4.0]))
def test_a_split_changes_nothing_but_shares(seed: int, shape: Shape, plan: TestPlan, factor: float) -> None:
    market = random_market(seed, shape)
    account = Account(whole_shares=False)
    cost = Costs(participation_cap=0.05)
    said = (".stop", ".target", ".target_2", ".target_3", ".trail", ".entry_price", *([".size"] if plan.size_kind == "move" else []))
    prices = [c for c in market.columns if c in ("open", "high", "low", "close") or c.endswith(said)]
    split = market.with_columns(pl.col(prices) * factor, pl.col("volume") / factor)
    before, after = (run_backtest(Planned(plan), m, account, cost) for m in (market, split))
    assert after.funnel == before.funnel
    assert after.equity["equity"].to_list() == pytest.approx(before.equity["equity"].to_list(), rel=1e-9)
    assert (after.trades["shares"] * factor).to_list() == pytest.approx(before.trades["shares"].to_list(), rel=1e-9)


@quickly
@given(seeds, shapes, plans)
def test_more_costs_never_leave_more_on_the_same_trades(seed: int, shape: Shape, plan: TestPlan) -> None:
    market = random_market(seed, shape)
    cheap = run_backtest(Planned(plan), market, Account(), Costs(0.0, 0.0, None, 0.0)).trades
    dear = run_backtest(Planned(plan), market, Account(), Costs(2.0, 5.0, None, 200.0, 0.01, 0.2)).trades
    both = cheap.join(dear, on=["ticker", "signal_at", "direction"], suffix="_dear")
    assert (both["r_multiple_dear"] <= both["r_multiple"] + 1e-12).all()


@quickly
@given(seeds, shapes, plans, accounts, costs)
def test_the_same_inputs_give_the_same_result_to_the_bit(seed: int, shape: Shape, plan: TestPlan, account: Account, cost: Costs) -> None:
    first, second = (run_backtest(Planned(plan), random_market(seed, shape), account, cost) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert first.trades.equals(second.trades)
    assert first.metrics == second.metrics
