"""How an agent learns by itself, as screens and commands set it; free of database imports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Refinements(StrEnum):
    """Who decides on refinements while an agent learns by itself."""

    WAIT = "wait"
    """The person."""
    APPLY_BETTER = "apply better"
    """Those measured as better on unseen sessions, whose deflated Sharpe ratio does not fall, are applied; others discarded."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an agent learns by itself. At least one of the three ends is set."""

    refinements: Refinements = Refinements.WAIT
    max_iterations: int | None = None
    max_micros: int | None = None
    """What its model calls may cost from the setting of the rule on."""
    patience: int | None = 3
    """It ends after so many iterations in a row without evidence of progress."""
    after_number: int = 0
    """Iterations up to this number were before the rule."""
    stopped: str = ""
    """Why it has ended, in a sentence; empty while it holds."""
