"""The dashboard: every agent with what it does now and how it stands, and the one under the cursor in detail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.markup import escape
from textual.timer import Timer

from lab.agents.budget.views import BudgetView
from lab.agents.firm import Firm, firm_of
from lab.agents.views import AgentRow, ResultSummary
from lab.tui.actions import DATA, DELETE, FETCH, IMPORT, ITERATE, NEW_AGENT, ORDER, STOP
from lab.tui.screen import LabScreen
from lab.tui.screens.deleting import ask_deletion
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
)
from lab.tui.widgets.charts import EquityChart, prepare
from lab.tui.widgets.flow import Flow, Line, lines_of
from lab.tui.widgets.line_table import Cell, Column, LineTable, Row
from lab.tui.widgets.money import money
from lab.tui.widgets.status import STEP_NAMES

COLUMNS = (
    Column("Agent", least=12, most=60, keep=9, grow=True),
    Column("Now", least=14, most=17, keep=8),
    Column("Ver", least=3, most=6, keep=5),
    Column("Figures", least=7, most=8, keep=5, optional=True),
    Column("It", least=2, most=5, right=True, keep=2, spare=True),
    Column("Trades", least=6, most=9, right=True, keep=3),
    Column("Win", least=5, most=6, right=True, keep=6),
    Column("Interval", least=8, most=8, keep=1, spare=True),
    Column("Sharpe", least=6, most=7, right=True, keep=7),
    Column("P&L", least=7, most=10, right=True, keep=3, spare=True),
    Column("Today", least=6, most=7, right=True, keep=2, spare=True, optional=True),
    Column("Verdict", least=13, most=18, keep=4),
    Column("Sharpe so far", least=13, most=13, keep=0, spare=True),
)

REST_SECONDS = 0.12
EMPTY = """\
No agents yet.

n  describes the first one in plain English, such as
   “a conservative VWAP scalper for tech stocks”.

It writes a strategy, tests it on the cached bars, explains the
result and proposes a change. Nothing changes until you approve it."""


@dataclass(frozen=True, slots=True)
class DashboardData:
    agents: tuple[AgentRow, ...]
    firm: Firm
    spent_micros: dict[int, int]
    """Today, by agent."""
    budget: BudgetView
    """The whole lab's."""


def _measured(agent: AgentRow) -> ResultSummary | None:
    return agent.result if agent.result is not None and agent.result.trades else None


def _falling(value: float | None) -> float:
    return float("inf") if value is None else -value


ORDERS: tuple[tuple[str, Callable[[AgentRow, dict[int, int]], Any]], ...] = (
    ("as made", lambda agent, spent: agent.id),
    ("by what waits for you", lambda agent, spent: (-agent.pending_approvals, agent.running_iteration_id is None, agent.id)),
    ("by Sharpe", lambda agent, spent: _falling(found.sharpe if (found := _measured(agent)) else None)),
    ("by P&L", lambda agent, spent: _falling(found.final_equity - found.starting_equity if (found := _measured(agent)) else None)),
    ("by win rate", lambda agent, spent: _falling(found.win_rate if (found := _measured(agent)) else None)),
    ("by cost today", lambda agent, spent: -spent.get(agent.id, 0)),
    ("by name", lambda agent, spent: agent.name.casefold()),
)


