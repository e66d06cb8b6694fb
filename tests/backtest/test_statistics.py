"""Intervals and comparisons: against published and library values, and against noise, where they must stay quiet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from lab.backtest import BacktestError, ComparisonVerdict, compare_paired, sharpe_interval, sharpe_ratio, wilson_interval
from lab.backtest.statistics import politis_white_length


@pytest.mark.parametrize(("wins", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611)])
def test_wilson_gives_the_published_intervals(wins: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, table I, method 3."""
    assert wilson_interval(wins, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(case: tuple[int, int]) -> None:
    wins, n = case
    expected = binomtest(wins, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(wins, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    for wins, n in ((3, 2), (-1, 2)):
        with pytest.raises(BacktestError):
            wilson_interval(wins, n)


def test_sharpe_is_mean_over_deviation_annualised() -> None:
    returns = [0.01, -0.005, 0.02, 0.0]
    assert sharpe_ratio(returns) == pytest.approx(np.mean(returns) / np.std(returns, ddof=1) * math.sqrt(252))


@pytest.mark.parametrize("returns", [[], [0.01], [0.0] * 100, [0.01] * 100, [0.1 + 0.2, 0.3] * 50])
def test_returns_that_do_not_vary_have_no_sharpe_and_no_interval(returns: list[float]) -> None:
    assert sharpe_ratio(returns) is None
    assert sharpe_interval(returns, 1) is None


def test_a_short_series_has_no_interval() -> None:
    assert sharpe_interval(np.random.default_rng(1).normal(0, 0.01, 29), 1) is None


def test_the_same_seed_gives_the_same_interval() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, 120)
    assert sharpe_interval(returns, 7) == sharpe_interval(returns, 7)
    assert sharpe_interval(returns, 7) != sharpe_interval(returns, 8)


def test_the_interval_holds_the_estimate_and_narrows_with_data() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, 2_000)
    short, long = sharpe_interval(returns[:100], 1), sharpe_interval(returns, 1)
    assert short is not None
    assert long is not None
    assert short[0] < (sharpe_ratio(returns[:100]) or 0) < short[1]
    assert long[1] - long[0] < (short[1] - short[0]) / 2


def test_one_trade_in_a_hundred_days_gives_a_finite_interval() -> None:
    returns = np.zeros(100)
    returns[40] = 0.02
    interval = sharpe_interval(returns, 1)
    assert interval is not None
    assert all(math.isfinite(end) for end in interval)
    assert interval[0] <= 0


class TestPaired:
    noise = np.random.default_rng(3)
    old = noise.normal(0, 0.01, 120)

    def test_a_clear_gain_is_better_and_its_reverse_worse(self) -> None:
        new = self.old + np.random.default_rng(4).normal(0.003, 0.004, 120)
        better, worse = compare_paired(self.old, new, 1), compare_paired(new, self.old, 1)
        assert (better.verdict, worse.verdict) == (ComparisonVerdict.BETTER, ComparisonVerdict.WORSE)
        assert better.low is not None
        assert 0 < better.low < better.mean_difference
        assert "above zero" in better.reason

    def test_the_same_version_shows_no_evidence(self) -> None:
        assert compare_paired(self.old, self.old, 1).verdict is ComparisonVerdict.NO_EVIDENCE

    def test_few_sessions_trades_or_differences_show_no_evidence_however_large(self) -> None:
        gain = self.old + 0.05 + np.random.default_rng(5).normal(0, 0.01, 120)
        lucky = self.old.copy()
        lucky[:9] += 0.05
        short = compare_paired(self.old[:29], gain[:29], 1)
        few = compare_paired(self.old, gain, 1, trades=29)
        rare = compare_paired(self.old, lucky, 1)
        assert {short.verdict, few.verdict, rare.verdict} == {ComparisonVerdict.NO_EVIDENCE}
        assert [result.low for result in (short, few, rare)] == [None, None, None]
        assert "29 sessions" in short.reason
        assert "29 trades" in few.reason
        assert "9 of 120 sessions" in rare.reason

    def test_an_equal_gain_every_day_is_better(self) -> None:
        assert compare_paired(np.zeros(60), np.full(60, 0.001), 1).verdict is ComparisonVerdict.BETTER

    def test_nothing_to_compare_shows_no_evidence(self) -> None:
        assert compare_paired([], [], 1).verdict is ComparisonVerdict.NO_EVIDENCE

    def test_versions_on_different_spans_are_not_compared(self) -> None:
        with pytest.raises(BacktestError, match="120 sessions can't be paired with 119"):
            compare_paired(self.old, self.old[1:], 1)

    def test_on_noise_it_says_better_no_more_often_than_one_in_twenty(self) -> None:
        random = np.random.default_rng(6)
        alarms = 0
        for seed in range(100):
            old = random.standard_t(4, 60) * 0.01
            new = old + np.where(random.random(60) < 0.4, random.standard_t(4, 60) * 0.005, 0.0)
            alarms += compare_paired(old, new, seed).verdict is ComparisonVerdict.BETTER
        assert alarms <= 100 * 0.05 + 3 * math.sqrt(100 * 0.05 * 0.95)


@pytest.mark.parametrize("dependence", [-0.6, 0.0, 0.3, 0.8, 0.99])
def test_the_block_length_is_that_of_arch_to_the_bit(dependence: float) -> None:
    from arch.bootstrap import optimal_block_length

    rng = np.random.default_rng(11)
    for count in (30, 31, 64, 250, 1_500):
        noise = rng.standard_normal(count)
        values = np.zeros(count)
        for step in range(1, count):
            values[step] = dependence * values[step - 1] + noise[step]
        values[rng.random(count) < 0.2] = 0.0
        expected = float(optimal_block_length(values)["stationary"].iloc[0])
        assert politis_white_length(values) == min(max(expected, 1.0), count / 3)
