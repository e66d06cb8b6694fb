"""What Polygon knows of tickers and of the market's state: looked up, not kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.market.polygon.line import PolygonLine, Tick
from lab.market.polygon.pages import Listing, read_pages


@dataclass(frozen=True, slots=True)
class ListedTicker:
    ticker: str
    name: str
    market: str
    """ "stocks", "indices", "otc"…"""
    kind: str
    """The vendor's code: "CS" common stock, "ETF", "ADRC"…"""
    exchange: str
    """Its market identifier code, such as "XNAS"; empty where it has none."""
    active: bool
    """False where it is no longer traded."""


@dataclass(frozen=True, slots=True)
class MarketStatus:
    market: str
    """ "open", "closed" or "extended-hours"."""
    exchanges: tuple[tuple[str, str], ...]
    """(exchange, its state)."""
    at: datetime
    """When the vendor's server said so, aware UTC."""


def search_tickers(
    line: PolygonLine, words: str, tick: Tick, market: str = "stocks", active: bool = True, most: int = 100, symbol: str = ""
) -> tuple[ListedTicker, ...]:
    """Tickers whose symbol or company name holds the words, at most `most`; all of the market where there are none.

    With a `symbol`, only that ticker.

    Raises PolygonError. Fetches no more pages than are needed.
    """

    def ask(client: Any) -> Any:
        return client.list_tickers(
            ticker=symbol or None,
            search=words or None,
            market=market,
            active=active,
            limit=min(most, 1000),
            sort=None if words else "ticker",
            raw=True,
        )

    listing = Listing("the list of tickers", ("/v3/reference/tickers",), "The plan of this key does not include this list.", "tickers")
    found: dict[str, ListedTicker] = {}
    for page in read_pages(line, listing, ask, lambda number: tick):
        for entry in page.results:
            try:
                one = ListedTicker(
                    ticker=line.readable(entry["ticker"]),
                    name=line.readable(str(entry.get("name") or "")),
                    market=line.readable(str(entry.get("market") or "")),
                    kind=line.readable(str(entry.get("type") or "")),
                    exchange=line.readable(str(entry.get("primary_exchange") or "")),
                    active=entry.get("active") is not False,
                )
            except (KeyError, TypeError, AttributeError):
                raise listing.broken(line, "an entry has no ticker") from None
            if one.ticker in found:
                raise listing.broken(line, f"it lists {one.ticker} twice")
            found[one.ticker] = one
        if len(found) >= most:
            break
    return tuple(found.values())[:most]


def market_status(line: PolygonLine, tick: Tick) -> MarketStatus:
    """Whether the market is open now. Raises PolygonError."""
    document = line.ask(lambda client: client.get_market_status(raw=True), tick)
    listing = Listing("the market's state", ())
    try:
        at = datetime.fromisoformat(document["serverTime"])
        exchanges = tuple((line.readable(str(name)), line.readable(str(state))) for name, state in document["exchanges"].items())
        market = document["market"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise listing.broken(line, "it lacks the state or its time") from None
    if market not in ("open", "closed", "extended-hours") or at.tzinfo is None:
        raise listing.broken(line, "its state is none that is known")
    return MarketStatus(market, exchanges, at.astimezone(UTC))
