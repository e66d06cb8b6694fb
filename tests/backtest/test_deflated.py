"""The probabilistic and deflated Sharpe ratio against the papers' worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lab.backtest import (
    BacktestError,
    deflated_sharpe,
    deflated_sharpe_ratio,
    effective_trials,
    expected_maximum_sharpe,
    probabilistic_sharpe,
    probabilistic_sharpe_ratio,
)


@pytest.mark.parametrize(("trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_gives_the_published_example(trials: int, expected: float) -> None:
    """Bailey and López de Prado 2014, "The Deflated Sharpe Ratio": annual 2.5 over 250 days a year, T 1250, skew -3, kurtosis 10, V 1/2."""
    daily = 2.5 / math.sqrt(250)
    assert deflated_sharpe_ratio(daily, 1250, -3, 10, trials, 0.5 / 250) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("skewness", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)])
def test_probabilistic_sharpe_gives_the_published_example(skewness: float, kurtosis: float, expected: float) -> None:
    """Bailey and López de Prado 2012, "The Sharpe Ratio Efficient Frontier": monthly 0.458, T 24."""
    assert probabilistic_sharpe_ratio(0.458, 24, skewness, kurtosis) == pytest.approx(expected, abs=5e-4)


def test_more_trials_make_the_same_sharpe_worth_less() -> None:
    worth = [deflated_sharpe_ratio(0.1, 500, 0, 3, trials, 0.002) or 0.0 for trials in (1, 2, 10, 100, 10_000)]
    assert worth == sorted(worth, reverse=True)
    assert worth[0] == probabilistic_sharpe_ratio(0.1, 500)


def test_the_best_of_many_skilless_trials_is_what_simulation_shows() -> None:
    best = np.random.default_rng(1).normal(0, 0.05, (4_000, 200)).max(axis=1).mean()
    assert expected_maximum_sharpe(200, 0.05**2) == pytest.approx(best, rel=0.02)


def test_moments_are_those_of_scipy_with_raw_kurtosis() -> None:
    returns = np.random.default_rng(1).standard_t(5, 400) * 0.01 + 0.001
    sharpe = returns.mean() / returns.std(ddof=1)
    moments = (sharpe, 400, stats.skew(returns), stats.kurtosis(returns, fisher=False))
    assert probabilistic_sharpe(returns) == pytest.approx(probabilistic_sharpe_ratio(*moments))
    assert deflated_sharpe(returns, 20, 0.001) == pytest.approx(deflated_sharpe_ratio(*moments, 20, 0.001))


@pytest.mark.parametrize("returns", [[], [0.01], [0.01] * 50, [0.0] * 50])
def test_returns_that_do_not_vary_have_no_probability(returns: list[float]) -> None:
    assert probabilistic_sharpe(returns) is None
    assert deflated_sharpe(returns, 10, 0.001) is None


def test_impossible_moments_and_trials_are_refused() -> None:
    assert probabilistic_sharpe_ratio(1.0, 50, skewness=5.0, kurtosis=3.0) is None
    with pytest.raises(BacktestError):
        expected_maximum_sharpe(0, 0.1)
    with pytest.raises(BacktestError):
        expected_maximum_sharpe(5, -0.1)


class TestEffectiveTrials:
    noise = np.random.default_rng(2).normal(0, 0.01, (400, 60))

    def test_independent_trials_count_in_full(self) -> None:
        assert effective_trials(self.noise) == pytest.approx(60, rel=0.25)
        assert effective_trials(np.zeros((0, 0)), others=60) == pytest.approx(60, rel=0.25)
        assert effective_trials(self.noise[:, :30], others=30) == pytest.approx(60, rel=0.25)

    def test_copies_count_once_and_cousins_in_between(self) -> None:
        copies = np.repeat(self.noise[:, :1], 60, axis=1)
        cousins = self.noise[:, :1] * 1.5 + self.noise
        assert effective_trials(copies) < 2
        assert 2 < effective_trials(cousins) < 30

    def test_what_it_leads_to_is_the_best_that_a_simulation_shows(self) -> None:
        """Estimates of 50 trials without skill that share a common part, 250 sessions each."""
        random = np.random.default_rng(3)
        best, effective = [], []
        for _ in range(150):
            made = random.normal(0, 0.01, (250, 1)) + random.normal(0, 0.01, (250, 50))
            best.append((made.mean(axis=0) / made.std(axis=0)).max())
        for _ in range(3):
            made = random.normal(0, 0.01, (250, 1)) + random.normal(0, 0.01, (250, 50))
            effective.append(expected_maximum_sharpe(effective_trials(made), 1 / 249))
        assert float(np.mean(effective)) == pytest.approx(float(np.mean(best)), abs=4 * float(np.std(best)) / math.sqrt(150))

    def test_one_trial_or_none_that_moves_is_one(self) -> None:
        assert effective_trials(self.noise[:, :1]) == 1.0
        assert effective_trials(np.zeros((100, 5))) == 1.0
