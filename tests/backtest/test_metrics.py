"""Every metric is what a person would reckon by hand, the market model and the intervals what libraries give, and measuring is cheap."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from arch.bootstrap import StationaryBootstrap
from hypothesis import given
from hypothesis import strategies as st

from lab.backtest import Account, BacktestError, Costs, break_down, curve_intervals, market_model, run_backtest, sharpe_interval
from lab.backtest.metrics import Metrics, TradeFigures, measure
from lab.backtest.statistics import _resampled
from tests.backtest.markets import Planned, Shape, TestPlan, random_market

START = 100.0


def curve(*values: float) -> pl.DataFrame:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(len(values))]
    return pl.DataFrame({"session": days, "equity": list(values)}, schema={"session": pl.Date, "equity": pl.Float64})


def trades(*pnl: float) -> pl.DataFrame:
    at = [datetime(2024, 1, 2, 15, tzinfo=UTC) + timedelta(days=i) for i in range(len(pnl))]
    return pl.DataFrame(
        {
            "ticker": ["AAA", "BBB"] * (len(pnl) // 2) + ["AAA"] * (len(pnl) % 2),
            "direction": ["long"] * len(pnl),
            "entry_at": at,
            "exit_at": at,
            "session": [moment.date() for moment in at],
            "entry_price": [10.0] * len(pnl),
            "exit_price": [10.0] * len(pnl),
            "shares": [1.0] * len(pnl),
            "pnl": list(pnl),
            "costs": [0.5] * len(pnl),
            "r_multiple": list(pnl),
            "mae_r": [-0.5] * len(pnl),
            "mfe_r": [1.5] * len(pnl),
            "bars_held": [3] * len(pnl),
            "market.trend": pl.Series([1, -1] * (len(pnl) // 2) + [None] * (len(pnl) % 2), dtype=pl.Int8),
        }
    )


def measured(equity: pl.DataFrame, done: pl.DataFrame | None = None) -> Metrics:
    done = trades(1.0, -1.0) if done is None else done
    named = {name: done[name].to_numpy() for name in ("pnl", "costs", "r_multiple", "mae_r", "mfe_r", "bars_held")}
    dealt = (done["shares"] * (done["entry_price"] + done["exit_price"])).to_numpy()
    figures = TradeFigures(**named, dealt=dealt, exit_at=done["exit_at"].to_physical().to_numpy())
    return measure(figures, equity["equity"].to_numpy(), START, 100)


def test_the_drawdowns_length_and_the_time_below_a_peak_are_counted_in_sessions() -> None:
    found = measured(curve(110, 100, 99, 110, 105, 120))
    assert (found.drawdown_sessions, found.time_under_water) == (2, 0.5)
    assert found.max_drawdown == pytest.approx(0.1)
    never_recovered = measured(curve(90, 95, 94))
    assert (never_recovered.drawdown_sessions, never_recovered.time_under_water) == (3, 1.0)
    assert measured(curve(101, 102)).drawdown_sessions == 0


def test_annual_return_volatility_sortino_and_calmar_are_their_formulas() -> None:
    found = measured(curve(101, 99.99, 102))
    returns = np.array([0.01, -0.01, 102 / 99.99 - 1])
    assert found.annual_return == pytest.approx(1.02 ** (252 / 3) - 1)
    assert found.volatility == pytest.approx(returns.std(ddof=1) * math.sqrt(252))
    assert found.sortino == pytest.approx(returns.mean() / math.sqrt(0.01**2 / 3) * math.sqrt(252))
    assert found.calmar == pytest.approx((found.annual_return or 0) / 0.01)
    assert (measured(curve(101, 102)).sortino, measured(curve(101, 102)).calmar) == (None, None)


def test_streaks_turnover_and_excursions_come_from_the_trades() -> None:
    found = measured(curve(100, 100), trades(1, 2, -1, -1, -1, 3, 0))
    assert (found.longest_win_streak, found.longest_loss_streak) == (2, 3)
    assert found.turnover == pytest.approx(7 * 20 / 100 * 252 / 2)
    assert (found.mae_r, found.mfe_r) == (-0.5, 1.5)
    nothing = measured(curve(100, 100), trades().cast({"exit_at": pl.Datetime("us", "UTC"), "pnl": pl.Float64}))
    assert (nothing.longest_loss_streak, nothing.mae_r, nothing.turnover) == (0, None, 0.0)


@given(st.lists(st.floats(50, 200), min_size=1, max_size=60))
def test_time_under_water_is_never_longer_than_the_curve(values: list[float]) -> None:
    found = measured(curve(*values))
    assert 0 <= found.drawdown_sessions <= len(values)
    assert found.drawdown_sessions <= round(found.time_under_water * len(values)) <= len(values)
    assert (found.max_drawdown > 0) == (found.time_under_water > 0)


def test_breakdowns_hold_every_trade_once_and_name_the_regime() -> None:
    done = trades(1, -1, 2, -1, 3)
    parts = {breakdown.by: breakdown.parts for breakdown in break_down(done)}
    assert list(parts) == ["direction", "ticker", "month", "hour of entry", "weekday", "market trend"]
    for by in ("direction", "ticker", "month", "hour of entry", "weekday"):
        assert sum(part.trades for part in parts[by]) == 5
        assert sum(part.pnl for part in parts[by]) == pytest.approx(4.0)
    assert [(part.name, part.trades, part.wins) for part in parts["market trend"]] == [("down", 2, 0), ("up", 2, 2)]
    assert [part.name for part in parts["hour of entry"]] == ["10:00"]
    assert parts["ticker"][0].profit_factor is None
    assert break_down(done.clear()) == ()


def test_alpha_and_beta_with_their_errors_are_those_of_statsmodels() -> None:
    random = np.random.default_rng(1)
    market = random.normal(0, 0.01, 250)
    own = 0.0005 + 0.6 * market + random.normal(0, 0.005, 250) * (1 + 50 * np.abs(market))
    found = market_model(own, market)
    expected = sm.OLS(own, sm.add_constant(market)).fit(cov_type="HC1", use_t=True)
    assert found is not None
    assert (found.alpha / 252, found.beta) == pytest.approx(tuple(expected.params))
    assert found.r_squared == pytest.approx(expected.rsquared)
    low, high = expected.conf_int()[1]
    assert found.beta_interval == pytest.approx((low, high), rel=0.01)


def test_no_market_model_without_a_market_that_moves_or_enough_sessions() -> None:
    assert market_model(np.zeros(29), np.arange(29) / 100) is None
    assert market_model(np.arange(50) / 100, np.zeros(50)) is None
    with pytest.raises(BacktestError, match="50 sessions can't be set against 49"):
        market_model(np.zeros(50), np.zeros(49))


def test_all_intervals_of_a_curve_come_from_the_same_resampling_and_hold_what_was_seen() -> None:
    returns = np.random.default_rng(2).normal(0.0005, 0.01, 500)
    found = curve_intervals(returns, 3)
    assert found is not None
    assert found == curve_intervals(returns, 3)
    assert found.sharpe == sharpe_interval(returns, 3)
    assert found.annual_return[0] < float(np.prod(1 + returns)) ** (252 / 500) - 1 < found.annual_return[1]
    wealth = np.cumprod(1 + returns)
    assert found.max_drawdown[0] < float((1 - wealth / np.maximum.accumulate(wealth)).max()) < found.max_drawdown[1]
    assert curve_intervals(returns[:29], 3) is None


@pytest.mark.parametrize("block", [1.0, 4.0, 12.5])
def test_resampling_is_that_of_arch(block: float) -> None:
    """Mean, spread and autocorrelation of the resampled means, against `arch` with its own random numbers."""
    values = np.convolve(np.random.default_rng(5).normal(0, 0.01, 163), np.ones(4), "valid")
    ours = _resampled(values, block, 1, 4_000)
    bootstrap = StationaryBootstrap(block, values, seed=np.random.default_rng(2))
    theirs = np.stack([positional[0] for positional, _ in bootstrap.bootstrap(4_000)])
    assert set(ours.ravel()) <= set(values)
    for statistic in (lambda x: x.mean(axis=1), lambda x: x.std(axis=1), lambda x: (x[:, 1:] * x[:, :-1]).mean(axis=1)):
        found, expected = statistic(ours), statistic(theirs)
        assert found.mean() == pytest.approx(expected.mean(), abs=5 * expected.std() / math.sqrt(4_000))
        assert found.std() == pytest.approx(expected.std(), rel=0.08)


def test_an_interval_of_the_annual_return_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(4)
    truth = math.expm1(252 * float(np.log1p(random.standard_t(5, 1_000_000) * 0.008 + 0.0004).mean()))
    held = 0
    for seed in range(40):
        returns = random.standard_t(5, 120) * 0.008 + 0.0004
        found = curve_intervals(returns, seed, repetitions=500)
        assert found is not None
        held += found.annual_return[0] <= truth <= found.annual_return[1]
    assert held >= 40 * 0.95 - 3 * math.sqrt(40 * 0.95 * 0.05)


def test_a_curve_that_lost_everything_on_a_day_has_intervals_all_the_same() -> None:
    returns = np.random.default_rng(2).normal(0.0005, 0.01, 60)
    returns[40] = -1.0
    found = curve_intervals(returns, 3)
    assert found is not None
    assert -1.0 <= found.annual_return[0] <= found.annual_return[1] < math.inf


def test_the_metrics_of_a_real_run_agree_with_each_other() -> None:
    result = run_backtest(Planned(TestPlan(fractions=(1.0,))), random_market(7, Shape()), Account(), Costs())
    found = result.metrics
    assert found.trades == result.trades.height > 0
    assert found.mae_r is not None
    assert found.mae_r <= 0 <= (found.mfe_r or 0)
    assert found.longest_win_streak <= found.wins
    assert found.longest_loss_streak <= found.trades - found.wins
