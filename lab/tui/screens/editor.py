"""Editing the scripts of a proposal before it is applied."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static, TextArea

from lab.agents.views import ProposalView
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import clean, plural
from lab.tui.widgets.script_editor import ScriptEditor, sentence


class EditorScreen(LabScreen[None]):
    """Both scripts, checked as one types; they are applied only when they are right."""

    PLACE = "editor"
    TITLE = "Edit proposal"
    ACTIONS = (
        Action("apply_edited", "ctrl+g", "Apply as edited", "Applies the scripts as they stand here: they become the next version."),
        Action("next_error", "f8", "Next error", "Puts the cursor on the next error."),
        Action("original", "f4", "As proposed", "Puts the scripts back as the agent proposed them.", footer=False),
        BACK,
    )
    CSS = """
    EditorScreen #about { height: 1; padding: 0 1; color: $foreground-muted; }
    """

    def __init__(self, proposal: ProposalView) -> None:
        super().__init__()
        self._proposal = proposal
        self.subtitle = f"{proposal.agent}, from version {proposal.parent_version}"

    def compose_body(self) -> ComposeResult:
        yield Static(Content.assemble(clean(self._proposal.title)), id="about")
        yield ScriptEditor(self._proposal.new_scan, self._proposal.new_execution, self.lab.check_scripts)

    def on_mount(self) -> None:
        self._editor.query_one("#scan", TextArea).focus()

    @property
    def _editor(self) -> ScriptEditor:
        return self.query_one(ScriptEditor)

    @property
    def _changed(self) -> bool:
        return (self._editor.scan, self._editor.execution) != (self._proposal.new_scan, self._proposal.new_execution)

    @on(ScriptEditor.Checked)
    def _checked(self) -> None:
        self.refresh_actions()

    def why_not(self, name: str) -> str | None:
        if name == "apply_edited" and self.is_mounted:
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

    def action_original(self) -> None:
        self._editor.load(self._proposal.new_scan, self._proposal.new_execution)

    async def action_apply_edited(self) -> None:
        editor = self._editor
        done = await self.attempt(self.lab.apply_edited, self._proposal.id, editor.scan, editor.execution)
        if done:
            self.tell(f"Applied with your edits: {self._proposal.agent} is now at version {done.value}.")
            self.dismiss(None)

    async def action_back(self) -> None:
        if not self._changed or await self.confirm("Leave without applying? Your edits are lost.", yes="Leave", no="Go on editing"):
            self.dismiss(None)
