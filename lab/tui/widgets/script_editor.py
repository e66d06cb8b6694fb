"""An editor for a scan and an execution script, checked while one types, with each error named at its line.

The check runs in a thread a moment after the last key, so typing never waits for it. An error is shown three ways:
its line is underlined, its line number is in the list below, and the list says what is wrong and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea
from textual.worker import Worker, WorkerState

from lab.agents.views import ScriptProblem
from lab.errors import LabError
from lab.tui.text import clean
from lab.tui.widgets.flow import Flow, Line

CHECK_DELAY_SECONDS = 0.25
Check = Callable[[str, str], Sequence[ScriptProblem]]

_TOKEN = re.compile(
    r"(?P<comment>#.*$)|(?P<string>\"[^\"]*\"|'[^']*')|(?P<number>\b\d+(?:\.\d+)?\b)"
    r"|(?P<keyword>\b(?:and|or|not|if|else|def|return|True|False)\b)|(?P<name>^\s*[a-z_]\w*(?=\s*=[^=]))"
)
_HUES = {"string": "success", "number": "secondary", "keyword": "primary"}
"""Token -> theme colour; the rest differs by weight alone."""


class ScriptArea(TextArea):
    """One script: line numbers, light highlighting, error lines underlined."""

    def __init__(self, text: str, *, id: str, title: str) -> None:
        super().__init__(text, id=id, show_line_numbers=True, tab_behavior="focus", soft_wrap=True)
        self._wrong_lines: frozenset[int] = frozenset()
        self.highlight_cursor_line = False
        self.border_title = title

    def mark(self, lines: frozenset[int]) -> None:
        """Underline these lines, counted from 1."""
        if lines == self._wrong_lines:
            return
        self._wrong_lines = lines
        self._line_cache.clear()
        self.refresh()

    def _token_style(self, token: str) -> Style:
        hue = self.app.theme_variables.get(_HUES[token]) if token in _HUES else None
        comment = token == "comment" or None
        return Style(color=hue, bold=token in ("keyword", "name") or None, italic=comment, dim=comment)

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        for match in _TOKEN.finditer(line.plain):
            line.stylize(self._token_style(match.lastgroup or ""), match.start(), match.end())
        if line_index + 1 in self._wrong_lines:
            line.stylize(Style(underline=True, color=self.app.theme_variables.get("error")))
        return line


class ScriptEditor(Vertical):
    """Both scripts with their problems below. Post: `Checked` after each check."""

    DEFAULT_CSS = """
    ScriptEditor { height: 1fr; }
    ScriptEditor #areas { height: 1fr; }
    ScriptEditor ScriptArea {
        width: 1fr; height: 1fr; border: round $surface-lighten-2; border-title-color: $foreground-muted; padding: 0; scrollbar-size: 1 1;
    }
    ScriptEditor ScriptArea:focus { border: round $primary; border-title-color: $primary; }
    ScriptEditor #problem-box { height: auto; max-height: 5; min-height: 1; padding: 0 1; scrollbar-size-vertical: 1; }
    ScriptEditor.narrow #areas { layout: vertical; }
    """
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
        with VerticalScroll(id="problem-box", can_focus=False):
            yield Flow(id="problems")

    def on_mount(self) -> None:
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

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
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
            lines = frozenset(problem.line for problem in problems if problem.script == script)
            self.query_one(f"#{script}", ScriptArea).mark(lines)
        self.query_one("#problems", Flow).show(problem_list(problems))
        self.post_message(self.Checked(problems))

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


def sentence(words: str) -> str:
    """Cleaned words with a full stop, unless they end with a sign of their own."""
    words = clean(words).strip()
    return words if words.endswith((".", "!", "?", "…", ":")) else words + "."
