"""Nothing tried is ever forgotten: not when its agent goes, not when the bars are imported anew, not by a hand on the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import exc, text
from sqlmodel import select

from lab.agents import jobs
from lab.agents.jobs import TrialsSoFar
from lab.agents.ledger import NOBODY, NULL_ARM, VERSION, Place, record_own_trial, trials_so_far, trials_within
from lab.agents.loop import run_iteration
from lab.agents.proof.rules import Word
from lab.agents.results import from_json, to_json
from lab.agents.service import Lab
from lab.agents.span import learning_slice, learning_span
from lab.agents.views import Interval, ResultSummary
from lab.errors import LabError
from lab.store.models import AgentIteration, Trial, TrialOutcome, Universe
from tests.agents.conftest import AlwaysProposes, HeldLease


def universe(lab: Lab, name: str, tickers: list[str], first: date, until: date, synthetic: bool = True) -> int:
    with lab.store.write() as session:
        made = Universe(
            name=name,
            tickers=tickers,
            timeframe="1m",
            source="import",
            synthetic=synthetic,
            first_session=first,
            learning_until=until,
            last_session=until + timedelta(days=60),
        )
        session.add(made)
        session.flush()
        assert made.id is not None
        return made.id


def tried(lab: Lab, universe_id: int, fingerprint: str, *hashes: str, sharpe: float | None = 0.1) -> None:
    outcome = TrialOutcome.CRASHED if sharpe is None else TrialOutcome.COMPLETED
    with lab.store.write() as session:
        for script_hash in hashes:
            record_own_trial(session, universe_id, fingerprint, script_hash, outcome, 40, sharpe)


def count(lab: Lab, universe_id: int, fingerprint: str = "") -> TrialsSoFar:
    with lab.store.read() as session:
        span = learning_span(session.get_one(Universe, universe_id), lab.workspace.bars)
        return trials_so_far(session, replace(span, fingerprint=fingerprint), set())


def test_what_an_agent_tried_counts_for_all_after_it_is_deleted(learned: Lab) -> None:
    lab, agent_id = learned, 1
    with lab.store.read() as session:
        bars = learning_slice(session.get_one(Universe, 1), lab.workspace.bars)
        before = trials_so_far(session, bars, set())
    assert before.count >= 2
    lab.delete_agent(agent_id)
    with lab.store.read() as session:
        assert trials_so_far(session, bars, set()) == before
        assert trials_so_far(session, bars, {"new"}).count == before.count + 1


@pytest.mark.parametrize("statement", ["DELETE FROM trials", "UPDATE trials SET sharpe_daily = 9", "DELETE FROM data_sets"])
def test_no_statement_can_take_a_trial_back(lab: Lab, statement: str) -> None:
    tried(lab, 1, "f", "a", "b")
    with pytest.raises(exc.IntegrityError, match="only ever added to"), lab.store.write() as session:
        session.execute(text(statement))
    with lab.store.read() as session:
        assert len(session.exec(select(Trial)).all()) == 2


def test_variants_on_bars_that_overlap_count_and_others_do_not(lab: Lab) -> None:
    first, until = date(2023, 1, 2), date(2023, 6, 30)
    own = universe(lab, "own", ["AAA", "BBB"], first, until)
    tried(lab, own, "own", "v1", "v2")
    longer = universe(lab, "imported anew", ["BBB", "CCC"], date(2023, 6, 1), date(2024, 6, 30))
    tried(lab, longer, "longer", "v1", "v3", "v4")
    apart = universe(lab, "later", ["AAA"], date(2023, 7, 3), date(2024, 1, 5))
    tried(lab, apart, "apart", "v5")
    tried(lab, universe(lab, "other tickers", ["ZZZ"], first, until), "other", "v6")
    tried(lab, universe(lab, "the real AAA", ["AAA"], first, until, synthetic=False), "real", "v7")
    assert count(lab, own, "own").count == 5, "v1 on two data sets is two trials"
    assert count(lab, longer, "longer").count == 5
    assert count(lab, apart, "apart").count == 1
    assert count(lab, own, "never seen before").count == 5, "new bars of a place begin with all that was tried there"


def test_a_crash_counts_but_does_not_measure(lab: Lab) -> None:
    tried(lab, 1, "f", "a", sharpe=None)
    tried(lab, 1, "f", "b", sharpe=0.1)
    tried(lab, 1, "f", "c", sharpe=0.3)
    found = count(lab, 1, "f")
    assert found.count == 3
    assert found.sharpe_variance == pytest.approx(0.02)


def test_a_vault_knows_what_was_tried_on_its_sessions_through_another_universe(lab: Lab) -> None:
    own = universe(lab, "own", ["AAA"], date(2023, 1, 2), date(2023, 6, 30))
    tried(lab, own, "own", "v1")
    vault = Place(True, ["AAA"], date(2023, 7, 3), date(2023, 8, 29))
    with lab.store.read() as session:
        assert trials_within(session, vault) == 0
    tried(lab, universe(lab, "longer", ["AAA"], date(2023, 1, 2), date(2023, 12, 29)), "longer", "v1", "v2")
    with lab.store.read() as session:
        assert trials_within(session, vault) == 2


def test_a_version_whose_own_backtest_crashes_was_tried(lab: Lab, agent_id: int) -> None:
    class Crashing(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
            if fn is not jobs.backtest_job:
                return super().submit(fn, *args, **named)
            future: Future[Any] = Future()
            future.set_exception(LabError("The computation took longer than 600 s and was ended."))
            return future

    iteration_id = lab.start_iteration(agent_id)
    with Crashing(1) as pool, pytest.raises(LabError, match="was ended"):
        asyncio.run(run_iteration(lab.store, iteration_id, pool, HeldLease(), AlwaysProposes()))
    with lab.store.read() as session:
        (trial,) = session.exec(select(Trial)).all()
    assert (trial.purpose, trial.outcome, trial.iteration_id) == (VERSION, TrialOutcome.CRASHED, iteration_id)


def test_a_run_by_nobody_is_one_trial_however_often(lab: Lab) -> None:
    for _ in range(3):
        tried(lab, 1, "f", "a")
    with lab.store.read() as session:
        (row,) = session.exec(select(Trial)).all()
    assert row.agent_id == NOBODY


def test_a_script_of_the_null_arm_becomes_a_trial_when_somebody_tries_it(lab: Lab) -> None:
    with lab.store.write() as session:
        record_own_trial(session, 1, "f", "a", TrialOutcome.COMPLETED, 40, 0.1, purpose=NULL_ARM, agent_id=1)
    assert count(lab, 1, "f").count == 0
    tried(lab, 1, "f", "a")
    assert count(lab, 1, "f").count == 1


def test_what_is_tried_after_a_result_makes_it_worth_less_where_one_decides_on_it(learned: Lab) -> None:
    lab = learned
    with lab.store.write() as session:
        row = session.get_one(AgentIteration, 1)
        summary = from_json(ResultSummary, row.backtest_results or {})
        # what the built-in finds in 32 sessions of the demo is too little to lose anything of: a Sharpe ratio of 0.55 a day is not
        rising = [100_000.0]
        for n, _ in enumerate(summary.equity):
            rising.append(rising[-1] * (1.002 + (0.0036 if n % 2 else -0.0036)))
        equity = tuple((day, value) for (day, _), value in zip(summary.equity, rising[1:], strict=True))
        row.backtest_results = to_json(replace(summary, trades=200, equity=equity, sharpe_interval=Interval(1.0, 9.0), verdict="promising"))
        session.add(row)
        fingerprint = row.data_fingerprint
    before = lab.proof.tear_sheet(1)
    (asked,) = (check for check in lab.proof.checklist(1).rows if check.rule == "least_deflated")
    assert asked.found == before.deflated is not None
    tried(lab, 1, fingerprint, *(f"later {n}" for n in range(500)))
    after = lab.proof.tear_sheet(1)
    assert after.tried_in_all == before.tried_in_all + 500
    assert after.effective_trials > before.effective_trials + 400  # type: ignore[operator]
    assert after.deflated < before.deflated  # type: ignore[operator]
    assert (before.verdict.word, after.verdict.word) == (Word.PROMISING, Word.NO_EDGE)  # type: ignore[union-attr]
    (now,) = (check for check in lab.proof.checklist(1).rows if check.rule == "least_deflated")
    assert now.found == after.deflated
