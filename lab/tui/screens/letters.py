"""A question answered by one letter out of a few."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Key
from textual.widgets import Static

from lab.tui.actions import BACK
from lab.tui.screen import LabModal
from lab.tui.text import clean


class Letters(LabModal[str]):
    """The letter chosen, or None."""

    PLACE = "letters"
    ACTIONS = (BACK,)

    def __init__(self, question: str, choices: Mapping[str, tuple[str, str]]) -> None:
        """`choices` maps a letter to its name and what it means."""
        super().__init__()
        self._question, self._choices = question, dict(choices)

    def compose(self) -> ComposeResult:
        lines = [Content.styled(clean(self._question), "bold"), Content("")]
        for letter, (name, meaning) in self._choices.items():
            lines.append(Content.assemble((letter, "bold $text-accent"), f"  {clean(name)}  ", (clean(meaning), "$foreground-muted")))
        yield Static(Content("\n").join(lines), id="box")

    def on_key(self, event: Key) -> None:
        if event.key != "escape":
            event.stop()
            event.prevent_default()
            if event.character in self._choices:
                self.dismiss(event.character)
