"""Studies from request to result: taken by one worker, computed in its pool, stored with what the ledger has to know.

A request waits in the database until a worker takes it. If that worker dies, or is not heard of for an hour, another begins it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import update
from sqlmodel import Session, col, or_, select

from lab.agents.errors import CannotIterate, NotThere
from lab.agents.jobs import AccountRules, BarsSlice, Scripts
from lab.agents.ledger import NULL_ARM, STUDY, record_own_trial, trials_within
from lab.agents.proof import null_arm, studies
from lab.agents.proof.rules import final_verdict
from lab.agents.proof.studies import TriedVariant
from lab.agents.proof.tries import tries_until_now
from lab.agents.proof.vaults import openings_of, vault_place
from lab.agents.proof.views import VaultReport
from lab.agents.queries import personality_of
from lab.agents.results import from_json, to_json
from lab.agents.span import account_rules, known_context, learning_slice, vault_slice
from lab.agents.strategist import Brief
from lab.agents.views import ResultSummary
from lab.errors import LabError
from lab.store.database import Store
from lab.store.errors import StoreError
from lab.store.models import AgentIteration, IterationStatus, IterationStep, TradingAgent, Trial, TrialOutcome, Universe, utc_now
from lab.store.proof_models import ProofKind, ProofRun, ProofState

T = TypeVar("T")

STALE_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a study is of."""

    run_id: int
    kind: ProofKind
    iteration: AgentIteration
    agent: TradingAgent
    universe: Universe
    rules: AccountRules
    scripts: Scripts
    opening_id: int | None


def waiting(store: Store, alive: Callable[[str], bool], now: datetime | None = None) -> int:
    """How many studies nobody is at work on. `alive` says of an owner whether it may still be."""
    with store.read() as session:
        return len(_claimable(session, alive, now or utc_now()))


def claim(store: Store, owner: str, alive: Callable[[str], bool], now: datetime | None = None) -> int | None:
    """Take the oldest study that waits; None where there is none."""
    moment = now or utc_now()
    with store.read() as session:
        if not _claimable(session, alive, moment):
            return None
    with store.write() as session:
        free = _claimable(session, alive, moment)
        if not free:
            return None
        session.execute(
            update(ProofRun).where(col(ProofRun.id) == free[0]).values(state=ProofState.RUNNING, owner=owner, started_at=moment)
        )
        return free[0]


def release(store: Store, owner: str, run_id: int) -> None:
    """Give an unfinished study back."""
    with store.write() as session:
        session.execute(
            update(ProofRun)
            .where(col(ProofRun.id) == run_id, col(ProofRun.owner) == owner, col(ProofRun.state) == ProofState.RUNNING)
            .values(state=ProofState.QUEUED, owner=None, started_at=None)
        )


def fail(store: Store, owner: str, run_id: int, reason: str) -> None:
    """End a study of this owner without a result."""
    _finish(store, run_id, owner, None, reason)


async def run(store: Store, run_id: int, owner: str, executor: Executor) -> None:
    """Compute a claimed study and store what came of it, a failure too. Raises StoreError where it can't be stored."""
    case = None
    try:
        case = await asyncio.to_thread(_load, store, run_id)
        report, tried = await _STUDIES[case.kind](store, case, executor)
    except StoreError:
        raise
    except LabError as error:
        await asyncio.to_thread(_break_off, store, run_id, owner, case, str(error))
        return
    await asyncio.to_thread(_keep, store, case, owner, report, tried)


async def _walk_forward(store: Store, case: _Case, executor: Executor) -> tuple[Any, Sequence[TriedVariant]]:
    bars = await asyncio.to_thread(_learning_bars, store, case)
    folds = case.universe.folds
    return await _done(executor, studies.walk_forward_job, bars, case.scripts, case.rules, folds, case.iteration.seed)


