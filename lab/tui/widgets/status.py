"""An iteration's status as a sign and words."""

from __future__ import annotations

from lab.tui.text import Tone, clean
from lab.tui.widgets.line_table import Cell

STEP_NAMES = ("generate", "scan", "enrich", "backtest", "analyse", "propose")
UNFINISHED = frozenset(("queued", *STEP_NAMES))
"""Statuses in which the worker still has something to do."""

_SIGNS: dict[str, tuple[str, Tone]] = {
    "queued": ("◌", Tone.MUTED),
    "paused": ("◌", Tone.WARN),
    "awaiting approval": ("◆", Tone.WARN),
    "applied": ("✓", Tone.GOOD),
    "edited": ("✓", Tone.GOOD),
    "discarded": ("–", Tone.MUTED),
    "no proposal": ("–", Tone.MUTED),
    "failed": ("✗", Tone.BAD),
    "cancelled": ("–", Tone.MUTED),
}


def status_words(status: str) -> tuple[str, Tone]:
    """Such as "◆ awaiting approval"; a step that runs now is "▸ backtest"."""
    sign, tone = _SIGNS.get(status, ("▸", Tone.ACCENT) if status in STEP_NAMES else ("·", Tone.PLAIN))
    return f"{sign} {clean(status)}", tone


def status_cell(status: str) -> Cell:
    """The same for a table."""
    words, tone = status_words(status)
    return Cell(words, tone)
