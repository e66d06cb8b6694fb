"""The database side of an iteration: reading where it stands, and committing each step under the worker's lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlmodel import Session, select

from lab.agents import jobs
from lab.agents.errors import IterationPaused
from lab.agents.knowledge import known_insights
from lab.agents.outputs import folder_of
from lab.agents.span import account_rules, learning_slice
from lab.agents.strategist import Insight
from lab.errors import LabError
from lab.store.database import Store
from lab.store.models import AgentIteration, AgentStrategy, IterationStatus, IterationStep, TradingAgent, Universe

FIRST_NOTES = {
    IterationStatus.GENERATE: "writing the scripts",
    IterationStatus.SCAN: "looking for signals",
    IterationStatus.ENRICH: "adding the context of each signal",
    IterationStatus.BACKTEST: "trading the signals",
    IterationStatus.ANALYSE: "weighing the evidence",
    IterationStatus.PROPOSE: "looking for a refinement",
}


class Lease(Protocol):
    """The worker's hold on an iteration."""

    def check(self, session: Session) -> None:
        """Raise, inside the transaction, where the hold was lost or the iteration was cancelled."""
        ...


def no_effect(session: Session, row: AgentIteration) -> None:
    """A step whose output is all it leaves."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step hands to its commit."""

    output: dict[str, Any]
    """Stored as JSON; "note" is the line shown beside the step."""
    effect: Callable[[Session, AgentIteration], None] = no_effect
    """What the step changes beside its own output, done in the same transaction."""


@dataclass(slots=True)
class Iteration:
    """What the steps of one iteration share: the rows it was started from, and the outputs of its finished steps."""

    id: int
    number: int
    seed: int
    guidance: str
    agent: TradingAgent
    universe: Universe
    bars: jobs.BarsSlice
    rules: jobs.AccountRules
    folder: str
    """Where its tables lie."""
    insights: tuple[Insight, ...]
    outputs: dict[str, dict[str, Any]]
    strategy_id: int | None
    version: str
    scripts: jobs.Scripts

    @property
    def agent_id(self) -> int:
        assert self.agent.id is not None
        return self.agent.id

    @property
    def script_hash(self) -> str:
        """Known from the scan step on."""
        return str(self.outputs[IterationStatus.SCAN]["script_hash"])


class Journal:
    """Writes down how far an iteration is. Every write first checks the lease in its own transaction."""

    def __init__(self, store: Store, lease: Lease) -> None:
        if store.workspace is None:
            raise LabError("An iteration needs a workspace folder for its bars and results; this database stands alone.")
        self.store, self.workspace, self._lease = store, store.workspace, lease

    async def load(self, iteration_id: int) -> Iteration:
        return await asyncio.to_thread(self._load, iteration_id)

    async def enter(self, iteration: Iteration, step: IterationStatus) -> None:
        """The step begins."""

        def begin(session: Session, row: AgentIteration) -> None:
            row.iteration_status, row.progress, row.progress_note = step, 0.0, FIRST_NOTES[step]

        await self.write(iteration, begin)

    async def thought_by(self, iteration: Iteration, sentence: str) -> None:
        """Say which strategist runs the iteration; it is on pause no more."""

        def say(session: Session, row: AgentIteration) -> None:
            row.strategist, row.paused_until, row.pause_reason = sentence, None, ""

        await self.write(iteration, say)

    async def pause(self, iteration: Iteration, pause: IterationPaused) -> None:
        """No worker takes the iteration before the pause is over; its finished steps and paid replies stay."""

        def wait(session: Session, row: AgentIteration) -> None:
            row.paused_until, row.pause_reason, row.progress_note = pause.until, str(pause), "waiting for budget"

        await self.write(iteration, wait)

    async def report(self, iteration: Iteration, share: float, note: str) -> None:
        """Show how far the running step is."""

        def show(session: Session, row: AgentIteration) -> None:
            row.progress, row.progress_note = share, note

        await self.write(iteration, show)

    async def commit(self, iteration: Iteration, step: IterationStatus, outcome: Outcome, seconds: float) -> None:
        """The step's output and effect, together or not at all."""

        def finish(session: Session, row: AgentIteration) -> None:
            outcome.effect(session, row)
            row.progress, row.progress_note = 1.0, ""
            session.add(IterationStep(iteration_id=iteration.id, step=step, output=outcome.output, seconds=seconds))

        await self.write(iteration, finish)
        iteration.outputs[step] = outcome.output

    async def write(self, iteration: Iteration, change: Callable[[Session, AgentIteration], None]) -> None:
        """Change the iteration's row, and whatever belongs to the change, in one transaction."""

        def transaction() -> None:
            with self.store.write() as session:
                self._lease.check(session)
                row = session.get_one(AgentIteration, iteration.id)
                change(session, row)
                session.add(row)

        await asyncio.to_thread(transaction)

    def _load(self, iteration_id: int) -> Iteration:
        with self.store.read() as session:
            row = session.get_one(AgentIteration, iteration_id)
            agent = session.get_one(TradingAgent, row.agent_id)
            universe = session.get_one(Universe, row.universe_id)
            steps = session.exec(select(IterationStep).where(IterationStep.iteration_id == iteration_id))
            outputs = {step.step: step.output for step in steps}
            strategy = session.get(AgentStrategy, row.strategy_id) if row.strategy_id else None
            insights = known_insights(session, row.agent_id)
            session.expunge_all()
        return Iteration(
            id=iteration_id,
            number=row.iteration_number,
            seed=row.seed,
            guidance=row.guidance,
            agent=agent,
            universe=universe,
            bars=learning_slice(universe, self.workspace.bars),
            rules=account_rules(agent.risk_config, universe),
            folder=str(folder_of(self.workspace.results, iteration_id)),
            insights=insights,
            outputs=outputs,
            strategy_id=row.strategy_id,
            version=strategy.version if strategy else "",
            scripts=jobs.Scripts(row.scan_script, row.execution_script),
        )
