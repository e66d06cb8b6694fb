"""The dashboard: every agent with what it does now and how it stands, and the one under the cursor in detail."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.markup import escape
from textual.timer import Timer

from lab.agents.agent_views import AgentRow, ResultSummary
from lab.agents.firm import Curve, Firm
from lab.errors import LabError
from lab.tui.actions import DATA, DELETE, FETCH, IMPORT, ITERATE, NEW_AGENT, ORDER, STOP
from lab.tui.screen import LabScreen
from lab.tui.screens.deleting import ask_deletion
from lab.tui.text import Tone, clean, plural
from lab.tui.widgets.agents import COLUMNS, ORDERS, agent_row, facts_of, firm_lines, in_order
from lab.tui.widgets.charts import EquityChart, prepare
from lab.tui.widgets.flow import Flow, lines_of
from lab.tui.widgets.line_table import LineTable, Row

if TYPE_CHECKING:
    from lab.agents.budget.views import BudgetView
    from lab.tui.ahead import FirstLook

REST_SECONDS = 0.15
"""Longer than from one key to the next of somebody who goes through the list quickly."""
CHART_SECONDS = 0.2
EMPTY = """\
No agents yet.

n  describes the first one in plain English, such as
   “a conservative VWAP scalper for tech stocks”.

It writes a strategy, tests it on the cached bars, explains the
result and proposes a change. Nothing changes until you approve it."""


@dataclass(frozen=True, slots=True)
class DashboardData:
    agents: tuple[AgentRow, ...]
    firm: Firm | None
    """None until the workspace is open, as are the other sums."""
    spent_micros: dict[int, int] | None
    """Today, by agent."""
    budget: BudgetView | None
    """The whole lab's."""


