"""News from Polygon: the articles about a ticker, oldest first, page by page, with the vendor's sentiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lab.market.errors import MarketError
from lab.market.news import NewsItem, Sentiment
from lab.market.polygon.line import PolygonLine, Tick
from lab.market.polygon.pages import Listing, read_pages
from lab.market.writing import check_ticker

SOURCE = "polygon"
_LIMIT = 1000
_LONGEST_TITLE, _LONGEST_NAME, _LONGEST_URL, _MOST_TICKERS = 500, 100, 2_000, 200


@dataclass(frozen=True, slots=True)
class NewsPage:
    items: tuple[NewsItem, ...]
    """In order of publication."""
    reached_at: datetime
    """All articles published before this moment have come."""
    last: bool


def news_pages(line: PolygonLine, ticker: str, since: datetime, until: datetime, tick: Tick) -> Iterator[NewsPage]:
    """The articles about `ticker` published from `since` until before `until` (aware UTC), page by page, oldest first.

    An article may name other tickers too and come again with them: its `source_id` is the same. Raises PolygonError, BrokenPage
    for a page with an article that lacks its id, time, title or tickers, or that is not in order.
    """

    def ask(client: Any) -> Any:
        return client.list_ticker_news(
            ticker=ticker,
            published_utc_gte=f"{since:%Y-%m-%dT%H:%M:%SZ}",
            published_utc_lt=f"{until:%Y-%m-%dT%H:%M:%SZ}",
            sort="published_utc",
            order="asc",
            limit=_LIMIT,
            raw=True,
        )

    listing = Listing(f"the news of {ticker}", ("/v2/reference/news",), "The plan of this key does not include news.", "articles")
    reached, seen = since.replace(microsecond=0), set[str]()
    for page in read_pages(line, listing, ask, lambda number: tick):
        items = []
        for entry in page.results:
            try:
                item = _item(entry)
            except (KeyError, TypeError, ValueError, OverflowError):
                raise listing.broken(line, "an article lacks its id, its time, its title or its tickers") from None
            if item.published_at < reached:
                raise listing.broken(line, "its articles are not in order of time")
            if item.published_at >= until:
                raise listing.broken(line, f"it has an article later than {until:%Y-%m-%d %H:%M} UTC")
            reached = item.published_at
            if item.source_id not in seen:
                seen.add(item.source_id)
                items.append(item)
        yield NewsPage(tuple(items), until if page.last else reached, page.last)


def _item(entry: Any) -> NewsItem:
    at = datetime.fromisoformat(entry["published_utc"])
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    tickers = tuple(dict.fromkeys(name for name in entry["tickers"] if _is_ticker(name)))[:_MOST_TICKERS]
    publisher = entry.get("publisher")
    return NewsItem(
        source=SOURCE,
        source_id=_required(entry["id"]),
        published_at=at.astimezone(UTC),
        tickers=tickers,
        title=_line(_required(entry["title"]), _LONGEST_TITLE),
        publisher=_line(publisher.get("name"), _LONGEST_NAME) if isinstance(publisher, dict) else "",
        url=_url(entry.get("article_url")),
        sentiments=_sentiments(entry.get("insights"), tickers),
    )


def _sentiments(insights: Any, tickers: tuple[str, ...]) -> tuple[tuple[str, Sentiment], ...]:
    found: dict[str, Sentiment] = {}
    for insight in insights if isinstance(insights, list) else []:
        if isinstance(insight, dict) and insight.get("ticker") in tickers and insight.get("sentiment") in set(Sentiment):
            found[insight["ticker"]] = Sentiment(insight["sentiment"])
    return tuple(found.items())


def _required(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 10_000:
        raise ValueError(value)
    return value.strip()


def _is_ticker(name: Any) -> bool:
    try:
        check_ticker(name)
    except (MarketError, TypeError):
        return False
    return True


def _line(text: Any, most: int) -> str:
    """Foreign text as one printable line."""
    plain = "".join(char if char.isprintable() else " " for char in text) if isinstance(text, str) else ""
    return " ".join(plain.split())[:most]


def _url(text: Any) -> str:
    if not isinstance(text, str) or len(text) > _LONGEST_URL or not text.isprintable() or " " in text:
        return ""
    try:
        return text if urlsplit(text).scheme in ("http", "https") else ""
    except ValueError:
        return ""
