"""News of the demo market: what was published about its stocks, and when. Every word of it is invented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np

from lab.market.demo.draws import StockDraws
from lab.market.demo.stocks import Stock
from lab.market.news import NewsItem, Sentiment

SOURCE = "demo"
PUBLISHER = "Demo Wire (synthetic)"
_NEWS = 3
_CHATTER_SHARE = 0.03
"""Of sessions in which something is written that means nothing."""
_RIGHT = 0.8
"""How often the sentiment of an article agrees with what the price made of it."""
_PREVIEW_SESSIONS = 5

_GOOD_RESULTS: tuple[str, ...] = ("beats expectations and raises its outlook", "reports record sales", "earns more than analysts thought")
_BAD_RESULTS: tuple[str, ...] = ("misses expectations", "cuts its outlook", "reports falling margins")
_GOOD_NEWS: tuple[str, ...] = ("wins a large order", "is raised to buy by two brokers", "settles its lawsuit", "announces a buyback")
_BAD_NEWS: tuple[str, ...] = ("loses a large customer", "is cut to sell by a broker", "recalls a product", "is being investigated")
_CHATTER = ("in focus: what to watch", "holds its investor day", "names a new head of operations", "presents at a conference")


def demo_news(
    seed: int,
    stocks: Sequence[Stock],
    numbers: Sequence[int],
    draws: Sequence[StockDraws],
    opens: Sequence[datetime],
    closes: Sequence[datetime],
) -> tuple[NewsItem, ...]:
    """The articles about the played sessions, oldest first.

    Earnings are announced days ahead, and reported after the close before or in the hours before the open that gaps; other
    news comes before the open it moves. Some articles mean nothing. What an article says is known when it is published and
    says no more about prices after the next open than chance. `numbers` are the stocks' places in `DEMO_STOCKS`.
    """
    items = [
        item
        for stock, number, drawn in zip(stocks, numbers, draws, strict=True)
        for item in _of_stock(seed, stock, number, drawn, opens, closes)
    ]
    return tuple(sorted(items, key=lambda item: (item.published_at, item.source_id)))


def _of_stock(
    seed: int, stock: Stock, number: int, draws: StockDraws, opens: Sequence[datetime], closes: Sequence[datetime]
) -> Iterator[NewsItem]:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _NEWS, number])))
    after_close = rng.random(len(opens)) < 0.6
    early_minutes = rng.integers(10, 150, len(opens))
    agrees = rng.random(len(opens)) < _RIGHT
    chatter = rng.random(len(opens)) < _CHATTER_SHARE
    chatter_minutes = rng.integers(5, 200, len(opens))
    choice = rng.integers(0, 12, len(opens))
    for session, opened in enumerate(opens):
        good = bool(draws.gap[session] > 0)
        sentiment = (Sentiment.POSITIVE if good else Sentiment.NEGATIVE) if agrees[session] else Sentiment.NEUTRAL
        before_open = opened - timedelta(minutes=int(early_minutes[session]))
        if draws.earnings[session]:
            words = _GOOD_RESULTS if good else _BAD_RESULTS
            published = closes[session - 1] + timedelta(minutes=5) if after_close[session] and session else before_open
            yield _item(stock, "earnings", session, published, f"{stock.ticker} {words[choice[session] % len(words)]}", sentiment)
            if session >= _PREVIEW_SESSIONS:
                ahead = opens[session - _PREVIEW_SESSIONS] + timedelta(minutes=30)
                title = f"{stock.ticker} to report quarterly earnings on {opened:%d %B %Y}"
                yield _item(stock, "preview", session, ahead, title, Sentiment.NEUTRAL)
        elif draws.news[session]:
            words = _GOOD_NEWS if good else _BAD_NEWS
            yield _item(stock, "news", session, before_open, f"{stock.ticker} {words[choice[session] % len(words)]}", sentiment)
        if chatter[session]:
            published = opened + timedelta(minutes=int(chatter_minutes[session]))
            title = f"{stock.ticker} {_CHATTER[choice[session] % len(_CHATTER)]}"
            yield _item(stock, "chatter", session, published, title, Sentiment.NEUTRAL)


def _item(stock: Stock, kind: str, session: int, published: datetime, title: str, sentiment: Sentiment) -> NewsItem:
    return NewsItem(
        source=SOURCE,
        source_id=f"{stock.ticker}-{kind}-{published:%Y%m%d%H%M}",
        published_at=published,
        tickers=(stock.ticker,),
        title=title,
        publisher=PUBLISHER,
        sentiments=((stock.ticker, sentiment),),
    )
