"""Sweeps: many values of a strategy's parameters measured on the learning span, each point a trial, and what the best of them is worth."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import select

from lab.agents import sweep_jobs
from lab.agents.costs import costs_of
from lab.agents.errors import BadRange, NotThere
from lab.agents.jobs import AccountRules, BarsSlice, Scripts, TrialsSoFar
from lab.agents.ledger import NOBODY, SWEEP, record_own_trial, remember_returns, trials_so_far
from lab.agents.loading import others_fingerprint
from lab.agents.personality import RISKS, risk_config
from lab.agents.proof.rules import MIN_TRADES
from lab.agents.shared_bars import remove
from lab.agents.span import account_rules, learning_slice, refuse_missing_context
from lab.agents.sweep_jobs import Point
from lab.agents.views import Personality
from lab.errors import LabError
from lab.store.database import Store
from lab.store.models import AgentStrategy, TradingAgent, TrialOutcome, Universe
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from lab.backtest import Range

Progress = Callable[[float, str], None]

CHUNK = 8
"""Points measured by one task: what they have in common is computed once, and they are stored together."""
_POLL_SECONDS = 0.2
_BARS = "bars"
"""The folder, beside the points, of the bars the processes share."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The scripts that are varied, and for whom."""

    scan: str
    execution: str
    universe_id: int
    rules: AccountRules
    agent_id: int = NOBODY
    version: str = ""

    def on(self, universe: Universe) -> Subject:
        """The same, paying what trading this universe costs."""
        return replace(self, rules=replace(self.rules, costs=costs_of(universe)))


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """Which points of the subject's parameters to measure."""

    method: str = "latin"
    """ "grid", "random" or "latin"."""
    points: int = 40
    seed: int = 1
    parameters: tuple[str, ...] = ()
    """Names, each with a range inside the script's bounds if wanted: "loud", "near=0.05:0.3", "near=0.05:0.3:0.05" (with a step).
    All that have bounds in the script where it is empty."""


