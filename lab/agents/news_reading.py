"""The news before an iteration's trades: which headlines a strategist is given to read, and what was read before each signal.

What was read of an article is kept with it, so it is read and paid for once, whichever agent trades on it later.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col, select

from lab.agents.errors import StrategistFailed
from lab.agents.journal import Iteration, Journal
from lab.agents.news_files import SYNTHETIC, covered, in_parts
from lab.agents.outputs import TRADES, read_output
from lab.agents.strategist import NewsBefore, NewsLine, NewsReading, Relevance, Strategist
from lab.market.news import Sentiment
from lab.store.models import AgentIteration, NewsEvent, NewsMention

WINDOW = timedelta(hours=24)
"""Before a signal: older news is not laid to it."""
MOST_READ = 16
"""Headlines given to a strategist in one iteration."""
NO_NEWS = "none"
_TONES = {sentiment.sign: sentiment.value for sentiment in Sentiment}


async def news_before(journal: Journal, iteration: Iteration, strategist: Strategist) -> tuple[tuple[NewsBefore, ...], str]:
    """What the news before an iteration's trades reported, headlines nobody has read yet read first; and what to say of it.

    What was read is stored before it is used. Headlines that can't be read leave the analysis without them, and that is said.
    """
    if not iteration.universe.has_news:
        return (), ""
    trades = await asyncio.to_thread(read_signalled, Path(iteration.folder))

    def around() -> tuple[tuple[NewsLine, ...], tuple[NewsBefore, ...]]:
        with journal.store.read() as session:
            found = NewsAround(session, iteration.universe.synthetic, trades)
            done = session.exec(select(NewsMention.id).where(NewsMention.read_in == iteration.id).limit(1)).first() is not None
            return () if done else found.unread(), found.before_each()

    lines, before = await asyncio.to_thread(around)
    if not lines:
        return before, ""
    try:
        readings = await strategist.read_news(lines)
    except StrategistFailed as error:
        return before, f"; the news stayed unread: {error}"
    if not readings:
        return before, ""

    def keep(session: Session, row: AgentIteration) -> None:
        keep_readings(session, readings, iteration.id)

    await journal.write(iteration, keep)
    _, before = await asyncio.to_thread(around)
    return before, f"; {len(readings)} headlines read"


@dataclass(frozen=True, slots=True)
class Signalled:
    """A trade's signal."""

    ticker: str
    signal_at: datetime


def read_signalled(folder: Path) -> tuple[Signalled, ...]:
    """The trades of an iteration, from the folder of its tables."""
    rows = read_output(folder, TRADES).select("ticker", "signal_at").iter_rows()
    return tuple(Signalled(*row) for row in rows)


class _Article(NamedTuple):
    mention: NewsMention
    title: str


class NewsAround:
    """The articles about the tickers of some trades, as far as they are known to be all there are."""

    def __init__(self, session: Session, synthetic: bool, trades: Sequence[Signalled]) -> None:
        self._trades = trades
        self._articles: dict[str, list[_Article]] = {}
        self._spans: dict[str, list[tuple[datetime, datetime]]] = {}
        if not trades:
            return
        tickers = sorted({trade.ticker for trade in trades})
        since, until = min(trade.signal_at for trade in trades) - WINDOW, max(trade.signal_at for trade in trades)
        own = NewsEvent.source == SYNTHETIC if synthetic else NewsEvent.source != SYNTHETIC
        for part in in_parts(tickers):
            rows = session.exec(
                select(NewsMention, NewsEvent.title)
                .join(NewsEvent, onclause=col(NewsMention.event_id) == col(NewsEvent.id))
                .where(col(NewsMention.ticker).in_(part), own)
                .where(NewsMention.published_at >= since, NewsMention.published_at <= until)
                .order_by(col(NewsMention.published_at), col(NewsMention.id))
            )
            for mention, title in rows:
                self._articles.setdefault(mention.ticker, []).append(_Article(mention, title))
        self._spans = covered(session, synthetic)

    def unread(self, most: int = MOST_READ) -> tuple[NewsLine, ...]:
        """Of the newest headlines before each trade's signal some that nobody has read, drawn by lot.

        Were they chosen by what became of the trades, the breakdowns by what they report would show the choice.
        """
        found: dict[int, NewsLine] = {}
        for trade in self._trades:
            before = self._before(trade)
            if before and before[-1].mention.read_kind is None:
                place = before[-1].mention.id or 0
                found.setdefault(place, NewsLine(place, trade.ticker, before[-1].title))
        return tuple(sorted(found.values(), key=lambda line: sha256(f"{line.id}".encode()).digest())[:most])

    def before_each(self) -> tuple[NewsBefore, ...]:
        """What the newest article before each signal was read to report; signals whose news is unknown or unread are left out."""
        found: dict[tuple[str, datetime], NewsBefore] = {}
        for trade in self._trades:
            key, before = (trade.ticker, trade.signal_at), self._before(trade)
            if not before:
                if self._covered(trade):
                    found[key] = NewsBefore(*key, NO_NEWS, NO_NEWS)
                continue
            newest = before[-1].mention
            if newest.read_relevance == Relevance.NONE:
                found[key] = NewsBefore(*key, NO_NEWS, NO_NEWS)
            elif newest.read_kind is not None:
                found[key] = NewsBefore(*key, newest.read_kind, _TONES[newest.read_sentiment or 0])
        return tuple(found.values())

    def _before(self, trade: Signalled) -> list[_Article]:
        articles = self._articles.get(trade.ticker, [])
        first = bisect_left(articles, trade.signal_at - WINDOW, key=lambda each: each.mention.published_at)
        return articles[first : bisect_right(articles, trade.signal_at, key=lambda each: each.mention.published_at)]

    def _covered(self, trade: Signalled) -> bool:
        spans = self._spans.get(trade.ticker, ())
        return any(since <= trade.signal_at - WINDOW and trade.signal_at <= until for since, until in spans)


def keep_readings(session: Session, readings: Iterable[NewsReading], iteration_id: int) -> None:
    """Keep what was read with its articles, inside the caller's transaction. What was read before stays."""
    for reading in readings:
        session.execute(
            update(NewsMention)
            .where(col(NewsMention.id) == reading.id, col(NewsMention.read_kind).is_(None))
            .values(
                read_kind=reading.kind,
                read_sentiment=reading.sentiment.sign,
                read_relevance=reading.relevance,
                read_by=reading.read_by,
                read_in=iteration_id,
            )
        )


__all__ = ["MOST_READ", "NO_NEWS", "WINDOW", "NewsAround", "Signalled", "keep_readings", "news_before", "read_signalled"]
