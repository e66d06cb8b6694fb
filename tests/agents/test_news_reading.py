"""News before trades: what is given to be read, and what is known of it before each signal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.agents.news_reading import NewsAround, Signalled, keep_readings
from lab.agents.service import Lab
from lab.agents.strategist import NewsBefore, NewsKind, NewsReading, Relevance
from lab.market.news import NewsCoverage, NewsItem, Sentiment

START = datetime(2024, 5, 6, 14, 0, tzinfo=UTC)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    opened = Lab(tmp_path / "home")
    yield opened
    opened.close()


def article(number: int, hours: float, ticker: str = "AAPL", source: str = "polygon") -> NewsItem:
    return NewsItem(source, f"id-{number}", START + timedelta(hours=hours), (ticker,), f"Story {number}")


def read(lab: Lab, *trades: Signalled, kind: NewsKind = NewsKind.EARNINGS, relevance: Relevance = Relevance.HIGH) -> list[str]:
    """Read what is to be read before these trades; the headlines."""
    with lab.store.write() as session:
        lines = NewsAround(session, False, trades).unread()
        keep_readings(session, [NewsReading(line.id, kind, Sentiment.NEGATIVE, relevance, "m") for line in lines], 1)
    return [line.title for line in lines]


def known(lab: Lab, *trades: Signalled) -> tuple[NewsBefore, ...]:
    with lab.store.read() as session:
        return NewsAround(session, False, trades).before_each()


def test_only_what_was_published_in_the_day_before_a_signal_is_laid_to_it(lab: Lab) -> None:
    lab.news.keep([article(1, -25), article(2, -3), article(3, -1), article(4, 1), article(5, -1, "MSFT"), article(6, -0.5, source="demo")])
    trade = Signalled("AAPL", START)
    assert known(lab, trade) == (), "before anybody has read it nothing is known"
    assert read(lab, trade) == ["Story 3"], "the newest before the signal"
    assert known(lab, trade) == (NewsBefore("AAPL", START, "earnings", "negative"),)
    assert read(lab, trade) == [], "nothing is read twice"


def test_no_news_is_known_only_where_all_news_is_kept(lab: Lab) -> None:
    covered, not_covered = Signalled("AAPL", START), Signalled("AAPL", START + timedelta(days=9))
    lab.news.keep([], NewsCoverage("polygon", ("AAPL",), START - timedelta(days=2), START))
    assert known(lab, covered, not_covered) == (NewsBefore("AAPL", START, "none", "none"),)
    lab.news.keep([article(1, -1)])
    read(lab, covered, relevance=Relevance.NONE)
    assert known(lab, covered) == (NewsBefore("AAPL", START, "none", "none"),), "what is not about the ticker is no news of it"


def test_what_is_read_does_not_hang_on_the_order_of_the_trades_and_is_bounded(lab: Lab) -> None:
    trades = [Signalled("AAPL", START + timedelta(days=day)) for day in range(60)]
    lab.news.keep([article(day, 24 * day - 1) for day in range(60)])
    with lab.store.read() as session:
        some, turned = NewsAround(session, False, trades).unread(), NewsAround(session, False, trades[::-1]).unread()
    assert some == turned
    assert len(some) == 16
    assert [line.title for line in some] != [f"Story {day}" for day in range(16)]
