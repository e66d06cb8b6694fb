"""Exit plans tested on one scan: a strategy's own way out against the stock plans, each a trial."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date

from lab.agents import sweep_jobs
from lab.agents.builtin.exits import ExitPlan, exit_plans
from lab.agents.errors import NotThere
from lab.agents.ledger import EXITS, record_own_trial, trials_so_far
from lab.agents.span import learning_slice, refuse_missing_context
from lab.agents.strategist import Comparison
from lab.agents.sweep_jobs import Measured
from lab.agents.sweeps import Subject
from lab.errors import LabError
from lab.script import check, compile_strategy
from lab.store.database import Store
from lab.store.models import TrialOutcome, Universe
from lab.store.workspace import Workspace

OWN = "own"
SEED = 20_260_101
"""Of the bootstrap behind each verdict."""


@dataclass(frozen=True, slots=True)
class TestedPlan:
    """An exit plan and what came of it on the learning span."""

    name: str
    idea: str
    execution: str
    measured: Measured
    comparison: Comparison | None
    """Paired with the strategy's own exits on the same sessions; None for those themselves."""
    reason: str

    @property
    def against_own(self) -> str:
        """better, no evidence or worse; empty for the own exits."""
        return "" if self.comparison is None else str(self.comparison.verdict)


@dataclass(frozen=True, slots=True)
class UntestedPlan:
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExitsReport:
    """The plans beside the strategy's own exits. Figures of the learning span; the vault stays closed."""

    universe: str
    synthetic: bool
    first_session: date
    last_session: date
    plans: tuple[TestedPlan, ...]
    """The own exits first."""
    untested: tuple[UntestedPlan, ...]
    """Plans that can't be put to this scan."""
    trials: int
    """Distinct variants ever tested on these bars, the plans included."""

    @property
    def warning(self) -> str:
        """What has to be read beside the verdicts."""
        others = len(self.plans) - 1
        return (
            f"Each verdict is at 95 %. If none of the {others} plans differed from the own exits, one of them would still be called better "
            f"in about {1 - 0.975**others:.0%} of such tables. {self.trials} variants have been tried on these bars."
        )


def compare_exits(workspace: Workspace, store: Store, executor: Executor, subject: Subject) -> ExitsReport:
    """Test the subject's scan with its own exits and the stock plans, in one pass in a process of the executor.

    All enter and risk as the subject's own execution script says. Each is a row of the trial ledger.

    Raises:
        LabError: the scripts don't compile, need context these bars lack, or their computation was ended.
        NotThere: no such universe.
    """
    strategy = compile_strategy(subject.scan, subject.execution)
    with store.read() as session:
        universe = session.get(Universe, subject.universe_id)
        if universe is None:
            raise NotThere("That universe no longer exists.")
        refuse_missing_context(strategy, universe, workspace.bars)
        bars = learning_slice(universe, workspace.bars)
        subject = subject.on(universe)
    plans = [ExitPlan(OWN, "The exits the strategy has now.", subject.execution)]
    untested = []
    for plan in exit_plans(universe.timeframe, strategy.plan.risk_percent, subject.execution):
        if errors := check(subject.scan, plan.execution):
            untested.append(UntestedPlan(plan.name, str(errors[0])))
        else:
            plans.append(plan)
    hashes = [compile_strategy(subject.scan, plan.execution).script_hash for plan in plans]
    job = executor.submit(sweep_jobs.exits_job, bars, subject.scan, tuple(plan.execution for plan in plans), subject.rules, SEED)
    try:
        reports = job.result()
    except LabError:
        _record(store, subject, bars.fingerprint, [(script_hash, TrialOutcome.CRASHED, 0, None) for script_hash in hashes])
        raise
    measured = [report.measured for report in reports]
    done = [(one.script_hash, TrialOutcome.COMPLETED, one.trades, one.sharpe_daily) for one in measured]
    _record(store, subject, bars.fingerprint, done)
    with store.read() as session:
        trials = trials_so_far(session, bars, set())
    return ExitsReport(
        universe=universe.name,
        synthetic=universe.synthetic,
        first_session=bars.first,
        last_session=bars.last,
        plans=tuple(
            TestedPlan(
                name=plan.name,
                idea=plan.idea,
                execution=plan.execution,
                measured=report.measured,
                comparison=None if plan.name == OWN else report.against_own,
                reason="" if plan.name == OWN else _sentence(report.reason),
            )
            for plan, report in zip(plans, reports, strict=True)
        ),
        untested=tuple(untested),
        trials=trials.count,
    )


def _record(store: Store, subject: Subject, fingerprint: str, trials: list[tuple[str, TrialOutcome, int, float | None]]) -> None:
    with store.write() as session:
        for trial in trials:
            record_own_trial(session, subject.universe_id, fingerprint, *trial, purpose=EXITS, agent_id=subject.agent_id)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
