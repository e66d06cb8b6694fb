"""Two versions of a strategy beside each other: what changed in words, in figures, in the scripts, and in the trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher

from lab.agents.version_trades import TradesCompared
from lab.agents.views import VersionComparison
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import clean
from lab.tui.widgets import charts
from lab.tui.widgets.changed_trades import COLUMNS, changed_rows, summary_lines
from lab.tui.widgets.charts import EquityChart
from lab.tui.widgets.comparison import side_by_side
from lab.tui.widgets.diff import change_sentences, script_diffs
from lab.tui.widgets.flow import BLANK, Flow
from lab.tui.widgets.line_table import LineTable
from lab.tui.widgets.tabs import NEXT_TAB, PREVIOUS_TAB, Reader, Tabbed, TabLine

TABS = {"change": "What changed", "changed-trades": "Trades that changed"}


@dataclass(frozen=True, slots=True)
class CompareData:
    versions: VersionComparison
    trades: TradesCompared


class CompareScreen(Tabbed, LabScreen[CompareData]):
    """Opened with the ids of the two versions, the older first."""

    PLACE = "compare"
    TITLE = "Compare"
    ACTIONS = (Action("swap", "s", "Swap", "Looks at the change the other way round."), NEXT_TAB, PREVIOUS_TAB, BACK)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    VERTICAL_BREAKPOINTS = [(0, "-short"), (50, "-tall")]  # noqa: RUF012  # as above
    CSS = """
    CompareScreen #panes { height: 1fr; }
    CompareScreen #sides, CompareScreen .side { height: auto; }
    CompareScreen .side { width: 1fr; }
    CompareScreen .side Flow { margin-bottom: 1; }
    CompareScreen .side #curves { margin-bottom: 0; }
    CompareScreen EquityChart { height: 14; }
    CompareScreen.-tall EquityChart { height: 28; }
    CompareScreen.-wide #sides { layout: horizontal; }
    CompareScreen.-wide .side { padding-right: 2; }
    CompareScreen #trade-summary { padding: 0 1; margin-bottom: 1; }
    CompareScreen LineTable { height: 1fr; }
    """

    def __init__(self, a_id: int, b_id: int) -> None:
        super().__init__()
        self._ids = (a_id, b_id)

    def compose_body(self) -> ComposeResult:
        switcher = ContentSwitcher(id="panes", initial="change")
        yield TabLine(TABS, switcher, "change")
        with switcher:
            with Reader(id="change"), Container(id="sides"):
                with Vertical(classes="side"):
                    yield Flow(id="words")
                    yield Flow(id="figures")
                    yield Flow(id="curves")
                    yield EquityChart(shown=False)
                with Vertical(classes="side"):
                    yield Flow(id="scripts")
            with Vertical(id="changed-trades"):
                yield Flow(id="trade-summary")
                yield LineTable(COLUMNS, empty="No trade appeared, vanished or ended otherwise.")

    def on_mount(self) -> None:
        self.query_one(TabLine).focus_pane()

    def load(self) -> CompareData:
        charts.prepare()
        return CompareData(self.lab.compare_versions(*self._ids), self.lab.compare_trades(*self._ids))

    def show(self, data: CompareData) -> None:
        versions, trades = data.versions, data.trades
        a, b = versions.a, versions.b
        self.subtitle = f"version {a.version} → {b.version}"
        current = next((version.version for version in (a, b) if version.is_current), None)
        note = f" ({clean(current)} is current)" if current else ""
        title = Content.assemble((f"From {clean(a.version)} to {clean(b.version)}", "bold $text-accent"), (note, "$foreground-muted"))
        summary = summary_lines(trades)
        self.query_one("#words", Flow).show([(title, 2), *change_sentences(versions.changes)])
        self.query_one("#figures", Flow).show([*side_by_side(versions), BLANK, *summary])
        self._show_curves(versions)
        scripts = script_diffs(a.scan_script, a.execution_script, b.scan_script, b.execution_script)
        legend = Content.assemble(("- ", "$text-error"), f"{clean(a.version)}   ", ("+ ", "$text-success"), clean(b.version))
        self.query_one("#scripts", Flow).show([(legend, 0), BLANK, *scripts])
        self.query_one("#trade-summary", Flow).show(summary)
        self.query_one(LineTable).set_rows(changed_rows(trades))
        self.query_one(TabLine).note("changed-trades", f"{len(trades.changed):,}" if trades.changed else "")

    def _show_curves(self, versions: VersionComparison) -> None:
        """Both equity curves where both versions were measured on the same sessions."""
        chart, legend, a, b = self.query_one(EquityChart), self.query_one("#curves", Flow), versions.result_a, versions.result_b
        chart.display = legend.display = a is not None and b is not None and [day for day, _ in a.equity] == [day for day, _ in b.equity]
        if a is not None and b is not None and chart.display:
            names = (clean(versions.b.version), f", dotted that of {clean(versions.a.version)}")
            legend.show([(Content.assemble("Equity of ", names[0], (names[1], "$foreground-muted")), 2)])
            chart.show(b.equity, b.starting_equity, [value for _, value in a.equity])

    @on(TabLine.Moved)
    def _moved_tab(self) -> None:
        self.refresh_actions()

    @on(LineTable.RowSelected)
    def _open_trade(self, event: LineTable.RowSelected) -> None:
        self.lab_app.open("trade", [cast("tuple[int, int]", row_id) for row_id, _ in event.table.rows], event.table.cursor)

    def action_swap(self) -> None:
        self._ids = (self._ids[1], self._ids[0])
        self.reload()
