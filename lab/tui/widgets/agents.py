"""Agents in rows and lines: the dashboard's table with its orders, the firm's line, and the facts of one agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from lab.agents.agent_views import AgentRow, ResultSummary
from lab.agents.firm import Curve, Firm
from lab.tui.text import (
    Tone,
    bar,
    clean,
    count,
    dollars,
    number,
    number_interval,
    percent,
    percent_interval,
    plural,
    safe,
    signed_dollars,
    signed_percent,
    sparkline,
    thin,
    toned,
    usd,
)
from lab.tui.widgets.flow import Line
from lab.tui.widgets.line_table import Cell, Column, Row
from lab.tui.widgets.status import STEP_NAMES

if TYPE_CHECKING:
    from lab.agents.budget.views import BudgetView

COLUMNS = (
    Column("Agent", least=12, most=60, keep=9, grow=True),
    Column("Now", least=14, most=17, keep=8),
    Column("Ver", least=3, most=6, keep=5),
    Column("Figures", least=7, most=8, keep=5, optional=True),
    Column("It", least=2, most=5, right=True, keep=3, spare=True),
    Column("Trades", least=6, most=9, right=True, keep=3),
    Column("Win", least=5, most=6, right=True, keep=6),
    Column("Interval", least=8, most=8, keep=3, spare=True),
    Column("Sharpe", least=6, most=7, right=True, keep=7),
    Column("P&L", least=7, most=10, right=True, keep=4, spare=True),
    Column("Today", least=6, most=7, right=True, keep=3, spare=True),
    Column("Verdict", least=13, most=18, keep=4),
    Column("Sharpe trend", least=13, most=13, keep=2, spare=True),
    Column("Character", least=10, most=24, keep=1, spare=True),
    Column("Universe", least=10, most=24, keep=0, spare=True),
)
STATUSES = {"paper_trading": "on paper"}
"""What is said of an agent's status; that it is learning goes without saying."""


def _measured(agent: AgentRow) -> ResultSummary | None:
    return agent.result if agent.result is not None and agent.result.trades else None


