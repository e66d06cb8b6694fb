"""Workspaces with iterations in them, and what stands in for the learning loop. Loaded by the tests' own processes, too."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

from sqlmodel import col, select, update

from lab.store.database import Store
from lab.store.models import STEPS, AgentIteration, IterationStatus, IterationStep, TradingAgent, Universe
from lab.store.workspace import Workspace
from lab.work.confined import Limits
from lab.work.executor import Executor
from lab.work.queue import Lease
from tests.work import tasks

EAGER = Limits(niceness=0)
"""On a busy machine a polite process of a test could wait for minutes."""


def add_iterations(home: Path, *per_agent: int) -> list[int]:
    """Makes one agent a number, with so many queued iterations; returns their ids in order."""
    ids: list[int] = []
    with Store(Workspace(home)) as store, store.write() as session:
        universe = Universe(
            name="demo",
            tickers=["AAA"],
            timeframe="1m",
            source="demo",
            first_session=date(2025, 1, 2),
            learning_until=date(2025, 3, 3),
            last_session=date(2025, 6, 2),
        )
        session.add(universe)
        session.flush()
        for number, count in enumerate(per_agent, start=1):
            agent = TradingAgent(
                name=f"Agent {number}",
                instructions="Fade gaps.",
                system_prompt="You fade gaps.",
                risk_tolerance="moderate",
                trading_style="scalping",
                pattern_focus=[],
                market_conditions=[],
                universe_id=universe.id or 0,
            )
            session.add(agent)
            session.flush()
            for iteration_number in range(1, count + 1):
                iteration = AgentIteration(agent_id=agent.id or 0, iteration_number=iteration_number, universe_id=universe.id or 0)
                session.add(iteration)
                session.flush()
                ids.append(iteration.id or 0)
    return ids


def iteration(store: Store, iteration_id: int) -> AgentIteration:
    with store.read() as session:
        return session.exec(select(AgentIteration).where(col(AgentIteration.id) == iteration_id)).one()


def statuses(home: Path) -> list[str]:
    with Store(Workspace(home)) as store, store.read() as session:
        return list(session.exec(select(AgentIteration.iteration_status).order_by(col(AgentIteration.id))))


def steps_done(home: Path) -> list[tuple[int, str]]:
    with Store(Workspace(home)) as store, store.read() as session:
        found = session.exec(select(IterationStep.iteration_id, IterationStep.step).order_by(col(IterationStep.id)))
        return [(row[0], row[1]) for row in found]


async def short_loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
    """Does every step in the pool, each stored under the lease, going on from the last stored one as the real loop does."""
    await _steps(store, iteration_id, executor, lease, seconds=0.02)


async def long_loop(store: Store, iteration_id: int, executor: Executor, lease: Lease) -> None:
    """As `short_loop`, but the backtest takes a minute."""
    await _steps(store, iteration_id, executor, lease, seconds=60.0)


async def _steps(store: Store, iteration_id: int, executor: Executor, lease: Lease, seconds: float) -> None:
    with store.read() as session:
        done = set(session.exec(select(IterationStep.step).where(col(IterationStep.iteration_id) == iteration_id)))
    for step in STEPS:
        if step in done:
            continue
        slow = seconds if step is IterationStatus.BACKTEST else 0.01
        pid = await asyncio.wrap_future(executor.submit(tasks.sleep, slow))
        with store.write() as session:
            lease.check(session)
            session.add(IterationStep(iteration_id=iteration_id, step=step, output={"pid": pid}, seconds=slow))
            session.exec(update(AgentIteration).where(col(AgentIteration.id) == iteration_id).values(iteration_status=step))
    with store.write() as session:
        lease.check(session)
        session.exec(
            update(AgentIteration).where(col(AgentIteration.id) == iteration_id).values(iteration_status=IterationStatus.NO_PROPOSAL)
        )
