"""Leaving the program: what is written is asked about, and what becomes of iterations that run: handed over, waited for, or stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from lab.agents.agent_views import AgentRow
from lab.errors import LabError
from lab.tui.actions import BACK
from lab.tui.progress import Doing, Progress
from lab.tui.screen import LabModal, LabScreen
from lab.tui.text import clean, plural
from lab.tui.widgets.bars import under_way
from lab.tui.widgets.working import Working
from lab.work.launch import let_worker_end

if TYPE_CHECKING:
    from lab.tui.app import LabApp

WAYS = {
    "h": ("Hand over", "they go on in the background, here at the next start"),
    "w": ("Wait", "leave when they have ended"),
    "s": ("Stop", "end them for good; what they computed can be read"),
}
LOOK_SECONDS = 1.0


def leave(app: LabApp) -> None:
    """End the program, after asking where something would be lost or is under way. Opens its questions at once."""
    if any(screen.holds_work for screen in app.screen_stack if isinstance(screen, LabScreen)):
        question = "What you wrote here is not saved. Leave all the same?"
        app.push_screen(app.make("confirm", question, "Leave", "Stay"), lambda yes: _leave_iterations(app) if yes else None)
    else:
        _leave_iterations(app)


def _leave_iterations(app: LabApp) -> None:
    if app.state is None and app.is_open:
        app.run_worker(_leave_unread(app), group="leave", exclusive=True)
    else:
        _leave_so_many(app, app.state.unfinished_iterations if app.state else 0)


async def _leave_unread(app: LabApp) -> None:
    """Leave before the workspace's state was read for the first time: what runs is asked for."""
    try:
        running = sum(agent.running_iteration_id is not None for agent in await asyncio.to_thread(app.lab.standing))
    except LabError:
        running = 0
    _leave_so_many(app, running)


def _leave_so_many(app: LabApp, running: int) -> None:
    if not running:
        _exit(app)
        return
    words = under_way(app.state) if app.state else plural(running, "iteration") + " running"
    question = f"{words[0].upper()}{words[1:]}. What shall become of {'it' if running == 1 else 'them'}?"
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "h": partial(_hand_over, app),
        "w": partial(_wait, app),
        "s": partial(_stop, app),
    }

    def answered(letter: str | None) -> None:
        if letter is not None:
            app.run_worker(ways[letter](), group="leave")

    app.push_screen(app.make("letters", question, WAYS), answered)


def _exit(app: LabApp) -> None:
    """End the program; its worker does what is left to do, and need not wait for more after that."""
    let_worker_end(app.home)
    app.exit()


async def _hand_over(app: LabApp) -> None:
    await app.ensure_worker()
    _exit(app)


async def _wait(app: LabApp) -> None:
    await app.ensure_worker()
    app.push_screen(app.make("waiting"), lambda ended: _exit(app) if ended else None)


async def _stop(app: LabApp) -> None:
    def stop() -> None:
        for agent in app.lab.standing():
            if agent.running_iteration_id is not None:
                app.lab.cancel_iteration(agent.running_iteration_id)

    try:
        await asyncio.to_thread(stop)
    except LabError as error:
        app.notify(clean(str(error)), severity="error", markup=False)
        return
    _exit(app)


class Waiting(LabModal[bool]):
    """Looks how far the iterations are, once a second; True when all have ended. Escape goes on in the program instead."""

    PLACE = "waiting"
    ACTIONS = (BACK,)

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress()
        self._shares: dict[int, float] = {}
        """Of each agent's iteration that was seen running."""

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Working()

    def on_mount(self) -> None:
        self.query_one(Working).begin("Leaving when the iterations have ended", "esc stays instead; they run on either way.", self._doing)
        self.set_interval(LOOK_SECONDS, self._look)
        self.call_later(self._look)

    async def _look(self) -> None:
        try:
            running = [agent for agent in await asyncio.to_thread(self.lab.standing) if agent.running_iteration_id is not None]
        except LabError as error:
            self.tell(str(error), error=True)
            return
        if running:
            self._note(running)
        elif self.is_current:
            self.dismiss(True)

    def _note(self, running: list[AgentRow]) -> None:
        self._shares = {**dict.fromkeys(self._shares, 1.0), **{agent.id: agent.progress for agent in running}}
        first = running[0]
        others = f" and {len(running) - 1} more" if len(running) > 1 else ""
        self._progress.report(sum(self._shares.values()) / len(self._shares), f"{first.name}: {first.step}{others}")

    def _doing(self) -> Doing:
        return self._progress.doing()

    def action_back(self) -> None:
        self.dismiss(False)
