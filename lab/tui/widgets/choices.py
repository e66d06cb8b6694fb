"""Choosing one or several of a few words by keyboard, in as few lines as they need.

Without the focus only what is chosen is shown, and why; with it, all there is to choose from. Left and right move, space
chooses, backspace lets go of one's own choice. Signs mark what is chosen: (•) and ( ) for one of many, [x] and [ ] for several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from lab.tui.text import clean
from lab.tui.widgets.flow import hang


class Choices(Widget, can_focus=True):
    """A flow of words to choose from, wrapped to the width. Posts `Changed` when the person changed the choice."""

    DEFAULT_CSS = """
    Choices { height: auto; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Previous word", show=False, tooltip="To the word before."),
        Binding("right", "step(1)", "Next word", show=False, tooltip="To the next word."),
        Binding("up", "app.focus_previous", "Field above", show=False, tooltip="To the field above."),
        Binding("down", "app.focus_next", "Field below", show=False, tooltip="To the field below."),
        Binding("backspace", "release", "As read", show=False, tooltip="Lets go of your own choice."),
        Binding("space,enter", "choose", "Choose", show=False, tooltip="Chooses the word, or lets go of it."),
    ]

    class Changed(Message):
        """The person chose something else."""

        def __init__(self, choices: Choices) -> None:
            super().__init__()
            self.choices = choices

        @property
        def control(self) -> Choices:
            return self.choices

    class Released(Changed):
        """The person wants no choice of their own any more."""

    reason: reactive[str] = reactive("", layout=True)
    """Why this is chosen, our own words or cleaned ones."""

    def __init__(self, words: Sequence[str], chosen: Sequence[str] = (), *, several: bool, alone: str = "", id: str | None = None) -> None:
        """`several` allows any number but none; otherwise it is exactly one. The word `alone` excludes the others and stands for none."""
        super().__init__(id=id)
        self.words = tuple(words)
        self.several = several
        self.alone = alone
        self._chosen = frozenset(chosen)
        self._at = 0

    @property
    def chosen(self) -> tuple[str, ...]:
        """The chosen words in the order they are shown."""
        return tuple(word for word in self.words if word in self._chosen)

    def choose(self, chosen: Sequence[str]) -> None:
        """Show this choice, without a message."""
        if frozenset(chosen) != self._chosen:
            self._chosen = frozenset(chosen)
            self.refresh(layout=True)

    def offer(self, words: Sequence[str], chosen: Sequence[str]) -> None:
        """Offer other words."""
        if tuple(words) != self.words:
            self.words = tuple(words)
            self._at = 0
            self.refresh(layout=True)
        self.choose(chosen)

    def action_step(self, by: int) -> None:
        if self.words:
            self._at = (self._at + by) % len(self.words)
            self.refresh()

    def action_choose(self) -> None:
        if not self.words:
            return
        word = self.words[self._at]
        if not self.several:
            chosen = frozenset((word,))
        else:
            chosen = frozenset((word,)) if word == self.alone else (self._chosen ^ {word}) - {self.alone}
            if not chosen:
                chosen = frozenset((self.alone,)) if self.alone else self._chosen
        if chosen != self._chosen:
            self._chosen = chosen
            self.refresh()
            self.post_message(self.Changed(self))

    def action_release(self) -> None:
        self.post_message(self.Released(self))

    def on_focus(self) -> None:
        if self.chosen:
            self._at = self.words.index(self.chosen[0])
        self.refresh(layout=True)

    def on_blur(self) -> None:
        self.refresh(layout=True)

    def on_click(self, event: Click) -> None:
        if not self.has_focus:
            return
        for line, row in enumerate(self._rows(self.size.width)):
            x = 0
            for at in row:
                width = len(self._label(at))
                if line == event.y and x <= event.x < x + width:
                    self._at = at
                    self.action_choose()
                    self.refresh()
                    return
                x += width + 2

    def _label(self, at: int) -> str:
        word = self.words[at]
        on, off = ("[x]", "[ ]") if self.several else ("(•)", "( )")
        return f"{on if word in self._chosen else off} {clean(word)}"

    def _rows(self, width: int) -> list[list[int]]:
        """Indices of the words, line by line."""
        rows: list[list[int]] = [[]]
        used = 0
        for at in range(len(self.words)):
            need = len(self._label(at))
            if rows[-1] and used + 2 + need > width:
                rows.append([])
                used = 0
            used += need + (2 if rows[-1] else 0)
            rows[-1].append(at)
        return rows

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._rows(width) if self.has_focus else self._summary(width)))

    def _summary(self, width: int) -> list[Content]:
        """What is chosen and why."""
        words = ", ".join(clean(word) for word in self.chosen)
        return hang(Content.assemble((words, "bold"), (f"   {self.reason}" if self.reason else "", "$foreground-muted")), width, 2)

    def render(self) -> Content:
        if not self.words:
            return Content.styled("nothing to choose from", "$foreground-muted")
        if not self.has_focus:
            return Content("\n").join(self._summary(self.size.width))
        lines = []
        for row in self._rows(self.size.width):
            parts: list[Content] = []
            for at in row:
                style = "bold $text-success" if self.words[at] in self._chosen else "$foreground-muted"
                parts.append(Content.styled(self._label(at), "bold reverse" if at == self._at else style))
            lines.append(Content("  ").join(parts))
        return Content("\n").join(lines)