class Dashboard(LabScreen[DashboardData]):
    """Agents in a table; beside it, where there is room, the one under the cursor."""

    PLACE = "dashboard"
    TITLE = "Agents"
    ACTIONS = (NEW_AGENT, ITERATE, STOP, ORDER, DATA, IMPORT, FETCH, DELETE)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (150, "-widest")]  # noqa: RUF012  # an instance list is what Textual declares
    CSS = """
    Dashboard #firm { padding: 0 1; display: none; background: $surface; }
    Dashboard #agents { height: auto; max-height: 55%; }
    Dashboard #one { height: 1fr; }
    Dashboard #chart { width: 1fr; height: 1fr; display: none; padding: 0 1; border-top: solid $panel;
        border-title-color: $foreground-muted; }
    Dashboard #detail { width: 1fr; height: 1fr; padding: 0 1; border-top: solid $panel; }
    Dashboard.-chart #detail { width: 46; }
    Dashboard.-chart.-widest #detail { width: 64; }
    Dashboard #analysis { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    Dashboard.-narrow #agents { height: 1fr; max-height: 100%; }
    Dashboard.-narrow #one { height: 45%; }
    Dashboard.-narrow #analysis { margin-top: 0; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._charts = False
        """Charts can be drawn: their library is imported, which takes too long for the event loop."""
        self._resting: Timer | None = None
        self._rows: dict[int, tuple[AgentRow, int | None, Row]] = {}
        """By agent, what its row was made of, and the row; in the order shown."""
        self._curve: tuple[tuple[int, ResultSummary], Curve] | None = None
        """The newest curve that was read, with the agent and the result it is of."""
        self.table = LineTable(COLUMNS, empty=EMPTY, marks=True, id="agents")
        self._chart = EquityChart(id="chart")
        self._facts = Flow(id="facts")
        self._words = Flow(id="words")
        self._firm = Flow(id="firm")
        self._order, self._backwards = "m", False

    def compose_body(self) -> ComposeResult:
        yield self._firm
        yield self.table
        with Horizontal(id="one"):
            yield self._chart
            with Vertical(id="detail"):
                yield self._facts
                with VerticalScroll(id="analysis"):
                    yield self._words

    def on_mount(self) -> None:
        # Not while the agents are waited for: the library for charts takes longer to load than they do.
        self.set_timer(CHART_SECONDS, lambda: self.run_worker(self._prepare_chart(), group="chart"))

    async def _prepare_chart(self) -> None:
        await asyncio.to_thread(prepare)
        self._charts = True
        self._describe()

    @property
    def selected(self) -> AgentRow | None:
        """The agent under the cursor."""
        return next((agent for agent in (self.data.agents if self.data else ()) if agent.id == self.table.cursor_id), None)

    @property
    def chosen(self) -> tuple[AgentRow, ...]:
        """The agents that keys work on: the marked ones, else the one under the cursor."""
        marked = set(self.table.marked)
        if marked:
            return tuple(agent for agent in (self.data.agents if self.data else ()) if agent.id in marked)
        return (self.selected,) if self.selected is not None else ()

    def begin_with(self, look: FirstLook) -> None:
        """Show this at first, before the workspace is open."""
        self.data = DashboardData(look.agents, None, None, None)

    def load(self) -> DashboardData:
        return DashboardData(tuple(self.lab.standing()), self.lab.firm(), self.lab.usage.spent_today(), self.lab.usage.whole_lab())

    def show(self, data: DashboardData) -> None:
        ordered = in_order(data.agents, data.spent_micros or {}, ORDERS[self._order], backwards=self._backwards)
        before, self._rows = self._rows, {}
        for agent in ordered:
            spent = None if data.spent_micros is None else data.spent_micros.get(agent.id, 0)
            known = before.get(agent.id)
            # What has not changed is the same object: making the cells of fifty agents anew takes as long as a key may.
            self._rows[agent.id] = known if known and known[:2] == (agent, spent) else (agent, spent, agent_row(agent, spent))
        self.table.set_rows([row for _, _, row in self._rows.values()])
        self._sum_up()
        if self._resting is None:
            self._describe()

    def _sum_up(self) -> None:
        """Show the firm's line."""
        if (data := self.data) is None:
            return
        order = (
            "" if (self._order, self._backwards) == ("m", False) else ORDERS[self._order].words + (", backwards" if self._backwards else "")
        )
        self._firm.display = bool(data.agents)
        counted = len(data.agents), sum(agent.synthetic for agent in data.agents)
        self._firm.show(firm_lines(data.firm, counted, data.budget, order, len(self.table.marked), self.size.width))

    def why_not(self, name: str) -> str | None:
        if name == "new_agent" and self.lab_app.state is not None and not self.lab_app.state.has_data:
            return "An agent needs a market to trade: f imports a file."
        if name not in ("iterate", "delete", "stop"):
            return None
        agents = self.chosen
        if not agents:
            return "There is no agent yet: n makes one."
        reasons = [self._why_not(name, agent) for agent in agents]
        return reasons[0] if all(reasons) else None  # of several, those do it that can

    def _why_not(self, name: str, agent: AgentRow) -> str | None:
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
        self._resting = None
        self._describe()
        self.refresh_actions()

    @on(LineTable.RowsMarked, "#agents")
    def _marked(self) -> None:
        self._sum_up()
        self.refresh_actions()

    @on(LineTable.RowSelected, "#agents")
    def _chosen(self, event: LineTable.RowSelected) -> None:
        self.lab_app.open("agent", cast(int, event.row_id))

    def _describe(self) -> None:
        if not self._words.is_attached:
            return
        agent = self.selected
        self.query_one("#one").display = agent is not None
        wide = not self.has_class("-narrow")
        self._chart.display = self._charts and wide and agent is not None and agent.result is not None
        self.set_class(self._chart.display, "-chart")
        if agent is None:
            return
        if agent.result is not None:
            self._draw_curve(agent, agent.result)
        room = self._facts.content_size.width or self.size.width - 3
        self._facts.show([(line, 0) for line in facts_of(agent, room, () if self._chart.display else self._curve_of(agent)).split("\n")])
        self._words.show(lines_of(agent.latest_analysis) if agent.latest_analysis else lines_of(agent.instructions, Tone.MUTED))

    def _draw_curve(self, agent: AgentRow, result: ResultSummary) -> None:
        """Draw the agent's curve, or have it read: rows come without, as a curve is read of one agent at a time."""
        if self._curve is None or self._curve[0] != (agent.id, result):
            # Given as a function: one that is replaced before it began leaves no coroutine behind that nobody awaits.
            self.run_worker(self._read_curve, group="curve", exclusive=True)
        elif self._chart.display:
            title = f"Equity of {escape(clean(agent.name))}"
            if self._chart.border_title != title:
                self._chart.border_title = title
            self._chart.show(self._curve[1], result.starting_equity)

    async def _read_curve(self) -> None:
        """Read the curve of the agent under the cursor."""
        agent = self.selected
        if agent is not None and agent.result is not None and (done := await self.attempt(self.lab.curve, agent.id)):
            self._curve = (agent.id, agent.result), done.value
            self._describe()

    def _curve_of(self, agent: AgentRow) -> Curve:
        return self._curve[1] if self._curve is not None and self._curve[0] == (agent.id, agent.result) else ()

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
        agents = self.chosen
        if len(agents) == 1:
            if await self.attempt(self.lab.start_iteration, agents[0].id):
                self.reload()
                await self.lab_app.ensure_worker()
            return
        started, refused = 0, []
        for agent in agents:
            try:
                await asyncio.to_thread(self.lab.start_iteration, agent.id)
                started += 1
            except LabError as error:
                refused.append(str(error))
        self.reload()
        if refused:
            self.tell(f"{plural(started, 'iteration')} started, {len(refused)} not: {' '.join(refused[:2])}", warning=True)
        else:
            self.tell(f"{plural(started, 'iteration')} started.")
        self.table.mark(())
        if started:
            await self.lab_app.ensure_worker()

    def action_stop(self) -> None:
        running = {agent.running_iteration_id: agent.name for agent in self.chosen if agent.running_iteration_id is not None}
        names = _names(list(running.values()))
        question = f"Stop the iteration{'s' if len(running) > 1 else ''} of {names} for good? What was computed can be read."
        self.pose("confirm", question, "Stop", "Leave running", then=partial(self._stop, list(running)))

    async def _stop(self, iteration_ids: list[int], yes: bool) -> None:
        for iteration_id in iteration_ids:
            await self.attempt(self.lab.cancel_iteration, iteration_id)
        self.table.mark(())
        self.reload()

    def action_order(self) -> None:
        """Choose what to sort by; the cursor stays on its agent."""
        choices = {letter: (order.words, "now; again: backwards" if letter == self._order else "") for letter, order in ORDERS.items()}
        self.pose("letters", "Show the agents in which order?", choices, then=self._reorder)

    async def _reorder(self, letter: str) -> None:
        self._backwards = letter == self._order and not self._backwards
        self._order = letter
        if self.data is not None:
            self.show(self.data)

    def action_delete(self) -> None:
        ask_deletion(self, self.chosen, self._deleted)

    async def _deleted(self) -> None:
        self.reload()


def _names(names: list[str]) -> str:
    """ "A", "A and B", "A, B and 3 more"."""
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