def made(agent: AgentRow) -> float | None:
    """Dollars it made on its learning span; None where nothing was measured."""
    found = _measured(agent)
    return None if found is None else found.final_equity - found.starting_equity


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort agents: by this, the highest first where it falls; agents without it come last."""

    words: str
    by: Callable[[AgentRow, int], float | str | None]
    """Of the agent and what it spent today in micro-dollars."""
    falls: bool = True


ORDERS: dict[str, Order] = {
    "m": Order("as made", lambda agent, spent: agent.id, falls=False),
    "n": Order("by name", lambda agent, spent: agent.name.casefold(), falls=False),
    "w": Order("by what waits for you", lambda agent, spent: agent.pending_approvals * 10 + (agent.running_iteration_id is not None)),
    "s": Order("by Sharpe", lambda agent, spent: found.sharpe if (found := _measured(agent)) else None),
    "p": Order("by P&L", lambda agent, spent: made(agent)),
    "r": Order("by win rate", lambda agent, spent: found.win_rate if (found := _measured(agent)) else None),
    "t": Order("by trades", lambda agent, spent: found.trades if (found := _measured(agent)) else None),
    "i": Order("by iterations", lambda agent, spent: agent.iterations),
    "v": Order("by verdict", lambda agent, spent: found.verdict if (found := _measured(agent)) else None, falls=False),
    "c": Order("by cost today", lambda agent, spent: spent),
}
"""By the letter that chooses it."""


def in_order(agents: Sequence[AgentRow], spent_micros: dict[int, int], order: Order, *, backwards: bool) -> list[AgentRow]:
    """The agents sorted; those that have nothing to be sorted by come last, forwards and backwards."""
    values = [(value, agent) for agent in agents if (value := order.by(agent, spent_micros.get(agent.id, 0))) is not None]
    known = [agent for _, agent in sorted(values, key=lambda pair: pair[0], reverse=order.falls != backwards)]
    placed = {agent.id for agent in known}
    return [*known, *(agent for agent in agents if agent.id not in placed)]


def _now(agent: AgentRow) -> Cell:
    if agent.running_iteration_id is not None:
        step = clean(agent.step or "queued")
        place = f" {STEP_NAMES.index(step) + 1}/{len(STEP_NAMES)} {bar(agent.progress, 4)}" if step in STEP_NAMES else ""
        return Cell(step + place, Tone.ACCENT)
    if agent.pending_approvals:
        return Cell(f"● {agent.pending_approvals} to approve", Tone.WARN)
    return Cell(STATUSES.get(agent.status) or ("ready" if agent.iterations else "new"), Tone.MUTED)


def firm_lines(firm: Firm | None, counted: tuple[int, int], budget: BudgetView | None, order: str, marked: int, width: int) -> list[Line]:
    """All agents on one line: what they made together, how alike they are, and the money of today.

    `counted` are the agents, and those of them that trade made-up bars.
    """
    agents, synthetic = counted
    parts: list[str | tuple[str, str]] = [(f"{plural(agents, 'agent')}", "bold")]
    if order:
        parts.append((f"  {order}", "$text-accent"))
    if marked:
        parts.append((f"  {marked:,} marked (esc unmarks)", "bold $text-accent"))
    if firm is not None and firm.measured:
        parts += [f"  {signed_dollars(firm.pnl)} together", (" on the learning spans", "$foreground-muted") if width >= 140 else ""]
        if synthetic:
            parts.append((" SYNTHETIC" if synthetic == agents else f" {synthetic:,} SYNTHETIC", "$text-warning"))
        if width >= 100:
            parts.append((f" {sparkline(thin([value for _, value in firm.curve], 20), 20)}", "$primary"))
    if firm is not None and firm.correlation is not None:
        parts.append((f"  correlation {number(firm.correlation)}", "$foreground-muted"))
    if budget is not None:
        parts.append((f"  today {usd(budget.spent_micros)}, {usd(budget.left_micros)} left", "$foreground-muted"))
    return [(Content.assemble(*parts), 2)]


def agent_row(agent: AgentRow, spent_micros: int | None) -> Row:
    """An agent in the table; `spent_micros` is what it cost today, where that is known yet."""
    measured = agent.result
    traded, pnl, who = _measured(agent), made(agent), agent.personality
    other = agent.result_version if measured and agent.result_version != agent.current_version else None
    cells = (
        Cell(clean(agent.name), Tone.STRONG),
        _now(agent),
        clean(agent.current_version or "–"),
        Cell(f"of {clean(other)}" if other else "", Tone.WARN),
        count(agent.iterations),
        count(measured.trades) if measured else "–",
        percent(traded.win_rate) if traded else "",
        Cell(percent_interval(traded.win_rate_interval) if traded else "", Tone.MUTED),
        number(traded.sharpe) if traded else "",
        signed_dollars(pnl) if pnl is not None else "",
        Cell("" if spent_micros is None else usd(spent_micros), Tone.MUTED),
        Cell(clean(traded.verdict) if traded else "no trades" if measured else "", Tone.MUTED),
        sparkline(agent.sharpe_history, 13),
        Cell(clean(f"{who.risk} {who.style}"), Tone.MUTED),
        Cell(clean(agent.universe) + (" SYNTHETIC" if agent.synthetic else ""), Tone.WARN if agent.synthetic else Tone.MUTED),
    )
    return agent.id, cells


def facts_of(agent: AgentRow, width: int, curve: Curve) -> Content:
    """Who the agent is and how it stands; its `curve`, where given, stands there as one line of blocks."""
    who, measured = agent.personality, agent.result
    name = safe(agent.name, Tone.STRONG, lines=False)
    market = Content.assemble(safe(agent.universe, Tone.MUTED, lines=False), toned("  SYNTHETIC", Tone.WARN) if agent.synthetic else "")
    apart = width - name.cell_length - market.cell_length
    parts: list[Content | str] = [name, " " * apart if apart > 1 else "\n", market]
    parts.append(safe(f"\n{who.risk} {who.style} · {', '.join(who.focus)}", Tone.MUTED))
    if agent.running_iteration_id is not None and agent.progress_note:
        parts.append(safe(f"\n{bar(agent.progress, 8)} {agent.progress_note}", Tone.ACCENT))
    if measured and agent.result_version != agent.current_version:
        current = f"; {agent.current_version} is not measured yet" if agent.current_version else ""
        parts.append(safe(f"\nFigures of version {agent.result_version}{current}", Tone.WARN))
    if measured and not measured.trades:
        parts += [safe("\nno trades: ", Tone.STRONG), safe(measured.verdict_reason, Tone.MUTED)]
    elif measured:
        side_by_side = width > 70
        figures = [
            (
                "Return",
                signed_percent(measured.total_return),
                "" if side_by_side else f"to {dollars(measured.final_equity)}",
            ),
            (
                "Sharpe",
                number(measured.sharpe),
                f"({number_interval(measured.sharpe_interval)})" if measured.sharpe_interval else "",
            ),
            (
                "Win rate",
                percent(measured.win_rate),
                f"({percent_interval(measured.win_rate_interval)}) of {count(measured.trades)}",
            ),
        ]
        parts.append("\n")
        for place, (label, value, beside) in enumerate(figures):
            parts += [
                ("   " if side_by_side else "\n") if place else "",
                toned(f"{label} ", Tone.MUTED),
                value,
                toned(f" {beside}" if beside else "", Tone.MUTED),
            ]
        if curve:
            parts.append(Content.styled("\n" + sparkline(thin([value for _, value in curve], width), width), "$primary"))
        parts += [safe(f"\n{measured.verdict}: ", Tone.STRONG), safe(measured.verdict_reason, Tone.MUTED)]
    return Content.assemble(*parts)
