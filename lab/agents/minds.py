"""Which strategist thinks for an agent, and how the one that asks Claude is set up for an iteration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from sqlmodel import col, select

from lab.agents.builtin import BuiltInStrategist
from lab.agents.journal import Iteration, Journal
from lab.agents.strategist import Strategist
from lab.store.database import Store
from lab.store.models import AgentStrategy, CompanyName, IterationStatus, Universe

if TYPE_CHECKING:
    from lab.agents.claude.blind import Veil
    from lab.agents.claude.config import ClaudeSettings
    from lab.agents.claude.strategist import Surroundings

AUTO, BUILT_IN, CLAUDE = "auto", "built-in", "claude"
CHOICES = (AUTO, BUILT_IN, CLAUDE)
KEY_PLACES = "in ANTHROPIC_API_KEY, the system's keyring or by `lab usage key`"


@dataclass(frozen=True, slots=True)
class Mind:
    """The strategist that runs, and a sentence that says which and why."""

    kind: str
    """`BUILT_IN` or `CLAUDE`."""
    sentence: str


def mind_of(choice: str, claude: ClaudeSettings | None) -> Mind:
    """Who thinks for an agent with this choice."""
    if choice == BUILT_IN:
        return Mind(BUILT_IN, "The built-in strategist runs, as chosen for this agent.")
    if claude is None or claude.key() is None:
        asked = "Claude was chosen, but no" if choice == CLAUDE else "No"
        return Mind(BUILT_IN, f"{asked} key for it is set ({KEY_PLACES}), so the built-in strategist runs.")
    how = "blind to tickers and dates" if claude.blind else "seeing tickers and dates"
    return Mind(CLAUDE, f"{claude.model} runs, {how}.")


@asynccontextmanager
async def thinking(
    mind: Mind, claude: ClaudeSettings | None, journal: Journal, iteration: Iteration, executor: Executor
) -> AsyncIterator[Strategist]:
    """The strategist for one iteration, its connection closed afterwards."""
    key = claude.key() if claude is not None and mind.kind == CLAUDE else None
    if claude is None or key is None:
        yield BuiltInStrategist()
        return
    from lab.agents.budget.money import Till
    from lab.agents.budget.prices import load_prices
    from lab.agents.claude.calls import Caller
    from lab.agents.claude.line import ModelLine
    from lab.agents.claude.strategist import ClaudeStrategist

    till, prices = Till(journal.store, claude.daily), load_prices(journal.workspace.home)
    # Whoever holds the lease is alone with the iteration: what stands reserved was left by one that ended.
    await asyncio.to_thread(till.doubt_left_open, iteration.id)
    async with ModelLine(key, claude.base_url, claude.silence_seconds) as line:
        caller = Caller(line, till, prices, claude.model, claude.effort, iteration.agent_id, iteration.id)
        reader = Caller(line, till, prices, claude.reader, "", iteration.agent_id, iteration.id)
        around = replace(_surroundings(journal.store, claude, iteration, executor), reader=reader)
        yield ClaudeStrategist(caller, around)


def veil_over(store: Store, claude: ClaudeSettings, universe: Universe | None) -> Veil:
    """The veil of a universe: the same aliases in each iteration on it. Without one it hides what is known by name anywhere."""
    from lab.agents.claude.blind import Blind, Open
    from lab.agents.claude.companies import spoken

    if not claude.blind:
        return Open()
    with store.read() as session:
        names = tuple((ticker, spoken(name)) for ticker, name in session.exec(select(CompanyName.ticker, CompanyName.name)))
        elsewhere = {ticker for tickers in session.exec(select(Universe.tickers)) for ticker in tickers}
    if universe is None:
        return Blind((), None, None, date.max, date.min, "", names, tuple(sorted(elsewhere)))
    if universe.synthetic:
        from lab.market.demo.stocks import DEMO_STOCKS

        elsewhere |= {stock.ticker for stock in DEMO_STOCKS}
    return Blind(
        tuple(universe.tickers),
        universe.market_ticker,
        universe.vix_ticker,
        universe.first_session,
        universe.last_session,
        f"universe {universe.id}",
        names,
        tuple(sorted(elsewhere)),
    )


def _surroundings(store: Store, claude: ClaudeSettings, iteration: Iteration, executor: Executor) -> Surroundings:
    from lab.agents import jobs
    from lab.agents.claude.strategist import Surroundings
    from lab.agents.claude.trade_bars import TradeSpan, trade_bars_job
    from lab.agents.results import from_json

    veil = veil_over(store, claude, iteration.universe)

    async def trade_bars(identifier: str) -> str:
        report = from_json(jobs.EvidenceReport, iteration.outputs[IterationStatus.ANALYSE]["evidence"])
        trade = next(each for each in (*report.selection.best, *report.selection.worst) if each.id == identifier)
        span = TradeSpan(trade.ticker, trade.signal_at, trade.exit_at, trade.entry_price)
        return await asyncio.wrap_future(executor.submit(trade_bars_job, iteration.bars, span))

    async def history() -> str:
        return await asyncio.to_thread(_versions, store, iteration.agent_id, veil)

    return Surroundings(veil, trade_bars, history)


def _versions(store: Store, agent_id: int, veil: Veil) -> str:
    with store.read() as session:
        versions = session.exec(select(AgentStrategy).where(AgentStrategy.agent_id == agent_id).order_by(col(AgentStrategy.id))).all()
    lines = [
        f"version {each.version}{' (current)' if each.is_current_version else ''}: {veil.hide(each.changes_from_parent) or 'first'};"
        f" Sharpe {'not measured' if each.backtest_sharpe is None else f'{each.backtest_sharpe:.2f}'}"
        for each in versions[-12:]
    ]
    return "\n".join(lines)


__all__ = ["AUTO", "BUILT_IN", "CHOICES", "CLAUDE", "KEY_PLACES", "Mind", "mind_of", "thinking", "veil_over"]
