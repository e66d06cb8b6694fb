"""A question answered by a line of text."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from lab.tui.actions import BACK
from lab.tui.screen import LabModal
from lab.tui.text import clean, safe


class AskLine(LabModal[str]):
    """The text, which may be empty; None where it was left by escape, which does nothing."""

    PLACE = "ask_line"
    ACTIONS = (BACK,)
    CSS = """
    AskLine #hint { color: $foreground-muted; margin-top: 1; }
    AskLine Input { margin-top: 1; }
    """

    def __init__(self, question: str, hint: str, enter: str, hidden: bool = False) -> None:
        """`enter` says what the enter key does here, such as "discard"; `hidden` does not show what is typed."""
        super().__init__()
        self._question, self._hint, self._enter, self._hidden = question, hint, enter, hidden

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(safe(self._question))
            yield Input(placeholder=clean(self._hint), max_length=500, password=self._hidden)
            yield Static(safe(f"enter: {self._enter}    esc: back, nothing happens"), id="hint")

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(clean(event.value).strip())
