"""The six steps of an iteration: done, running with its progress, or still to come."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from lab.agents.views import StepView
from lab.tui.text import bar, clean, duration

_MARKS = {
    "done": ("✓", "$text-success"),
    "running": ("▸", "bold $text-accent"),
    "failed": ("✗", "$text-error"),
    "waiting": ("·", "$text-muted"),
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
            parts.append((f"  {duration(step.seconds):>11}", "$text-muted"))
            if step.note:
                parts.append((f"  {clean(step.note)}", "$text-muted"))
        rows.append(Content.assemble(*parts))
    return Content("\n").join(rows)


def steps_in_line(steps: Sequence[StepView]) -> Content:
    """All steps on one line, for a finished iteration: `✓ generate 0.1 s  ✓ scan 1.2 s …`."""
    parts: list[tuple[str, str]] = []
    for step in steps:
        mark, style = _MARKS[step.state]
        parts.append((f"{mark} {step.step}", style))
        parts.append((f" {duration(step.seconds)}  " if step.seconds is not None else "  ", "$text-muted"))
    return Content.assemble(*parts).rstrip()


class StepsPanel(Static):
    """The steps of one iteration, whole while it runs and on one line afterwards."""

    def show(self, steps: Sequence[StepView], progress: float, note: str, *, unfinished: bool, failed: bool = False) -> None:
        if unfinished or failed:
            self.update(steps_in_full(steps, progress, note, failed))
        else:
            self.update(steps_in_line(steps))
