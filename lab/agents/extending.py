"""Universes grow with their bars: sessions that came after a universe's last one join its vault, and nothing else of it moves.

The learning span stays what it was, so that no session leaves the vault and none that was seen enters it. A universe is left alone
where another one learns from the new sessions already, or while its vault is being opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from lab.agents.errors import BadUniverse
from lab.agents.gaps import covered, find_gaps, new_york_day
from lab.store.models import Universe
from lab.store.proof_models import ProofRun, ProofState, VaultOpening

if TYPE_CHECKING:
    from lab.market import BarsCache

_AT_WORK = (ProofState.QUEUED, ProofState.RUNNING)


def extend_after_update(session: Session, cache: BarsCache, ended: Mapping[str, date]) -> list[str]:
    """Extend the universes of real bars that ended where the bars of a ticker did before an update; what is said of each.

    `ended` is the last cached session of each updated ticker before. A universe that was made to end earlier is left as it is.
    """
    said = []
    for universe in session.exec(select(Universe).where(col(Universe.synthetic).is_(False)).order_by(col(Universe.id))).all():
        if any(ended.get(ticker) == universe.last_session for ticker in universe.tickers):
            try:
                if gained := extend_universe(session, universe, cache):
                    count = "1 more session" if gained == 1 else f"{gained} more sessions"
                    said.append(f"{universe.name} now ends on {universe.last_session}: its vault has {count}.")
            except BadUniverse as error:
                said.append(str(error))
    return said


def extend_universe(session: Session, universe: Universe, cache: BarsCache) -> int:
    """Let a universe end where the bars of its tickers do; the number of sessions its vault gains, 0 where there are none.

    Raises BadUniverse with the field "span" where that can't be done.
    """
    from lab.market import trading_sessions

    ends = [new_york_day(found.last_at) for one in universe.tickers if (found := covered(cache, one, universe.timeframe)) is not None]
    # A ticker that is traded no more holds nobody back; one whose bars are still to come does.
    going_on = [end for end in ends if end > universe.last_session]
    if not going_on:
        return 0
    last = min([*going_on, *(end for end in ends if end == universe.last_session)])
    new: list[date] = [day for day in trading_sessions(universe.last_session, last)["session"].to_list() if day > universe.last_session]
    if not new:
        return 0
    opening = (
        select(ProofRun.id)
        .join(VaultOpening, col(VaultOpening.id) == ProofRun.opening_id)
        .where(VaultOpening.universe_id == universe.id, col(ProofRun.state).in_(_AT_WORK))
    )
    if session.exec(opening).first() is not None:
        raise BadUniverse("span", f"{universe.name} still ends on {universe.last_session}: its vault is being opened.")
    for other in session.exec(select(Universe).where(Universe.synthetic == universe.synthetic)).all():
        learns = other.first_session <= new[-1] and other.learning_until >= new[0]
        if other.id != universe.id and learns and set(other.tickers) & set(universe.tickers):
            raise BadUniverse(
                "span",
                f"{universe.name} still ends on {universe.last_session}: {other.name!r} learns from later bars of its tickers, "
                "which can't become its vault.",
            )
    universe.last_session = new[-1]
    session.add(universe)
    find_gaps(session, universe, cache)
    return len(new)
