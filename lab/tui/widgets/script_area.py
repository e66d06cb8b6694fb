"""One script being typed: highlighted, its wrong lines underlined, its keys passed to the list of completions while that is open."""

from __future__ import annotations

import re
from typing import Protocol

from rich.style import Style
from rich.text import Text
from textual import events
from textual.color import Color, ColorParseError
from textual.widgets import TextArea

from lab.agents.vocabulary import vocabulary
from lab.tui.widgets.script_words import Token, tokens

_LOOKS: dict[Token, tuple[str, Style]] = {
    Token.COMMENT: ("", Style(italic=True, dim=True)),
    Token.STRING: ("success", Style()),
    Token.NUMBER: ("success", Style()),
    Token.KEYWORD: ("", Style(bold=True)),
    Token.PARAM: ("accent", Style(bold=True)),
    Token.FUNCTION: ("primary", Style()),
    Token.FIELD: ("secondary", Style()),
    Token.DEFINITION: ("", Style(bold=True)),
}
"""Token -> the theme's colour for it and its weight: without colours, weight alone still tells comments and names."""

_PLACE = re.compile(r"[\w.]+|.")

LIST_KEYS = frozenset({"up", "down", "tab", "enter", "escape", "pageup", "pagedown"})


class Assistant(Protocol):
    """Who helps with the typing. Called at once, not by message: keys typed in one breath must find the list open."""

    def take_key(self, area: ScriptArea, key: str) -> bool:
        """Whether a key of `LIST_KEYS` was meant for the list of completions and is dealt with."""
        ...

    def typed(self, area: ScriptArea, character: str) -> None:
        """A character was typed and is in the text."""
        ...


class ScriptArea(TextArea):
    """One script. `assistant` sees its keys."""

    def __init__(self, text: str, *, id: str, title: str) -> None:
        super().__init__(text, id=id, show_line_numbers=True, tab_behavior="focus", soft_wrap=True)
        self._wrong: frozenset[tuple[int, int]] = frozenset()
        self._hues: tuple[str, dict[Token, Style]] = ("", {})
        self.highlight_cursor_line = False
        self.border_title = title
        self.assistant: Assistant | None = None

    @property
    def script(self) -> str:
        """ "scan" or "execution"."""
        return self.id or "scan"

    def mark(self, places: frozenset[tuple[int, int]]) -> None:
        """Underline the lines of these places (line and column, from 1) and colour what stands there."""
        if places == self._wrong:
            return
        self._wrong = places
        self._line_cache.clear()
        self.refresh()

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        looks = self._looks()
        if line_index in self._described:
            line.stylize(looks[Token.STRING])
            return line
        for start, end, token in tokens(line.plain, vocabulary()):
            line.stylize(looks[token], start, end)
        columns = [column - 1 for row, column in self._wrong if row == line_index + 1]
        if columns:
            line.stylize(Style(underline=True))
        for column in columns:
            word = _PLACE.match(line.plain, column)
            line.stylize(Style(bold=True, reverse=True, color=self._colour("error")), column, word.end() if word else column + 1)
        return line

    @property
    def _described(self) -> range:
        """The lines of the text in three quotes with which a script may begin."""
        first = next((n for n, line in enumerate(self.document.lines) if line.strip() and not line.startswith("#")), None)
        if first is None or not self.document.lines[first].startswith('"""'):
            return range(0)
        rest = enumerate([self.document.lines[first][3:], *self.document.lines[first + 1 :]], first)
        return range(first, next((n for n, line in rest if '"""' in line), self.document.line_count) + 1)

    def _looks(self) -> dict[Token, Style]:
        if self._hues[0] != self.app.theme:
            self._hues = (
                self.app.theme,
                {token: style + Style(color=self._colour(hue)) if hue else style for token, (hue, style) in _LOOKS.items()},
            )
        return self._hues[1]

    def _colour(self, hue: str) -> str | None:
        """A theme's colour in Rich's words; a theme may name its colours by their ANSI names, which Rich writes otherwise."""
        try:
            return Color.parse(self.app.theme_variables.get(hue, "")).rich_color.name
        except ColorParseError:
            return None

    async def _on_key(self, event: events.Key) -> None:
        helped = self.assistant is not None and event.key in LIST_KEYS and self.assistant.take_key(self, event.key)
        if helped:
            event.stop()
        else:
            await super()._on_key(event)
            if self.assistant is not None and event.is_printable and event.character:
                self.assistant.typed(self, event.character)
        event.prevent_default()  # what the base class would do has been done

    def complete(self, typed: int, text: str) -> None:
        """Put `text` in the place of the last `typed` letters before the cursor."""
        row, column = self.cursor_location
        after = self.document.get_line(row)[column : column + 1]
        if after == "(" and text.endswith(("(", "()")):
            text = text[: text.index("(")]
        self.replace(text, (row, column - typed), (row, column), maintain_selection_offset=False)
        self.move_cursor((row, column - typed + len(text)))
