"""Something that happened in a workspace, as a screen shows it; free of database imports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    agent: str
    """Its name; "agent 7 (deleted)" for one that is gone."""
    what: str
    """"agent", "iteration", "decision", "study", "vault", "graduation" or "model"."""
    words: str
    """A sentence or less; parts of it may come from a model or a person."""
    trouble: bool = False
    iteration_id: int | None = None
    undo_id: int | None = None
    """The proposal that a rule applied and that a person may take back."""
