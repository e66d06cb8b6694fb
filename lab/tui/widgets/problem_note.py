"""What is wrong with the line being typed, said under it."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Offset
from textual.widgets import Static

from lab.agents.views import ScriptProblem
from lab.tui.text import sentence

_POINTER = "▲ "


class ProblemNote(Static):
    """A note over the line after the wrong one, its pointer under the wrong place; the editor keeps the focus."""

    DEFAULT_CSS = """
    ProblemNote { overlay: screen; constrain: inside inflect; display: none; margin: 1 0; width: auto; height: auto; max-height: 4;
        background: $surface-lighten-1; }
    """

    def show(self, problem: ScriptProblem, at: Offset, left: int, width: int) -> None:
        """Say a problem. `at` is its place on the screen; the note stands between the columns `left` and `left + width`."""
        words = sentence(problem.message) + (f" {sentence(problem.suggestion)}" if problem.suggestion else "")
        wide = min(len(_POINTER) + len(words), width)
        self.styles.max_width = wide
        self.absolute_offset = Offset(max(left, min(at.x, left + width - wide)), at.y)
        self.update(Content.assemble((_POINTER, "bold $text-error"), (words, "$text-error")))
        self.display = True

    def hide(self) -> None:
        self.display = False
