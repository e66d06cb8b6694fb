"""Which study of a result to make: one letter."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Key
from textual.widgets import Static

from lab.tui.actions import BACK
from lab.tui.screen import LabModal
from lab.tui.widgets.proof import STUDIES

LETTERS: dict[str, str] = {"w": "walk-forward", "r": "robustness", "n": "null arm"}
ALL = "a"


class ChooseStudy(LabModal[tuple[str, ...]]):
    """The kinds chosen, or None."""

    PLACE = "study"
    ACTIONS = (BACK,)

    def compose(self) -> ComposeResult:
        lines = [Content.styled("Which study? The worker makes it; you can go on meanwhile.", "bold"), Content("")]
        for letter, kind in LETTERS.items():
            name, asks = STUDIES[kind]
            lines.append(Content.assemble((letter, "bold $text-accent"), f"  {name}", (f"  {asks}", "$foreground-muted")))
        lines.append(Content.assemble((ALL, "bold $text-accent"), "  All three, one after the other"))
        yield Static(Content("\n").join(lines), id="box")

    def on_key(self, event: Key) -> None:
        if event.key != "escape":
            event.stop()
            event.prevent_default()
            if event.character == ALL:
                self.dismiss(tuple(LETTERS.values()))
            elif event.character in LETTERS:
                self.dismiss((LETTERS[event.character],))
