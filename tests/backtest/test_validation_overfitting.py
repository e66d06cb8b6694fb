"""Choosing the best of many: certain overfitting, certain skill and noise are told apart; the fast reckoning is the plain one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.backtest import backtest_overfitting, different_ideas, superior_ability
from lab.backtest.errors import BacktestError

Floats = NDArray[np.float64]


def noise(sessions: int, variants: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, (sessions, variants))


def plain(returns: Floats, parts: int) -> float:
    """The paper's algorithm, word by word."""
    blocks = np.array_split(np.arange(len(returns)), parts)
    logits = []
    for chosen in combinations(range(parts), parts // 2):
        inside = np.concatenate([blocks[i] for i in chosen])
        outside = np.concatenate([blocks[i] for i in range(parts) if i not in chosen])
        best = (returns[inside].mean(axis=0) / returns[inside].std(axis=0)).argmax()
        there = returns[outside].mean(axis=0) / returns[outside].std(axis=0)
        share = ((there < there[best]).sum() + 1) / (returns.shape[1] + 1)
        logits.append(np.log(share / (1 - share)))
    return float((np.array(logits) <= 0).mean())


@given(st.integers(0, 10_000), st.sampled_from([4, 6, 8]), st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_the_fast_reckoning_gives_what_the_papers_algorithm_gives(seed: int, parts: int, variants: int) -> None:
    returns = noise(parts * 8, variants, seed)
    found = backtest_overfitting(returns, parts)
    assert found is not None
    assert found.probability == pytest.approx(plain(returns, parts))


def test_a_variant_that_is_always_best_is_not_overfitted() -> None:
    returns = noise(240, 20, 1)
    returns[:, 3] += 0.02
    found = backtest_overfitting(returns)
    assert found is not None
    assert (found.probability, found.loss, found.splits, found.parts) == (0.0, 0.0, 12_870, 16)


def test_variants_that_each_shine_once_are_overfitted_for_certain() -> None:
    returns = noise(160, 10, 2) * 0.01 - 0.001
    for variant in range(10):
        returns[variant * 16 : variant * 16 + 16, variant] += 0.05
    found = backtest_overfitting(returns, 10)
    assert found is not None
    assert found.probability > 0.95
    assert found.loss > 0.95


def test_on_noise_the_best_half_says_nothing_of_the_other() -> None:
    found = [backtest_overfitting(noise(120, 30, seed), 8) for seed in range(20)]
    assert 0.4 < float(np.mean([one.probability for one in found if one is not None])) < 0.75


def test_too_few_sessions_or_variants_that_differ_say_nothing() -> None:
    assert backtest_overfitting(noise(23, 10, 1)) is None
    assert backtest_overfitting(np.repeat(noise(200, 1, 1), 5, axis=1)) is None
    assert backtest_overfitting(np.zeros((200, 5))) is None
    assert superior_ability(noise(29, 5, 1), 1) is None
    assert superior_ability(np.zeros((100, 5)), 1) is None
    with pytest.raises(BacktestError, match="a row a session"):
        backtest_overfitting(np.zeros(10))


def test_the_spa_test_finds_a_variant_with_skill_and_is_quiet_on_noise() -> None:
    good = noise(250, 20, 3)
    good[:, 7] += 0.003
    found = superior_ability(good, 1)
    assert found is not None
    assert found == superior_ability(good, 1)
    assert found.p_value < 0.01
    assert found.lower <= found.p_value <= found.upper
    alarms = sum((superior_ability(noise(120, 15, 100 + seed), seed, 200) or found).p_value < 0.05 for seed in range(15))
    assert alarms <= 3


def test_copies_and_cousins_of_an_idea_count_once() -> None:
    ideas = noise(300, 4, 5)
    cousins = np.concatenate([ideas + noise(300, 4, seed) * 0.3 for seed in range(6)], axis=1)
    assert different_ideas(cousins) == 4
    assert different_ideas(noise(300, 12, 9)) == 12
    assert different_ideas(np.repeat(noise(300, 1, 1), 9, axis=1)) == 1
    assert different_ideas(np.zeros((300, 9))) == 1
