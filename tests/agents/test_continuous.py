"""Learning by itself: what is due is done once, by the rule that was set, until its end; and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import col, select

from lab.agents.budget.money import budget_day
from lab.agents.continuous import may_be_applied
from lab.agents.decisions import add_version
from lab.agents.errors import BadAgent
from lab.agents.results import to_json
from lab.agents.rules import Refinements, Rule
from lab.agents.service import Lab
from lab.agents.views import MeasuredEffect
from lab.errors import LabError
from lab.store.models import AgentIteration, AgentStrategy, IterationStatus, ModelCall, Proposal, Universe, utc_now
from tests.agents.made import EXECUTION, INSTRUCTIONS, SCAN

EFFECT = MeasuredEffect(
    trades=(50, 40),
    win_rate=(0.5, 0.55),
    sharpe=(0.5, 1.0),
    total_return=(0.01, 0.02),
    max_drawdown=(0.02, 0.02),
    verdict="better",
    daily_difference=1e-4,
    daily_difference_interval=None,
    confirmed_sessions=40,
    whole_trades=(100, 90),
    whole_sharpe=(0.5, 1.0),
    trials=4,
)
LUCK = replace(EFFECT, verdict="no evidence")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    opened = Lab(tmp_path / "home")
    with opened.store.write() as session:
        day = date(2024, 1, 2)
        session.add(
            Universe(name="U", tickers=["A"], timeframe="1m", source="demo", first_session=day, learning_until=day, last_session=day)
        )
    yield opened
    opened.close()


@pytest.fixture
def agent_id(lab: Lab) -> int:
    made = lab.create_agent("Ann", INSTRUCTIONS, lab.detect(INSTRUCTIONS).personality, 1)
    with lab.store.write() as session:
        add_version(session, made, SCAN, EXECUTION, None, "first")
    return made


def unfinished(lab: Lab) -> list[int]:
    with lab.store.read() as session:
        rows = session.exec(select(AgentIteration).where(AgentIteration.iteration_status == IterationStatus.QUEUED))
        return [row.iteration_number for row in rows]


def ends(lab: Lab, effect: MeasuredEffect | None, step: int = 1) -> int | None:
    """The queued iteration ends, with a refinement of this effect or without one. Returns the proposal."""
    with lab.store.write() as session:
        row = session.exec(select(AgentIteration).where(AgentIteration.iteration_status == IterationStatus.QUEUED)).one()
        current = session.exec(select(AgentStrategy).where(col(AgentStrategy.is_current_version))).one()
        row.iteration_status = IterationStatus.NO_PROPOSAL if effect is None else IterationStatus.AWAITING_APPROVAL
        session.add(row)
        if effect is None:
            return None
        proposal = Proposal(
            agent_id=row.agent_id,
            iteration_id=row.id or 0,
            parent_strategy_id=current.id or 0,
            title="change",
            rationale="",
            scan_script=SCAN.replace("1.5,", f"{1.5 + 0.25 * step},"),
            execution_script=EXECUTION,
            changes=[],
            effect=to_json(effect),
        )
        session.add(proposal)
        session.flush()
        return proposal.id


def test_it_is_off_unless_it_is_set(lab: Lab, agent_id: int) -> None:
    assert lab.minds.rule(agent_id) is None
    assert lab.minds.go_on() == []
    assert unfinished(lab) == []


def test_an_agent_set_to_learn_goes_on_after_each_iteration_and_stops_at_its_number(lab: Lab, agent_id: int) -> None:
    lab.minds.set_rule(agent_id, Rule(max_iterations=3, patience=None))
    for number in (1, 2, 3):
        assert unfinished(lab) == [number]
        assert lab.minds.go_on() == [], "what is under way is not started again"
        ends(lab, None)
        lab.minds.go_on()
    assert unfinished(lab) == []
    assert "3 iterations, as many as were set" in lab.minds.rule(agent_id).stopped


def test_refinements_wait_for_the_person_and_the_decision_goes_on(lab: Lab, agent_id: int) -> None:
    lab.minds.set_rule(agent_id, Rule(patience=5))
    proposal = ends(lab, EFFECT)
    assert lab.minds.go_on() == []
    assert unfinished(lab) == []
    lab.apply(proposal)
    assert unfinished(lab) == [2]


def test_a_rule_applies_what_is_better_discards_the_rest_and_says_so(lab: Lab, agent_id: int) -> None:
    lab.minds.set_rule(agent_id, Rule(Refinements.APPLY_BETTER, max_iterations=9))
    good = ends(lab, EFFECT)
    lab.minds.go_on()
    assert (lab.proposal(good).state, unfinished(lab)) == ("applied", [2])
    bad = ends(lab, LUCK, step=2)
    lab.minds.go_on()
    assert (lab.proposal(bad).state, unfinished(lab)) == ("discarded", [3])
    assert "By the agent's rule" in lab.proposal(bad).reason
    with lab.store.read() as session:
        assert {session.get_one(Proposal, each).decided_by for each in (good, bad)} == {"rule"}


def test_what_a_rule_applied_can_be_taken_back(lab: Lab, agent_id: int) -> None:
    lab.minds.set_rule(agent_id, Rule(Refinements.APPLY_BETTER, max_iterations=9))
    proposal = ends(lab, EFFECT)
    lab.minds.go_on()
    assert lab.agent(agent_id).row.current_version == "1.1"
    assert lab.minds.undo(proposal) == "1.0"
    assert lab.agent(agent_id).row.current_version == "1.0"
    own = ends(lab, EFFECT, step=3)
    lab.minds.set_rule(agent_id, None)
    lab.apply(own)
    with pytest.raises(LabError, match="Only what a rule has applied"):
        lab.minds.undo(own)


@pytest.mark.parametrize(
    ("effect", "applied"),
    [
        (EFFECT, True),
        (LUCK, False),
        (replace(EFFECT, verdict="worse"), False),
        (replace(EFFECT, whole_sharpe=(1.0, 0.9)), False),
        (replace(EFFECT, whole_sharpe=(1.0, None)), False),
        (replace(EFFECT, whole_sharpe=(None, 0.1)), True),
    ],
)
def test_only_what_is_better_with_no_fall_of_the_deflated_sharpe_is_applied(effect: MeasuredEffect, applied: bool) -> None:
    assert may_be_applied(effect) is applied


def test_it_ends_without_evidence_of_progress(lab: Lab, agent_id: int) -> None:
    lab.minds.set_rule(agent_id, Rule(Refinements.APPLY_BETTER, patience=2))
    for step, effect in enumerate((LUCK, EFFECT, None, LUCK), start=1):
        ends(lab, effect, step)
        lab.minds.go_on()
    assert unfinished(lab) == []
    assert "no evidence of progress in 2 iterations" in lab.minds.rule(agent_id).stopped


def test_it_ends_at_its_amount_and_after_a_failure(lab: Lab, agent_id: int) -> None:
    lab.minds.set_rule(agent_id, Rule(max_micros=50_000, patience=None))
    ends(lab, None)
    with lab.store.write() as session:
        money = {"reserved_micros": 60_000, "charged_micros": 60_000, "state": "settled"}
        text = {"purpose": "analysis", "model": "m", "prompt_version": "", "prices_of": "", "request_hash": "", "prompt": "{}"}
        session.add(ModelCall(agent_id=agent_id, iteration_id=1, day=budget_day(utc_now()), attempt=1, **money, **text))
    lab.minds.go_on()
    assert "$0.06 spent, of $0.05" in lab.minds.rule(agent_id).stopped
    lab.minds.set_rule(agent_id, Rule(max_iterations=5, patience=None))
    with lab.store.write() as session:
        row = session.exec(select(AgentIteration).where(AgentIteration.iteration_status == IterationStatus.QUEUED)).one()
        row.iteration_status = IterationStatus.FAILED
    lab.minds.go_on()
    assert "iteration 2 failed" in lab.minds.rule(agent_id).stopped


def test_a_rule_needs_an_end(lab: Lab, agent_id: int) -> None:
    for rule in (Rule(patience=None), Rule(patience=0), Rule(max_iterations=-1)):
        with pytest.raises(BadAgent):
            lab.minds.set_rule(agent_id, rule)
