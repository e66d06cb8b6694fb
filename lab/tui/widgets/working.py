"""Long work while it is under way: what it is, a bar, what is being done now and the time left, and how to stop it."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from lab.tui.progress import Doing
from lab.tui.text import Tone, bar, duration, safe

LOOK_SECONDS = 0.1


class Working(Vertical):
    """Not displayed until `begin`; looks at the work ten times a second until `end`, and draws only what changed."""

    DEFAULT_CSS = """
    Working { height: auto; display: none; }
    Working .what, Working .hint { color: $text-muted; height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: Callable[[], Doing] | None = None
        self._shown: tuple[str, str] = ("", "")
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(classes="what")
        yield Static(id="bar")
        yield Static(id="note")
        yield Static(classes="hint")

    def begin(self, what: str, hint: str, look: Callable[[], Doing]) -> None:
        """Show the work: `what` it is, what `look` says of it, and the `hint` how to stop it."""
        self.query_one(".what", Static).update(safe(what))
        self.query_one(".hint", Static).update(safe(hint))
        self._look, self._shown = look, ("", "")
        self.display = True
        self._draw()
        if self._timer is None:
            self._timer = self.set_interval(LOOK_SECONDS, self._draw)

    def end(self) -> None:
        self._look = None
        self.display = False
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _draw(self) -> None:
        if self._look is None:
            return
        doing = self._look()
        width = min(72, max(10, self.query_one("#bar").content_size.width - 6))
        left = f"; {duration(doing.seconds_left)} left" if doing.seconds_left is not None else ""
        drawn = f"{bar(doing.share, width)} {doing.share:4.0%}", f"{doing.note}{left}"
        if drawn[0] != self._shown[0]:
            self.query_one("#bar", Static).update(Content(drawn[0]))
        if drawn[1] != self._shown[1]:
            self.query_one("#note", Static).update(safe(drawn[1], Tone.MUTED))
        self._shown = drawn
