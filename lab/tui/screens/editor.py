"""Editing the scripts of a proposal before it is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static, TextArea

from lab.agents.views import ProposalView, ScriptProblem
from lab.errors import LabError
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import clean, plural, sentence
from lab.tui.widgets.script_editor import ScriptEditor
from lab.work.sampling import SignalCounter

if TYPE_CHECKING:
    from lab.agents.sampling import Sample, SignalCount

COUNT_DELAY_SECONDS = 0.3


class EditorScreen(LabScreen[None]):
    """Both scripts, checked as one types; they are applied only when they are right."""

    PLACE = "editor"
    TITLE = "Edit proposal"
    ACTIONS = (
        Action("apply_edited", "ctrl+g", "Apply as edited", "Applies the scripts as they stand here: they become the next version."),
        Action("next_error", "f8", "Next error", "Puts the cursor on the next error."),
        Action("complete", "f3,ctrl+@", "Complete", "Lists what could be written at the cursor; it also opens by itself.", footer=False),
        Action("run_sample", "f9", "Run on sample", "Runs the scripts on the newest sessions: what became of each signal. It is no trial."),
        Action("original", "f4", "As proposed", "Puts the scripts back as the agent proposed them.", footer=False),
        BACK,
    )
    CSS = """
    EditorScreen #about, EditorScreen #count { height: 1; padding: 0 1; color: $foreground-muted; }
    EditorScreen #count { text-wrap: nowrap; text-overflow: ellipsis; }
    """
    make_counter: ClassVar[Callable[[Sample], SignalCounter]] = SignalCounter

    def __init__(self, proposal: ProposalView) -> None:
        super().__init__()
        self._proposal = proposal
        self._counter: SignalCounter | None = None
        self._sample: Sample | None = None
        self._counted: tuple[str, str] | None = None
        self.subtitle = f"{proposal.agent}, from version {proposal.parent_version}"

    def compose_body(self) -> ComposeResult:
        yield Static(Content.assemble(clean(self._proposal.title)), id="about")
        yield ScriptEditor(self._proposal.new_scan, self._proposal.new_execution, self._problems)
        yield Static(id="count", markup=False)

    def on_mount(self) -> None:
        self._editor.query_one("#scan", TextArea).focus()

    def _problems(self, scan: str, execution: str) -> tuple[ScriptProblem, ...]:
        return self.lab.check_scripts(scan, execution, self._proposal.agent_id)

    @property
    def _editor(self) -> ScriptEditor:
        return self.query_one(ScriptEditor)

    @property
    def holds_work(self) -> bool:
        """True where the scripts are not as proposed."""
        return (self._editor.scan, self._editor.execution) != (self._proposal.new_scan, self._proposal.new_execution)

    async def on_unmount(self) -> None:
        if self._counter is not None:
            await self._counter.close()

    @on(ScriptEditor.Changed)
    def _edited(self) -> None:
        if self._counted is not None:
            self._counted = None
            self._say_count("· signals: counted when the scripts are right")

    @on(ScriptEditor.Checked)
    def _checked(self, event: ScriptEditor.Checked) -> None:
        self.refresh_actions()
        if event.problems:
            self.workers.cancel_group(self, "count")
            self._say_count("· signals: not counted while there are errors")
        else:
            self.run_worker(self._count(), group="count", exclusive=True, exit_on_error=False)

    async def _count(self) -> None:
        """Count the signals of the scripts as they stand, in a process of its own, and say how many."""
        scan, execution = self._editor.scan, self._editor.execution
        if self._counted == (scan, execution):
            return
        self._say_count("· counting signals…")
        try:
            await asyncio.sleep(COUNT_DELAY_SECONDS)
            found = await (await self._ready_counter()).count(scan, execution)
        except LabError as error:
            self._say_count(f"· signals not counted: {sentence(str(error))}")
        else:
            self._counted = (scan, execution)
            self._say_count(count_sentence(found, self._sample))

    async def _ready_counter(self) -> SignalCounter:
        if self._counter is None:
            self._sample = await asyncio.to_thread(self.lab.signal_sample, self._proposal.agent_id)
            self._counter = type(self).make_counter(self._sample)
        return self._counter

    async def action_run_sample(self) -> None:
        self._say_count("· running on the sample…")
        try:
            ran = await (await self._ready_counter()).run(self._editor.scan, self._editor.execution)
        except LabError as error:
            self._say_count(f"· not run: {sentence(str(error))}")
        else:
            self._say_count(count_sentence(ran.counted, self._sample))
            self.lab_app.open("sample", ran, count_sentence(ran.counted, self._sample), self._proposal.agent)

    def _say_count(self, words: str) -> None:
        self.query_one("#count", Static).update(Content(clean(words)))

    def why_not(self, name: str) -> str | None:
        if name in ("apply_edited", "run_sample") and self.is_mounted:
            if problems := self._editor.problems:
                first = problems[0]
                return f"Not yet: {plural(len(problems), 'error')}. {first.script} script, line {first.line}: {sentence(first.message)}"
            if not self._editor.settled:
                return "The scripts are still being checked; try again in a moment."
        if name == "next_error" and self.is_mounted and not self._editor.problems:
            return "There is no error."
        return None

    def action_next_error(self) -> None:
        self._editor.action_next_problem()

    def action_complete(self) -> None:
        self._editor.action_complete()

    def action_original(self) -> None:
        self._editor.load(self._proposal.new_scan, self._proposal.new_execution)

    async def action_apply_edited(self) -> None:
        editor = self._editor
        done = await self.attempt(self.lab.apply_edited, self._proposal.id, editor.scan, editor.execution)
        if done:
            self.tell(f"Applied with your edits: {self._proposal.agent} is now at version {done.value}.")
            self.dismiss(None)

    def action_back(self) -> None:
        self.leave("Leave without applying? Your edits are lost.")


def count_sentence(found: SignalCount, sample: Sample | None) -> str:
    """ "124 signals in the last 20 sessions of Demo market (synthetic)"."""
    universe = sample.universe if sample is not None else ""
    label = " (synthetic)" if sample is not None and sample.synthetic else ""
    some = f", {found.tickers} of {found.all_tickers} tickers" if found.tickers < found.all_tickers else ""
    return f"{plural(found.signals, 'signal')} in the last {plural(found.sessions, 'session')} of {universe}{label}{some}"
