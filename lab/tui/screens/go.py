"""`g` and a letter: to a screen, or to the top of what one is in."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Key
from textual.widgets import Static

from lab.tui.actions import BACK
from lab.tui.screen import LabModal

FIRST = "g"
"""The letter for the first row, as in vi."""

DESTINATIONS: dict[str, tuple[str, str]] = {
    "a": ("Agents", "dashboard"),
    "p": ("Approvals", "approvals"),
    "d": ("Data: bars, fetches, universes", "data"),
    "u": ("Usage: money and tokens", "usage"),
    "l": ("Log: what happened", "log"),
    "o": ("Doctor: what may be wrong here", "doctor"),
    "n": ("New agent", "creation"),
    "f": ("Import a file", "import_file"),
    "b": ("Fetch bars from Polygon", "fetch"),
}
"""Letter -> what a person reads and the screen's registered name."""


class GoTo(LabModal[str]):
    """The letters and where they lead; answers with the letter, or None."""

    PLACE = "go"
    ACTIONS = (BACK,)
    CSS = """
    GoTo { align: right bottom; background: $background 0%; }
    GoTo > #box { width: auto; padding: 0 1; margin-bottom: 1; }
    """

    def compose(self) -> ComposeResult:
        places = {FIRST: "First row, top"} | {letter: words for letter, (words, _) in DESTINATIONS.items()}
        lines = [Content.assemble((letter, "bold $text-accent"), f"  {words}") for letter, words in places.items()]
        yield Static(Content("\n").join(lines), id="box")

    def on_key(self, event: Key) -> None:
        if event.key != "escape":
            event.stop()
            event.prevent_default()
            self.dismiss(event.character if event.character == FIRST or event.character in DESTINATIONS else None)
