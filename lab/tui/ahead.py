"""What the first screen shows, read while this process still loads what draws it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.agents.agent_views import AgentRow
    from lab.agents.service import Lab


@dataclass(frozen=True, slots=True)
class FirstLook:
    theme: str | None
    """The one the person chose last."""
    agents: tuple[AgentRow, ...]


class Ahead:
    """Reads in a thread from the moment it is made."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._look: Future[FirstLook] = Future()
        threading.Thread(target=self._read, name="lab-ahead", daemon=True).start()

    def wait(self) -> FirstLook:
        """Raises what reading raised."""
        return self._look.result()

    def _read(self) -> None:
        try:
            self._look.set_result(FirstLook(self.lab.preference("theme"), tuple(self.lab.standing())))
        except BaseException as error:
            self._look.set_exception(error)
