"""What a person can look up at Polygon: tickers by name, and whether the market is open. Of it names of companies are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlmodel import col, select

from lab.store.database import Store
from lab.store.models import CompanyName, Universe
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from lab.market.polygon.reference import ListedTicker, MarketStatus


def look_up(
    workspace: Workspace, key: SecretStr, base_url: str, calls_per_minute: int, words: str, most: int = 50
) -> tuple[ListedTicker, ...]:
    """US stocks and funds whose symbol or name holds the words. Raises PolygonError. Its calls count with those of fetches."""
    from lab.agents.fetch_run import Wire
    from lab.market.polygon.reference import search_tickers

    line = Wire(key, base_url).line(workspace, calls_per_minute)
    return search_tickers(line, words, lambda waiting: None, most=most)


def name_tickers(workspace: Workspace, store: Store, key: SecretStr, base_url: str, calls_per_minute: int) -> tuple[int, tuple[str, ...]]:
    """Ask, one by one, what the companies behind the tickers of all universes are called, where that is not known yet.

    Returns how many were found, and the tickers that Polygon does not list. Raises PolygonError; what came before it is kept.
    """
    from lab.agents.fetch_run import Wire
    from lab.market.polygon.reference import search_tickers

    with store.read() as session:
        known = set(session.exec(select(CompanyName.ticker)))
        real = session.exec(select(Universe.tickers).where(col(Universe.synthetic).is_(False)))
        wanted = sorted({ticker for tickers in real for ticker in tickers} - known)
    line, unlisted = Wire(key, base_url).line(workspace, calls_per_minute), []
    for ticker in wanted:
        found = search_tickers(line, "", lambda waiting: None, most=1, symbol=ticker)
        keep_names(store, found)
        if not found:
            unlisted.append(ticker)
    return len(wanted) - len(unlisted), tuple(unlisted)


def keep_names(store: Store, found: Iterable[ListedTicker]) -> None:
    """Keep what the companies are called, so that blind mode hides it."""
    with store.write() as session:
        for one in found:
            if one.name:
                session.merge(CompanyName(ticker=one.ticker, name=one.name[:300]))


def market_now(workspace: Workspace, key: SecretStr, base_url: str, calls_per_minute: int) -> MarketStatus:
    """Whether the market is open. Raises PolygonError. Its call counts with those of fetches."""
    from lab.agents.fetch_run import Wire
    from lab.market.polygon.reference import market_status

    return market_status(Wire(key, base_url).line(workspace, calls_per_minute), lambda waiting: None)
