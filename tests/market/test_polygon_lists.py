"""Splits, dividends, news, tickers and the market's state from a real HTTP server: the vendor's recorded replies, and broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lab.market import BarsCache
from lab.market.news import NewsItem, Sentiment
from lab.market.polygon.actions import fetch_dividends, fetch_splits
from lab.market.polygon.aggregates import Span, fetch_series
from lab.market.polygon.line import NotInPlan, PolygonError, PolygonLine
from lab.market.polygon.news import news_pages
from lab.market.polygon.reference import market_status, search_tickers
from lab.market.polygon.spool import Spool
from lab.market.polygon.storing import store_bars
from lab.market.splits import Split
from tests.market.polygon_server import KEY, Fault, Polygon, Reply, serving, some_bars

SINCE, UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
LONG_AGO, TODAY = date(2000, 1, 1), date(2026, 1, 1)


def quiet(waiting: str) -> None:
    return None


@pytest.fixture(scope="module")
def server() -> Iterator[Polygon]:
    with serving(Polygon()) as polygon:
        yield polygon


@pytest.fixture
def polygon(server: Polygon) -> Polygon:
    fresh = Polygon(port=server.port)
    for name in ("bars", "splits", "dividends", "news", "tickers", "recorded", "page_size", "faults", "every", "every_path", "any_call"):
        setattr(server, name, getattr(fresh, name))
    server.asked, server.queries, server.times = [], [], []
    return server


@pytest.fixture
def line(polygon: Polygon) -> PolygonLine:
    return PolygonLine(SecretStr(KEY), polygon.url, 0)


@pytest.fixture
def recorded(shared_data: Path) -> Callable[[str], dict[str, Any]]:
    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((shared_data / "polygon_json" / "test_rest" / "mocks" / name).read_text())
        return found

    return read


def article(number: int, at: datetime, *tickers: str, **changes: object) -> dict[str, Any]:
    return {
        "id": f"id{number}",
        "publisher": {"name": "The \x1b[31mPaper"},
        "title": f"Story\n{number}",
        "published_utc": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "article_url": "https://paper.example/1",
        "tickers": list(tickers),
        "insights": [{"ticker": ticker, "sentiment": "negative", "sentiment_reasoning": "…"} for ticker in tickers],
        **changes,
    }


def all_news(line: PolygonLine, ticker: str = "AAPL") -> list[NewsItem]:
    return [item for page in news_pages(line, ticker, SINCE, UNTIL, quiet) for item in page.items]


# The vendor's own replies


def test_recorded_splits_are_read(polygon: Polygon, line: PolygonLine, recorded: Callable[[str], dict[str, Any]]) -> None:
    polygon.recorded["/v3/reference/splits"] = recorded("v3/reference/splits.json")
    found = fetch_splits(line, "", LONG_AGO, TODAY, quiet)
    assert [(one.ticker, one.split.session, one.split.name) for one in found] == [
        ("CIG.C", date(2022, 5, 2), "4:3"),
        ("CM", date(2022, 5, 16), "2:1"),
        ("BRW", date(2022, 5, 20), "1:2"),
        ("AMZN", date(2022, 6, 6), "20:1"),
        ("DXCM", date(2022, 6, 10), "4:1"),
        ("SHOP", date(2022, 6, 22), "10:1"),
        ("SHOP", date(2022, 6, 29), "10:1"),
        ("CTO", date(2022, 7, 1), "3:1"),
        ("GOOG", date(2022, 7, 18), "20:1"),
        ("GOOGL", date(2022, 7, 18), "20:1"),
    ]


def test_recorded_dividends_are_read(polygon: Polygon, line: PolygonLine, recorded: Callable[[str], dict[str, Any]]) -> None:
    polygon.recorded["/v3/reference/dividends"] = reply = recorded("v3/reference/dividends.json")
    with pytest.raises(PolygonError, match="holds an entry of AIRTP"):
        fetch_dividends(line, "CSSEN", LONG_AGO, TODAY, quiet)
    reply["results"] = [one for one in reply["results"] if one["ticker"] == "CSSEN"]
    found = fetch_dividends(line, "CSSEN", LONG_AGO, TODAY, quiet)
    assert [one.session for one in found] == sorted(date.fromisoformat(one["ex_dividend_date"]) for one in reply["results"])
    assert found[-1].cash_amount == 0.59375


def test_recorded_news_are_refused_for_the_count_they_announce_and_else_read(
    polygon: Polygon, line: PolygonLine, recorded: Callable[[str], dict[str, Any]]
) -> None:
    reply = recorded("v2/reference/news&ticker=NFLX.json")
    polygon.recorded["/v2/reference/news"] = reply
    span = (datetime(2022, 4, 1, tzinfo=UTC), datetime(2022, 5, 1, tzinfo=UTC))
    with pytest.raises(PolygonError, match="announces 10 articles and has 1"):
        list(news_pages(line, "NFLX", *span, quiet))
    polygon.recorded["/v2/reference/news"] = {**reply, "count": 1}
    ((item,),) = [page.items for page in news_pages(line, "NFLX", *span, quiet)]
    assert item.tickers == ("MSFT", "TSN", "NFLX", "AMZN")
    assert item.published_at == datetime(2022, 4, 28, 17, 8, tzinfo=UTC)
    assert item.publisher == "MarketWatch"


def test_recorded_tickers_go_over_two_pages(polygon: Polygon, line: PolygonLine, recorded: Callable[[str], dict[str, Any]]) -> None:
    page = recorded("v3/reference/tickers.json")
    cursor = page["next_url"].partition("?")[2]
    following = recorded(f"v3/reference/tickers&{cursor}.json")
    polygon.recorded["/v3/reference/tickers"] = page

    def turn(reply: Reply) -> None:
        asked = polygon.queries[-1]
        reply.document = following if "cursor" in asked else {**page, "next_url": f"{polygon.url}/v3/reference/tickers?{cursor}"}

    polygon.every_path["/v3/reference/tickers"] = turn
    found = search_tickers(line, "a", quiet)
    assert [one.ticker for one in found] == ["A", "AA", "AAA", "AAAU"]
    assert (found[0].name, found[0].kind, found[0].exchange, found[0].active) == ("Agilent Technologies Inc.", "CS", "XNYS", True)


def test_the_recorded_state_of_the_market_is_read(polygon: Polygon, line: PolygonLine, recorded: Callable[[str], dict[str, Any]]) -> None:
    polygon.recorded["/v1/marketstatus/now"] = recorded("v1/marketstatus/now.json")
    status = market_status(line, quiet)
    assert (status.market, status.at) == ("extended-hours", datetime(2022, 4, 28, 20, 48, 8, tzinfo=UTC))
    assert ("nyse", "extended-hours") in status.exchanges


# News


def test_news_come_page_by_page_each_article_once_and_cleaned_of_escapes(polygon: Polygon, line: PolygonLine) -> None:
    polygon.page_size = 7
    polygon.news = [article(number, SINCE + timedelta(hours=number), "AAPL", "X Y") for number in range(20)]
    polygon.news.append(article(99, UNTIL + timedelta(hours=1), "AAPL"))
    pages = list(news_pages(line, "AAPL", SINCE, UNTIL, quiet))
    items = [item for page in pages for item in page.items]
    assert [item.source_id for item in items] == [f"id{number}" for number in range(20)]
    assert [page.last for page in pages] == [False, False, True]
    assert [page.reached_at for page in pages] == [SINCE + timedelta(hours=6), SINCE + timedelta(hours=13), UNTIL]
    assert items[0].title == "Story 0"
    assert items[0].publisher == "The [31mPaper"
    assert items[0].tickers == ("AAPL",), "what can't be a ticker is left out"
    assert items[0].sentiments == (("AAPL", Sentiment.NEGATIVE),)


def _entry(**changes: object) -> Fault:
    def change(reply: Reply) -> None:
        reply.document["results"][1].update(changes)

    return change


def _document(**changes: object) -> Fault:
    return lambda reply: reply.document.update(changes)


NEWS_FAULTS: dict[str, tuple[Fault, str]] = {
    "out of order": (_entry(published_utc="2023-12-31T23:00:00Z"), "not in order of time"),
    "later than asked": (_entry(published_utc="2025-01-01T00:00:00Z"), "later than 2024-03-01"),
    "no zone": (_entry(published_utc="2024-01-01T10:00:00"), "lacks its id, its time"),
    "no time": (_entry(published_utc=None), "lacks its id, its time"),
    "no title": (_entry(title=""), "lacks its id"),
    "no tickers": (_entry(tickers=None), "lacks its id"),
    "an id that is no text": (_entry(id=7), "lacks its id"),
    "no results": (lambda reply: reply.document.pop("results") and None, "no results"),
    "status": (_document(status="ERROR"), "its status is ERROR"),
    "next page elsewhere": (_document(next_url="https://evil.example/v2/reference/news?cursor=1"), "another host"),
    "next page of something else": (lambda reply: reply.document.update(next_url="http://127.0.0.1/v3/trades"), "another host"),
}


@pytest.mark.parametrize("fault", list(NEWS_FAULTS))
def test_a_broken_page_of_news_is_said(polygon: Polygon, line: PolygonLine, fault: str) -> None:
    change, words = NEWS_FAULTS[fault]
    polygon.news = [article(number, SINCE + timedelta(hours=number), "AAPL") for number in range(3)]
    polygon.every_path["/v2/reference/news"] = change
    with pytest.raises(PolygonError, match=words):
        all_news(line)


def test_news_whose_pages_never_end_are_given_up(polygon: Polygon, line: PolygonLine) -> None:
    polygon.news = [article(1, SINCE, "AAPL")]
    polygon.every_path["/v2/reference/news"] = lambda reply: reply.document.update(next_url=f"{polygon.url}/v2/reference/news?cursor=0")
    with pytest.raises(PolygonError, match="pages never end"):
        all_news(line)
    assert len(polygon.asked) == 2


# Splits and dividends


def test_splits_come_over_several_pages_and_of_the_asked_span_alone(polygon: Polygon, line: PolygonLine) -> None:
    days = [date(2020, 1, 1) + timedelta(days=30 * number) for number in range(25)]
    polygon.splits = {"X": [(day, 2) for day in days]}
    polygon.page_size = 10
    found = fetch_splits(line, "X", days[3], days[-2], quiet)
    assert [one.split for one in found] == [Split(day, 2.0) for day in days[3:-1]]


SPLIT_FAULTS: dict[str, tuple[Fault, str]] = {
    "another ticker": (_entry(ticker="Y"), "holds an entry of Y"),
    "outside the span": (_entry(execution_date="1999-01-01"), "entries outside"),
    "no date": (_entry(execution_date="soon"), "lacks its date"),
    "zero": (_entry(split_from=0), "lacks its date or its amount"),
    "words": (_entry(split_to="2"), "lacks its date or its amount"),
    "beyond measure": (_entry(split_to=1e9), "lacks its date or its amount"),
    "not entries": (_document(results=["x"]), "lacks its date"),
    "no results": (_document(results=None), "no results"),
}


@pytest.mark.parametrize("fault", list(SPLIT_FAULTS))
def test_a_broken_list_of_splits_is_said(polygon: Polygon, line: PolygonLine, fault: str) -> None:
    change, words = SPLIT_FAULTS[fault]
    polygon.splits = {"X": [(date(2020, 1, 1), 2), (date(2021, 1, 1), 3)]}
    polygon.every_path["/v3/reference/splits"] = change
    with pytest.raises(PolygonError, match=words):
        fetch_splits(line, "X", LONG_AGO, TODAY, quiet)


# Indices


def test_the_daily_vix_is_cached_without_volumes_and_without_complaint(polygon: Polygon, line: PolygonLine, tmp_path: Path) -> None:
    polygon.bars["I:VIX"] = [
        {name: bar[name] for name in "ohlct"} for bar in some_bars(date(2024, 7, 1), date(2024, 7, 31), 1440, price=14.0)
    ]
    span = Span(date(2024, 7, 1), date(2024, 7, 31))
    raw = fetch_series(line, "I:VIX", "1d", span, Spool(tmp_path / "pages"), lambda share, note: None)
    cache = BarsCache(tmp_path / "bars")
    stored = store_bars(cache, "I:VIX", "1d", raw, (), span)
    assert stored.problems == ()
    assert cache.read(["I:VIX"], "1d")["close"].to_list() == [bar["c"] for bar in polygon.bars["I:VIX"]]
    assert "adjusted" not in polygon.queries[0]


def test_a_plan_without_indices_points_to_the_daily_file(polygon: Polygon, line: PolygonLine, tmp_path: Path) -> None:
    def refuse(reply: Reply) -> None:
        reply.status, reply.document = 403, {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}

    polygon.every_path["/v2/aggs/ticker/I:VIX"] = refuse
    with pytest.raises(NotInPlan, match=r"does not include indices.*VIX_History\.csv.*lab data import VIX\.csv") as caught:
        fetch_series(line, "I:VIX", "1d", Span(LONG_AGO, TODAY), Spool(tmp_path / "pages"), lambda share, note: None)
    assert "You are not entitled" in str(caught.value)
