"""The log: what happened, newest first, over all agents; `/` shows only one agent's or one kind."""

from __future__ import annotations

from dataclasses import replace

from textual import on
from textual.app import ComposeResult

from lab.agents.events import Event
from lab.tui.actions import BACK, UNDO
from lab.tui.screen import LabScreen
from lab.tui.text import Tone, ago, clean
from lab.tui.widgets.flow import Flow, lines_of
from lab.tui.widgets.line_table import Cell, Column, LineTable, Row

COLUMNS = (
    Column("When", least=11, most=12, keep=7),
    Column("Agent", least=15, most=30, keep=8),
    Column("What", least=9, most=10, keep=6),
    Column("", least=20, most=300, keep=9, grow=True),
)


class LogScreen(LabScreen[tuple[Event, ...]]):
    """The newest events; enter opens the iteration that one is about."""

    PLACE = "log"
    TITLE = "Log"
    ACTIONS = (
        replace(UNDO, help="Takes back a refinement that an agent's rule applied: the version before is current again."),
        BACK,
    )
    CSS = """
    LogScreen LineTable { height: 1fr; }
    LogScreen #whole { height: auto; max-height: 5; padding: 0 1; border-top: solid $panel; }
    """

    def compose_body(self) -> ComposeResult:
        yield LineTable(COLUMNS, empty="Nothing has happened yet.", id="events")
        yield Flow(id="whole")

    def on_mount(self) -> None:
        self.query_one(LineTable).focus()

    def load(self) -> tuple[Event, ...]:
        return self.lab.happened()

    def show(self, data: tuple[Event, ...]) -> None:
        # Counted from the oldest, so that the cursor stays on its event when newer ones come.
        self.query_one(LineTable).set_rows([_row(len(data) - place, event) for place, event in enumerate(data)])
        self._describe()

    @property
    def selected(self) -> Event | None:
        """The event under the cursor."""
        number = self.query_one(LineTable).cursor_id
        return self.data[len(self.data) - number] if self.data and isinstance(number, int) and 0 < number <= len(self.data) else None

    @on(LineTable.RowHighlighted)
    def _moved(self) -> None:
        self._describe()
        self.refresh_actions()

    def _describe(self) -> None:
        event = self.selected
        whole = self.query_one("#whole", Flow)
        whole.display = event is not None
        if event is not None:
            whole.show([*lines_of(f"{event.at:%Y-%m-%d %H:%M:%S} UTC  {event.agent}", Tone.MUTED), *lines_of(clean(event.words))])

    @on(LineTable.RowSelected)
    def _open(self) -> None:
        if (event := self.selected) is not None and event.iteration_id is not None:
            self.lab_app.open("iteration", event.iteration_id)

    def why_not(self, name: str) -> str | None:
        if name == "undo" and (self.selected is None or self.selected.undo_id is None):
            return "Only a refinement that an agent's rule applied can be taken back here."
        return None

    def action_undo(self) -> None:
        if event := self.selected:
            self.pose("confirm", f"Take this back? {event.words}", "Take back", "Leave it", then=self._undo)

    async def _undo(self, yes: bool) -> None:
        event = self.selected
        if event is not None and event.undo_id is not None and (done := await self.attempt(self.lab.minds.undo, event.undo_id)):
            self.tell(f"Version {done.value} of {event.agent} is current again.")
            self.reload()


def _row(number: int, event: Event) -> Row:
    words = Cell(clean(f"! {event.words}" if event.trouble else event.words), Tone.WARN if event.trouble else Tone.PLAIN)
    return number, (Cell(ago(event.at), Tone.MUTED), clean(event.agent), Cell(event.what, Tone.MUTED), words)
