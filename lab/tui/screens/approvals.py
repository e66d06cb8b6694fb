"""The queue of what waits for the person, over all agents: refinements and graduations, with everything needed to decide.

What an agent's rule has applied stands below them, so that it can be taken back.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from lab.agents.proof.sheet import TearSheet
from lab.agents.proof.views import GraduationRow
from lab.agents.views import IterationView, ProposalView
from lab.tui.actions import APPLY, BACK, DISCARD, EDIT, OPEN, UNDO, Action
from lab.tui.screens.deciding import DecidingScreen
from lab.tui.screens.graduating import GraduatingScreen, GraduationData
from lab.tui.text import Tone, ago, clean, plural, verdict_mark
from lab.tui.widgets.decision import effect_table, heading, reasons, script_changes
from lab.tui.widgets.flow import BLANK, Flow, Line
from lab.tui.widgets.graduation import graduation_lines
from lab.tui.widgets.line_table import Cell, Column, LineTable, Row
from lab.tui.widgets.proof import vault_lines
from lab.tui.widgets.result import figures
from lab.tui.widgets.tabs import Reader

COLUMNS = (
    Column("Agent", least=10, most=24, keep=3),
    Column("Change", least=12, most=120, grow=True, keep=2),
    Column("Measured", least=13, most=14, keep=1),
    Column("Waits since", least=10, most=12, right=True),
)


EMPTY = """\
Nothing waits for you.
An iteration that ends with a suggestion puts it here: a applies it, e edits it first, d discards it.
So does an agent that passes its checklist: a opens its vault, after a warning."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that is up for graduation."""

    way: GraduationData
    sheet: TearSheet
    """Of the iteration that its checklist is of."""

    @property
    def measured(self) -> IterationView:
        return self.sheet.view

    @property
    def result(self) -> list[Line]:
        """The figures, with the verdict as it is after all that was tried up to now, and what the vault showed."""
        result, verdict = self.measured.result, self.sheet.verdict
        if result is None:
            return []
        now = result if verdict is None else replace(result, verdict=verdict.word, verdict_reason=verdict.reason)
        return [*figures(now, self.measured.against_parent), BLANK, *vault_lines(self.sheet.vault)]

    @property
    def since(self) -> datetime:
        """When the last study of it ended."""
        return max((run.finished_at for run in self.way.runs if run.finished_at), default=self.measured.row.created_at)


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for the person, and what was decided and can be taken back."""

    waiting: tuple[ProposalView, ...]
    """Oldest first."""
    undoable: tuple[ProposalView, ...]
    """The one decided last first, as all below."""
    candidates: tuple[Candidate, ...] = ()
    undoable_graduations: tuple[GraduationRow, ...] = ()
    by_rule: tuple[ProposalView, ...] = ()
    """What rules have applied and is in force."""

    @property
    def last_graduation(self) -> GraduationRow | None:
        """The decision on a graduation, where that is what was decided last."""
        last, refined = next(iter(self.undoable_graduations), None), next(iter(self.undoable), None)
        if last is None or (refined is not None and refined.decided_at is not None and refined.decided_at > last.decided_at):
            return None
        return last


class ApprovalsScreen(GraduatingScreen[Queue], DecidingScreen[Queue]):
    """The list above (beside, where there is room), what is under its cursor below."""

    PLACE = "approvals"
    TITLE = "Approvals"
    ACTIONS = (
        replace(
            APPLY, help="Applies the refinement. Of a graduation: opens the vault, after a warning, then lets the agent trade on paper."
        ),
        EDIT,
        replace(DISCARD, help="Discards the refinement, or turns the graduation down; you may give the reason."),
        Action("open", OPEN.keys, "Iteration", "Opens the iteration that the refinement or the result came from."),
        Action("read", "J", "Scroll", "Scrolls what is under the cursor down, and from its end back to its top."),
        replace(UNDO, help="Takes your last decision back, until the agent's next iteration; of a row applied by a rule, the rule's."),
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

    def __init__(self) -> None:
        super().__init__()
        self._taken_back: Hashable = None
        """The row that the cursor goes to when it is there again."""

    def compose_body(self) -> ComposeResult:
        yield Static("Looking for what waits…", id="nothing")
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
        proof = self.lab.proof
        candidates = []
        for checklist in proof.waiting():
            if checklist.iteration_id is not None:
                way = self.load_graduation(checklist.agent_id, checklist)
                candidates.append(Candidate(way, proof.tear_sheet(checklist.iteration_id)))
        return Queue(
            tuple(self.lab.approvals()),
            tuple(self.lab.undoable()),
            tuple(candidates),
            tuple(proof.undoable()),
            tuple(self.lab.minds.undoable()),
        )

    def show(self, data: Queue) -> None:
        table = self.query_one(LineTable)
        rows = [
            *(_graduation_row(candidate) for candidate in data.candidates),
            *(_row(proposal) for proposal in data.waiting),
            *(_row(proposal, by_rule=True) for proposal in data.by_rule),
        ]
        for shown in (table, self.query_one("#card")):
            shown.display = bool(rows)
        nothing = self.query_one("#nothing", Static)
        nothing.display = not rows
        nothing.update("\n".join((EMPTY, *self._taken_back_words(data))))
        table.set_rows(rows)
        if self._taken_back in [row_id for row_id, _ in rows]:
            table.move_to(self._taken_back)
            self._taken_back = None
        self._count()
        if rows:
            if not table.has_focus:
                table.focus()
            self._show_card()

    def _count(self) -> None:
        """Say beside the title how many wait and are marked."""
        if self.data is None:
            return
        waiting, marked = len(self.data.waiting) + len(self.data.candidates), len(self.query_one(LineTable).marked)
        counts = ((waiting, "waiting"), (len(self.data.by_rule), "applied by rule"), (marked, "marked (esc unmarks)"))
        self.subtitle = ", ".join(f"{number} {words}" for number, words in counts if number)

    def _taken_back_words(self, data: Queue) -> list[str]:
        key, graduation = self.lab_app.key_of("undo"), data.last_graduation
        if graduation is not None:
            return ["", f"{key} takes the last decision back: on the graduation of {clean(graduation.agent)}."]
        if not data.undoable:
            return []
        last = data.undoable[0]
        return ["", f"{key} takes the last decision back: “{clean(last.title)}” of {clean(last.agent)}."]

    # What is under the cursor

    @property
    def _chosen(self) -> Hashable:
        return self.query_one(LineTable).cursor_id if self.data and self.is_mounted else None

    def proposal(self) -> ProposalView | None:
        proposals = (*self.data.waiting, *self.data.by_rule) if self.data else ()
        return next((proposal for proposal in proposals if proposal.id == self._chosen), None)

    def candidate(self) -> Candidate | None:
        candidates = self.data.candidates if self.data else ()
        return next((candidate for candidate in candidates if _row_of(candidate.way.checklist.agent_id) == self._chosen), None)

    def graduation(self) -> GraduationData | None:
        candidate = self.candidate()
        return candidate.way if candidate is not None else None

    def chosen(self) -> Sequence[ProposalView]:
        marked = set(self.query_one(LineTable).marked)
        return [proposal for proposal in self.data.waiting if proposal.id in marked] if self.data and marked else super().chosen()

    def undoable(self) -> ProposalView | None:
        here = self.proposal()
        if self.data is None or (here is not None and here in self.data.by_rule):
            return here
        return self.data.undoable[0] if self.data.undoable else None

    @on(LineTable.RowsMarked)
    def _marked(self) -> None:
        self._count()
        self.refresh_actions()

    def why_not(self, name: str) -> str | None:
        if name in ("open", "read") and self._chosen is None:
            return "Nothing waits for you."
        if name == "undo" and self.data is not None and self.data.last_graduation is not None:
            return None
        if name in ("apply", "discard") and self.data is not None and (marked := self.query_one(LineTable).marked):
            waiting = {proposal.id for proposal in self.data.waiting}
            return (
                None if waiting.issuperset(marked) else "Only refinements that wait are decided several at once: take the other marks away."
            )
        if name in ("apply", "edit", "discard") and (candidate := self.candidate()) is not None:
            if name == "edit":
                return f"A graduation has no script to edit; its bounds are set on the screen of {candidate.way.checklist.agent}."
            return None if name == "discard" else self.why_not_graduate(self._next_step(candidate))
        return super().why_not(name)

    @staticmethod
    def _next_step(candidate: Candidate) -> str:
        return "open_vault" if "vault" in candidate.way.checklist.missing else "graduate"

    @on(LineTable.RowHighlighted)
    def _moved(self) -> None:
        self._show_card()

    @on(LineTable.RowSelected)
    def _selected(self) -> None:
        self.action_open()

    def _show_card(self) -> None:
        blocks = {name: self.query_one(f"#{name}", Flow) for name in ("heading", "effect", "reasons", "scripts")}
        if (candidate := self.candidate()) is not None:
            way, measured = candidate.way, candidate.measured
            checklist = way.checklist
            top = Content.styled(f"Up for graduation: may {clean(checklist.agent)} trade on paper?", "bold $text-accent")
            about = f"{checklist.agent} #{measured.row.number} · v{checklist.version} · {measured.universe.name}"
            blocks["heading"].show([(top, 0), (_origin(about, measured.universe.synthetic), 2)])
            keys = {name: self.lab_app.key_of("apply") for name in ("open_vault", "graduate")} | {"discard": self.lab_app.key_of("discard")}
            blocks["effect"].show(graduation_lines(checklist, way.runs, way.decisions, way.trials, keys))
            blocks["reasons"].show([])
            blocks["scripts"].show(candidate.result)
        elif (proposal := self.proposal()) is not None:
            about = f"{proposal.agent} #{proposal.iteration_number} · v{proposal.parent_version} · {proposal.universe}"
            blocks["heading"].show([*heading(proposal), (_origin(about, proposal.synthetic), 2)])
            blocks["effect"].show(effect_table(proposal))
            blocks["reasons"].show(reasons(proposal))
            blocks["scripts"].show(script_changes(proposal))
        else:
            return
        self.query_one("#card", Reader).scroll_home(animate=False)
        self.refresh_actions()

    # What the keys do

    async def action_apply(self) -> None:
        candidate = None if self.query_one(LineTable).marked else self.candidate()
        if candidate is None:
            await super().action_apply()
        elif self._next_step(candidate) == "open_vault":
            self.action_open_vault()
        else:
            self.action_graduate()

    def action_discard(self) -> None:
        candidate = None if self.query_one(LineTable).marked else self.candidate()
        if candidate is None:
            super().action_discard()
            return
        checklist = candidate.way.checklist
        unless = " before its vault is opened" if "vault" in checklist.missing else ""
        question = f"Let {checklist.agent} go on learning? Version {checklist.version} does not come back here{unless}. Why?"
        self.pose("ask_line", question, "Your reason is kept; it may stay empty.", "turn down", then=partial(self._turn_down, candidate))

    async def _turn_down(self, candidate: Candidate, reason: str) -> None:
        checklist = candidate.way.checklist
        if await self.attempt(self.lab.proof.turn_down, checklist.agent_id, reason):
            self.tell(f"{checklist.agent} goes on learning. {self.lab_app.key_of('undo')} takes it back.")
        self.reload()

    async def action_undo(self) -> None:
        here, last = self.proposal(), self.data.last_graduation if self.data else None
        if self.data is not None and here is not None and here in self.data.by_rule:
            question = f"Take back “{here.title}”, which the rule of {here.agent} applied? Version {here.parent_version} is current again."
            self.pose("confirm", question, "Take back", "Leave it", then=partial(self._undo_rule, here))
        elif last is None:
            self._taken_back = proposal.id if (proposal := self.undoable()) else None
            await super().action_undo()
        else:
            self._taken_back = _row_of(last.agent_id)
            if await self.attempt(self.lab.proof.undo, last.agent_id):
                self.tell(f"Taken back: {last.agent} is learning, and its graduation waits again.")
            self.reload()

    async def _undo_rule(self, proposal: ProposalView, yes: bool) -> None:
        if done := await self.attempt(self.lab.minds.undo, proposal.id):
            self.tell(f"Version {done.value} of {proposal.agent} is current again.")
        self.reload()

    def action_read(self) -> None:
        card = self.query_one("#card", Reader)
        if card.scroll_offset.y >= card.max_scroll_y:
            card.scroll_home(animate=False)
        else:
            card.scroll_page_down(animate=False)

    def action_open(self) -> None:
        if (candidate := self.candidate()) is not None:
            self.lab_app.open("iteration", candidate.measured.row.id)
        elif proposal := self.proposal():
            self.lab_app.open("iteration", proposal.iteration_id)


def _origin(about: str, synthetic: bool) -> Content:
    return Content.assemble((clean(about), "$foreground-muted"), (" SYNTHETIC" if synthetic else "", "bold $text-warning"))


def _row_of(agent_id: int) -> Hashable:
    """The row of an agent's graduation; a proposal's has the proposal's own number."""
    return "graduation", agent_id


def _graduation_row(candidate: Candidate) -> Row:
    checklist = candidate.way.checklist
    passed = f"{sum(row.passed for row in checklist.rows)} of {plural(len(checklist.rows), 'rule')}"
    step = "the vault was opened" if "vault" not in checklist.missing else "the vault is next"
    cells = (Cell(clean(checklist.agent)), Cell(f"graduation of {clean(checklist.version)}: {step}", Tone.ACCENT), Cell(passed))
    return (_row_of(checklist.agent_id), (*cells, Cell(ago(candidate.since), Tone.MUTED)))


def _row(proposal: ProposalView, by_rule: bool = False) -> Row:
    mark, tone = verdict_mark(proposal.effect.verdict)
    change = "; ".join(proposal.changes) or proposal.title
    verdict = Cell(f"{mark} {clean(proposal.effect.verdict)}", tone)
    words = Cell(clean(f"applied by rule: {change}" if by_rule else change), Tone.MUTED if by_rule else Tone.PLAIN)
    at = (proposal.decided_at if by_rule else None) or proposal.created_at
    return (proposal.id, (Cell(clean(proposal.agent)), words, verdict, Cell(ago(at), Tone.MUTED)))
