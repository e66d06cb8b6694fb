"""The six steps of an iteration: done, running with its progress, or still to come."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from textual.content import Content
from textual.timer import Timer

from lab.agents.views import StepView
from lab.tui.text import bar, clean, duration, plural
from lab.tui.widgets.flow import Flow

_MARKS = {
    "done": ("✓", "$text-success"),
    "running": ("▸", "bold $text-accent"),
    "failed": ("✗", "$text-error"),
    "paused": ("◌", "$text-warning"),
    "waiting": ("·", "$foreground-muted"),
}
_NAME_WIDTH = max(map(len, ("generate", "scan", "enrich", "backtest", "analyse", "propose")))


def steps_in_full(
    steps: Sequence[StepView], progress: float, note: str, failed: bool = False, seconds_running: float | None = None
) -> Content:
    """A line a step: mark, name, seconds, and the running one's bar with what it is doing.

    A running step that reports no progress of its own shows how long it has been running instead of a bar that stands still.
    """
    rows: list[Content] = []
    stopped = False
    for step in steps:
        state = step.state
        if failed and state != "done" and not stopped:
            state, stopped = "failed", True
        mark, style = _MARKS[state]
        parts: list[tuple[str, str]] = [(f"{mark} {step.step:<{_NAME_WIDTH}}", style)]
        if state == "running":
            if progress > 0:
                parts.append((f"  {bar(progress, 20)} {progress * 100:3.0f}%", "$text-accent"))
            else:
                parts.append((f"  {whole_seconds(seconds_running):>11}", "$text-accent"))
            if note or step.note:
                parts.append((f"  {clean(note or step.note)}", "$text"))
        elif state == "paused":
            parts.append((f"  {'paused':>11}  {clean(step.note)}", "$text-warning"))
        elif state == "failed":
            parts.append(("  stopped here", "$text-error"))
        else:
            parts.append((f"  {duration(step.seconds):>11}", "$foreground-muted"))
            if step.note:
                parts.append((f"  {clean(step.note)}", "$foreground-muted"))
        rows.append(Content.assemble(*parts))
    return Content("\n").join(rows)


def steps_in_short(steps: Sequence[StepView]) -> str:
    """A finished iteration's steps: "6 steps in 25 s"; "" before any has finished."""
    timed = [step.seconds for step in steps if step.state == "done" and step.seconds is not None]
    return f"{plural(len(timed), 'step')} in {duration(sum(timed))}" if timed else ""


def whole_seconds(seconds: float | None) -> str:
    """A time that still runs: whole seconds, since tenths would change at every look."""
    return "…" if seconds is None else duration(seconds) if seconds >= 10 else f"{int(seconds)} s"


class StepsPanel(Flow):
    """The steps of one iteration, a line each; a running step without progress of its own counts its seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: Sequence[StepView] = ()
        self._progress, self._note, self._failed = 0.0, "", False
        self._since: tuple[str, float] | None = None
        """The running step and when it was first seen running, on the monotonic clock."""
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        # Ticks only while a step counts its seconds: nothing is sent to the terminal where nothing changes.
        self._timer = self.set_interval(1.0, self._draw, pause=True)

    def show_steps(self, steps: Sequence[StepView], progress: float, note: str, *, failed: bool = False) -> None:
        """Show these steps; `progress` and `note` are of the running one."""
        self._steps, self._progress, self._note, self._failed = steps, progress, note, failed
        running = next((step for step in steps if step.state == "running"), None)
        if running is None or failed:
            self._since = None
        elif self._since is None or self._since[0] != running.step:
            self._since = (running.step, monotonic() - (running.seconds or 0.0))
        self._draw()
        self.pause(self._since is None or progress > 0)

    def pause(self, paused: bool = True) -> None:
        """Stop counting, such as while the screen is covered, or go on."""
        if self._timer is not None:
            if paused or self._since is None or self._progress > 0:
                self._timer.pause()
            else:
                self._timer.resume()

    def _draw(self) -> None:
        seconds = None if self._since is None else monotonic() - self._since[1]
        drawn = steps_in_full(self._steps, self._progress, self._note, self._failed, seconds)
        self.show([(line, 11) for line in drawn.split("\n")])