@dataclass(frozen=True, slots=True)
class FailedPoint:
    values: tuple[float, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep found. Figures of the learning span; the vault stays closed."""

    folder: str
    """Where the points are stored, with the daily returns of each."""
    universe: str
    synthetic: bool
    first_session: date
    last_session: date
    method: str
    seed: int
    parameters: tuple[str, ...]
    own_values: tuple[float, ...]
    points: tuple[Point, ...]
    """In order of their values; among them the strategy as it is."""
    failed: tuple[FailedPoint, ...]
    stored_before: int
    """How many of the points an earlier, broken off run had measured."""
    best: Point | None
    """The highest Sharpe ratio among the points with enough trades for one to mean anything."""
    trials: int
    """Distinct variants ever tested on these bars, those of this sweep included."""
    effective_trials: float | None
    """As many independent ones would look as good by luck: those whose daily returns move together tell less than their number."""
    luck_sharpe: float | None
    """The Sharpe ratio a year that the best of so many trials would be expected to show without any skill."""
    deflated_sharpe: float | None
    """The probability that the best point's true Sharpe ratio is above zero, given that it is the best of so many trials."""
    overfitting: float | None
    """The probability of backtest overfitting (CSCV): how often the best point of half of the sessions is below the median on the rest."""
    superior_p: float | None
    """Hansen's SPA test: the probability that the best of points without skill looks as good against holding cash."""
    ideas: int
    """How many different ideas the points are, where those whose daily returns move together count as one."""

    @property
    def own(self) -> Point | None:
        """The strategy as it is."""
        return next((point for point in self.points if point.values == self.own_values), None)

    @property
    def warning(self) -> str:
        """What has to be read beside the best point."""
        if self.best is None:
            return f"No point has the {MIN_TRADES} trades below which nothing can be said, so none is called the best."
        count = len(self.points)
        odds = "unknown" if self.deflated_sharpe is None else f"{self.deflated_sharpe:.0%}"
        luck = "" if self.luck_sharpe is None else f" (Sharpe {self.luck_sharpe:.2f})"
        worth = "" if self.effective_trials is None else f" (worth {self.effective_trials:.0f} independent ones)"
        overfit, superior = "", ""
        if self.overfitting is not None:
            overfit = (
                " Chosen on one half of the sessions, the best point was no better than the median on the other in "
                f"{self.overfitting:.0%} of the ways to halve them (probability of backtest overfitting)."
            )
        if self.superior_p is not None:
            superior = (
                f" Were all points without skill, the best would look this good with a probability of {self.superior_p:.0%} (SPA test)."
            )
        return (
            f"The best of {count} points is biased: the more are tried, the better the luckiest looks. Expect less than it shows here. "
            f"With {self.trials} variants tried on these bars{worth}, it beats the best that luck alone is expected to show{luck} "
            f"with a probability of {odds}.{overfit}{superior} The points are {self.ideas} different ideas. "
            "The vault has not been asked."
        )


def subject_of_agent(store: Store, agent_id: int) -> Subject:
    """The current version of an agent, with the agent's account. Raises NotThere without one."""
    with store.read() as session:
        agent = session.get(TradingAgent, agent_id)
        if agent is None:
            raise NotThere("That agent no longer exists.")
        version = session.exec(
            select(AgentStrategy).where(AgentStrategy.agent_id == agent_id, AgentStrategy.is_current_version)
        ).one_or_none()
        if version is None:
            raise NotThere(f"{agent.name} has no strategy yet; run an iteration first.")
        rules = account_rules(agent.risk_config)
        return Subject(version.scan_script, version.execution_script, agent.universe_id, rules, agent_id, version.version)


def subject_of_scripts(scan: str, execution: str, universe_id: int, risk: str) -> Subject:
    """A person's own scripts, with the account of an agent of this risk. Raises NotThere for an unknown risk."""
    if risk not in RISKS:
        raise NotThere(f"There is no risk {risk!r}; there are {', '.join(RISKS)}.")
    return Subject(scan, execution, universe_id, account_rules(risk_config(Personality(risk, "", (), ()))))


def run_sweep(
    workspace: Workspace, store: Store, executor: Executor, subject: Subject, request: SweepRequest, progress: Progress
) -> SweepReport:
    """Measure the points of a design in the processes of the executor, with the strategy as it is beside them.

    Finished points are stored as they come: the same sweep begun again, after `progress` raised or the program was killed, goes
    on where it broke off. Every point measured is a row of the trial ledger, one that crashed too.

    Raises:
        LabError: the scripts don't compile, have nothing to vary, or need context these bars lack.
        NotThere: no such universe.
    """
    from lab.backtest import Method, axes_of, design
    from lab.script import compile_strategy

    strategy = compile_strategy(subject.scan, subject.execution)
    axes = axes_of(strategy.parameters, *_wanted(request.parameters))
    names = tuple(axis.name for axis in axes)
    own = tuple(axis.own for axis in axes)
    points = tuple(sorted({*design(axes, Method(request.method), request.points, request.seed), own}))
    with store.read() as session:
        universe = session.get(Universe, subject.universe_id)
        if universe is None:
            raise NotThere("That universe no longer exists.")
        refuse_missing_context(strategy, universe, workspace.bars)
        bars = learning_slice(universe, workspace.bars)
        subject = subject.on(universe)
    folder = workspace.results / f"sweep-{_key(bars, others_fingerprint(bars, strategy), subject, names, points)}"
    run = _Run(store, executor, subject, bars, names, folder, progress)
    run.measure(points)
    with store.write() as session:
        for script_hash, returns in sweep_jobs.read_each_returns(folder):
            remember_returns(session, bars.fingerprint, script_hash, returns)
    best = _best(run.done.values())
    with store.read() as session:
        trials = trials_so_far(session, bars, set() if best is None else {best.measured.script_hash})
    deflated, luck, effective = _worth(folder, best, trials)
    overfitting, superior, ideas = _of_all(folder, request.seed)
    return SweepReport(
        folder=str(folder),
        universe=universe.name,
        synthetic=universe.synthetic,
        first_session=bars.first,
        last_session=bars.last,
        method=request.method,
        seed=request.seed,
        parameters=names,
        own_values=own,
        points=tuple(run.done[values] for values in points if values in run.done),
        failed=tuple(run.failed),
        stored_before=run.stored_before,
        best=best,
        trials=trials.count,
        effective_trials=effective,
        luck_sharpe=luck,
        deflated_sharpe=deflated,
        overfitting=overfitting,
        superior_p=superior,
        ideas=ideas,
    )


def _wanted(words: Sequence[str]) -> tuple[list[str], dict[str, Range]]:
    """The names, and the ranges of those that come with one."""
    from lab.backtest import Range

    names, ranges = [], {}
    for word in words:
        name, given, text = word.partition("=")
        names.append(name.strip())
        if given:
            try:
                low, high, *step = (float(number) for number in text.split(":"))
                ranges[names[-1]] = Range(low, high, *step)
            except (ValueError, TypeError):
                raise BadRange(f"{word!r} is no range: write {name.strip()}=LOW:HIGH or {name.strip()}=LOW:HIGH:STEP.") from None
    return names, ranges


class _Run:
    """The points of one sweep on their way from waiting to stored."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        subject: Subject,
        bars: BarsSlice,
        names: tuple[str, ...],
        folder: Path,
        progress: Progress,
    ) -> None:
        self._store, self._executor, self._subject, self._bars = store, executor, subject, bars
        self._names, self._folder, self._progress = names, folder, progress
        self.done: dict[tuple[float, ...], Point] = {}
        self.failed: list[FailedPoint] = []
        self.stored_before = 0
        self._total = 0

    def measure(self, points: Sequence[tuple[float, ...]]) -> None:
        self._total = len(points)
        wanted = set(points)
        # A kill between storing a point and counting it would lose a trial, so those found stored are counted again.
        self._keep([point for point in sweep_jobs.read_points(self._folder) if point.values in wanted])
        self.stored_before = len(self.done)
        left = self._possible([values for values in points if values not in self.done])
        shared = self._share() if len(left) > CHUNK else ""
        waiting = {self._submit(chunk, shared): chunk for chunk in (tuple(left[i : i + CHUNK]) for i in range(0, len(left), CHUNK))}
        try:
            while waiting:
                self._report()
                for future in wait(waiting, _POLL_SECONDS, FIRST_COMPLETED).done:
                    self._take(future, waiting.pop(future), waiting)
        finally:
            for future in waiting:
                future.cancel()
            remove(self._folder / _BARS)
        self._report()

    def _share(self) -> str:
        """Have the bars laid down once for all processes; the folder, or empty where that fails, since each can read them itself."""
        folder = str(self._folder / _BARS)
        scripts = Scripts(self._subject.scan, self._subject.execution)
        job = self._executor.submit(sweep_jobs.share_job, self._bars, scripts, folder)
        try:
            while not wait([job], _POLL_SECONDS).done:
                self._report()
            job.result()
        except (LabError, OSError):
            return ""
        finally:
            job.cancel()
        return folder

    def _possible(self, points: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
        """The points whose scripts compile; what a function allows may depend on two parameters at once."""
        from lab.script import ScriptError, compile_strategy

        possible = []
        for values in points:
            try:
                compile_strategy(self._subject.scan, self._subject.execution, dict(zip(self._names, values, strict=True)))
                possible.append(values)
            except ScriptError as error:
                self.failed.append(FailedPoint(values, str(error)))
        return possible

    def _submit(self, chunk: tuple[tuple[float, ...], ...], shared: str = "") -> Future[tuple[Point, ...]]:
        scripts = Scripts(self._subject.scan, self._subject.execution)
        file = self._folder / f"points-{sha256(repr(chunk).encode()).hexdigest()[:16]}.parquet"
        return self._executor.submit(sweep_jobs.sweep_job, self._bars, scripts, self._names, chunk, self._subject.rules, str(file), shared)

    def _take(
        self,
        future: Future[tuple[Point, ...]],
        chunk: tuple[tuple[float, ...], ...],
        waiting: dict[Future[tuple[Point, ...]], tuple[tuple[float, ...], ...]],
    ) -> None:
        try:
            self._keep(future.result())
        except LabError as error:
            if len(chunk) > 1:
                # One bad point shall not take its neighbours with it.
                waiting.update((self._submit((values,)), (values,)) for values in chunk)
                return
            self.failed.append(FailedPoint(chunk[0], str(error)))
            self._record([(self._hash(chunk[0]), TrialOutcome.CRASHED, 0, None)])

    def _keep(self, points: Sequence[Point]) -> None:
        self._record([(p.measured.script_hash, TrialOutcome.COMPLETED, p.measured.trades, p.measured.sharpe_daily) for p in points])
        self.done.update((point.values, point) for point in points)

    def _record(self, trials: list[tuple[str, TrialOutcome, int, float | None]]) -> None:
        if not trials:
            return
        subject = self._subject
        with self._store.write() as session:
            for trial in trials:
                record_own_trial(session, subject.universe_id, self._bars.fingerprint, *trial, purpose=SWEEP, agent_id=subject.agent_id)

    def _hash(self, values: tuple[float, ...]) -> str:
        from lab.script import compile_strategy

        return compile_strategy(self._subject.scan, self._subject.execution, dict(zip(self._names, values, strict=True))).script_hash

    def _report(self) -> None:
        done = len(self.done) + len(self.failed)
        self._progress(done / self._total, f"{done} of {self._total} points")


def _key(bars: BarsSlice, others: str, subject: Subject, names: tuple[str, ...], points: tuple[tuple[float, ...], ...]) -> str:
    """Of everything the stored figures depend on, so that none of them is ever taken for another."""
    from lab.agents.jobs import account_of
    from lab.backtest import ENGINE_VERSION

    account, costs = account_of(subject.rules)
    parts = [bars.fingerprint, others, subject.scan, subject.execution, names, points, asdict(account), asdict(costs), ENGINE_VERSION]
    return sha256(json.dumps(parts).encode()).hexdigest()[:24]


def _best(points: Iterable[Point]) -> Point | None:
    found: Point | None = None
    highest = -math.inf
    for point in sorted(points, key=lambda point: point.values):
        sharpe = point.measured.sharpe
        if point.measured.trades >= MIN_TRADES and sharpe is not None and sharpe > highest:
            found, highest = point, sharpe
    return found


def _worth(folder: Path, best: Point | None, trials: TrialsSoFar) -> tuple[float | None, float | None, float | None]:
    """The deflated Sharpe ratio of the best point, the Sharpe ratio a year that luck alone is expected to show, the effective trials."""
    from lab.agents.proof.rules import deflate
    from lab.backtest import expected_maximum_sharpe

    if best is None:
        return None, None, None
    returns = sweep_jobs.read_returns(folder, best.measured.script_hash)
    deflated, effective = deflate(returns, trials)
    return deflated, expected_maximum_sharpe(effective, 1 / max(1, len(returns) - 1)) * 252**0.5, effective


def _of_all(folder: Path, seed: int) -> tuple[float | None, float | None, int]:
    """Of all stored points together: probability of backtest overfitting, p-value of the SPA test, number of different ideas."""
    from lab.backtest import backtest_overfitting, different_ideas, superior_ability

    returns = sweep_jobs.read_all_returns(folder)
    overfit, superior = backtest_overfitting(returns), superior_ability(returns, seed)
    return None if overfit is None else overfit.probability, None if superior is None else superior.p_value, different_ideas(returns)
