"""From an analysis to the very piece of evidence it cites, and back: the keys of the analysis and breakdown tabs of an iteration."""

from __future__ import annotations

from textual import on

from lab.agents.evidence import EvidencePack
from lab.tui.actions import ORDER, Action
from lab.tui.screens.studying import DataT, StudyingScreen
from lab.tui.widgets.breakdowns import BreakdownPane, BreakdownTable
from lab.tui.widgets.evidence import AnalysisPane
from lab.tui.widgets.tabs import TabLine
from lab.tui.widgets.trades import TradesPane, TradesTable

LOOKING_UP = (
    Action("evidence", "v", "Evidence", "Jumps from a citation to exactly what it cites, and back to the sentence."),
    Action("next_citation", "full_stop", "Next citation", "Goes to the next citation of the analysis."),
    Action("previous_citation", "comma", "Citation before", "Goes to the citation before.", footer=False),
    Action("measure", "W", "Measure", "Draws the breakdowns by win rate instead of mean R, and back."),
    ORDER,
)
_TABS = {
    "evidence": ("analysis", "breakdowns"),
    "next_citation": ("analysis",),
    "previous_citation": ("analysis",),
    "measure": ("breakdowns",),
    "order": ("breakdowns", "trades"),
}


class LookingUpScreen(StudyingScreen[DataT]):
    """A screen with the tabs analysis, breakdowns and trades of one iteration."""

    def pack(self) -> EvidencePack | None:
        """The evidence of the iteration; None before its analysis."""
        raise NotImplementedError

    def looked_up_iteration(self) -> int:
        """The iteration's id."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Keys of one tab stay out of the footer of the others.
        if action == "do" and self.is_mounted and parameters and (tabs := _TABS.get(str(parameters[0]))):
            return self.query_one(TabLine).active in tabs
        return super().check_action(action, parameters)

    def why_not(self, name: str) -> str | None:
        if name in ("evidence", "next_citation", "previous_citation") and self.is_mounted:
            analysis, breakdowns = self.query_one(AnalysisPane), self.query_one(BreakdownPane)
            if not analysis.cited_ids:
                return "The analysis cites nothing that could be looked up."
            bucket = breakdowns.chosen if self.query_one(TabLine).active == "breakdowns" else None
            if bucket is not None and bucket.id not in analysis.cited_ids:
                return "The analysis does not cite this bucket."
        if name in ("measure", "order") and self.is_mounted and self.query_one(TabLine).active == "breakdowns":
            return None if self.query_one(BreakdownPane).buckets else "There are no breakdowns yet."
        return super().why_not(name)

    def action_next_citation(self) -> None:
        self.query_one(AnalysisPane).step(1)

    def action_previous_citation(self) -> None:
        self.query_one(AnalysisPane).step(-1)

    async def action_evidence(self) -> None:
        tabs, analysis, breakdowns = self.query_one(TabLine), self.query_one(AnalysisPane), self.query_one(BreakdownPane)
        if tabs.active == "breakdowns":
            if breakdowns.chosen is not None:
                tabs.active = "analysis"
                analysis.choose(breakdowns.chosen.id)
        elif analysis.is_below:
            analysis.look_up()
        else:
            if analysis.chosen is None:
                analysis.step(1)
            if analysis.chosen is not None:
                await self._look_up(analysis.chosen.id)

    async def _look_up(self, evidence_id: str) -> None:
        """Show a piece of evidence where it is drawn: a bucket among the breakdowns, a trade as candles, a figure in the list."""
        pack = self.pack()
        if pack is not None and pack.bucket(evidence_id) is not None:
            self.query_one(TabLine).active = "breakdowns"
            self.query_one(BreakdownPane).go_to(evidence_id)
        elif pack is not None and pack.trade(evidence_id) is not None:
            iteration_id = self.looked_up_iteration()
            if (done := await self.attempt(self.lab.trades_behind, iteration_id, evidence_id)) and done.value:
                self.lab_app.open("trade", [(iteration_id, place) for place in done.value])
        else:
            self.query_one(AnalysisPane).look_below()

    @on(BreakdownTable.RowSelected)
    def _open_bucket(self, event: BreakdownTable.RowSelected) -> None:
        if isinstance(event.table, BreakdownTable):
            self.run_worker(self._show_trades_behind(str(event.row_id)), group="actions")

    async def _show_trades_behind(self, bucket_id: str) -> None:
        """Show the trades of a bucket alone."""
        bucket = self.query_one(BreakdownPane).chosen
        done = await self.attempt(self.lab.trades_behind, self.looked_up_iteration(), bucket_id)
        if done and bucket is not None and done.value:
            self.query_one(TabLine).active = "trades"
            self.query_one(TradesPane).show_only(done.value, f"{bucket.dimension} {bucket.name}")

    @on(TradesTable.RowSelected)
    def _open_trade(self, event: TradesTable.RowSelected) -> None:
        table = self.query_one(TradesTable)
        if event.table is table:
            self.lab_app.open("trade", [(self.looked_up_iteration(), row_id) for row_id, _ in table.rows], table.cursor)

    def action_measure(self) -> None:
        self.query_one(BreakdownPane).next_measure()

    def action_order(self) -> None:
        if self.query_one(TabLine).active == "breakdowns":
            self.query_one(BreakdownPane).next_order()
        else:
            self.query_one(TradesPane).next_order()
