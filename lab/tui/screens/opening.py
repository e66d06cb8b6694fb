"""What is shown around the workspace: while it opens, when it can't be opened, and in a terminal that is too small."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Static

from lab.tui.actions import QUIT
from lab.tui.screen import LabModal, LabScreen, Place
from lab.tui.text import safe


class Opening(LabScreen[None]):
    """The first paint, until the workspace is open."""

    PLACE = "opening"
    TITLE = "Trading laboratory"
    ACTIONS = ()
    CSS = "Opening #note { width: 100%; height: 100%; content-align: center middle; color: $text-muted; }"

    def compose(self) -> ComposeResult:
        """Nothing but the note: mostly the first screen takes its place before anyone could read more."""
        yield Static("Opening the workspace…", id="note")


class CannotOpen(Place[None]):
    """The workspace can't be opened: why, and what to do."""

    PLACE = "cannot_open"
    ACTIONS = (QUIT,)
    CSS = """
    CannotOpen { align: center middle; background: $background; }
    CannotOpen > #message { width: 72; max-width: 90%; height: auto; padding: 1 2; border: round $error; }
    """

    def __init__(self, message: str) -> None:
        super().__init__()
        self._message = message

    def compose(self) -> ComposeResult:
        box = Static(safe(self._message + "\n\nq quits."), id="message")
        box.border_title = "The workspace can't be opened"
        yield box

    def action_quit(self) -> None:
        self.app.exit(return_code=1)


class TooSmall(LabModal[None]):
    """The terminal has no room for the screens."""

    PLACE = "too_small"
    ACTIONS = (QUIT,)
    CSS = "TooSmall { background: $background; } TooSmall > #small { width: 100%; text-align: center; }"

    def compose(self) -> ComposeResult:
        yield Static(id="small")

    def on_mount(self) -> None:
        self._say()

    def on_resize(self, event: Resize) -> None:
        self._say()

    def _say(self) -> None:
        size = self.app.size
        self.query_one("#small", Static).update(
            f"This terminal is {size.width}x{size.height}. lab needs 60x20: make it larger, or q quits."
        )

    def action_quit(self) -> None:
        self.app.exit()
