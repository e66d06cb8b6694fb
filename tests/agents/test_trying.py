"""A person's own runs are trials as well: counted once on their bars, also when they crash."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import select

from lab.agents.ledger import NOBODY, PERSON, trials_so_far
from lab.agents.service import Lab
from lab.agents.span import learning_slice
from lab.errors import LabError
from lab.store.models import Trial, TrialOutcome, Universe

SCAN = "long = close > vwap() and volume > param(3.0, low=1.0, high=5.0) * sma(volume, 20)\n"
EXECUTION = "entry = at_open()\nstop = low - atr(14)\nmax_bars = 30\n"


class Killed(Executor):
    """A pool whose every task is ended."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(LabError("The computation took longer than 600 s and was ended."))
        return future


def rows(lab: Lab) -> list[Trial]:
    with lab.store.read() as session:
        return list(session.exec(select(Trial).order_by(Trial.id)).all())  # type: ignore[arg-type]  # SQLModel types its columns as values


def test_every_variant_a_person_runs_counts_once_on_its_bars(lab: Lab, threads: ThreadPoolExecutor) -> None:
    universe = lab.state().universes[0].id
    first = lab.try_scripts(SCAN, EXECUTION, universe, threads)
    again = lab.try_scripts("# the same\n" + SCAN, EXECUTION, universe, threads)
    other = lab.try_scripts(SCAN.replace("3.0", "4.0"), EXECUTION, universe, threads, "aggressive")
    assert [(run.trials, run.first_time) for run in (first, again, other)] == [(1, True), (1, False), (2, True)]
    assert first.result.signals == sum(count for reason, count in first.result.funnel.items() if reason != "signals")
    assert {(row.agent_id, row.iteration_id, row.purpose) for row in rows(lab)} == {(NOBODY, NOBODY, PERSON)}
    with lab.store.read() as session:
        bars = learning_slice(session.get_one(Universe, universe), lab.workspace.bars)
        assert trials_so_far(session, bars, {"an agent's"}).count == 3, "an agent's next result is the best of three"
    assert rows(lab)[0].sharpe_daily is not None


def test_a_run_that_was_ended_is_a_trial_too(lab: Lab) -> None:
    with pytest.raises(LabError, match="was ended"):
        lab.try_scripts(SCAN, EXECUTION, lab.state().universes[0].id, Killed())
    (row,) = rows(lab)
    assert (row.outcome, row.trades, row.sharpe_daily) == (TrialOutcome.CRASHED, 0, None)


def test_what_can_not_be_tried_is_no_trial(lab: Lab) -> None:
    universe = lab.state().universes[0].id
    for scan, number, risk in (("long = vwop()", universe, "balanced"), (SCAN, 99, "balanced"), (SCAN, universe, "reckless")):
        with pytest.raises(LabError):
            lab.try_scripts(scan, EXECUTION, number, Killed(), risk)
    assert rows(lab) == []
