"""The list of completions beside the cursor, and the line that explains a function and the argument the cursor is in."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.geometry import Offset, Size
from textual.message import Message
from textual.widget import Widget

from lab.agents.vocabulary import Word
from lab.tui.text import clean
from lab.tui.widgets.script_words import Call, Candidate

_ROWS = 8
_ROWS_WHEN_LOW = 5
_LOW = 30
_WIDEST = 66


class CompletionList(Widget):
    """Candidates under the cursor of an editor, which keeps the focus. Post: `Chosen` when one is clicked."""

    DEFAULT_CSS = """
    CompletionList { overlay: screen; constrain: inside inflect; display: none; margin: 1 0; width: auto; height: auto;
        border: round $primary; background: $surface; border-subtitle-color: $foreground-muted; }
    """

    @dataclass
    class Chosen(Message):
        """The person clicked a candidate."""

        candidate: Candidate

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.candidates: list[Candidate] = []
        self.cursor: int | None = None
        """Which candidate is taken by enter; None while the typed word is a name already, so that enter ends the line."""
        self.typed = 0
        """How many letters before the cursor the candidate replaces."""
        self.place = (0, 0)
        """Row and column at which that word begins."""
        self._top = 0
        self.border_subtitle = "tab takes · esc closes"

    @property
    def is_open(self) -> bool:
        return bool(self.candidates)

    @property
    def chosen(self) -> Candidate | None:
        return None if self.cursor is None or not self.candidates else self.candidates[self.cursor]

    def open(self, candidates: list[Candidate], word: str, at: Offset, place: tuple[int, int]) -> None:
        """Show the candidates, or nothing where there are none. `at` is the cursor on the screen, `place` where in the text the
        word begins."""
        exact = bool(candidates) and candidates[0].name == word
        self.candidates, self.typed, self.place = candidates, len(word), place
        self.cursor, self._top = None if exact else 0, 0
        self.display = bool(candidates)
        # Two to the left, so that names stand under the letters typed: the border and the cursor's mark come before them.
        self.absolute_offset = at - Offset(len(word) + 2, 0)
        self.refresh(layout=True)

    def close(self) -> None:
        self.candidates, self.cursor = [], None
        self.display = False

    def move(self, by: int) -> None:
        """Move the cursor, around the ends."""
        count = len(self.candidates)
        if count:
            self.cursor = (self.cursor + by) % count if self.cursor is not None else (0 if by > 0 else count - 1)
            self._top = max(min(self._top, self.cursor), self.cursor - self._rows + 1)
            self.refresh()

    @property
    def _rows(self) -> int:
        return min(len(self.candidates), _ROWS if self.screen.size.height >= _LOW else _ROWS_WHEN_LOW)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        widest = max((2 + self._name_width + 2 + len(found.detail) for found in self.candidates), default=10)
        return max(26, min(widest + 1, _WIDEST, viewport.width - 4))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, self._rows)

    @property
    def _name_width(self) -> int:
        return min(30, max((len(found.shown) for found in self.candidates), default=0))

    def render(self) -> Content:
        width, names = self.content_size.width, self._name_width
        lines = []
        for number, found in enumerate(self.candidates[self._top : self._top + self._rows], self._top):
            here = number == self.cursor
            name = found.shown if len(found.shown) <= names else found.shown[: names - 1] + "…"
            detail = clean(found.detail)
            room = width - 2 - names - 3
            detail = detail if len(detail) <= room else detail[: max(0, room - 1)] + "…"
            text = f"{'›' if here else ' '} {name:<{names}}"
            if here:
                lines.append(Content.styled(f"{text}  {detail}".ljust(width), "$block-cursor-foreground on $block-cursor-background"))
            else:
                lines.append(Content.assemble(text, ("  " + detail, "$foreground-muted")))
        return Content("\n").join(lines)

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is not None and (row := self._top + place.y) < len(self.candidates):
            self.post_message(self.Chosen(self.candidates[row]))


def explained(word: Word | None, call: Call | None) -> Content:
    """One line: the function as it is called, with the argument under the cursor in bold and its meaning; empty for nothing."""
    if word is None:
        return Content("")
    current = None
    if call is not None and word.arguments:
        names = [argument.name for argument in word.arguments]
        given = names.index(call.keyword) if call.keyword in names else call.argument
        current = word.arguments[given] if given < len(word.arguments) else None
    parts: list[tuple[str, str]] = [(word.signature, "$text-primary")]
    if current is not None:
        head, bracket, rest = word.signature.partition("(")
        pieces = rest.removesuffix(")").split(", ")
        at = next((n for n, piece in enumerate(pieces) if piece.partition("=")[0] == current.name), None)
        parts = [(head + bracket, "$text-primary")]
        for number, piece in enumerate(pieces):
            parts.append((piece, "bold underline $text-accent" if number == at else "$text-primary"))
            parts.append((", " if number + 1 < len(pieces) else ")", "$text-primary"))
        takes = f"{current.takes} {current.bounds}".strip()
        parts.append((f"  {current.name}: {current.meaning}, {takes}", ""))
        parts.append((f" · {word.meaning}", "$foreground-muted"))
    else:
        parts.append((f"  {word.meaning}", ""))
    return Content.assemble(*parts)
