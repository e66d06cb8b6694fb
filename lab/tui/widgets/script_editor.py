"""An editor for a scan and an execution script: checked, completed and explained while one types.

The check runs in a thread a moment after the last key, so typing never waits for it. An error is shown three ways:
its line is underlined, a note under the line being typed says what is wrong there, and the list below has every error with its place
and what would be right.
Completions open by themselves after two letters; below the scripts stands what the function under the cursor takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea
from textual.worker import Worker, WorkerState

from lab.agents.views import ScriptProblem
from lab.agents.vocabulary import vocabulary
from lab.errors import LabError
from lab.tui.text import clean, sentence
from lab.tui.widgets.completions import CompletionList, explained
from lab.tui.widgets.flow import Flow, Line
from lab.tui.widgets.problem_note import ProblemNote
from lab.tui.widgets.script_area import ScriptArea
from lab.tui.widgets.script_words import call_at, candidates, defined_names, word_before

CHECK_DELAY_SECONDS = 0.25
_STEPS = {"up": -1, "down": 1, "pageup": -5, "pagedown": 5}
LETTERS = 2
"""After how many letters completions open by themselves."""
Check = Callable[[str, str], Sequence[ScriptProblem]]


class ScriptEditor(Vertical):
    """Both scripts with their problems below. Posts `Changed` at each change and `Checked` after each check."""

    DEFAULT_CSS = """
    ScriptEditor { height: 1fr; }
    ScriptEditor #areas { height: 1fr; }
    ScriptEditor ScriptArea {
        width: 1fr; height: 1fr; border: round $surface-lighten-2; border-title-color: $foreground-muted; padding: 0; scrollbar-size: 1 1;
    }
    ScriptEditor ScriptArea:focus { border: round $primary; border-title-color: $primary; }
    ScriptEditor #explained { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    ScriptEditor #problem-box { height: auto; max-height: 5; min-height: 1; padding: 0 1; scrollbar-size-vertical: 1; }
    ScriptEditor.narrow #areas { layout: vertical; }
    ScriptEditor.narrow ScriptArea:focus { height: 2fr; }
    """

    class Changed(Message):
        """A script changed; what was counted or checked of it is no longer so."""

    @dataclass
    class Checked(Message):
        """A check ended; `problems` is () when both scripts are right."""

        problems: tuple[ScriptProblem, ...]

    def __init__(self, scan: str, execution: str, check: Check, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._scan, self._execution, self._check = scan, execution, check
        self._timer: Timer | None = None
        self._checked: tuple[str, str] | None = None
        self.problems: tuple[ScriptProblem, ...] = ()
        """What the last check found."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="areas"):
            yield ScriptArea(self._scan, id="scan", title="scan script: when to trade")
            yield ScriptArea(self._execution, id="execution", title="execution script: entry, stop, exit")
        yield Static(id="explained", markup=False)
        with VerticalScroll(id="problem-box", can_focus=False):
            yield Flow(id="problems")
        yield CompletionList(id="completions")
        yield ProblemNote(id="note", markup=False)

    def on_mount(self) -> None:
        for area in self.query(ScriptArea):
            area.assistant = self
        self._start_check()

    def on_resize(self) -> None:
        self.set_class(self.size.width < 100, "narrow")

    @property
    def scan(self) -> str:
        """The scan script as it stands in the editor."""
        return self.query_one("#scan", ScriptArea).text

    @property
    def execution(self) -> str:
        """The execution script as it stands in the editor."""
        return self.query_one("#execution", ScriptArea).text

    @property
    def settled(self) -> bool:
        """True where the last check was of exactly the texts shown now."""
        return self._checked == (self.scan, self.execution)

    def load(self, scan: str, execution: str) -> None:
        """Replace both texts."""
        self.query_one("#scan", ScriptArea).text = scan
        self.query_one("#execution", ScriptArea).text = execution

    @property
    def _list(self) -> CompletionList:
        return self.query_one(CompletionList)

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.query_one(ProblemNote).hide()
        self.post_message(self.Changed())
        if not self.problems and not self.settled:
            # What is known to be wrong stays listed; a tick must not stand over a text that was not checked.
            self.query_one("#problems", Flow).show([(Content.styled("· not checked yet", "$foreground-muted"), 0)])
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(CHECK_DELAY_SECONDS, self._start_check)

    def _start_check(self) -> None:
        scan, execution = self.scan, self.execution
        if self._checked == (scan, execution):
            self.query_one("#problems", Flow).show(problem_list(self.problems))
            return

        def work() -> tuple[str, str, tuple[ScriptProblem, ...]]:
            return scan, execution, tuple(self._check(scan, execution))

        self.run_worker(work, thread=True, exclusive=True, group="check", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker.group != "check":
            return
        event.stop()
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            reason = str(error) if isinstance(error, LabError) else f"the check itself failed ({type(error).__name__})"
            self.query_one("#problems", Flow).show([(Content.styled(f"✗ Not checked: {clean(reason)}", "$text-error"), 2)])
        elif event.state is WorkerState.SUCCESS and event.worker.result is not None:
            scan, execution, problems = event.worker.result
            if (scan, execution) == (self.scan, self.execution):
                self._show(scan, execution, problems)

    def _show(self, scan: str, execution: str, problems: tuple[ScriptProblem, ...]) -> None:
        self._checked, self.problems = (scan, execution), problems
        for script in ("scan", "execution"):
            places = frozenset((problem.line, problem.column) for problem in problems if problem.script == script)
            self.query_one(f"#{script}", ScriptArea).mark(places)
        self.query_one("#problems", Flow).show(problem_list(problems))
        self._note()
        self.post_message(self.Checked(problems))

    def _note(self) -> None:
        """Say under the cursor's line what is wrong in it; the list of completions has the place before it."""
        note, area = self.query_one(ProblemNote), self.screen.focused
        problem = None
        if isinstance(area, ScriptArea) and self.settled and not self._list.is_open:
            row, _ = area.cursor_location
            problem = next((found for found in self.problems if (found.script, found.line) == (area.script, row + 1)), None)
        if problem is None or not isinstance(area, ScriptArea):
            note.hide()
            return
        row, _ = area.cursor_location
        inside, shown = area.content_region, area.wrapped_document
        text = area.document.get_line(row)
        # Under all rows of a wrapped line, so that it never covers the cursor.
        below = shown.location_to_offset((row, len(text))).y
        across = shown.location_to_offset((row, min(problem.column - 1, len(text)))).x
        origin = inside.offset - area.scroll_offset
        note.show(problem, origin + Offset(area.gutter_width + across, below), inside.x, inside.width)

    # Completing and explaining

    def typed(self, area: ScriptArea, character: str) -> None:
        row, column = area.cursor_location
        word = word_before(area.document.get_line(row), column)
        if (character.isalnum() or character in "_.") and (len(word) >= LETTERS or "." in word or (self._list.is_open and word)):
            self._offer(area)
        else:
            self._list.close()

    def take_key(self, area: ScriptArea, key: str) -> bool:
        found = self._list
        if not found.is_open or (key == "enter" and found.chosen is None):
            return False
        if key in _STEPS:
            found.move(_STEPS[key])
            self._explain(area)
            return True
        chosen, typed = found.chosen or found.candidates[0], found.typed
        found.close()
        if key in ("tab", "enter"):
            area.complete(typed, chosen.insert)
        self._note()
        return True

    def action_complete(self) -> None:
        """List what could be written at the cursor, without waiting for letters."""
        if isinstance(area := self.screen.focused, ScriptArea):
            self._offer(area, asked=True)

    def _offer(self, area: ScriptArea, *, asked: bool = False) -> None:
        """Open or narrow the list of completions for the word before the cursor."""
        row, column = area.cursor_location
        line = area.document.get_line(row)
        word = word_before(line, column)
        found = []
        if word or asked:
            own = [name for name in defined_names(self.scan) if name != word]
            if area.script == "execution":
                own += [name for name in defined_names(self.execution) if name != word]
            found = candidates(word, line, column, area.script, vocabulary(), own, call_at(area.text, row, column))
            if [one.name for one in found] == [word]:
                found = []
        self._list.open(found, word, area.cursor_screen_offset, (row, column - len(word)))

    @on(CompletionList.Chosen)
    def _clicked(self, event: CompletionList.Chosen) -> None:
        event.stop()
        typed = self._list.typed
        self._list.close()
        if isinstance(area := self.screen.focused, ScriptArea):
            area.complete(typed, event.candidate.insert)

    @on(TextArea.SelectionChanged)
    def _moved(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        area = event.text_area
        if isinstance(area, ScriptArea) and area.has_focus:
            if self._list.is_open:
                row, column = area.cursor_location
                word = word_before(area.document.get_line(row), column)
                if self._list.place != (row, column - len(word)):
                    self._list.close()
                elif len(word) != self._list.typed:
                    self._offer(area)
            self._explain(area)
            self._note()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self._list.close()
        self.query_one(ProblemNote).hide()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, ScriptArea):
            self._explain(event.widget)
            self._note()

    def _explain(self, area: ScriptArea) -> None:
        """Say what the candidate, the call around the cursor or the word at it is, in that order."""
        words = vocabulary()
        row, column = area.cursor_location
        call = call_at(area.text, row, column)
        chosen = self._list.chosen
        word = words.get(chosen.name) if chosen is not None else None
        if word is None and call is not None:
            word = words.get(call.name)
        else:
            call = None
        if word is None:
            line = area.document.get_line(row)
            end = column
            while end < len(line) and (line[end].isalnum() or line[end] in "_."):
                end += 1
            word = words.get(word_before(line, end))
        self.query_one("#explained", Static).update(explained(word, call))

    def action_next_problem(self) -> None:
        """Put the cursor on the first error after it, around the end to the first of all."""
        if not self.problems:
            return
        here = self.screen.focused
        place = (0, 0, 0)
        order = {"scan": 0, "execution": 1}
        if isinstance(here, ScriptArea):
            row, column = here.cursor_location
            place = (order[here.id or "scan"], row + 1, column + 1)
        ordered = sorted(self.problems, key=lambda problem: (order.get(problem.script, 0), problem.line, problem.column))
        target = next((p for p in ordered if (order.get(p.script, 0), p.line, p.column) > place), ordered[0])
        area = self.query_one(f"#{target.script}", ScriptArea)
        area.focus()
        area.move_cursor((max(0, target.line - 1), max(0, target.column - 1)))


def problem_list(problems: Sequence[ScriptProblem]) -> list[Line]:
    """Every problem on a line with its place, and what would be right; a tick where there is none."""
    if not problems:
        return [(Content.styled("✓ Both scripts are right.", "$text-success"), 0)]
    lines: list[Line] = []
    for problem in problems:
        place = f"✗ {problem.script} {problem.line}:{problem.column} "
        hint = f" {sentence(problem.suggestion)}" if problem.suggestion else ""
        parts = ((place, "bold $text-error"), sentence(problem.message), (hint, "$foreground-muted"))
        lines.append((Content.assemble(*parts), 2))
    return lines
