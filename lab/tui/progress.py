"""Progress of long work in a thread: the thread reports, the screen looks a few times a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.errors import LabError

_TOO_SOON_SECONDS = 1.0
_TOO_LITTLE = 0.02


class Stopped(LabError):
    """The person left while the work was under way."""


@dataclass(frozen=True, slots=True)
class Doing:
    """How far some work is at one moment."""

    share: float
    """0 to 1."""
    note: str
    """What is being done now."""
    seconds_left: float | None = None


class Progress:
    """Pass `report` as the `progress` argument; read `doing` from a timer of the screen."""

    def __init__(self) -> None:
        self.fraction = 0.0
        self.note = ""
        self.stopped = False
        self._began = time.monotonic()

    def report(self, fraction: float, note: str) -> None:
        """Called in the working thread. Raises Stopped once `stop` was called, which ends the work there."""
        if self.stopped:
            raise Stopped("Stopped.")
        self.fraction, self.note = fraction, note

    def stop(self) -> None:
        self.stopped = True

    def doing(self) -> Doing:
        """How far it is; the time left by the pace so far, once that says something."""
        if self.stopped:
            return Doing(self.fraction, "stopping…")
        passed = time.monotonic() - self._began
        known = passed >= _TOO_SOON_SECONDS and self.fraction >= _TOO_LITTLE
        return Doing(self.fraction, self.note, passed * (1 - self.fraction) / self.fraction if known else None)
