"""The six steps of an iteration: done, running with its progress, or still to come."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from lab.agents.views import StepView
from lab.tui.text import bar, clean, duration, plural

_MARKS = {
    "done": ("✓", "$text-success"),
    "running": ("▸", "bold $text-accent"),
    "failed": ("✗", "$text-error"),
    "waiting": ("·", "$foreground-muted"),
}
_NAME_WIDTH = max(map(len, ("generate", "scan", "enrich", "backtest", "analyse", "propose")))


def steps_in_full(steps: Sequence[StepView], progress: float, note: str, failed: bool = False) -> Content:
    """A line a step: mark, name, seconds, and the running one's bar with what it is doing."""
    rows: list[Content] = []
    stopped = False
    for step in steps:
        state = step.state
        if failed and state != "done" and not stopped:
            state, stopped = "failed", True
        mark, style = _MARKS[state]
        parts: list[tuple[str, str]] = [(f"{mark} {step.step:<{_NAME_WIDTH}}", style)]
        if state == "running":
            parts.append((f"  {bar(progress, 20)} {progress * 100:3.0f}%", "$text-accent"))
            if note or step.note:
                parts.append((f"  {clean(note or step.note)}", "$text"))
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


class StepsPanel(Static):
    """The steps of one iteration, a line each."""

    def show(self, steps: Sequence[StepView], progress: float, note: str, *, failed: bool = False) -> None:
        """Show these steps; `progress` and `note` are of the running one."""
        self.update(steps_in_full(steps, progress, note, failed))
