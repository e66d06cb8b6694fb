"""Waiting until the program has nothing left to do, instead of until the processor was quiet for a while as Textual's pilot does."""

from __future__ import annotations

import asyncio
import time
from asyncio import AbstractEventLoop, BaseEventLoop, Future
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import textual.app
import textual.pilot
from textual._context import active_app

QUIET_SECONDS = 0.02
LONGEST_SECONDS = 1.0

_in_threads: WeakKeyDictionary[AbstractEventLoop, int] = WeakKeyDictionary()


def _run_in_executor(loop: BaseEventLoop, executor: Any, func: Callable[..., Any], *args: Any) -> Future[Any]:
    """As asyncio's own, but counted until what it gives is known to the loop."""

    def over(future: Future[Any]) -> None:
        _in_threads[loop] -= 1

    _in_threads[loop] = _in_threads.get(loop, 0) + 1
    given: Future[Any] = _as_ever(loop, executor, func, *args)
    given.add_done_callback(over)
    return given


_as_ever = BaseEventLoop.run_in_executor


def _at_once() -> bool:
    """Do now what waits for the next frame: a new size, or something to be drawn; whether there was anything."""
    app = active_app.get()
    if app._resize_timer is not None:
        app._check_resize()
    elif app._screen_stack and app.screen._update_timer._active.is_set():
        app.screen._on_timer_update()
    else:
        return False
    return True


async def settled(min_sleep: float = 0.0, max_sleep: float = LONGEST_SECONDS) -> None:
    """Wait until no task can go on, nothing waits to be drawn, and no thread is at work, unless it only waits for something itself."""
    del min_sleep
    loop: Any = asyncio.get_running_loop()
    end = time.monotonic() + max_sleep
    pause = QUIET_SECONDS / 32
    empty = 0
    while time.monotonic() < end:
        await asyncio.sleep(0)
        if loop._ready or _at_once():
            empty = 0
        elif _in_threads.get(loop, 0):
            empty = 0
            busy = time.process_time()
            await asyncio.sleep(pause)
            if pause == QUIET_SECONDS and time.process_time() - busy < QUIET_SECONDS / 20:
                return
            pause = min(2 * pause, QUIET_SECONDS)
        elif (empty := empty + 1) == 2:
            return


@pytest.fixture(autouse=True)
def settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and pauses of a pilot end when the program has settled."""
    monkeypatch.setattr(BaseEventLoop, "run_in_executor", _run_in_executor)
    monkeypatch.setattr(textual.app, "wait_for_idle", settled)
    monkeypatch.setattr(textual.pilot, "wait_for_idle", settled)
