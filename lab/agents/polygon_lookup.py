"""What a person can look up at Polygon without keeping it: tickers by name, and whether the market is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

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


def market_now(workspace: Workspace, key: SecretStr, base_url: str, calls_per_minute: int) -> MarketStatus:
    """Whether the market is open. Raises PolygonError. Its call counts with those of fetches."""
    from lab.agents.fetch_run import Wire
    from lab.market.polygon.reference import market_status

    return market_status(Wire(key, base_url).line(workspace, calls_per_minute), lambda waiting: None)
