"""One article about one or more tickers, as every source of news hands it over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Sentiment(StrEnum):
    """A vendor's judgement of what an article means for a ticker."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"

    @property
    def sign(self) -> int:
        """1, 0 or -1."""
        return {Sentiment.POSITIVE: 1, Sentiment.NEUTRAL: 0, Sentiment.NEGATIVE: -1}[self]


@dataclass(frozen=True, slots=True)
class NewsItem:
    """An article. Its text is foreign: it is shown as text and never read as an instruction."""

    source: str
    """Who gave it: "polygon", "demo"…"""
    source_id: str
    """The source's own id; the same article comes twice with the same one."""
    published_at: datetime
    """Aware UTC; nobody knew of it earlier."""
    tickers: tuple[str, ...]
    title: str
    publisher: str = ""
    url: str = ""
    sentiments: tuple[tuple[str, Sentiment], ...] = ()
    """(ticker, the vendor's sentiment), for the tickers it judged."""
