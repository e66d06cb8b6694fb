"""A person's own run: two scripts measured on a universe's learning span without an agent, and counted as a trial like any other."""

from __future__ import annotations

import tempfile
from concurrent.futures import Executor
from dataclasses import dataclass

from lab.agents import jobs
from lab.agents.errors import NotThere
from lab.agents.ledger import record_own_trial, trials_so_far
from lab.agents.personality import RISKS, risk_config
from lab.agents.span import account_rules, learning_slice, refuse_missing_context
from lab.agents.views import Personality, ResultSummary
from lab.errors import LabError
from lab.script import compile_strategy
from lab.store.database import Store
from lab.store.models import TrialOutcome, Universe
from lab.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Tried:
    """What a run on the learning span gave."""

    result: ResultSummary
    trials: int
    """Distinct variants ever tested on these bars, this one included."""
    first_time: bool
    """Whether these very scripts had never been tested on these bars before."""
    script_hash: str


def try_scripts(
    workspace: Workspace, store: Store, executor: Executor, universe_id: int, scan: str, execution: str, risk: str, seed: int
) -> Tried:
    """Backtest the scripts in a process of the executor, on the learning span alone, with the account of an agent of this risk.

    Every run is a row of the trial ledger, a crashed one too; the same scripts on the same bars are one trial however often they run.

    Raises:
        LabError: the scripts don't compile, need context these bars lack, or their computation was ended.
        NotThere: no such universe or risk.
    """
    if risk not in RISKS:
        raise NotThere(f"There is no risk {risk!r}; there are {', '.join(RISKS)}.")
    strategy = compile_strategy(scan, execution)
    with store.read() as session:
        universe = session.get(Universe, universe_id)
        if universe is None:
            raise NotThere("That universe no longer exists.")
        refuse_missing_context(strategy, universe, workspace.bars)
        bars = learning_slice(universe, workspace.bars)
        before = trials_so_far(session, bars, set()).count
        trials = trials_so_far(session, bars, {strategy.script_hash})
    rules = account_rules(risk_config(Personality(risk, "", (), ())), universe)
    with tempfile.TemporaryDirectory(prefix="lab-run-") as folder:
        job = executor.submit(jobs.backtest_job, bars, jobs.Scripts(scan, execution), rules, trials, seed, folder)
        try:
            report = job.result()
        except LabError:
            with store.write() as session:
                record_own_trial(session, universe_id, bars.fingerprint, strategy.script_hash, TrialOutcome.CRASHED, 0, None)
            raise
    with store.write() as session:
        outcome, trades = TrialOutcome.COMPLETED, report.summary.trades
        record_own_trial(
            session, universe_id, bars.fingerprint, strategy.script_hash, outcome, trades, report.sharpe_daily, returns=report.returns
        )
        now = trials_so_far(session, bars, set()).count
    return Tried(result=report.summary, trials=now, first_time=trials.count > before, script_hash=strategy.script_hash)
