"""Replaying an iteration: the same scripts on the same bars must give the same bits, or the lab says what changed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import select

from lab.agents import jobs
from lab.agents.errors import CannotIterate, NotThere
from lab.agents.results import from_json
from lab.agents.span import learning_slice
from lab.store.database import Store
from lab.store.models import AgentIteration, IterationStatus, IterationStep, Universe
from lab.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Replay:
    """What a second run of an iteration's backtest gave."""

    same: bool
    """Every trade, skip and equity point is the same to the bit."""
    changed: tuple[str, ...]
    """The inputs that are not what they were, a sentence each."""
    fingerprint: str
    stored_fingerprint: str


def replay(workspace: Workspace, store: Store, iteration_id: int) -> Replay:
    """Run an iteration's backtest again, beside its stored result, which stays as it is.

    Raises NotThere for an unknown iteration, CannotIterate for one without a finished backtest.
    """
    from lab.backtest import ENGINE_VERSION

    with store.read() as session:
        row = session.get(AgentIteration, iteration_id)
        if row is None:
            raise NotThere.numbered("iteration", iteration_id)
        step = session.exec(
            select(IterationStep).where(IterationStep.iteration_id == iteration_id, IterationStep.step == IterationStatus.BACKTEST)
        ).one_or_none()
        if step is None:
            raise CannotIterate("That iteration has no finished backtest to replay.")
        universe = session.get_one(Universe, row.universe_id)
        stored = str(step.output["fingerprint"])
        others = str(step.output.get("others_fingerprint", ""))
        finer = str(step.output.get("finer_fingerprint", ""))
        rules = from_json(jobs.AccountRules, step.output["rules"])
    bars = learning_slice(universe, workspace.bars)
    changed = []
    if bars.fingerprint != row.data_fingerprint:
        changed.append(
            f"The bars or the news of {universe.name!r} on its learning span are not those the iteration ran on: imported anew or adjusted."
        )
    if row.engine_version != ENGINE_VERSION:
        changed.append(f"The engine is version {ENGINE_VERSION}; the iteration ran on version {row.engine_version}.")
    scripts = jobs.Scripts(row.scan_script, row.execution_script)
    with tempfile.TemporaryDirectory(prefix="lab-replay-") as folder:
        report = jobs.backtest_job(bars, scripts, rules, jobs.TrialsSoFar(1, None), row.seed, str(Path(folder)))
    if report.others_fingerprint != others:
        changed.append("The bars of tickers that the scripts only look at are not those the iteration ran on: imported anew or adjusted.")
    if report.finer_fingerprint != finer:
        changed.append("The shorter bars that settle what came first within a bar are not those the iteration ran on.")
    return Replay(same=report.fingerprint == stored, changed=tuple(changed), fingerprint=report.fingerprint, stored_fingerprint=stored)
