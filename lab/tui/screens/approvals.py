"""The queue of proposals that wait for the person, over all agents, with everything needed to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from lab.agents.views import ProposalView
from lab.tui.actions import APPLY, BACK, DISCARD, EDIT, OPEN, UNDO, Action
from lab.tui.screens.deciding import DecidingScreen
from lab.tui.text import Tone, ago, clean, verdict_mark
from lab.tui.widgets.decision import effect_table, heading, reasons, script_changes
from lab.tui.widgets.flow import Flow
from lab.tui.widgets.line_table import Cell, Column, LineTable, Row
from lab.tui.widgets.tabs import Reader

COLUMNS = (
    Column("Agent", least=10, most=24, keep=3),
    Column("Change", least=12, most=120, grow=True, keep=2),
    Column("Measured", least=13, most=14, keep=1),
    Column("Waits since", least=10, most=12, right=True),
)


EMPTY = """\
Nothing waits for you.
An iteration that ends with a suggestion puts it here: a applies it, e edits it first, d discards it."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for the person, and what was decided and can be taken back."""

    waiting: tuple[ProposalView, ...]
    """Oldest first."""
    undoable: tuple[ProposalView, ...]
    """The one decided last first."""


class ApprovalsScreen(DecidingScreen[Queue]):
    """The list above (beside, where there is room), the proposal under its cursor below."""

    PLACE = "approvals"
    TITLE = "Approvals"
    ACTIONS = (
        APPLY,
        EDIT,
        DISCARD,
        Action("open", OPEN.keys, "Iteration", "Opens the iteration the proposal came from."),
        Action("read", "J", "Scroll", "Scrolls the proposal down, and from its end back to its top."),
        UNDO,
        BACK,
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    CSS = """
    ApprovalsScreen LineTable { height: auto; max-height: 5; border-bottom: solid $surface-lighten-2; }
    ApprovalsScreen #card { height: 1fr; }
    ApprovalsScreen .side { height: auto; width: 1fr; }
    ApprovalsScreen #columns { height: auto; }
    ApprovalsScreen #columns Flow { margin-top: 1; }
    ApprovalsScreen.-wide #columns { layout: horizontal; }
    ApprovalsScreen.-wide #columns .side { padding-right: 2; }
    ApprovalsScreen #nothing { height: 1fr; content-align: center middle; color: $foreground-muted; }
    """

    def compose_body(self) -> ComposeResult:
        yield Static("Looking for proposals…", id="nothing")
        table = LineTable(COLUMNS, header=False, marks=True)
        table.display = False
        yield table
        with Reader(id="card") as card:
            card.display = False
            card.can_focus = False
            yield Flow(id="heading")
            with Container(id="columns"):
                with Vertical(classes="side"):
                    yield Flow(id="effect")
                    yield Flow(id="reasons")
                with Vertical(classes="side"):
                    yield Flow(id="scripts")

    def load(self) -> Queue:
        return Queue(tuple(self.lab.approvals()), tuple(self.lab.undoable()))

    def show(self, data: Queue) -> None:
        table = self.query_one(LineTable)
        self._count()
        for shown in (table, self.query_one("#card")):
            shown.display = bool(data.waiting)
        nothing = self.query_one("#nothing", Static)
        nothing.display = not data.waiting
        nothing.update("\n".join((EMPTY, *self._taken_back_words(data))))
        table.set_rows([_row(proposal) for proposal in data.waiting])
        if data.waiting:
            if not table.has_focus:
                table.focus()
            self._show_card()

    def _count(self) -> None:
        """Say beside the title how many wait and are marked."""
        waiting, marked = len(self.data.waiting) if self.data else 0, len(self.query_one(LineTable).marked)
        self.subtitle = (f"{waiting} waiting" if waiting else "") + (f", {marked} marked (esc unmarks)" if marked else "")

    def _taken_back_words(self, data: Queue) -> list[str]:
        if not data.undoable:
            return []
        last = data.undoable[0]
        return ["", f"{self.lab_app.key_of('undo')} takes the last decision back: “{clean(last.title)}” of {clean(last.agent)}."]

    def proposal(self) -> ProposalView | None:
        if not self.data or not self.is_mounted:
            return None
        chosen = self.query_one(LineTable).cursor_id
        return next((proposal for proposal in self.data.waiting if proposal.id == chosen), None)

    def chosen(self) -> Sequence[ProposalView]:
        marked = set(self.query_one(LineTable).marked)
        return [proposal for proposal in self.data.waiting if proposal.id in marked] if self.data and marked else super().chosen()

    def undoable(self) -> ProposalView | None:
        return self.data.undoable[0] if self.data and self.data.undoable else None

    @on(LineTable.RowsMarked)
    def _marked(self) -> None:
        self._count()

    def why_not(self, name: str) -> str | None:
        if name in ("open", "read") and self.proposal() is None:
            return "Nothing waits for you."
        return super().why_not(name)

    @on(LineTable.RowHighlighted)
    def _moved(self) -> None:
        self._show_card()

    @on(LineTable.RowSelected)
    def _selected(self) -> None:
        self.action_open()

    def _show_card(self) -> None:
        proposal = self.proposal()
        if proposal is None:
            return
        about = f"{proposal.agent} #{proposal.iteration_number} · v{proposal.parent_version} · {proposal.universe}"
        origin = Content.assemble((clean(about), "$foreground-muted"), (" SYNTHETIC" if proposal.synthetic else "", "bold $text-warning"))
        self.query_one("#heading", Flow).show([*heading(proposal), (origin, 2)])
        self.query_one("#effect", Flow).show(effect_table(proposal.effect, proposal.parent_version))
        self.query_one("#reasons", Flow).show(reasons(proposal))
        self.query_one("#scripts", Flow).show(script_changes(proposal))
        self.query_one("#card", Reader).scroll_home(animate=False)
        self.refresh_actions()

    def action_read(self) -> None:
        card = self.query_one("#card", Reader)
        if card.scroll_offset.y >= card.max_scroll_y:
            card.scroll_home(animate=False)
        else:
            card.scroll_page_down(animate=False)

    def action_open(self) -> None:
        if proposal := self.proposal():
            self.lab_app.open("iteration", proposal.iteration_id)


def _row(proposal: ProposalView) -> Row:
    mark, tone = verdict_mark(proposal.effect.verdict)
    change = "; ".join(proposal.changes) or proposal.title
    verdict = Cell(f"{mark} {clean(proposal.effect.verdict)}", tone)
    return (proposal.id, (Cell(clean(proposal.agent)), Cell(clean(change)), verdict, Cell(ago(proposal.created_at), Tone.MUTED)))
