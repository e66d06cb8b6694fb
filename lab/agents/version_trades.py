"""The trades of two versions of a strategy beside each other: which appeared, which vanished, which ended otherwise.

A trade is the same where ticker, direction and the moment of entry are: what a change of the scan adds or takes away shows as trades
that appear or vanish, what a change of the exits does as trades that end otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lab.agents.views import TradeRow

if TYPE_CHECKING:
    from sqlmodel import Session


class Became(StrEnum):
    """What became of a trade from the first version to the second."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    ENDED_OTHERWISE = "ended otherwise"


@dataclass(frozen=True, slots=True)
class ChangedTrade:
    became: Became
    trade: TradeRow
    """Of the second version, but for one that vanished."""
    before: TradeRow | None
    """Of the first version, for one that ended otherwise."""
    iteration_id: int
    """That measured `trade`."""
    place: int
    """Of `trade` among that iteration's, in order of entry, from 0."""


@dataclass(frozen=True, slots=True)
class TradesCompared:
    changed: tuple[ChangedTrade, ...]
    """In order of entry."""
    same: int
    """Trades that both versions made, to the same end."""
    same_pnl: tuple[float, float] = (0.0, 0.0)
    """What those made in the first version and in the second, in dollars: the account may have sized them otherwise."""
    missing: str = ""
    """Why nothing can be compared, a sentence; else empty."""
    note: str = ""
    """What the comparison suffers from, a sentence; else empty."""

    def of(self, became: Became) -> tuple[ChangedTrade, ...]:
        """Those of which this became."""
        return tuple(one for one in self.changed if one.became is became)


def compare_trades(session: Session, results: Path, a_id: int, b_id: int) -> TradesCompared:
    """From version `a_id` to version `b_id`, by the newest result of each. Reads files."""
    from lab.agents.outputs import read_trades
    from lab.agents.queries import newest_measured
    from lab.store.models import AgentStrategy, Universe

    measured = [newest_measured(session, strategy_id) for strategy_id in (a_id, b_id)]
    a, b = measured
    if a is None or b is None or a.id is None or b.id is None:
        names = [session.get_one(AgentStrategy, each).version for each, row in zip((a_id, b_id), measured, strict=True) if row is None]
        return TradesCompared((), 0, missing=f"No trades yet of {' and '.join(names)}: an iteration measures a version once it is current.")
    note = ""
    if a.universe_id != b.universe_id:
        universes = [session.get_one(Universe, row.universe_id).name for row in (a, b)]
        note = f"They were measured on different universes, {universes[0]} and {universes[1]}."
    elif a.data_fingerprint != b.data_fingerprint:
        note = "The bars changed between the two measurements."
    return between(a.id, read_trades(results, a.id), b.id, read_trades(results, b.id), note)


def between(a_id: int, a: list[TradeRow], b_id: int, b: list[TradeRow], note: str = "") -> TradesCompared:
    """Two iterations' trades, each in order of entry."""
    before = {(trade.ticker, trade.direction, trade.entry_at): (place, trade) for place, trade in enumerate(a)}
    changed: list[ChangedTrade] = []
    same, same_before, same_after = 0, 0.0, 0.0
    for place, trade in enumerate(b):
        known = before.pop((trade.ticker, trade.direction, trade.entry_at), None)
        if known is None:
            changed.append(ChangedTrade(Became.APPEARED, trade, None, b_id, place))
        elif (known[1].exit_at, known[1].exit_price) != (trade.exit_at, trade.exit_price):
            changed.append(ChangedTrade(Became.ENDED_OTHERWISE, trade, known[1], b_id, place))
        else:
            same, same_before, same_after = same + 1, same_before + known[1].pnl, same_after + trade.pnl
    changed += [ChangedTrade(Became.VANISHED, trade, None, a_id, place) for place, trade in before.values()]
    changed.sort(key=lambda one: (one.trade.entry_at, one.trade.ticker, one.became))
    return TradesCompared(tuple(changed), same, (same_before, same_after), note=note)
