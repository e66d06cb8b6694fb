"""Studies of an iteration: asked for, done by a worker, kept; and the vault, opened once, counted for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import exc, text
from sqlmodel import select

from lab.agents.errors import BadAgent, CannotIterate, NotThere
from lab.agents.jobs import VaultClosed
from lab.agents.ledger import NULL_ARM, STUDY
from lab.agents.loop import run_iteration
from lab.agents.proof import running
from lab.agents.proof.rules import Word
from lab.agents.service import Lab
from lab.agents.views import IterationView
from lab.errors import LabError
from lab.store.models import AgentStatus, IterationStep, Trial, Universe, utc_now
from lab.store.proof_models import VaultOpening
from tests.agents.conftest import AlwaysProposes, HeldLease

Learn = Callable[..., IterationView]


class Killed(Executor):
    """A pool whose every task is ended."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(LabError("The computation took longer than 600 s and was ended."))
        return future


def done(lab: Lab, executor: Executor) -> int:
    """Let a worker do the next study."""
    run_id = running.claim(lab.store, "me", lambda owner: True)
    assert run_id is not None
    asyncio.run(running.run(lab.store, run_id, "me", executor))
    return run_id


def test_a_walk_forward_is_kept_and_everything_it_tried_counts(lab: Lab, agent_id: int, learn: Learn, threads: Executor) -> None:
    lab.proof.set_learning_span(1, date(2025, 1, 30))
    iteration_id = learn(lab, agent_id).row.id
    assert lab.proof.walk_forward(iteration_id) is None
    asked = lab.proof.ask("walk-forward", iteration_id)
    assert lab.proof.ask("walk-forward", iteration_id) == asked, "one at a time"
    assert lab.proof.run(asked).state == "queued"
    assert done(lab, threads) == asked
    assert lab.proof.run(asked).state == "done"
    report = lab.proof.walk_forward(iteration_id)
    assert report is not None
    assert "39 sessions" in report.shortfall
    assert "1 of 5 folds are possible" in report.shortfall
    assert [scheme.scheme for scheme in report.schemes] == ["anchored", "rolling"]
    for scheme in report.schemes:
        for fold in scheme.folds:
            assert fold.chosen_last < fold.judged_first <= fold.judged_last
            assert len(fold.values) == len(report.parameters)
        assert scheme.curve[-1][0] == scheme.folds[-1].judged_last
    assert report.holding_sessions == 0, "the scalper is flat by the close"
    with lab.store.read() as session:
        studied = session.exec(select(Trial).where(Trial.purpose == STUDY)).all()
    assert len(studied) == report.variants
    assert lab.proof.trials(agent_id)[STUDY] == report.variants - 1, "the version itself was tried before, as an iteration"


def test_robustness_names_what_the_result_hangs_on(learned: Lab, threads: Executor) -> None:
    lab = learned
    view = lab.iteration(1)
    lab.proof.ask("robustness", view.row.id)
    done(lab, threads)
    report = lab.proof.robustness(view.row.id)
    assert report is not None
    assert view.result is not None
    assert (report.base_trades, report.base_sharpe) == (view.result.trades, view.result.sharpe)
    costs = [row for row in report.rows if row.name == "costs"]
    assert [row.detail for row in costs] == ["x0", "x1", "x2", "x3"]
    assert costs[1].total_return == pytest.approx(view.result.total_return)
    assert report.plateau is not None
    assert report.plateau.own in {point.values for point in report.plateau.points}
    assert len(report.plateau.points) > 5
    own = next(point for point in report.plateau.points if point.values == report.plateau.own)
    assert own.sharpe == report.base_sharpe


def test_a_study_counts_for_every_iteration_that_measured_the_same(learned: Lab, threads: Executor) -> None:
    lab = learned
    lab.proof.ask("robustness", 1)
    done(lab, threads)
    lab.discard(lab.iteration(1).proposal.id)
    again = lab.start_iteration(1)
    asyncio.run(run_iteration(lab.store, again, threads, HeldLease(), AlwaysProposes()))
    assert lab.proof.robustness(again) == lab.proof.robustness(1) is not None
    assert "robustness" not in lab.proof.checklist(1).missing
    with lab.store.write() as session:
        step = session.exec(select(IterationStep).where(IterationStep.iteration_id == again, IterationStep.step == "backtest")).one()
        step.output = {**step.output, "rules": {**step.output["rules"], "max_positions": 1}}
        session.add(step)
    assert lab.proof.robustness(again) is None, "another account is another result"


def test_a_study_that_was_ended_says_why_and_may_be_asked_for_again(learned: Lab) -> None:
    lab = learned
    iteration_id = lab.iteration(1).row.id
    first = lab.proof.ask("robustness", iteration_id)
    done(lab, Killed())
    failed = lab.proof.run(first)
    assert failed.state == "failed"
    assert "was ended" in failed.failure
    assert lab.proof.robustness(iteration_id) is None
    assert lab.proof.ask("robustness", iteration_id) != first
    with lab.store.read() as session:
        crashed = session.exec(select(Trial).where(Trial.purpose == STUDY)).all()
    assert len(crashed) > 5, "what it was measuring counts as tried"
    assert {(trial.outcome, trial.sharpe_daily) for trial in crashed} == {("crashed", None)}


