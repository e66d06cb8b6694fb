"""Folds never let what is judged leak into what is chosen on; choosing and judging are told apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lab.backtest.errors import BacktestError
from lab.backtest.validation.folds import Scheme, most_folds, walk_forward_folds
from lab.backtest.validation.walk_forward import walk_forward


@given(st.integers(30, 2_000), st.integers(1, 12), st.sampled_from(Scheme), st.integers(0, 10))
def test_a_position_opened_where_is_chosen_is_never_open_where_is_judged(sessions: int, count: int, scheme: Scheme, held: int) -> None:
    try:
        folds = walk_forward_folds(sessions, count, scheme, held)
    except BacktestError:
        assume(False)
    assert len(folds) == count
    for fold in folds:
        last_opened = fold.chosen_to - 1
        assert 0 <= fold.chosen_from < fold.chosen_to
        assert last_opened + held < fold.judged_from - held + 1, "purged: it is closed when the test stretch begins"
        assert fold.judged_from < fold.judged_to <= sessions
        assert (fold.chosen_from == 0) or scheme is Scheme.ROLLING
    for before, after in pairwise(folds):
        assert before.judged_to == after.judged_from - held, "nothing is judged twice, and only the embargo is left out"
    assert folds[-1].judged_to == sessions
    lengths = {fold.chosen_to - fold.chosen_from for fold in folds}
    assert max(lengths) - min(lengths) <= 1 or scheme is Scheme.ANCHORED


def test_too_short_a_span_is_refused_with_what_to_do_and_fewer_folds_are_found() -> None:
    with pytest.raises(BacktestError, match=r"40 sessions can't be cut into 5 folds.*fewer folds"):
        walk_forward_folds(40, 5, Scheme.ROLLING, 0)
    with pytest.raises(BacktestError, match="held over up to 30 nights"):
        walk_forward_folds(240, 5, Scheme.ANCHORED, 30)
    with pytest.raises(BacktestError, match="0 folds"):
        walk_forward_folds(240, 0, Scheme.ANCHORED, 0)
    assert (most_folds(240, 5, 0), most_folds(60, 5, 0), most_folds(20, 5, 0)) == (5, 2, 0)


def test_what_is_chosen_is_the_best_before_and_is_judged_after() -> None:
    rng = np.random.default_rng(1)
    returns = rng.normal(0, 0.001, (120, 3))
    returns[:40, 1] += 0.005
    returns[40:, 2] += 0.005
    trades = np.ones((120, 3), dtype=np.int64)
    found = walk_forward(returns, trades, walk_forward_folds(120, 2, Scheme.ROLLING, 0))
    assert [one.variant for one in found.folds] == [1, 2]
    assert (found.folds[0].chosen_sharpe or 0) > 20 > (found.folds[0].judged_sharpe or 0)
    assert (found.folds[1].judged_sharpe or 0) > 20
    assert found.judged == tuple(range(40, 120))
    assert found.returns == (*returns[40:80, 1], *returns[80:, 2])
    assert found.total_return == pytest.approx(np.prod(1 + np.array(found.returns)) - 1)
    assert [one.judged_trades for one in found.folds] == [40, 40]


def test_on_noise_what_was_chosen_looks_better_where_it_was_chosen_than_where_it_is_judged() -> None:
    inside, outside = [], []
    for seed in range(20):
        returns = np.random.default_rng(seed).normal(0, 0.01, (200, 40))
        found = walk_forward(returns, np.ones((200, 40), dtype=np.int64), walk_forward_folds(200, 4, Scheme.ANCHORED, 1))
        inside.append(found.chosen_sharpe or 0.0)
        outside.append(found.sharpe or 0.0)
    assert np.mean(inside) > 2
    assert abs(np.mean(outside)) < 0.8


def test_a_variant_that_hardly_trades_is_not_chosen() -> None:
    returns = np.random.default_rng(1).normal(0, 0.001, (100, 2))
    returns[:, 1] += 0.01
    trades = np.zeros((100, 2), dtype=np.int64)
    trades[::20, 1] = 1
    found = walk_forward(returns, trades, walk_forward_folds(100, 2, Scheme.ROLLING, 0))
    assert {one.variant for one in found.folds} == {0}
    with pytest.raises(BacktestError, match="the same shape"):
        walk_forward(returns, trades[:50], ())
