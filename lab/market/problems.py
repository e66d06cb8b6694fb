"""What can be wrong with bars, as the quality report names it: kind, sentence, what was done, how many bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ProblemKind(StrEnum):
    UNREADABLE_PRICE = "unreadable price"
    BAD_PRICE = "zero or negative price"
    DUPLICATE = "duplicate"
    BAD_OHLC = "bad OHLC"
    BAD_PRINT = "bad print"
    FAR_PRICE = "price far from its neighbours"
    NO_VOLUME = "no volume"
    OFF_GRID = "off-grid time"
    STALE = "stale stretch"
    WRONG_ZONE = "wrong zone"
    OUTSIDE_HOURS = "outside regular hours"
    NO_SESSION = "not a session"
    NO_BARS = "no bars"
    JOINED = "joined with other bars"
    EARLIER = "found earlier"
    MISSING_SESSIONS = "missing sessions"
    MISSING_BARS = "missing bars"
    SPLIT = "unadjusted split"


class Done(StrEnum):
    """What was done about a problem."""

    LEFT_OUT = "left out"
    PUT_RIGHT = "put right"
    ADJUSTED = "adjusted"
    KEPT = "kept"
    NOT_FILLED = "not filled"
    NOTHING = "told"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found in a ticker's bars, with what was done about it."""

    kind: ProblemKind
    sentence: str
    done: Done = Done.NOTHING
    count: int = 0
    """Bars it concerns (sessions for missing sessions); 0 where that says nothing."""

    def __str__(self) -> str:
        return self.sentence


def as_problems(found: Iterable[Problem | str]) -> tuple[Problem, ...]:
    """Sentences as problems of an earlier finding; problems as they are."""
    return tuple(one if isinstance(one, Problem) else Problem(ProblemKind.EARLIER, one) for one in found)


def once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems without repeated sentences, in their order."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.sentence, problem)
    return tuple(first.values())