def test_what_cannot_be_studied_is_refused_in_a_sentence(lab: Lab, agent_id: int) -> None:
    with pytest.raises(NotThere):
        lab.proof.ask("robustness", 999)
    with pytest.raises(NotThere, match="there are walk-forward"):
        lab.proof.ask("vault", 999)
    with pytest.raises(CannotIterate, match="no finished backtest"):
        lab.proof.ask("robustness", lab.start_iteration(agent_id))
    with pytest.raises(NotThere, match="not measured yet"):
        lab.proof.open_vault(agent_id)


def test_a_dead_workers_study_is_taken_by_the_next_and_a_living_ones_is_not(learned: Lab) -> None:
    lab = learned
    run_id = lab.proof.ask("robustness", lab.iteration(1).row.id)
    assert running.claim(lab.store, "first", lambda owner: True) == run_id
    assert running.claim(lab.store, "second", lambda owner: True) is None
    assert running.waiting(lab.store, lambda owner: True) == 0
    assert running.waiting(lab.store, lambda owner: False) == 1
    assert running.claim(lab.store, "second", lambda owner: owner != "first") == run_id
    running.release(lab.store, "first", run_id)
    assert lab.proof.run(run_id).state == "running", "it is not the first's to give back"
    assert running.claim(lab.store, "third", lambda owner: True, utc_now() + timedelta(hours=2)) == run_id
    running.release(lab.store, "third", run_id)
    assert lab.proof.run(run_id).state == "queued"


class TestVault:
    def test_an_opening_is_counted_before_a_bar_is_read_and_for_ever(self, learned: Lab) -> None:
        lab, agent_id = learned, 1
        assert lab.proof.vault(1).openings == 0
        lab.proof.open_vault(agent_id)
        assert lab.proof.vault(1).openings == 1, "written down before it happens"
        done(lab, Killed())
        lab.delete_agent(agent_id)
        assert lab.proof.vault(1).openings == 1
        for statement in ("DELETE FROM vault_openings", "UPDATE vault_openings SET agent_id = 0"):
            with pytest.raises(exc.IntegrityError, match="only ever added to"), lab.store.write() as session:
                session.execute(text(statement))

    def test_it_is_traded_on_sessions_that_were_never_learned_on_and_gives_the_verdict(self, learned: Lab, threads: Executor) -> None:
        lab, agent_id = learned, 1
        view = lab.iteration(1)
        run_id = lab.proof.open_vault(agent_id)
        done(lab, threads)
        assert lab.proof.run(run_id).state == "done"
        report = lab.proof.vault_report(view.row.id)
        assert report is not None
        assert report.first_session > view.universe.learning_until
        assert report.last_session == view.universe.last_session
        assert (report.openings, report.seen_by) == (1, 0)
        assert report.sessions == 8
        assert list(report.benchmarks) == ["buy and hold SPY", "equal-weight universe (8)"]
        verdict = lab.proof.verdict(view.row.id)
        assert verdict is not None
        assert "In the vault (8 sessions" in verdict.reason
        assert lab.iteration(view.row.id).row.verdict == verdict.word != Word.EVIDENCE
        with pytest.raises(CannotIterate, match="a second look would add nothing"):
            lab.proof.open_vault(agent_id)

    def test_without_an_opening_that_was_written_down_nothing_is_read(self, learned: Lab, threads: Executor) -> None:
        lab, agent_id = learned, 1
        run_id = lab.proof.open_vault(agent_id)
        with lab.store.write() as session:
            session.execute(text(f"UPDATE proof_runs SET opening_id = NULL WHERE id = {run_id}"))
        done(lab, threads)
        assert "not written down" in lab.proof.run(run_id).failure

    def test_the_boundary_moves_only_before_the_first_test(self, lab: Lab, agent_id: int, learn: Learn) -> None:
        view = lab.proof.vault(1)
        assert not view.fixed
        earlier = lab.proof.set_learning_span(1, view.learning_until - timedelta(days=1), folds=3)
        assert (earlier.learning_until, earlier.folds) == (date(2025, 1, 17), 3), "a holiday is no session"
        for wrong in (view.last_session, view.first_session, view.last_session + timedelta(days=30)):
            with pytest.raises(BadAgent, match="must end with a session"):
                lab.proof.set_learning_span(1, wrong)
        with pytest.raises(BadAgent, match="From 1 to 12 folds"):
            lab.proof.set_learning_span(1, folds=0)
        with lab.store.write() as session:
            own = session.get_one(Universe, 1)
            copied = own.model_dump(exclude={"id", "name"}) | {"name": "the same bars", "learning_until": date(2025, 1, 21)}
            session.add(Universe(**copied))
        with pytest.raises(BadAgent, match="are the vault of 'the same bars'"):
            lab.proof.set_learning_span(1, date(2025, 1, 22))
        learn(lab, agent_id)
        assert lab.proof.vault(1).fixed
        with pytest.raises(BadAgent, match="for good"):
            lab.proof.set_learning_span(1, view.learning_until)
        assert lab.proof.set_learning_span(1, folds=4).folds == 4


