"""What a person would see, and waiting for it: a fixed pause is too short on a busy machine and too long on a fast one."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot


def on_screen(pilot: Pilot[None]) -> str:
    """The whole screen as text."""
    return "\n".join("".join(segment.text for segment in strip) for strip in pilot.app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], what: str | Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until these words are on the screen (line ends aside), or until the condition holds."""
    end = time.monotonic() + seconds
    while not (what in " ".join(on_screen(pilot).split()) if isinstance(what, str) else what()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what!r}; the screen shows:\n{on_screen(pilot)}")
        await pilot.pause(0.02)


def said(pilot: Pilot[None]) -> list[str]:
    """The notices in the corner."""
    return [str(notice.message) for notice in pilot.app._notifications]
