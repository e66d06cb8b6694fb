"""Splits and dividends from Polygon: of one ticker, or of all at once, over a span of dates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from lab.market.polygon.line import Ask, PolygonLine, Tick
from lab.market.polygon.pages import Listing, read_pages
from lab.market.splits import Split

_LIMIT = 1000
_LARGEST_RATIO = 9_999.0

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ListedSplit:
    ticker: str
    split: Split


@dataclass(frozen=True, slots=True)
class Dividend:
    ticker: str
    session: date
    """The ex-date: who buys from this session on does not receive it."""
    cash_amount: float
    """Of one share, in `currency`."""
    currency: str
    kind: str
    """"CD" regular, "SC" special, "LT" and "ST" capital gains."""


def fetch_splits(line: PolygonLine, ticker: str, first: date, last: date, tick: Tick) -> tuple[ListedSplit, ...]:
    """The splits with an execution date from `first` to `last`, of one ticker or, where it is "", of all; oldest first.

    Where the vendor lists two ratios for one ticker and day, the later one stands. Raises PolygonError.
    """

    def ask(client: Any) -> Any:
        span = {"execution_date_gte": first, "execution_date_lte": last}
        return client.list_splits(ticker=ticker or None, **span, sort="execution_date", order="asc", limit=_LIMIT, raw=True)

    listing = Listing(f"the splits of {ticker or 'all tickers'}", ("/v3/reference/splits", "/v3/splits"), items="splits")
    found = _listed(line, listing, ask, tick, _split, ticker, first, last)
    by_day = {(one.ticker, one.split.session): one for one in found}
    return tuple(sorted(by_day.values(), key=lambda one: (one.split.session, one.ticker)))


def fetch_dividends(line: PolygonLine, ticker: str, first: date, last: date, tick: Tick) -> tuple[Dividend, ...]:
    """The dividends of a ticker with an ex-date from `first` to `last`, oldest first. Raises PolygonError."""

    def ask(client: Any) -> Any:
        span = {"ex_dividend_date_gte": first, "ex_dividend_date_lte": last}
        return client.list_dividends(ticker=ticker, **span, sort="ex_dividend_date", order="asc", limit=_LIMIT, raw=True)

    listing = Listing(f"the dividends of {ticker}", ("/v3/reference/dividends", "/v3/dividends"), items="dividends")
    found = _listed(line, listing, ask, tick, _dividend, ticker, first, last)
    return tuple(sorted(found, key=lambda one: (one.session, one.kind)))


def _listed(
    line: PolygonLine,
    listing: Listing,
    ask: Ask,
    tick: Tick,
    read: Callable[[Any], tuple[str, date, Row]],
    ticker: str,
    first: date,
    last: date,
) -> list[Row]:
    found: list[Row] = []
    for page in read_pages(line, listing, ask, lambda number: tick):
        for entry in page.results:
            try:
                whose, session, row = read(entry)
            except (KeyError, TypeError, ValueError, OverflowError):
                raise listing.broken(line, "an entry lacks its date or its amount, or one is none") from None
            if ticker and whose != ticker:
                raise listing.broken(line, f"it holds an entry of {line.readable(whose)}")
            if not first <= session <= last:
                raise listing.broken(line, f"it has entries outside {first} to {last}")
            found.append(row)
    return found


def _split(entry: Any) -> tuple[str, date, ListedSplit]:
    new, old = _positive(entry["split_to"]), _positive(entry["split_from"])
    ratio = new / old
    if not 1 / _LARGEST_RATIO <= ratio <= _LARGEST_RATIO:
        raise ValueError(ratio)
    ticker, session = str(entry["ticker"]), date.fromisoformat(entry["execution_date"])
    return ticker, session, ListedSplit(ticker, Split(session, ratio))


def _dividend(entry: Any) -> tuple[str, date, Dividend]:
    ticker, session = str(entry["ticker"]), date.fromisoformat(entry["ex_dividend_date"])
    currency = str(entry.get("currency") or "USD")[:8]
    return ticker, session, Dividend(ticker, session, _positive(entry["cash_amount"]), currency, str(entry.get("dividend_type") or "")[:8])


def _positive(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value < 1e12:
        raise ValueError(value)
    return float(value)