class Dashboard(LabScreen[DashboardData]):
    """Agents in a table; beside it, where there is room, the one under the cursor."""

    PLACE = "dashboard"
    TITLE = "Agents"
    ACTIONS = (NEW_AGENT, ITERATE, STOP, ORDER, DATA, IMPORT, FETCH, DELETE)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (120, "-wider"), (150, "-widest")]  # noqa: RUF012  # an instance list is what Textual declares
    CSS = """
    Dashboard #firm { padding: 0 1; display: none; background: $surface; }
    Dashboard #left { width: 1fr; height: 1fr; }
    Dashboard #agents { height: auto; max-height: 60%; }
    Dashboard #chart { height: 1fr; display: none; margin-top: 1; padding: 0 1; border-top: solid $panel;
        border-title-color: $foreground-muted; }
    Dashboard #detail { width: 38; height: 1fr; padding: 0 1; border-left: solid $panel; }
    Dashboard.-wider #detail { width: 44; }
    Dashboard.-widest #detail { width: 64; }
    Dashboard #analysis { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    Dashboard.-narrow #split { layout: vertical; }
    Dashboard.-narrow #agents { height: 1fr; max-height: 100%; }
    Dashboard.-narrow #detail { width: 100%; height: 45%; border-left: none; border-top: solid $panel; }
    Dashboard.-narrow #analysis { margin-top: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._charts = False
        """Charts can be drawn: their library is imported, which takes too long for the event loop."""
        self._resting: Timer | None = None
        self.table = LineTable(COLUMNS, empty=EMPTY, id="agents")
        self._chart = EquityChart(id="chart")
        self._facts = Flow(id="facts")
        self._words = Flow(id="words")
        self._firm = Flow(id="firm")
        self._order = 0

    def compose_body(self) -> ComposeResult:
        yield self._firm
        with Horizontal(id="split"):
            with Vertical(id="left"):
                yield self.table
                yield self._chart
            with Vertical(id="detail"):
                yield self._facts
                with VerticalScroll(id="analysis"):
                    yield self._words

    def on_mount(self) -> None:
        self.run_worker(self._prepare_chart(), group="chart")

    async def _prepare_chart(self) -> None:
        await asyncio.to_thread(prepare)
        self._charts = True
        self._describe()

    @property
    def selected(self) -> AgentRow | None:
        """The agent under the cursor."""
        return next((agent for agent in (self.data.agents if self.data else ()) if agent.id == self.table.cursor_id), None)

    def load(self) -> DashboardData:
        agents, usage = tuple(self.lab.agents()), self.lab.usage
        return DashboardData(agents, firm_of(agents), usage.spent_today(), usage.whole_lab())

    def show(self, data: DashboardData) -> None:
        words, key = ORDERS[self._order]
        self.table.set_rows(
            [_row(agent, data.spent_micros) for agent in sorted(data.agents, key=lambda each: key(each, data.spent_micros))]
        )
        self._firm.display = bool(data.agents)
        self._firm.show(_firm_lines(data, words if self._order else "", self.size.width))
        self._describe()

    def why_not(self, name: str) -> str | None:
        agent = self.selected
        if name in ("iterate", "delete", "stop") and agent is None:
            return "There is no agent yet: n makes one."
        if name == "new_agent" and self.lab_app.state is not None and not self.lab_app.state.has_data:
            return "An agent needs a market to trade: f imports a file."
        if agent is not None:
            if name == "iterate" and agent.running_iteration_id is not None:
                return f"{agent.name} is iterating already."
            if name == "iterate" and agent.pending_approvals:
                return f"{agent.name} has a proposal that waits for your decision: {self.lab_app.key_of('approvals')} opens it."
            if name == "stop" and agent.running_iteration_id is None:
                return f"{agent.name} is not iterating."
        return None

    @on(LineTable.RowHighlighted, "#agents")
    def _moved(self) -> None:
        """Describe the agent once the cursor rests: while it runs over a list, only the table is drawn."""
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self._describe()
        self.refresh_actions()

    @on(LineTable.RowSelected, "#agents")
    def _chosen(self, event: LineTable.RowSelected) -> None:
        self.lab_app.open("agent", cast(int, event.row_id))

    def _describe(self) -> None:
        if not self._words.is_attached:
            return
        agent = self.selected
        self.query_one("#detail").display = agent is not None
        wide = not self.has_class("-narrow")
        self._chart.display = self._charts and wide and agent is not None and agent.result is not None
        if agent is None:
            return
        if agent.result is not None and self._chart.display:
            title = f"Equity of {escape(clean(agent.name))}"
            if self._chart.border_title != title:
                self._chart.border_title = title
            self._chart.show(agent.result.equity, agent.result.starting_equity)
        room = self._facts.content_size.width or self.size.width - 3
        self._facts.show([(line, 0) for line in _facts(agent, room, line=not self._chart.display).split("\n")])
        self._words.show(lines_of(agent.latest_analysis) if agent.latest_analysis else lines_of(agent.instructions, Tone.MUTED))

    def on_resize(self) -> None:
        self.call_after_refresh(self._describe)

    def action_new_agent(self) -> None:
        self.lab_app.open("creation")

    def action_data(self) -> None:
        self.lab_app.open("data")

    def action_import_file(self) -> None:
        self.lab_app.open("import_file")

    def action_fetch_bars(self) -> None:
        self.lab_app.open("fetch")

    async def action_iterate(self) -> None:
        agent = self.selected
        if agent is not None and await self.attempt(self.lab.start_iteration, agent.id):
            self.reload()
            await self.lab_app.ensure_worker()

    async def action_stop(self) -> None:
        agent = self.selected
        if agent is None or agent.running_iteration_id is None:
            return
        if await self.confirm(f"Stop the iteration of {agent.name}? Its finished steps stay stored.", yes="Stop it", no="Let it run"):
            await self.attempt(self.lab.cancel_iteration, agent.running_iteration_id)
            self.reload()

    def action_order(self) -> None:
        """The next order; the cursor stays on its agent."""
        self._order = (self._order + 1) % len(ORDERS)
        if self.data is not None:
            self.show(self.data)

    def action_delete(self) -> None:
        if agent := self.selected:
            ask_deletion(self, agent.id, agent.name, plural(agent.iterations, "iteration"), self._deleted)

    async def _deleted(self) -> None:
        self.reload()


def _now(agent: AgentRow) -> Cell:
    if agent.running_iteration_id is not None:
        step = clean(agent.step or "queued")
        place = f" {STEP_NAMES.index(step) + 1}/{len(STEP_NAMES)} {bar(agent.progress, 4)}" if step in STEP_NAMES else ""
        return Cell(step + place, Tone.ACCENT)
    if agent.pending_approvals:
        return Cell(f"● {agent.pending_approvals} to approve", Tone.WARN)
    return Cell("ready" if agent.iterations else "new", Tone.MUTED)


def _firm_lines(data: DashboardData, order: str, width: int) -> list[Line]:
    """All agents on one line: what they made together, how alike they are, and the money of today."""
    firm, budget = data.firm, data.budget
    parts: list[str | tuple[str, str]] = [(f"{plural(len(data.agents), 'agent')}", "bold")]
    if firm.measured:
        parts += [f"  {signed_dollars(firm.pnl)} together", (" on the learning spans", "$foreground-muted") if width >= 140 else ""]
        if width >= 100:
            parts.append((f" {sparkline(thin([value for _, value in firm.curve], 20), 20)}", "$primary"))
    if firm.correlation is not None:
        parts.append((f"  correlation {number(firm.correlation)}", "$foreground-muted"))
    if budget.spent_micros or budget.reserved_micros:
        parts.append((f"  today {money(budget.spent_micros)}, {money(budget.left_micros)} left", "$foreground-muted"))
    if order:
        parts.append((f"  {order}", "$text-accent"))
    return [(Content.assemble(*parts), 2)]


def _row(agent: AgentRow, spent_micros: dict[int, int]) -> Row:
    measured = agent.result
    traded = measured if measured and measured.trades else None
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
        signed_dollars(traded.final_equity - traded.starting_equity) if traded else "",
        Cell(money(spent) if (spent := spent_micros.get(agent.id, 0)) else "", Tone.MUTED),
        Cell(clean(traded.verdict) if traded else "no trades" if measured else "", Tone.MUTED),
        sparkline(agent.sharpe_history, 13),
    )
    return agent.id, cells


def _facts(agent: AgentRow, width: int, *, line: bool) -> Content:
    """Who the agent is and how it stands; `line` adds the equity as one line of blocks."""
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
        if line:
            parts.append(Content.styled("\n" + sparkline(thin([value for _, value in measured.equity], width), width), "$primary"))
        parts += [safe(f"\n{measured.verdict}: ", Tone.STRONG), safe(measured.verdict_reason, Tone.MUTED)]
    return Content.assemble(*parts)
