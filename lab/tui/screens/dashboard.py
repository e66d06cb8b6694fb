"""The dashboard: every agent with what it does now and how it stands, and the one under the cursor in detail."""

from __future__ import annotations

from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from lab.agents.views import AgentRow
from lab.tui.actions import DELETE, IMPORT, ITERATE, NEW_AGENT, STOP
from lab.tui.screen import LabScreen
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
    sign_tone,
    signed_percent,
    sparkline,
    toned,
)
from lab.tui.widgets.line_table import Cell, Column, LineTable, Row

COLUMNS = (
    Column("Agent", least=12, most=28, keep=9),
    Column("Now", least=14, most=26, keep=8, grow=True),
    Column("Ver", least=4, most=6, keep=5),
    Column("It", least=2, most=4, right=True, keep=2),
    Column("Trades", least=4, most=7, right=True, keep=3),
    Column("Win rate", least=5, most=6, right=True, keep=6),
    Column("", least=6, most=7, keep=1),
    Column("Sharpe", least=5, most=6, right=True, keep=7),
    Column("Verdict", least=7, most=18, keep=4),
)


class Dashboard(LabScreen[list[AgentRow]]):
    """Agents in a table; beside it, where there is room, the one under the cursor."""

    PLACE = "dashboard"
    TITLE = "Agents"
    ACTIONS = (NEW_AGENT, ITERATE, STOP, IMPORT, DELETE)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    CSS = """
    Dashboard #agents { width: 1fr; height: 1fr; }
    Dashboard #detail { width: 44; height: 1fr; padding: 0 1; border-left: solid $panel; scrollbar-size-vertical: 1; }
    Dashboard.-narrow #detail { width: 100%; height: 9; border-left: none; border-top: solid $panel; }
    Dashboard #split { height: 1fr; }
    Dashboard.-narrow #split { layout: vertical; }
    """

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="split"):
            yield LineTable(COLUMNS, empty="No agents yet: n describes the first one in plain English.", id="agents")
            with VerticalScroll(id="detail", can_focus=False):
                yield Static(id="about")

    @property
    def table(self) -> LineTable:
        return self.query_one("#agents", LineTable)

    @property
    def selected(self) -> AgentRow | None:
        """The agent under the cursor."""
        return next((agent for agent in self.data or () if agent.id == self.table.cursor_id), None)

    def load(self) -> list[AgentRow]:
        return self.lab.agents()

    def show(self, data: list[AgentRow]) -> None:
        self.table.set_rows([_row(agent) for agent in data])
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
            if name == "stop" and agent.running_iteration_id is None:
                return f"{agent.name} is not iterating."
        return None

    @on(LineTable.RowHighlighted, "#agents")
    def _moved(self) -> None:
        self._describe()
        self.refresh_actions()

    @on(LineTable.RowSelected, "#agents")
    def _chosen(self, event: LineTable.RowSelected) -> None:
        self.lab_app.open("agent", cast(int, event.row_id))

    def _describe(self) -> None:
        agent = self.selected
        self.query_one("#about", Static).update(_about(agent, self.query_one("#about").content_size.width or 40) if agent else "")

    def on_resize(self) -> None:
        self.call_after_refresh(self._describe)

    def action_new_agent(self) -> None:
        self.lab_app.open("creation")

    def action_import_file(self) -> None:
        self.lab_app.open("import_file")

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

    async def action_delete(self) -> None:
        agent = self.selected
        if agent is None:
            return
        question = f"Delete {agent.name} with its {plural(agent.iterations, 'iteration')}, versions and knowledge? This can't be undone."
        if await self.confirm(question, yes="Delete", no="Keep"):
            await self.attempt(self.lab.delete_agent, agent.id)
            self.reload()


def _now(agent: AgentRow) -> Cell:
    if agent.running_iteration_id is not None:
        return Cell(f"{bar(agent.progress, 6)} {clean(agent.step or 'queued')} {agent.progress:.0%}", Tone.ACCENT)
    if agent.pending_approvals:
        return Cell(f"● {agent.pending_approvals} to approve", Tone.WARN)
    return Cell("ready" if agent.iterations else "new: i starts it", Tone.MUTED)


def _row(agent: AgentRow) -> Row:
    measured = agent.result
    cells = (
        Cell(clean(agent.name), Tone.STRONG),
        _now(agent),
        clean(agent.current_version or "–"),
        str(agent.iterations),
        count(measured.trades) if measured else "–",
        percent(measured.win_rate) if measured else "–",
        Cell(percent_interval(measured.win_rate_interval) if measured else "", Tone.MUTED),
        Cell(number(measured.sharpe), sign_tone(measured.sharpe)) if measured else "–",
        Cell(clean(measured.verdict), Tone.MUTED) if measured else "",
    )
    return agent.id, cells


def _about(agent: AgentRow, width: int) -> Content:
    who = agent.personality
    parts = [safe(agent.name, Tone.STRONG, lines=False)]
    if agent.synthetic:
        parts.append(toned("  SYNTHETIC", Tone.WARN))
    parts.append(safe(f"\n{who.risk} {who.style} · {', '.join(who.focus)}\n", Tone.MUTED))
    measured = agent.result
    if measured:
        parts.append(Content("\n" + sparkline([value for _, value in measured.equity], width) + "\n"))
        parts.append(toned(signed_percent(measured.total_return), sign_tone(measured.total_return)))
        parts.append(Content(f" to {dollars(measured.final_equity)}, "))
        parts.append(Content(f"{plural(measured.trades, 'trade')}\n"))
        parts.append(Content(f"Sharpe {number(measured.sharpe)} "))
        parts.append(toned(f"[{number_interval(measured.sharpe_interval)}]\n", Tone.MUTED))
        parts.append(safe(f"{measured.verdict}: {measured.verdict_reason}\n", Tone.MUTED))
    if agent.latest_analysis:
        parts.append(safe("\n" + agent.latest_analysis))
    elif not agent.iterations:
        parts.append(safe("\n" + agent.instructions, Tone.MUTED))
    return Content("").join(parts)
