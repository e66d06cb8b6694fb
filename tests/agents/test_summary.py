"""What is said of a version beside its parent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from lab.agents.summary import win_rate_verdict
from lab.agents.views import ResultSummary

COUNTS = st.integers(30, 2_000).flatmap(lambda trades: st.tuples(st.integers(0, trades), st.just(trades)))


def summary(case: tuple[int, int]) -> ResultSummary:
    return cast(ResultSummary, SimpleNamespace(wins=case[0], trades=case[1]))


@given(COUNTS, COUNTS)
def test_win_rates_are_told_apart_as_statsmodels_does(old: tuple[int, int], new: tuple[int, int]) -> None:
    low, high = confint_proportions_2indep(*new, *old, compare="diff", method="newcomb")
    assert win_rate_verdict(summary(old), summary(new)) == ("better" if low > 0 else "worse" if high < 0 else "no evidence")


def test_few_trades_are_no_evidence() -> None:
    assert win_rate_verdict(summary((0, 100)), summary((29, 29))) == "no evidence"
