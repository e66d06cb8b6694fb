"""The tour of a first start: five steps that can be left at any time; never shown again unless asked for."""

from __future__ import annotations

import asyncio
import contextlib

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from lab.errors import LabError
from lab.tui.actions import (
    APPLY,
    APPROVALS,
    BACK,
    DATA,
    DISCARD,
    EDIT,
    FIND,
    GO,
    HELP,
    ITERATE,
    NEW_AGENT,
    OPEN,
    PALETTE,
    QUIT,
    UNDO,
    Action,
)
from lab.tui.screen import LabModal
from lab.tui.widgets.bars import key_name

SEEN = "tour"
"""The preference that says that the tour was shown."""

STEPS: tuple[tuple[str, str], ...] = (
    (
        "What this is",
        "You run a small firm of trading agents. Each one writes a strategy, tests it on cached bars, explains the result and "
        "proposes a change. You decide; nothing changes without you. What you end with is measured, with an honest word on luck.",
    ),
    (
        "A market to learn on",
        "The demo market is made in seconds and needs no network; its results are labelled SYNTHETIC. Your own bars come from a file or "
        "from Polygon. {data} opens what is cached.",
    ),
    (
        "An agent in plain English",
        "{new_agent} describes one, such as “a conservative VWAP scalper for tech stocks”. What the program reads from your words is "
        "shown and can be changed before the agent is made, and a dry run says how often it would signal.",
    ),
    (
        "It learns in iterations",
        "{iterate} starts one: a strategy, its backtest, an analysis that cites the evidence, a proposal. {open} shows all of it down to "
        "each trade on its chart. Iterations go on when you leave; every figure stands with its uncertainty.",
    ),
    (
        "You decide",
        "{approvals} lists what waits, over all agents: {apply} applies a proposal, {edit} edits it first, {discard} discards it, {undo} "
        "takes that back. Everywhere: {go} and a letter goes to a screen, {find} searches a list, {help} lists the keys, {command_palette} "
        "finds anything by name, {quit} leaves.",
    ),
)
_NAMED = (DATA, NEW_AGENT, ITERATE, OPEN, APPROVALS, APPLY, EDIT, DISCARD, UNDO, GO, FIND, HELP, PALETTE, QUIT)


class Tour(LabModal[None]):
    """One step after the other, forwards and backwards."""

    PLACE = "tour"
    ACTIONS = (
        Action("next_step", "enter,right,l,space", "Next", "Shows the next step; after the last one, leaves."),
        Action("step_before", "left,h,backspace", "Before", "Shows the step before."),
        BACK,
    )
    CSS = """
    Tour #step { min-height: 8; height: auto; margin-top: 1; }
    Tour #foot { color: $foreground-muted; margin-top: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._step = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(id="step")
            yield Static(id="foot")

    def on_mount(self) -> None:
        self._show()
        self.run_worker(self._remember(), group="preference")

    async def _remember(self) -> None:
        # Where it can't be kept, the tour is shown once more: nothing to trouble a person with.
        with contextlib.suppress(LabError):
            await asyncio.to_thread(self.lab.set_preference, SEEN, "seen")

    def _show(self) -> None:
        title, words = STEPS[self._step]
        places = " ".join("●" if place == self._step else "○" for place in range(len(STEPS)))
        self.query_one("#step", Static).update(Content.assemble((title, "bold $text-primary"), "\n\n", self._with_keys(words)))
        last = self._step == len(STEPS) - 1
        keys = f"enter: {'begin' if last else 'next'}    {'←: before    ' if self._step else ''}esc: leave"
        self.query_one("#foot", Static).update(f"{places}  {self._step + 1} of {len(STEPS)}    {keys}")

    def _with_keys(self, words: str) -> Content:
        """The words with the keys as they are set, the person's own among them."""
        own = self.lab_app.own_keys
        parts: list[str | tuple[str, str]] = []
        for piece in words.split("{"):
            name, closed, rest = piece.partition("}")
            action = next((each for each in _NAMED if each.name == name), None) if closed else None
            if action is None:
                parts.append(piece)
            else:
                key = own.get(action.name, action.keys).split(",")[0].strip()
                parts += [(key_name(key), "bold $text-accent"), rest]
        return Content.assemble(*parts)

    def action_next_step(self) -> None:
        if self._step == len(STEPS) - 1:
            self.dismiss(None)
        else:
            self._step += 1
            self._show()

    def action_step_before(self) -> None:
        self._step = max(0, self._step - 1)
        self._show()
