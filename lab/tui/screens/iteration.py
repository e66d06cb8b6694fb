"""One iteration: its steps while they happen, then results, analysis, the suggested refinement, trades and scripts."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher

from lab.agents.evidence import EvidencePack
from lab.agents.proof.sheet import TearSheet
from lab.agents.proof.views import ProofView
from lab.agents.views import IterationView, ProposalView, TradeRow
from lab.tui.actions import APPLY, BACK, DISCARD, EDIT, ITERATE, STOP, STUDY, UNDO, Action
from lab.tui.screens.deciding import DecidingScreen
from lab.tui.screens.looking_up import LOOKING_UP, LookingUpScreen
from lab.tui.screens.usage import BUDGET, raise_budget
from lab.tui.text import TONE_STYLES, clean
from lab.tui.widgets import charts
from lab.tui.widgets.breakdowns import BreakdownPane
from lab.tui.widgets.charts import EquityChart
from lab.tui.widgets.decision import effect_in_line, effect_table, heading, reasons, script_changes, whole_in_line
from lab.tui.widgets.evidence import AnalysisPane
from lab.tui.widgets.flow import BLANK, Flow, Line, lines_of
from lab.tui.widgets.proof import null_arm_lines, robustness_lines, study_lines, vault_lines, verdict_lines, walk_forward_lines
from lab.tui.widgets.result import against_parent_line, figures, funnel, unknown
from lab.tui.widgets.script_view import script_text
from lab.tui.widgets.status import UNFINISHED, status_words
from lab.tui.widgets.steps import StepsPanel, steps_in_short
from lab.tui.widgets.tabs import NEXT_TAB, PREVIOUS_TAB, Reader, Tabbed, TabLine
from lab.tui.widgets.tear_sheet import sheet_lines, tried_lines
from lab.tui.widgets.trades import TradesPane

TABS = {
    "results": "Results",
    "analysis": "Analysis",
    "breakdowns": "Breakdowns",
    "refinement": "Refinement",
    "trades": "Trades",
    "scripts": "Scripts",
    "proof": "Proof",
}


@dataclass(frozen=True, slots=True)
class ProofData:
    """The tear sheet, and how every study of the result stands; read when its tab is shown."""

    runs: tuple[ProofView, ...]
    sheet: TearSheet


@dataclass(frozen=True, slots=True)
class IterationData:
    view: IterationView
    trades: tuple[TradeRow, ...]
    pack: EvidencePack | None = None
    """None before the analysis."""
    proof: ProofData | None = None
    coming_in: str = ""
    """What a model has written so far of the reply under way."""


class IterationScreen(Tabbed, LookingUpScreen[IterationData], DecidingScreen[IterationData]):
    """Opened with the iteration's id."""

    PLACE = "iteration"
    TITLE = "Iteration"
    ACTIONS = (
        APPLY,
        EDIT,
        DISCARD,
        UNDO,
        ITERATE,
        STOP,
        BUDGET,
        *LOOKING_UP,
        STUDY,
        Action("calls", "C", "Prompts", "Shows what a model was sent for this iteration and what it answered, exactly.", rare=True),
        NEXT_TAB,
        PREVIOUS_TAB,
        BACK,
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    VERTICAL_BREAKPOINTS = [(0, "-short"), (38, "-tall")]  # noqa: RUF012  # as above
    CSS = """
    IterationScreen #summary { height: auto; max-height: 14; padding: 0 1; }
    IterationScreen #panes { height: 1fr; }
    IterationScreen #measured { layout: vertical; height: auto; }
    IterationScreen #figures { height: auto; }
    IterationScreen EquityChart { height: 14; margin: 1 0; }
    IterationScreen.-tall EquityChart { height: 18; }
    IterationScreen.-wide #measured { layout: grid; grid-size: 2; grid-columns: 71 1fr; grid-rows: auto 1fr; height: 100%; }
    IterationScreen.-wide EquityChart { row-span: 2; height: 1fr; margin: 0 0 0 1; }
    IterationScreen.-wide #funnel { margin-top: 1; }
    IterationScreen #decide { height: auto; padding: 0 1; background: $surface; display: none; }
    IterationScreen #decide.pending { display: block; }
    IterationScreen.-short #decide { max-height: 3; }
    IterationScreen #change { height: auto; }
    IterationScreen #why { height: auto; }
    IterationScreen #change Flow { margin-bottom: 1; }
    IterationScreen.-wide #change { layout: horizontal; }
    IterationScreen.-wide #why { width: 60; padding-right: 2; }
    IterationScreen.-wide #diff { width: 1fr; }
    """

    def __init__(self, iteration_id: int) -> None:
        super().__init__()
        self._iteration_id = iteration_id
        self._proof_wanted = False

    def compose_body(self) -> ComposeResult:
        switcher = ContentSwitcher(id="panes", initial="results")
        yield TabLine(TABS, switcher, "results")
        with Vertical(id="summary"):
            yield Flow(id="status")
            yield StepsPanel()
        with switcher:
            with Reader(id="results"), Container(id="measured"):
                yield Flow(id="figures")
                yield EquityChart(shown=False)
                yield Flow(id="funnel")
            yield AnalysisPane(id="analysis")
            yield BreakdownPane(id="breakdowns")
            with Reader(id="refinement"), Container(id="change"):
                with Vertical(id="why"):
                    yield Flow(id="heading")
                    yield Flow(id="effect")
                    yield Flow(id="reasons")
                yield Flow(id="diff")
            yield TradesPane(id="trades")
            with Reader(id="scripts"):
                yield Flow(id="scripts-text")
            with Reader(id="proof"):
                yield Flow(id="proof-text")
        yield Flow(id="decide")

    def on_mount(self) -> None:
        self.query_one(TabLine).focus_pane()

    def on_screen_suspend(self) -> None:
        self.query_one(StepsPanel).pause()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.query_one(StepsPanel).pause(False)

    def load(self) -> IterationData:
        view = self.lab.iteration(self._iteration_id)
        charts.prepare()
        # Trades never change once the backtest has stored them, and there may be thousands.
        if self.data is None or self.data.view.result is None:
            trades = tuple(self.lab.trades(self._iteration_id)) if view.result else ()
        else:
            trades = self.data.trades
        pack = self.data.pack if self.data is not None else None
        if pack is None and view.analysis:
            pack = self.lab.evidence(self._iteration_id)
        streaming = self.lab.usage.streaming(self._iteration_id) if view.row.status in UNFINISHED else None
        proof = self._load_proof() if self._proof_wanted and view.result else None
        return IterationData(view, trades, pack, proof, streaming.text if streaming is not None else "")

    def _load_proof(self) -> ProofData:
        return ProofData(self.lab.proof.runs(self._iteration_id), self.lab.proof.tear_sheet(self._iteration_id))

    def show(self, data: IterationData) -> None:
        view, row = data.view, data.view.row
        unfinished = row.status in UNFINISHED
        stopped = row.status in ("failed", "cancelled")
        self.subtitle = f"{row.agent} #{row.number}" + (f" · v{row.version}" if row.version else "")
        self.query_one("#status", Flow).show(_status(view))
        steps = self.query_one(StepsPanel)
        steps.display = unfinished or stopped
        steps.show_steps(view.steps, view.progress, view.progress_note, failed=stopped)
        self._show_results(view)
        analysis = self.query_one(AnalysisPane)
        if view.analysis:
            analysis.show(view.analysis, view.evidence)
        else:
            analysis.say(_no_analysis(view, data.coming_in))
        self.query_one(BreakdownPane).show(data.pack.buckets if data.pack else (), analysis.cited_ids)
        self._show_refinement(view)
        self.query_one(TradesPane).show(data.trades)
        self.query_one(TabLine).note("trades", f"{len(data.trades):,}" if data.trades else "")
        self.query_one("#scripts-text", Flow).show(_scripts(view))
        scripts = f"# scan\n{view.scan_script.rstrip()}\n\n# execution\n{view.execution_script.rstrip()}\n" if view.scan_script else ""
        self.query_one("#scripts", Reader).to_copy = clean(scripts, lines=True)
        self.query_one("#proof-text", Flow).show(_proof(view, data.proof, self.lab_app.key_of("study")))

    def _show_results(self, view: IterationView) -> None:
        chart, counted = self.query_one(EquityChart), self.query_one("#funnel", Flow)
        chart.display = counted.display = view.result is not None
        measured = self.query_one("#figures", Flow)
        if view.result is None:
            running = view.row.status in UNFINISHED
            measured.show([_quiet("The figures appear when the backtest has finished." if running else "There are no results.")])
            return
        found = figures(view.result, view.against_parent)
        measured.show([*found, *unknown(view.universe.missing_context)])
        counted.show(funnel(view.result.funnel))
        chart.show(view.result.equity, view.result.starting_equity)

    def _show_refinement(self, view: IterationView) -> None:
        proposal = view.proposal
        pending = proposal is not None and proposal.state == "pending"
        banner = self.query_one("#decide", Flow)
        banner.set_class(pending, "pending")
        for name in ("#effect", "#reasons", "#diff"):
            self.query_one(name).display = proposal is not None
        self.query_one(TabLine).note("refinement", "◆" if pending else "")
        top = self.query_one("#heading", Flow)
        if proposal is None:
            running = view.row.status in UNFINISHED
            ended = lines_of(view.explanation or "Nothing was suggested.")
            top.show([_quiet("The suggested refinement appears here.")] if running else ended)
            return
        suggested = "; ".join(proposal.changes) or proposal.title
        line = Content.assemble(("◆ Suggested: ", "bold $text-warning"), (clean(suggested), "bold"))
        banner.show([(line, 2), (effect_in_line(proposal.effect), 2), (whole_in_line(proposal.effect), 2)])
        top.show(heading(proposal))
        self.query_one("#effect", Flow).show(effect_table(proposal))
        self.query_one("#reasons", Flow).show(reasons(proposal))
        self.query_one("#diff", Flow).show(script_changes(proposal))

    def proposal(self) -> ProposalView | None:
        return self.data.view.proposal if self.data else None

    def pack(self) -> EvidencePack | None:
        return self.data.pack if self.data else None

    def looked_up_iteration(self) -> int:
        return self._iteration_id

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "do" and parameters == ("study",) and self.is_mounted:
            return self.query_one(TabLine).active == "proof"
        if action == "do" and parameters == (BUDGET.name,):
            return self.data is not None and self.data.view.paused_until is not None
        return super().check_action(action, parameters)

    @on(TabLine.Moved)
    def _moved_tab(self, event: TabLine.Moved) -> None:
        self.refresh_actions()
        if event.tab == "proof" and not self._proof_wanted:
            self._proof_wanted = True
            self.reload()

    def why_not(self, name: str) -> str | None:
        if name == "order" and self.query_one(TabLine).active == "trades" and not (self.data and self.data.trades):
            return "There are no trades."
        if name == "study" and not (self.data and self.data.view.result):
            return "There is nothing to study before the backtest has finished."
        status = self.data.view.row.status if self.data else ""
        if name == "stop" and status not in UNFINISHED:
            return "This iteration has ended."
        if name == "iterate":
            if status in UNFINISHED:
                return "This iteration still runs."
            if status == "awaiting approval":
                return "Decide on the suggestion first: apply, edit or discard it."
        return super().why_not(name)

    async def action_budget(self) -> None:
        if self.data is not None:
            await raise_budget(self, self.data.view.row.agent_id)

    async def action_calls(self) -> None:
        if done := await self.attempt(self.lab.usage.calls, None, self._iteration_id):
            ids = [call.id for call in reversed(done.value)]
            if ids:
                self.lab_app.open("call", ids[0], ids)
            else:
                self.tell("No model was asked for this iteration: the built-in strategist made it.")

    def studied_iteration(self) -> int | None:
        return self._iteration_id

    def action_stop(self) -> None:
        self.pose("confirm", "Stop this iteration for good? What it computed can be read.", "Stop", "Let it run", then=self._stop)

    async def _stop(self, yes: bool) -> None:
        await self.attempt(self.lab.cancel_iteration, self._iteration_id)
        self.reload()

    async def action_iterate(self) -> None:
        if self.data is None:
            return
        if started := await self.attempt(self.lab.start_iteration, self.data.view.row.agent_id):
            await self.lab_app.ensure_worker()
            self.app.switch_screen(self.lab_app.make("iteration", started.value))


def _quiet(words: str) -> Line:
    return Content.styled(words, "$foreground-muted"), 0


def _status(view: IterationView) -> list[Line]:
    """Where the iteration stands, on which bars, and why where it ended without a result."""
    words, tone = status_words(view.row.status if view.paused_until is None else "paused")
    finished = "" if view.row.status in UNFINISHED else steps_in_short(view.steps)
    parts: list[str | tuple[str, str]] = [(words, f"bold {TONE_STYLES[tone]}"), (f"  {clean(view.universe.name)}", "$foreground-muted")]
    if view.universe.synthetic:
        parts.append((" SYNTHETIC", "bold $text-warning"))
    if finished:
        parts.append((f"  {finished}", "$foreground-muted"))
    lines: list[Line] = [(Content.assemble(*parts), 2)]
    if view.explanation:
        lines.append((Content.styled(f"  {clean(view.explanation)}", "bold" if view.row.status == "failed" else ""), 2))
    if view.row.status == "failed":
        lines.append((Content.styled("  Nothing that had finished is lost. i starts the next iteration.", "$foreground-muted"), 2))
    if view.guidance:
        lines.append((Content.assemble(("  Your guidance: ", "$foreground-muted"), clean(view.guidance)), 4))
    return lines


def _no_analysis(view: IterationView, coming_in: str) -> list[Line]:
    if coming_in:
        return [_quiet("The agent is writing:"), BLANK, *lines_of(coming_in)]
    running = view.row.status in UNFINISHED
    ended = "There is no analysis: the iteration ended before it."
    return [_quiet("The agent writes its analysis after the backtest." if running else ended)]


def _proof(view: IterationView, proof: ProofData | None, key: str) -> list[Line]:
    """The tear sheet: the verdict with its reasons, what was tried, the studies with what each found, and every figure."""
    lines = verdict_lines(view.result, proof.sheet.verdict if proof is not None else None)
    if view.result is None or proof is None:
        return lines
    sheet = proof.sheet
    return [
        *lines,
        *([] if view.against_parent is None else [against_parent_line(view.against_parent)]),
        *tried_lines(sheet),
        BLANK,
        *study_lines(proof.runs, key),
        *walk_forward_lines(sheet.walk_forward),
        *robustness_lines(sheet.robustness),
        *null_arm_lines(sheet.null_arm),
        *vault_lines(sheet.vault),
        *sheet_lines(sheet),
    ]


def _scripts(view: IterationView) -> list[Line]:
    if not view.scan_script:
        return [_quiet("The scripts appear when the first step has finished.")]
    notes = [*lines_of(view.version_notes), BLANK] if view.version_notes else []
    return [*notes, *script_text("scan script", view.scan_script), BLANK, *script_text("execution script", view.execution_script)]
