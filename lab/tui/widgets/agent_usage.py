"""What models cost one agent: its budget, the next iteration's likely cost, cost by iteration, and every call to open."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from lab.agents.budget.views import BudgetView, CallRow, Estimate, UsageRow
from lab.tui.text import clean, plural, sparkline, usd
from lab.tui.widgets import money
from lab.tui.widgets.flow import Flow, Line
from lab.tui.widgets.line_table import LineTable

NONE_YET = "No model was asked for this agent in the last 30 days.\nThe built-in strategist costs nothing."


@dataclass(frozen=True, slots=True)
class AgentUsage:
    """Of the last 30 New York days."""

    budget: BudgetView
    total: UsageRow
    purposes: tuple[UsageRow, ...]
    days: tuple[UsageRow, ...]
    calls: tuple[CallRow, ...]
    """Newest first."""
    estimate: Estimate | None


class AgentUsagePane(Vertical):
    """The sums above, the calls below."""

    DEFAULT_CSS = """
    AgentUsagePane #usage-sums { height: auto; padding: 0 1; margin-bottom: 1; }
    AgentUsagePane LineTable { height: 1fr; }
    """

    def compose(self) -> ComposeResult:
        yield Flow(id="usage-sums")
        yield LineTable(money.CALL_COLUMNS, empty=NONE_YET, id="agent-calls")

    def show(self, usage: AgentUsage, budget_key: str, estimated: str) -> None:
        """Show these; `estimated` says what the next iteration may cost."""
        self.query_one("#usage-sums", Flow).show(usage_lines(usage, budget_key, estimated))
        self.query_one("#agent-calls", LineTable).set_rows(money.call_rows(usage.calls))


def usage_lines(usage: AgentUsage, budget_key: str, estimated: str) -> list[Line]:
    """Today, the last 30 days, by purpose, and what the next iteration may cost."""
    budget, total, muted = usage.budget, usage.total, "$foreground-muted"
    spent = f"{usd(budget.spent_micros)} of {usd(budget.daily_micros)}"
    tokens = f"{total.input_tokens + total.cache_write_tokens + total.cache_read_tokens:,} tokens in, {total.output_tokens:,} out"
    doubt = f", {usd(total.in_doubt_micros)} of it in doubt" if total.in_doubt_micros else ""
    purposes = ", ".join(f"{clean(row.key)} {usd(row.cost_micros)}" for row in usage.purposes)
    facts = [
        ("today", f"{spent}, {usd(budget.left_micros)} left; {budget_key} changes it"),
        ("30 days", f"{usd(total.cost_micros)}{doubt}; {plural(total.calls, 'call')}, {tokens}"),
        *([("for", purposes)] if purposes else []),
        ("next iteration", estimated),
    ]
    if len(usage.days) > 1:
        facts.insert(2, ("a day", sparkline([row.cost_micros for row in usage.days], 30)))
    return [(Content.assemble((f"{name:<16}", muted), words), 16) for name, words in facts]
