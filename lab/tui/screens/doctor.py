"""The doctor: what may be wrong with this installation, workspace and terminal, each with what to do."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content

from lab.agents.doctor import Finding, Health, terminal
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import Tone, clean
from lab.tui.widgets.flow import Flow, Line
from lab.tui.widgets.line_table import Cell, Column, LineTable, ReadTable, Row

COLUMNS = (
    Column("", least=9, most=9, keep=9),
    Column("Area", least=9, most=9, keep=6),
    Column("", least=11, most=20, keep=7),
    Column("Found", least=20, most=200, keep=8, grow=True),
)
MARKS = {Health.FINE: Cell("  fine", Tone.MUTED), Health.NOTE: Cell("· note", Tone.ACCENT), Health.PROBLEM: Cell("! problem", Tone.WARN)}


class DoctorScreen(LabScreen[tuple[Finding, ...]]):
    """Looks once when it is opened, and again by a key."""

    PLACE = "doctor"
    TITLE = "Doctor"
    ACTIONS = (Action("look_again", "ctrl+r", "Look again", "Looks at everything again."), BACK)
    CSS = """
    DoctorScreen LineTable { height: 1fr; }
    DoctorScreen #advice { height: auto; max-height: 6; padding: 0 1; border-top: solid $panel; }
    """

    def compose_body(self) -> ComposeResult:
        yield ReadTable(COLUMNS, empty="Looking…", id="findings")
        yield Flow(id="advice")

    def on_mount(self) -> None:
        self.query_one(LineTable).focus()

    def load(self) -> tuple[Finding, ...]:
        # Nothing of it changes with the workspace, and the whole database is read.
        if self.data is not None:
            return self.data
        from lab.work.health import worker_finding

        return (*self.lab.installation(self.lab_app.config), worker_finding(self.lab_app.home), *terminal())

    def show(self, data: tuple[Finding, ...]) -> None:
        wrong = sum(one.health is Health.PROBLEM for one in data)
        self.subtitle = "nothing is wrong" if not wrong else f"{wrong} wrong"
        self.query_one(LineTable).set_rows([_row(place, one) for place, one in enumerate(data)])
        self._advise()

    @on(LineTable.RowHighlighted)
    def _moved(self) -> None:
        self._advise()

    def _advise(self) -> None:
        place = self.query_one(LineTable).cursor_id
        one = self.data[place] if self.data and isinstance(place, int) and place < len(self.data) else None
        advice = self.query_one("#advice", Flow)
        advice.display = one is not None
        if one is not None:
            lines: list[Line] = [(Content.assemble((f"{one.area} {one.name}: ", "bold"), clean(one.says)), 2)]
            advice.show([*lines, (Content(clean(one.advice) or "There is nothing to do."), 2)])

    def action_look_again(self) -> None:
        self.data = None
        self.reload()


def _row(place: int, one: Finding) -> Row:
    tone = Tone.WARN if one.health is Health.PROBLEM else Tone.PLAIN
    return place, (MARKS[one.health], Cell(clean(one.area), Tone.MUTED), clean(one.name), Cell(clean(one.says), tone))
