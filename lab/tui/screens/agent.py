"""One agent: how it stands, its iterations, versions, knowledge, trades, what it cost, and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher

from lab.agents.budget.views import By
from lab.agents.proof.views import NullArmReport
from lab.agents.views import AgentView, IterationRow, TradeRow, VersionRow
from lab.tui.actions import BACK, DELETE, EDIT, ITERATE, ORDER, STOP, Action
from lab.tui.screens.deleting import ask_deletion
from lab.tui.screens.graduating import GRADUATING, GraduationData
from lab.tui.screens.minding import MINDING, MindData, MindingScreen, estimate_words, rule_words
from lab.tui.screens.settings import SettingsScreen
from lab.tui.screens.usage import BUDGET
from lab.tui.text import clean, count, usd
from lab.tui.widgets import agent_panes as panes
from lab.tui.widgets import charts
from lab.tui.widgets.agent_usage import AgentUsage, AgentUsagePane
from lab.tui.widgets.charts import EquityChart
from lab.tui.widgets.flow import BLANK, Flow, Line
from lab.tui.widgets.graduation import graduation_lines
from lab.tui.widgets.history import VersionHistory
from lab.tui.widgets.line_table import LineTable
from lab.tui.widgets.proof import against_luck_line, null_arm_lines
from lab.tui.widgets.tabs import NEXT_TAB, PREVIOUS_TAB, Reader, Tabbed, TabLine
from lab.tui.widgets.trades import TradesPane, TradesTable
from lab.tui.widgets.version_tree import Marks

TABS = {
    "overview": "Overview",
    "iterations": "Iterations",
    "versions": "Versions",
    "knowledge": "Knowledge",
    "trades": "Trades",
    "graduation": "Graduation",
    "usage": "Usage",
    "settings": "Settings",
}
_GRADUATION_KEYS = frozenset(action.name for action in GRADUATING)
_TAB_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("mark", "compare", "make_current"), ("versions",)),
    **dict.fromkeys(_GRADUATION_KEYS, ("graduation",)),
    **dict.fromkeys((action.name for action in MINDING), ("settings",)),
    BUDGET.name: ("settings", "usage"),
    ORDER.name: ("trades",),
}
"""Keys that stay out of the footer of all tabs but these."""
_READ_LATE = frozenset({"graduation", "settings", "trades", "usage"})
"""Tabs whose data are read when they are first shown."""


@dataclass(frozen=True, slots=True)
class AgentData:
    view: AgentView
    graduation: GraduationData | None = None
    mind: MindData | None = None
    traded: tuple[IterationRow, tuple[TradeRow, ...]] | None = None
    """The iteration whose trades are shown, and those."""
    usage: AgentUsage | None = None
    null_arm: NullArmReport | None = None
    ahead: str = ""
    """What the next iteration may cost; empty where no model thinks."""


class AgentScreen(Tabbed, MindingScreen[AgentData]):
    """Opened with the agent's id."""

    PLACE = "agent"
    TITLE = "Agent"
    ACTIONS = (
        ITERATE,
        Action("guide", "w", "With guidance", "Starts an iteration with words of guidance, which outrank the agent's own ideas."),
        STOP,
        Action("mark", "space", "Mark", "Marks the version under the cursor; two marked ones can be compared."),
        Action("compare", "c", "Compare", "Compares the two marked versions, or the one under the cursor with the current one."),
        Action("make_current", "m", "Make current", "Makes the version under the cursor the one the next iteration runs."),
        *GRADUATING,
        *MINDING,
        ORDER,
        EDIT,
        DELETE,
        NEXT_TAB,
        PREVIOUS_TAB,
        BACK,
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (50, "-huge")]  # noqa: RUF012  # as above
    CSS = """
    AgentScreen #state { padding: 0 1; }
    AgentScreen #panes { height: 1fr; }
    AgentScreen #standing { height: auto; layout: vertical; }
    AgentScreen EquityChart { height: 14; }
    AgentScreen.-wide #standing { layout: grid; grid-size: 2; grid-columns: 71 1fr; grid-rows: auto 1fr; height: 100%; }
    AgentScreen.-wide EquityChart { row-span: 2; height: 1fr; margin: 0 0 0 1; }
    AgentScreen LineTable { height: 1fr; }
    AgentScreen.-tall VersionHistory { height: 13; }
    AgentScreen.-huge VersionHistory { height: 22; }
    AgentScreen .detail { height: auto; max-height: 8; padding: 0 1; border-top: solid $surface-lighten-2; }
    """

    def __init__(self, agent_id: int) -> None:
        super().__init__()
        self._agent_id = agent_id
        self._marks = Marks()
        self._wanted: set[str] = set()
        """Tabs whose data are read, since they were shown once."""

    @property
    def view(self) -> AgentView | None:
        """The newest snapshot of the agent."""
        return self.data.view if self.data else None

    def graduation(self) -> GraduationData | None:
        return self.data.graduation if self.data else None

    def compose_body(self) -> ComposeResult:
        switcher = ContentSwitcher(id="panes", initial="overview")
        yield TabLine(TABS, switcher, "overview")
        yield Flow(id="state")
        with switcher:
            with Reader(id="overview"), Container(id="standing"):
                yield Flow(id="figures")
                yield EquityChart(shown=False)
                yield Flow(id="analysis")
            with Vertical(id="iterations"):
                yield LineTable(panes.ITERATION_COLUMNS, empty="No iteration yet: i starts the first one.", id="iteration-table")
                yield VersionHistory()
            with Vertical(id="versions"):
                yield LineTable(panes.VERSION_COLUMNS, empty="No version yet: the first iteration writes 1.0.", id="version-table")
                yield Flow(id="version-detail", classes="detail")
            with Vertical(id="knowledge"):
                yield LineTable(panes.KNOWLEDGE_COLUMNS, empty="Nothing learned yet: iterations add what they find.", id="knowledge-table")
                yield Flow(id="knowledge-detail", classes="detail")
            yield TradesPane(id="trades")
            yield AgentUsagePane(id="usage")
            with Reader(id="settings"):
                yield Flow(id="settings-text")
            with Reader(id="graduation"):
                yield Flow(id="graduation-text")

    def on_mount(self) -> None:
        self.query_one(TabLine).focus_pane()

    def load(self) -> AgentData:
        charts.prepare()
        view = self.lab.agent(self._agent_id)
        return AgentData(
            view,
            self.load_graduation(self._agent_id) if "graduation" in self._wanted else None,
            self.load_mind(self._agent_id) if "settings" in self._wanted else None,
            self._load_trades(view) if "trades" in self._wanted else None,
            self._load_usage() if "usage" in self._wanted else None,
            null_arm=self.lab.proof.null_arm(self._agent_id),
            ahead=self.lab.minds.ahead(self._agent_id) if view.row.running_iteration_id is None else "",
        )

    def _load_trades(self, view: AgentView) -> tuple[IterationRow, tuple[TradeRow, ...]] | None:
        source = panes.measured_by(view)
        if source is None:
            return None
        # Trades never change once the backtest has stored them, and there may be thousands.
        if self.data is not None and self.data.traded is not None and self.data.traded[0].id == source.id:
            return self.data.traded
        return source, tuple(self.lab.trades(source.id))

    def _load_usage(self) -> AgentUsage:
        usage, agent_id = self.lab.usage, self._agent_id
        return AgentUsage(
            usage.budget(agent_id),
            usage.total(agent_id=agent_id),
            tuple(usage.by(By.PURPOSE, agent_id=agent_id)),
            tuple(usage.by(By.DAY, agent_id=agent_id)),
            tuple(usage.calls(agent_id)),
            self.load_estimate(agent_id),
        )

    def minded_agent(self) -> tuple[int, str]:
        return self._agent_id, self.view.row.name if self.view else ""

    def show(self, snapshot: AgentData) -> None:
        data = snapshot.view
        row = data.row
        self.subtitle = row.name + (f" · v{row.current_version}" if row.current_version else "")
        ahead: list[Line] = [(Content.styled(clean(snapshot.ahead), "$foreground-muted"), 2)] if snapshot.ahead else []
        self.query_one("#state", Flow).show([*panes.state_lines(data), *ahead])
        luck = [against_luck_line(snapshot.null_arm)] if row.result is not None else []
        self.query_one("#figures", Flow).show([*panes.overview_lines(data), *luck])
        chart = self.query_one(EquityChart)
        chart.display = row.result is not None
        if row.result is not None:
            chart.show(row.result.equity, row.result.starting_equity)
        self.query_one("#analysis", Flow).show(panes.analysis_lines(data))
        self.query_one("#iteration-table", LineTable).set_rows([panes.iteration_row(each) for each in data.iterations])
        self.query_one(VersionHistory).show(data.versions, data.iterations)
        self._marks.keep([version.id for version in data.versions])
        self._show_versions(data)
        self.query_one("#knowledge-table", LineTable).set_rows([panes.knowledge_row(each) for each in data.knowledge])
        self._show_insight()
        self.query_one("#settings-text", Flow).show([*self._mind_lines(snapshot.mind), *panes.settings_lines(data)])
        if (way := snapshot.graduation) is not None:
            keys = {name: self.lab_app.key_of(name) for name in _GRADUATION_KEYS}
            known = graduation_lines(way.checklist, way.runs, way.decisions, way.trials, keys)
            self.query_one("#graduation-text", Flow).show([*known, *null_arm_lines(snapshot.null_arm)])
        if snapshot.traded is not None:
            source, trades = snapshot.traded
            self.query_one(TradesPane).show(trades, f"version {source.version}, iteration {source.number}")
        if snapshot.usage is not None:
            estimated = estimate_words(snapshot.usage.estimate)
            self.query_one(AgentUsagePane).show(snapshot.usage, self.lab_app.key_of(BUDGET.name), estimated)
        tabs = self.query_one(TabLine)
        for tab, amount in (("iterations", len(data.iterations)), ("versions", len(data.versions)), ("knowledge", len(data.knowledge))):
            tabs.note(tab, count(amount) if amount else "")

    def _mind_lines(self, mind: MindData | None) -> list[Line]:
        if mind is None:
            return []
        budget, key = mind.budget, self.lab_app.key_of
        left = f"{usd(budget.left_micros)} left today of {usd(budget.daily_micros)}"
        facts = (
            (f"strategist  {key('strategist')}", mind.strategist),
            (f"budget  {key('budget')}", left + ("" if budget.own else ", as set for all agents")),
            (f"learning  {key('learning')}", rule_words(mind.rule)),
            ("next iteration", estimate_words(mind.estimate)),
        )
        lines: list[Line] = [(Content.assemble((f"{name:<16}", "$foreground-muted"), clean(words)), 16) for name, words in facts]
        return [*lines, BLANK]

    def _show_versions(self, data: AgentView) -> None:
        self.query_one("#version-table", LineTable).set_rows(panes.version_rows(data.versions, self._marks.ids))
        version = self._version()
        detail = self.query_one("#version-detail", Flow)
        detail.display = version is not None
        if version is not None:
            detail.show(panes.version_lines(version, len(self._marks.ids)))

    def _show_insight(self) -> None:
        chosen = self.query_one("#knowledge-table", LineTable).cursor_id
        insight = next((each for each in self.view.knowledge if each.id == chosen), None) if self.view else None
        detail = self.query_one("#knowledge-detail", Flow)
        detail.display = insight is not None
        if insight is not None:
            detail.show(panes.insight_lines(insight))

    # Where one is

    @property
    def _tab(self) -> str:
        return self.query_one(TabLine).active

    def _version(self) -> VersionRow | None:
        """The version under the cursor."""
        chosen = self.query_one("#version-table", LineTable).cursor_id
        return next((version for version in self.view.versions if version.id == chosen), None) if self.view else None

    def _pair(self) -> tuple[int, int] | None:
        """The two versions to compare, older first."""
        ids = list(self._marks.ids)
        if len(ids) < 2 and self.view:
            here = self._version()
            other = next((version.id for version in self.view.versions if version.is_current), None) if not ids else ids[0]
            ids = [each for each in (other, here.id if here else None) if each is not None]
        return (min(ids), max(ids)) if len(set(ids)) == 2 else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "do" and self.is_mounted and parameters and (tabs := _TAB_KEYS.get(str(parameters[0]))):
            return self._tab in tabs
        return super().check_action(action, parameters)

    def why_not(self, name: str) -> str | None:
        data = self.view
        if data is None:
            return "The agent is still being read." if name != "back" else None
        if name in _GRADUATION_KEYS:
            return self.why_not_graduate(name)
        if name in ("iterate", "guide"):
            if data.row.running_iteration_id is not None:
                return f"{data.row.name} is iterating already."
            if data.row.pending_approvals:
                return f"{data.row.name} waits for your decision first: p opens the approvals."
        if name == "stop" and data.row.running_iteration_id is None:
            return "No iteration is running."
        if name == "mark" and not data.versions:
            return "There is no version yet."
        if name == "compare" and self._pair() is None:
            return "Mark two versions with space, or put the cursor on one that is not current."
        if name == "order" and not (self.data and self.data.traded and self.data.traded[1]):
            return "There are no trades."
        if name == "make_current":
            version = self._version()
            if version is None or version.is_current:
                return "This version is current already." if version else "There is no version yet."
        return None

    @on(TabLine.Moved)
    def _moved_tab(self, event: TabLine.Moved) -> None:
        self.refresh_actions()
        if event.tab in _READ_LATE - self._wanted:
            self._wanted.add(event.tab)
            self.reload()

    @on(LineTable.RowHighlighted)
    def _moved(self, event: LineTable.RowHighlighted) -> None:
        if self.view is None:
            return
        if event.table.id == "version-table":
            self._show_versions(self.view)
        elif event.table.id == "knowledge-table":
            self._show_insight()
        self.refresh_actions()

    @on(LineTable.RowSelected)
    def _selected(self, event: LineTable.RowSelected) -> None:
        if event.table.id == "iteration-table":
            self.lab_app.open("iteration", event.row_id)
        elif event.table.id == "agent-calls":
            self.lab_app.open("call", event.row_id, [row_id for row_id, _ in event.table.rows])
        elif isinstance(event.table, TradesTable) and self.data is not None and self.data.traded is not None:
            iteration_id = self.data.traded[0].id
            self.lab_app.open("trade", [(iteration_id, row_id) for row_id, _ in event.table.rows], event.table.cursor)
        elif event.table.id == "version-table":
            self.action_do("compare")

    # What the keys do

    def action_order(self) -> None:
        self.query_one(TradesPane).next_order()

    def action_mark(self) -> None:
        version = self._version()
        if version is not None and self.view is not None:
            self._marks.toggle(version.id)
            self._show_versions(self.view)
            self.refresh_actions()

    def action_compare(self) -> None:
        if pair := self._pair():
            self.lab_app.open("compare", *pair)

    def action_make_current(self) -> None:
        if version := self._version():
            question = f"Make version {version.version} current? The next iteration runs it; no version is lost."
            self.pose("confirm", question, "Make current", "Leave as it is", then=partial(self._make_current, version.id))

    async def _make_current(self, version_id: int, yes: bool) -> None:
        if done := await self.attempt(self.lab.make_current, version_id):
            self.tell(f"Version {done.value} is current.")
            self.reload()

    async def action_iterate(self) -> None:
        await self._start("")

    def action_guide(self) -> None:
        question = "What should this iteration try or look at? Your words outrank the agent's own ideas."
        self.pose("ask_line", question, "such as: try it only in the first hour", "start", then=self._start)

    async def _start(self, guidance: str) -> None:
        if started := await self.attempt(self.lab.start_iteration, self._agent_id, guidance):
            await self.lab_app.ensure_worker()
            self.reload()
            self.lab_app.open("iteration", started.value)

    def action_stop(self) -> None:
        running = self.view.row.running_iteration_id if self.view else None
        if running is not None:
            question = "Stop the running iteration for good? What it computed can be read."
            self.pose("confirm", question, "Stop", "Let it run", then=partial(self._stop, running))

    async def _stop(self, iteration_id: int, yes: bool) -> None:
        await self.attempt(self.lab.cancel_iteration, iteration_id)
        self.reload()

    def action_edit(self) -> None:
        if self.view is not None:
            # Opened at once: keys typed ahead belong to the form.
            self.app.push_screen(SettingsScreen(self.view), lambda _: self.reload())

    def action_delete(self) -> None:
        if self.view is not None:
            ask_deletion(self, [self.view.row], self._deleted)

    async def _deleted(self) -> None:
        self.dismiss(None)
