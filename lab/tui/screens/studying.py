"""Asking for a study by one letter: shared by the iteration and the agent's way to paper trading."""

from __future__ import annotations

from typing import TypeVar

from lab.tui.screen import LabScreen
from lab.tui.widgets.proof import STUDIES

DataT = TypeVar("DataT")

LETTERS: dict[str, tuple[str, ...]] = {"w": ("walk-forward",), "r": ("robustness",), "n": ("null arm",)} | {"a": tuple(STUDIES)}
CHOICES: dict[str, tuple[str, str]] = {letter: STUDIES[kinds[0]] for letter, kinds in LETTERS.items() if letter != "a"}
CHOICES["a"] = ("All three", "one after the other")


class StudyingScreen(LabScreen[DataT]):
    """A screen with an iteration at hand whose result can be studied."""

    def studied_iteration(self) -> int | None:
        """The iteration that a study is of; None where there is none."""
        raise NotImplementedError

    def action_study(self) -> None:
        self.pose("letters", "Which study? The worker makes it while you go on.", CHOICES, then=self._study)

    async def _study(self, letter: str) -> None:
        iteration_id = self.studied_iteration()
        if iteration_id is None:
            return
        for kind in LETTERS[letter]:
            if not await self.attempt(self.lab.proof.ask, kind, iteration_id):
                return
        await self.lab_app.ensure_worker()
        self.reload()