async def _robustness(store: Store, case: _Case, executor: Executor) -> tuple[Any, Sequence[TriedVariant]]:
    bars = await asyncio.to_thread(_learning_bars, store, case)
    return await _done(executor, studies.robustness_job, bars, case.scripts, case.rules, case.iteration.seed)


async def _null_arm(store: Store, case: _Case, executor: Executor) -> tuple[Any, Sequence[TriedVariant]]:
    bars = await asyncio.to_thread(_learning_bars, store, case)
    budget, iterations = await asyncio.to_thread(_budget, store, case)
    brief = brief_of(case.agent, case.universe)
    seed = case.iteration.seed
    random = await _done(executor, null_arm.random_job, bars, brief, case.rules, budget, seed)
    shuffled = []
    for number in range(null_arm.SHUFFLED_RUNS):
        await asyncio.to_thread(_note, store, case.run_id, 0.4 + 0.2 * number, f"the loop on shuffled bars, run {number + 1}")
        shuffled.append(await _done(executor, null_arm.shuffled_job, bars, brief, case.rules, iterations, seed + number))
    return null_arm.null_arm_report(case.iteration.sharpe_ratio, random, tuple(shuffled)), random


async def _vault(store: Store, case: _Case, executor: Executor) -> tuple[Any, Sequence[TriedVariant]]:
    if case.opening_id is None:
        raise NotThere("This look into the vault was not written down, so it does not happen.")
    bars = vault_slice(case.universe, _bars_folder(store), case.opening_id)
    report = await _done(executor, studies.vault_job, bars, case.scripts, case.rules, case.iteration.seed)
    return report, ()


_STUDIES: dict[ProofKind, Callable[[Store, _Case, Executor], Awaitable[tuple[Any, Sequence[TriedVariant]]]]] = {
    ProofKind.WALK_FORWARD: _walk_forward,
    ProofKind.ROBUSTNESS: _robustness,
    ProofKind.NULL_ARM: _null_arm,
    ProofKind.VAULT: _vault,
}


async def _done(executor: Executor, function: Callable[..., T], *args: Any) -> T:
    return await asyncio.wrap_future(executor.submit(function, *args))


def brief_of(agent: TradingAgent, universe: Universe) -> Brief:
    """What a first strategy of this agent would be written from, without what it has learned since."""
    return Brief(
        name=agent.name,
        instructions=agent.instructions,
        system_prompt="",
        personality=personality_of(agent),
        risk_config=agent.risk_config,
        timeframe=universe.timeframe,
        context=known_context(universe),
    )


def _claimable(session: Session, alive: Callable[[str], bool], now: datetime) -> list[int]:
    rows = session.exec(
        select(ProofRun.id, ProofRun.owner, ProofRun.started_at)
        .where(or_(col(ProofRun.state) == ProofState.QUEUED, col(ProofRun.state) == ProofState.RUNNING))
        .order_by(col(ProofRun.id))
    )
    return [
        run_id
        for run_id, owner, started_at in rows
        if run_id is not None and (owner is None or started_at is None or now - started_at > STALE_AFTER or not alive(owner))
    ]


def _load(store: Store, run_id: int) -> _Case:
    with store.read() as session:
        row = session.get(ProofRun, run_id)
        if row is None:
            raise NotThere("That study was deleted with its agent.")
        iteration = session.get_one(AgentIteration, row.iteration_id)
        agent = session.get_one(TradingAgent, row.agent_id)
        universe = session.get_one(Universe, iteration.universe_id)
        step = session.exec(
            select(IterationStep).where(IterationStep.iteration_id == iteration.id, IterationStep.step == IterationStatus.BACKTEST)
        ).one_or_none()
        if step is None:
            raise CannotIterate("That iteration has no finished backtest to study.")
        rules = from_json(AccountRules, step.output["rules"]) if "rules" in step.output else account_rules(agent.risk_config, universe)
        session.expunge_all()
    scripts = Scripts(iteration.scan_script, iteration.execution_script)
    return _Case(run_id, ProofKind(row.kind), iteration, agent, universe, rules, scripts, row.opening_id)


