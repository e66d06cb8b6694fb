"""Usage: what models cost, by agent, purpose, model, day and iteration, every call, and the budgets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from textual import on
from textual.app import ComposeResult
from textual.widgets import ContentSwitcher

from lab.agents.budget.views import BudgetView, By, CallRow, UsageRow
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import usd
from lab.tui.widgets import money
from lab.tui.widgets.flow import Flow
from lab.tui.widgets.line_table import LineTable, ReadTable
from lab.tui.widgets.tabs import NEXT_TAB, PREVIOUS_TAB, Tabbed, TabLine

BUDGET = Action("budget", "plus", "Budget", "Sets what this agent, or the whole lab, may spend in a New York day.")
SUMS = {By.PURPOSE: "Purpose", By.MODEL: "Model", By.DAY: "Day (New York)", By.ITERATION: "Iteration"}
TABS = {"budgets": "Agents", **{what.value: f"{what.value.capitalize()}s" for what in SUMS}, "calls": "Calls"}
NONE_YET = "No model was asked yet: agents think with the built-in strategist, which costs nothing.\n`lab usage key` keeps a key."


@dataclass(frozen=True, slots=True)
class UsageData:
    budgets: tuple[BudgetView, ...]
    agents: tuple[UsageRow, ...]
    total: UsageRow
    sums: dict[By, tuple[UsageRow, ...]]
    calls: tuple[CallRow, ...]


class UsageScreen(Tabbed, LabScreen[UsageData]):
    """The last 30 New York days."""

    PLACE = "usage"
    TITLE = "Usage"
    ACTIONS = (
        BUDGET,
        NEXT_TAB,
        PREVIOUS_TAB,
        BACK,
    )
    CSS = """
    UsageScreen #summary { padding: 0 1; }
    UsageScreen #panes { height: 1fr; margin-top: 1; }
    UsageScreen LineTable { height: 1fr; }
    UsageScreen #charts { padding: 0 1; height: auto; max-height: 8; }
    """

    def compose_body(self) -> ComposeResult:
        switcher = ContentSwitcher(id="panes", initial="budgets")
        yield TabLine(TABS, switcher, "budgets")
        yield Flow(id="summary")
        with switcher:
            yield LineTable(money.BUDGET_COLUMNS, empty=NONE_YET, id="budgets")
            for what, name in SUMS.items():
                yield ReadTable(money.usage_columns(name), empty=NONE_YET, id=what.value)
            yield LineTable(money.CALL_COLUMNS, empty=NONE_YET, id="calls")
        yield Flow(id="charts")

    def on_mount(self) -> None:
        self.query_one(TabLine).focus_pane()

    def load(self) -> UsageData:
        usage = self.lab.usage
        return UsageData(
            budgets=tuple(usage.budgets()),
            agents=tuple(usage.by(By.AGENT)),
            total=usage.total(),
            sums={what: tuple(usage.by(what)) for what in SUMS},
            calls=tuple(usage.calls()),
        )

    def show(self, data: UsageData) -> None:
        self.query_one("#summary", Flow).show(money.summary_lines(data.budgets[0], data.total, data.sums[By.ITERATION]))
        self.query_one("#charts", Flow).show(money.chart_lines(data.total, data.sums[By.DAY], data.calls))
        self.query_one("#budgets", LineTable).set_rows(money.budget_rows(data.budgets, data.agents, data.total))
        for what, rows in data.sums.items():
            self.query_one(f"#{what.value}", LineTable).set_rows(money.usage_rows(rows))
        self.query_one("#calls", LineTable).set_rows(money.call_rows(data.calls))

    @on(TabLine.Moved)
    def _moved_tab(self) -> None:
        self.refresh_actions()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "do" and self.is_mounted and parameters and parameters[0] == "budget":
            return self.query_one(TabLine).active == "budgets"
        return super().check_action(action, parameters)

    def why_not(self, name: str) -> str | None:
        return "The budgets are still being read." if name == "budget" and self.data is None else None

    @on(LineTable.RowSelected)
    def _open(self, event: LineTable.RowSelected) -> None:
        if event.table.id == "calls":
            self.lab_app.open("call", event.row_id, [row_id for row_id, _ in event.table.rows])
        elif event.table.id == "budgets" and event.row_id:
            self.lab_app.open("agent", cast(int, event.row_id))

    def action_budget(self) -> None:
        chosen = self.query_one("#budgets", LineTable).cursor_id
        budget = next((each for each in self.data.budgets if each.agent_id == chosen), None) if self.data else None
        if budget is not None:
            question = f"How many dollars may {budget.name} spend in a New York day? Now {usd(budget.daily_micros)}."
            question += " What waits for budget goes on at once."
            self.pose("ask_line", question, "such as 2.50", "set it", then=partial(self._budget, budget.agent_id))

    async def _budget(self, agent_id: int, typed: str) -> None:
        await set_budget(self, agent_id, typed)


async def raise_budget(screen: LabScreen[Any], agent_id: int) -> None:
    """Ask for more of the budget that an agent waits for: its own, or the whole lab's where less of that is left."""
    usage = screen.lab.usage
    budgets = await asyncio.to_thread(lambda: (usage.budget(agent_id), usage.whole_lab()))
    budget = min(budgets, key=lambda each: each.left_micros)
    question = f"{budget.name} has {usd(budget.left_micros)} left today of {usd(budget.daily_micros)}."
    question += " How many dollars may it spend in a New York day? What waits for budget goes on at once."
    screen.pose("ask_line", question, "such as 2.50", "set it", then=partial(set_budget, screen, budget.agent_id))


async def set_budget(screen: LabScreen[Any], agent_id: int, typed: str) -> None:
    """Set a budget from what a person typed, in dollars."""
    try:
        micros = round(float(typed.strip().lstrip("$").replace(",", "")) * 1_000_000)
    except (ValueError, OverflowError):
        screen.tell(f"“{typed}” is no amount: type dollars, such as 2.50.", error=True)
        return
    if done := await screen.attempt(screen.lab.usage.set_budget, agent_id, micros):
        screen.tell(f"Budget of {done.value.name}: {usd(done.value.daily_micros)} a day.")
        await screen.lab_app.ensure_worker()
        screen.reload()
