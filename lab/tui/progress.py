"""Progress of long work in a thread: the thread reports, the screen looks a few times a second."""

from __future__ import annotations

from lab.errors import LabError


class Stopped(LabError):
    """The person left while the work was under way."""


class Progress:
    """Pass `report` as the `progress` argument; read `fraction` and `note` from a timer of the screen."""

    def __init__(self) -> None:
        self.fraction = 0.0
        self.note = ""
        self._stopped = False

    def report(self, fraction: float, note: str) -> None:
        """Called in the working thread. Raises Stopped once `stop` was called, which ends the work there."""
        if self._stopped:
            raise Stopped("Stopped.")
        self.fraction, self.note = fraction, note

    def stop(self) -> None:
        self._stopped = True
