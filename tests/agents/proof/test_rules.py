"""The one word on a result follows the written rules, and each reason names the figure it hangs on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.agents.jobs import TrialsSoFar
from lab.agents.proof.graduation import RULES, check_rows
from lab.agents.proof.rules import Verdict, Word, deflate, final_verdict, learning_verdict, vault_sure
from lab.agents.proof.views import RobustnessReport, ShakenRow, VaultReport
from lab.agents.views import Interval
from tests.agents.made import made_summary, made_trades

ONE = TrialsSoFar(1, None)
GOOD = Interval(0.4, 3.0)
PROMISING = learning_verdict(80, 1.7, GOOD, 0.97, ONE)
VAULT = VaultReport(date(2024, 8, 9), date(2024, 9, 30), 36, 25, 15, 0.6, None, 2.1, None, 0.93, 0.04, 0.02, {})


@pytest.mark.parametrize(
    ("trades", "sharpe", "interval", "deflated", "word", "says"),
    [
        (29, 9.0, GOOD, 0.99, Word.NO_VERDICT, "29 trades; below 30"),
        (30, None, None, None, Word.NO_VERDICT, "too short or too flat"),
        (30, -2.0, Interval(-3, -0.5), 0.0, Word.NO_EDGE, "lies below zero"),
        (30, 1.0, Interval(-0.2, 2.0), 0.99, Word.NO_EDGE, "reaches down to -0.20"),
        (30, 1.7, GOOD, 0.94, Word.NO_EDGE, "is 94.0%; 95% is asked"),
        (30, 1.7, GOOD, None, Word.NO_EDGE, "can't be computed"),
        (30, 1.7, GOOD, 0.95, Word.PROMISING, "only the vault"),
    ],
)
def test_on_the_learning_span_nothing_more_than_promising_is_said(
    trades: int, sharpe: float | None, interval: Interval | None, deflated: float | None, word: Word, says: str
) -> None:
    verdict = learning_verdict(trades, sharpe, interval, deflated, ONE)
    assert verdict.word is word
    assert says in verdict.reason


@pytest.mark.parametrize(
    ("changes", "word", "says"),
    [
        ({}, Word.EVIDENCE, "which it was not refined on, its Sharpe ratio is 2.10"),
        ({"probability": 0.79}, Word.PROMISING, "80.0% is asked"),
        ({"openings": 2, "probability": 0.89}, Word.PROMISING, "opened 2 times"),
        ({"openings": 2, "probability": 0.901}, Word.EVIDENCE, "90.0% is asked"),
        ({"trades": 9}, Word.PROMISING, "too little to say more"),
        ({"sharpe": -0.1, "probability": 0.4}, Word.NO_EDGE, "it lost"),
        ({"seen_by": 3}, Word.PROMISING, "it was not unseen"),
        ({"sharpe": None, "probability": None}, Word.PROMISING, "too little to say more"),
    ],
)
def test_only_an_unseen_vault_that_agrees_makes_evidence(changes: dict[str, object], word: Word, says: str) -> None:
    verdict = final_verdict(PROMISING, replace(VAULT, **changes))  # type: ignore[arg-type]  # each value is of its field's type
    assert verdict.word is word
    assert says in verdict.reason


@given(st.sampled_from([Word.NO_VERDICT, Word.NO_EDGE]), st.floats(-5, 5), st.floats(0, 1), st.integers(0, 500), st.integers(1, 9))
def test_no_vault_makes_up_for_what_the_learning_span_lacks(word: Word, sharpe: float, sure: float, trades: int, openings: int) -> None:
    vault = replace(VAULT, sharpe=sharpe, probability=sure, trades=trades, openings=openings)
    assert final_verdict(Verdict(word, "x"), vault).word is word


def test_every_opening_raises_what_the_next_has_to_show() -> None:
    asked = [vault_sure(openings) for openings in (1, 2, 4, 100)]
    assert asked == pytest.approx([0.8, 0.9, 0.95, 0.998])


def test_more_different_ideas_deflate_more_than_more_copies() -> None:
    rng = np.random.default_rng(4)
    own = rng.normal(0.0012, 0.01, 250)
    ideas = tuple(tuple(row) for row in rng.normal(0, 0.01, (60, 250)).tolist())
    copies = tuple(tuple((own + rng.normal(0, 0.001, 250)).tolist()) for _ in range(60))
    alone, _ = deflate(own, ONE)
    among_copies, few = deflate(own, TrialsSoFar(61, None, copies))
    among_ideas, many = deflate(own, TrialsSoFar(61, None, ideas))
    unknown, most = deflate(own, TrialsSoFar(61, None))
    assert alone is not None
    assert among_copies is not None
    assert among_ideas is not None
    assert unknown is not None
    assert alone > among_copies > among_ideas
    assert unknown == pytest.approx(among_ideas, abs=0.05)
    assert few < 5 < 40 < min(many, most) <= 61 + 1e-6


def test_the_checklist_passes_only_what_was_measured_and_clears_its_bar() -> None:
    result = made_summary(made_trades(120))
    shaken = RobustnessReport(120, 1.0, 0.1, tuple(ShakenRow("costs", f"x{n}", 120, 1.0, 0.05, n < 3) for n in range(4)), 2.5, None)
    regimes = [("market trend up", 40, 0.2), ("market trend down", 30, 0.1), ("market trend flat", 9, 3.0)]
    nothing = {row.rule: row for row in check_rows({}, None, None, None, ())}
    assert not any(row.passed for row in nothing.values())
    assert {rule.key for rule in RULES} == set(nothing)
    all_good = {row.rule: row for row in check_rows({}, result, shaken, VAULT, regimes, 0.96)}
    assert all(row.passed for row in all_good.values())
    assert all_good["least_regimes"].found == 2, "a regime with fewer than ten trades shows nothing"
    assert "dies at 2.5 times" in all_good["least_costs"].detail
    for changed, rule in (
        (check_rows({"least_trades": 121}, result, shaken, VAULT, regimes, 0.96), "least_trades"),
        (check_rows({}, result, replace(shaken, break_even_costs=1.9), VAULT, regimes, 0.96), "least_costs"),
        (check_rows({}, result, shaken, replace(VAULT, openings=4), regimes, 0.96), "least_vault"),
        (check_rows({}, result, shaken, replace(VAULT, seen_by=1), regimes, 0.96), "least_vault"),
        (check_rows({}, result, shaken, replace(VAULT, max_drawdown=0.3), regimes, 0.96), "most_drawdown"),
        (check_rows({}, result, shaken, VAULT, regimes[:1], 0.96), "least_regimes"),
        (check_rows({}, result, shaken, VAULT, regimes, 0.94), "least_deflated"),
    ):
        assert [row.rule for row in changed if not row.passed] == [rule]