class TestGraduation:
    def test_the_person_decides_with_the_checklist_beside_it_and_it_is_recorded(
        self, lab: Lab, agent_id: int, learn: Learn, threads: Executor
    ) -> None:
        empty = lab.proof.checklist(agent_id)
        assert (empty.version, empty.ready) == ("", False)
        iteration_id = learn(lab, agent_id).row.id
        before = lab.proof.checklist(agent_id)
        assert set(before.missing) == {"walk-forward", "robustness", "vault"}
        with pytest.raises(CannotIterate, match="put it up for graduation first"):
            lab.proof.graduate(agent_id, "I trust it")
        lab.proof.ask("robustness", iteration_id)
        done(lab, threads)
        lab.proof.open_vault(agent_id)
        done(lab, threads)
        checklist = lab.proof.checklist(agent_id)
        assert checklist.missing == ("walk-forward",)
        assert all(row.found is not None for row in checklist.rows if row.rule != "least_vault")
        failed = tuple(row.rule for row in checklist.rows if not row.passed)
        assert failed
        with pytest.raises(BadAgent, match="say why you overrule them"):
            lab.proof.graduate(agent_id)
        made = lab.proof.graduate(agent_id, "to see it on paper")
        assert (made.to_status, made.failed_rules, made.note) == ("paper_trading", failed, "to see it on paper")
        assert lab.agent(agent_id).row.status == AgentStatus.PAPER_TRADING
        with pytest.raises(CannotIterate, match="trades on paper already"):
            lab.proof.graduate(agent_id, "again")
        back = lab.proof.send_back(agent_id, "it slips")
        assert lab.agent(agent_id).row.status == AgentStatus.LEARNING
        assert lab.proof.graduations(agent_id) == (back, made)
        with pytest.raises(CannotIterate, match="is learning"):
            lab.proof.send_back(agent_id)
        with pytest.raises(exc.IntegrityError, match="only ever added to"), lab.store.write() as session:
            session.execute(text("DELETE FROM graduations"))

    def test_its_bounds_are_the_persons(self, learned: Lab) -> None:
        lab, agent_id = learned, 1
        assert lab.proof.rules(agent_id)["least_trades"] == 100
        lab.proof.set_rules(agent_id, {"least_trades": 40, "least_regimes": 0})
        rows = {row.rule: row for row in lab.proof.checklist(agent_id).rows}
        assert rows["least_trades"].asked == 40
        assert rows["least_trades"].passed == ((rows["least_trades"].found or 0) >= 40)
        assert rows["least_regimes"].passed
        for wrong in ({"least_trades": 5}, {"most_fun": 1}, {"least_vault": 1.0}):
            with pytest.raises(BadAgent):
                lab.proof.set_rules(agent_id, wrong)


def test_breakdowns_of_an_iteration_have_its_regimes(learned: Lab) -> None:
    lab = learned
    view = lab.iteration(1)
    found = {breakdown.by: breakdown.parts for breakdown in lab.proof.breakdowns(view.row.id)}
    assert {"ticker", "hour of entry", "market trend"} <= found.keys()
    assert sum(part.trades for part in found["ticker"]) == view.row.trades
    assert lab.proof.breakdowns(999) == ()


def test_opening_the_vault_by_hand_is_no_way_in(learned: Lab) -> None:
    lab = learned
    with lab.store.read() as session:
        assert session.exec(select(VaultOpening)).all() == []
    with pytest.raises((VaultClosed, NotThere)):
        lab.proof.ask("vault", 1)


def test_the_null_arm_says_by_how_much_two_kinds_of_luck_are_beaten(learned: Lab, threads: Executor) -> None:
    lab = learned
    iteration_id = lab.proof.ask("null arm", 1)
    before = lab.proof.tear_sheet(1).tried_in_all
    done(lab, threads)
    assert lab.proof.run(iteration_id).failure == ""
    report = lab.proof.null_arm(1)
    assert report is not None
    assert report.own_sharpe == lab.iteration(1).row.sharpe
    assert report.budget == sum(lab.proof.trials(1).values())
    assert report.shuffled_runs == 3
    if report.beats_random_by is not None:
        assert report.beats_random_by == pytest.approx((report.own_sharpe or 0) - (report.random_best or 0))
    assert lab.proof.tear_sheet(1).tried_in_all == before, "nothing of it can be chosen, so it is no try at a strategy"
    with lab.store.read() as session:
        assert len(session.exec(select(Trial).where(Trial.purpose == NULL_ARM)).all()) == report.budget, "but it is written down"
