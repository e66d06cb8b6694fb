"""The program under a pilot, with waits that end when something is so instead of after a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from lab.tui.app import LabApp
from lab.tui.widgets.flow import Flow
from tests.tui.conftest import MakeApp
from tests.tui.fake_lab import FakeLab

LONGEST_SECONDS = 20.0
"""How long a busy machine may take for what is waited for."""


class Session:
    """What a test does at the keyboard and sees."""

    def __init__(self, app: LabApp, pilot: Pilot[None], lab: FakeLab) -> None:
        self.app, self.pilot, self.lab = app, pilot, lab

    @property
    def place(self) -> str:
        return getattr(self.app.screen, "PLACE", "")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until it is so, at most some seconds."""
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            await self.pilot.pause()
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"never so: {what}; on {self.place}:\n{self.text()}\n{self.told()}")

    async def at(self, place: str) -> None:
        """Wait until the screen or modal is on top and has read what it shows."""
        await self.until(lambda: self.place == place, f"on {place}")
        if place in ("creation", "settings", "agent", "iteration", "approvals", "compare", "data", "universe", "trade"):
            await self.until(lambda: getattr(self.app.screen, "data", None) is not None, f"{place} has read its data")
        await self.pilot.pause()

    async def open(self, place: str, *args: object) -> None:
        self.app.open(place, *args)
        await self.at(place)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def sees(self, words: str) -> None:
        """Wait until the words are on the screen, line ends aside."""
        await self.until(lambda: " ".join(words.split()) in " ".join(self.text().split()), f"sees {words!r}")

    async def is_told(self, words: str) -> None:
        await self.until(lambda: words in self.told(), f"told {words!r}")

    def flow(self, selector: str) -> str:
        """A block's whole text, scrolled out of sight or not."""
        return "\n".join(line.plain for line, _ in self.app.screen.query_one(selector, Flow)._lines)

    def text(self) -> str:
        """Everything on the screen."""
        return "\n".join("".join(segment.text for segment in strip) for strip in self.app.screen._compositor.render_strips())

    def told(self) -> str:
        """What notices said."""
        return "\n".join(note.message for note in self.app._notifications)


@asynccontextmanager
async def session(make_app: MakeApp, lab: FakeLab, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Session]:
    """The program, opened."""
    app = make_app(lab)
    async with app.run_test(size=size) as pilot:
        opened = Session(app, pilot, lab)
        await opened.until(lambda: opened.place in ("dashboard", "welcome", "tour"), "opened")
        if opened.place == "tour":
            await opened.press("escape")
        yield opened
