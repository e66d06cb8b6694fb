"""A question answered by one key."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from lab.tui.actions import BACK, Action
from lab.tui.screen import LabModal
from lab.tui.text import clean, safe


class Confirm(LabModal[bool]):
    """True for yes, False for no and for escape."""

    PLACE = "confirm"
    ACTIONS = (
        Action("yes", "y", "Yes", "Answers yes."),
        Action("no", "n", "No", "Answers no."),
        BACK,
    )
    CSS = "Confirm #answers { margin-top: 1; text-align: right; width: 100%; }"

    def __init__(self, question: str, yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._question, self._yes, self._no = question, yes, no

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(safe(self._question), id="question")
            answers = ((" y ", "reverse bold"), f" {clean(self._yes)}     ", (" n ", "reverse bold"), f" {clean(self._no)}")
            yield Static(Content.assemble(*answers), id="answers")

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)

    def action_back(self) -> None:
        self.dismiss(False)