def _bars_folder(store: Store) -> Path:
    if store.workspace is None:
        raise LabError("A study needs a workspace folder for its bars; this database stands alone.")
    return store.workspace.bars


def _learning_bars(store: Store, case: _Case) -> BarsSlice:
    return learning_slice(case.universe, _bars_folder(store))


def _budget(store: Store, case: _Case) -> tuple[int, int]:
    """Variants the agent has had tested, and iterations it has made."""
    with store.read() as session:
        hashes = session.exec(select(Trial.script_hash).where(Trial.agent_id == case.agent.id, Trial.purpose != NULL_ARM).distinct()).all()
        iterations = session.exec(select(AgentIteration.id).where(AgentIteration.agent_id == case.agent.id)).all()
    return min(max(1, len(hashes)), null_arm.MOST_VARIANTS), max(1, len(iterations))


def _note(store: Store, run_id: int, share: float, note: str) -> None:
    with store.write() as session:
        session.execute(update(ProofRun).where(col(ProofRun.id) == run_id).values(progress=share, note=note))


def _keep(store: Store, case: _Case, owner: str, report: Any, tried: Sequence[TriedVariant]) -> None:
    with store.write() as session:
        if isinstance(report, VaultReport):
            report = _with_openings(session, case, report)
            _judge(session, case, report)
        _record(session, case, tried, TrialOutcome.COMPLETED)
        _end(session, case.run_id, owner, to_json(report), "")


def _break_off(store: Store, run_id: int, owner: str, case: _Case | None, failure: str) -> None:
    """End a study without a report. What it was measuring when it crashed counts as tried."""
    planned = () if case is None else studies.planned(case.kind, case.scripts, case.iteration.seed)
    with store.write() as session:
        if case is not None:
            _record(session, case, [TriedVariant(script_hash, 0, None) for script_hash in planned], TrialOutcome.CRASHED)
        _end(session, run_id, owner, None, failure)


def _record(session: Session, case: _Case, tried: Sequence[TriedVariant], outcome: TrialOutcome) -> None:
    for one in tried:
        record_own_trial(
            session,
            case.universe.id or 0,
            case.iteration.data_fingerprint,
            one.script_hash,
            outcome,
            one.trades,
            one.sharpe_daily,
            purpose=NULL_ARM if case.kind is ProofKind.NULL_ARM else STUDY,
            agent_id=case.agent.id or 0,
            returns=one.returns,
        )


def _with_openings(session: Session, case: _Case, report: VaultReport) -> VaultReport:
    place = vault_place(case.universe)
    until = [row for row in openings_of(session, place) if (row.id or 0) <= (case.opening_id or 0)]
    return replace(report, openings=max(1, len(until)), seen_by=trials_within(session, place))


def _judge(session: Session, case: _Case, report: VaultReport) -> None:
    """The iteration's verdict takes in what the vault said, and all that was tried until it was opened."""
    row = session.get(AgentIteration, case.iteration.id)
    if row is None or row.backtest_results is None:
        return
    summary = from_json(ResultSummary, row.backtest_results)
    verdict = final_verdict(tries_until_now(session, row, summary).verdict(summary), report)
    row.backtest_results = to_json(replace(summary, verdict=verdict.word.value, verdict_reason=verdict.reason))
    session.add(row)


def _finish(store: Store, run_id: int, owner: str, output: dict[str, Any] | None, failure: str) -> None:
    with store.write() as session:
        _end(session, run_id, owner, output, failure)


def _end(session: Session, run_id: int, owner: str, output: dict[str, Any] | None, failure: str) -> None:
    state = ProofState.FAILED if output is None else ProofState.DONE
    session.execute(
        update(ProofRun)
        .where(col(ProofRun.id) == run_id, col(ProofRun.owner) == owner)
        .values(state=state, output=output, failure=failure, progress=1.0, note="", finished_at=utc_now(), owner=None)
    )
