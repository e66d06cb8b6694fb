"""`/`: the words that rows must have, typed while the table below follows."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.events import Key
from textual.widgets import Input

from lab.tui.actions import BACK
from lab.tui.screen import LabModal
from lab.tui.widgets.line_table import LineTable


class FindLine(LabModal[None]):
    """A line at the foot; enter keeps what is shown, escape shows all rows again."""

    PLACE = "find"
    ACTIONS = (BACK,)
    CSS = """
    FindLine { align: left bottom; background: $background 0%; }
    FindLine Input { height: 1; border: none; padding: 0 1; background: $panel; }
    """

    def __init__(self, table: LineTable) -> None:
        super().__init__()
        self._table = table
        self._early = ""

    def compose(self) -> ComposeResult:
        yield Input(self._table.sought, placeholder="words to look for · enter keeps · esc shows all", compact=True, max_length=80)

    def on_mount(self) -> None:
        self._take_early()

    def on_key(self, event: Key) -> None:
        """Keys typed before the line has the focus are not lost; later ones never come here."""
        if event.is_printable and event.character:
            self._early += event.character
            event.stop()
            self._take_early()

    def _take_early(self) -> None:
        if self.is_mounted and self._early:
            self.query_one(Input).insert_text_at_cursor(self._early)
            self._early = ""

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._table.seek(event.value)

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(None)

    def action_back(self) -> None:
        self._table.seek("")
        self.dismiss(None)
