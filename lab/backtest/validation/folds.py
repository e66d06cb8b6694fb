"""Walk-forward folds: a stretch to choose on, a gap, and the later stretch on which the choice is judged.

Purged and embargoed by the longest holding time (López de Prado 2018, chapter 7): the last sessions of what is chosen on are left
out as far as a position opened in them could still be open when judging begins, and the first sessions that are judged are left
out as far as they could still hold a position opened before. Where nothing is held over a night there is no gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lab.backtest.errors import BacktestError

LEAST_CHOSEN_ON = 20
LEAST_JUDGED = 5
"""Sessions; with fewer a fold says nothing."""


class Scheme(StrEnum):
    """How the part that is chosen on moves."""

    ANCHORED = "anchored"
    """It always begins with the first session, and grows."""
    ROLLING = "rolling"
    """It keeps its length and moves on."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Half-open ranges of session numbers."""

    number: int
    """From 1."""
    chosen_from: int
    chosen_to: int
    judged_from: int
    judged_to: int


def walk_forward_folds(sessions: int, folds: int, scheme: Scheme, holding_sessions: int) -> tuple[Fold, ...]:
    """`folds` folds over `sessions` sessions in order of time; together they judge all but the first stretch, without overlap.

    The sessions are cut into folds + 1 equal stretches; `holding_sessions` is the longest time a position is held, counted in
    closes of sessions it is open over. Raises BacktestError where that leaves fewer than 20 sessions to choose on or 5 to judge.
    """
    if folds < 1:
        raise BacktestError(f"{folds} folds can't be walked; ask for 1 or more.")
    stretch = sessions / (folds + 1)
    found = []
    for number in range(1, folds + 1):
        start, end = round(stretch * number), round(stretch * (number + 1))
        chosen_to = start - holding_sessions
        chosen_from = 0 if scheme is Scheme.ANCHORED else start - round(stretch)
        judged_from = start + holding_sessions
        if chosen_to - chosen_from < LEAST_CHOSEN_ON or end - judged_from < LEAST_JUDGED:
            held = f" with positions held over up to {holding_sessions} nights" if holding_sessions else ""
            raise BacktestError(
                f"{sessions} sessions can't be cut into {folds} folds{held}: each needs {LEAST_CHOSEN_ON} sessions to choose on and "
                f"{LEAST_JUDGED} to be judged on. Ask for fewer folds, or give more history."
            )
        found.append(Fold(number, chosen_from, chosen_to, judged_from, end))
    return tuple(found)


def most_folds(sessions: int, folds: int, holding_sessions: int) -> int:
    """The largest number of rolling folds up to `folds` that so many sessions allow; 0 where there is none."""
    for number in range(folds, 0, -1):
        try:
            walk_forward_folds(sessions, number, Scheme.ROLLING, holding_sessions)
        except BacktestError:
            continue
        return number
    return 0
