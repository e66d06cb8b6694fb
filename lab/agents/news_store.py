"""The news of a workspace: articles kept once, found by ticker and time, and handed on to jobs as files.

An article is known by its source's id, and by its title where another source brings the same story within a day about one of the
same tickers. Text is stored as it came (foreign: screens clean it), within bounds; what can't be text is refused with a sentence.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from lab.agents.news_files import SYNTHETIC, in_parts, write_news_files
from lab.agents.trade_views import Headline
from lab.errors import LabError
from lab.market.news import NewsCoverage, NewsItem, Sentiment
from lab.store.database import Store
from lab.store.models import NewsEvent, NewsMention, NewsSpan
from lab.store.workspace import Workspace

SAME_STORY = timedelta(hours=24)
"""Within which one title about one ticker is one story, whoever published it."""
MOST_SHOWN = 200
TITLE_LENGTH, PUBLISHER_LENGTH, URL_LENGTH, ID_LENGTH, MOST_TICKERS = 500, 120, 2_000, 200, 100


@dataclass(frozen=True, slots=True)
class KeptNews:
    """What became of articles that were handed in."""

    new: int
    known: int
    """There already, under the same id or as the same story; a ticker that was not named before is added."""
    refused: tuple[str, ...]
    """A sentence each."""


class News:
    """The articles of one workspace."""

    def __init__(self, workspace: Workspace, store: Store) -> None:
        self._workspace, self._store = workspace, store

    def keep(self, items: Iterable[NewsItem], covering: NewsCoverage | None = None) -> KeptNews:
        """Keep articles, each once, all of one call or none.

        `covering` says of which tickers and span these are all there are (with what earlier calls kept): only there do scripts know
        that no article means that there was none; without it, articles are shown but `news.*` stays unknown.
        """
        from lab.agents.universes import refresh_context

        fine, refused = [], []
        for item in items:
            problem = _problem(item)
            if problem:
                refused.append(problem)
            else:
                fine.append(_bounded(item))
        if covering is not None and (_naive(covering.since) or _naive(covering.until) or covering.since > covering.until):
            raise LabError("The span of news has to begin before it ends, both as times with a zone.")
        new = 0
        touched: set[tuple[str, str]] = set()
        with self._store.write() as session:
            for batch in in_parts(sorted(fine, key=lambda item: item.published_at)):
                new += _keep(session, batch, touched)
            if covering is not None:
                _cover(session, covering)
                touched |= {(covering.source, ticker) for ticker in covering.tickers}
            session.flush()
            # Before the commit: a file that is ahead of the database is put right by the same call made again, one behind it never.
            if write_news_files(session, self._workspace.bars, touched) or covering is not None:
                refresh_context(session, self._workspace.bars)
        return KeptNews(new, len(fine) - new, tuple(refused))

    def about(self, ticker: str, since: datetime, until: datetime, most: int = MOST_SHOWN) -> tuple[Headline, ...]:
        """The newest articles about a ticker published in [since, until], newest first."""
        with self._store.read() as session:
            rows = session.exec(
                select(NewsMention, NewsEvent)
                .join(NewsEvent, onclause=col(NewsMention.event_id) == col(NewsEvent.id))
                .where(NewsMention.ticker == ticker, NewsMention.published_at >= since, NewsMention.published_at <= until)
                .order_by(col(NewsMention.published_at).desc(), col(NewsMention.id).desc())
                .limit(most)
            ).all()
        return tuple(
            Headline(
                published_at=mention.published_at,
                title=event.title,
                publisher=event.publisher,
                url=event.url,
                source=event.source,
                sentiment=_SENTIMENTS.get(mention.sentiment),
            )
            for mention, event in rows
        )

    def coverage(self, ticker: str | None = None) -> tuple[NewsCoverage, ...]:
        """The spans over which all news of a ticker, or of each, is kept, oldest first."""
        query = select(NewsSpan).order_by(col(NewsSpan.ticker), col(NewsSpan.since))
        if ticker is not None:
            query = query.where(NewsSpan.ticker == ticker)
        with self._store.read() as session:
            return tuple(NewsCoverage(span.source, (span.ticker,), span.since, span.until) for span in session.exec(query))


_SENTIMENTS: dict[int | None, Sentiment] = {sentiment.sign: sentiment for sentiment in Sentiment}


def title_key(title: str) -> str:
    """The letters and digits of a title, by which it is compared."""
    plain = unicodedata.normalize("NFKC", title).casefold()
    return "".join(letter for letter in plain if letter.isalnum())[:200]


def _naive(moment: datetime) -> bool:
    return moment.tzinfo is None


def _problem(item: NewsItem) -> str:
    """Why an article can't be kept, as a sentence; empty where it can."""
    name = f"The article {item.source_id[:40]!a} of {item.source[:40]!a} was not kept: "
    for part, text in (
        ("id", item.source_id),
        ("source", item.source),
        ("title", item.title),
        ("publisher", item.publisher),
        ("address", item.url),
    ):
        if not _is_text(text):
            return f"{name}its {part} is no valid UTF-8 text."
    if not item.source or not item.source_id:
        return f"{name}it has no id."
    if len(item.source_id) > ID_LENGTH or len(item.source) > ID_LENGTH:
        return f"{name}its id has more than {ID_LENGTH} characters."
    if _naive(item.published_at):
        return f"{name}its time of publication has no zone."
    if not any(_can_be_ticker(ticker) for ticker in item.tickers):
        return f"{name}it names no ticker."
    return ""


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _can_be_ticker(ticker: str) -> bool:
    return 0 < len(ticker) <= 32 and ticker.isascii() and ticker.isprintable() and " " not in ticker


def _bounded(item: NewsItem) -> NewsItem:
    tickers = tuple(dict.fromkeys(ticker for ticker in item.tickers if _can_be_ticker(ticker)))[:MOST_TICKERS]
    return NewsItem(
        source=item.source,
        source_id=item.source_id,
        published_at=item.published_at.astimezone(UTC),
        tickers=tickers,
        title=item.title if len(item.title) <= TITLE_LENGTH else item.title[: TITLE_LENGTH - 1] + "…",
        publisher=item.publisher[:PUBLISHER_LENGTH],
        # Half an address leads nowhere.
        url=item.url if len(item.url) <= URL_LENGTH else "",
        sentiments=item.sentiments,
    )


@dataclass(slots=True)
class _Story:
    """An article that is kept, with its tickers."""

    event: NewsEvent
    mentions: dict[str, NewsMention]


def _keep(session: Session, items: Sequence[NewsItem], touched: set[tuple[str, str]]) -> int:
    """Keep a batch, oldest first. Returns how many of its articles were new; adds (source, ticker) of what changed to `touched`."""
    by_id, by_title = _stories(session, items)
    new = 0
    fresh: list[tuple[_Story, NewsMention]] = []
    for item in items:
        key = title_key(item.title)
        story = by_id.get((item.source, item.source_id)) or _same_story(item, by_title.get(key, []) if key else [])
        if story is None:
            event = NewsEvent(
                source=item.source,
                source_id=item.source_id,
                published_at=item.published_at,
                title=item.title,
                title_key=key,
                publisher=item.publisher,
                url=item.url,
            )
            session.add(event)
            story = _Story(event, {})
            by_id[item.source, item.source_id] = story
            by_title.setdefault(key, []).append(story)
            new += 1
        fresh += ((story, mention) for mention in _mention(story, item, touched))
    # Articles get their ids all at once: one at a time is ten times slower.
    session.flush()
    for story, mention in fresh:
        assert story.event.id is not None
        mention.event_id = story.event.id
        session.add(mention)
    session.flush()
    return new


def _stories(session: Session, items: Sequence[NewsItem]) -> tuple[dict[tuple[str, str], _Story], dict[str, list[_Story]]]:
    """What is kept already that these items may be: by id, and by title."""
    first, last = items[0].published_at - SAME_STORY, items[-1].published_at + SAME_STORY
    keys = {title_key(item.title) for item in items} - {""}
    same_id = select(NewsEvent).where(col(NewsEvent.source_id).in_({item.source_id for item in items}))
    same_title = select(NewsEvent).where(
        col(NewsEvent.title_key).in_(keys), NewsEvent.published_at >= first, NewsEvent.published_at <= last
    )
    events = {event.id: event for query in (same_id, same_title) for event in session.exec(query)}
    mentions: dict[int, dict[str, NewsMention]] = {}
    for part in in_parts(list(events)):
        for mention in session.exec(select(NewsMention).where(col(NewsMention.event_id).in_(part))):
            mentions.setdefault(mention.event_id, {})[mention.ticker] = mention
    stories = [_Story(event, mentions.get(event.id or 0, {})) for event in events.values()]
    by_title: dict[str, list[_Story]] = {}
    for story in stories:
        by_title.setdefault(story.event.title_key, []).append(story)
    return {(story.event.source, story.event.source_id): story for story in stories}, by_title


def _same_story(item: NewsItem, stories: Sequence[_Story]) -> _Story | None:
    for story in stories:
        near = abs(story.event.published_at - item.published_at) <= SAME_STORY
        invented = (story.event.source == SYNTHETIC) == (item.source == SYNTHETIC)
        if near and invented and not story.mentions.keys().isdisjoint(item.tickers):
            return story
    return None


def _mention(story: _Story, item: NewsItem, touched: set[tuple[str, str]]) -> list[NewsMention]:
    """The article's tickers, each known from its first publication about that ticker on. Returns those that are new, without its id."""
    new = []
    signs = {ticker: sentiment.sign for ticker, sentiment in item.sentiments}
    for ticker in item.tickers:
        mention = story.mentions.get(ticker)
        if mention is None:
            mention = NewsMention(event_id=0, ticker=ticker, published_at=item.published_at, sentiment=signs.get(ticker))
            story.mentions[ticker] = mention
            new.append(mention)
        elif item.published_at < mention.published_at:
            mention.published_at, mention.sentiment = item.published_at, signs.get(ticker, mention.sentiment)
        elif mention.sentiment is None and ticker in signs and item.published_at == mention.published_at:
            mention.sentiment = signs[ticker]
        else:
            continue
        touched.add((story.event.source, ticker))
    story.event.published_at = min(story.event.published_at, item.published_at)
    return new


def _cover(session: Session, covering: NewsCoverage) -> None:
    """Add a span to what is covered, joined with those it touches."""
    for ticker in dict.fromkeys(covering.tickers):
        mine = select(NewsSpan).where(NewsSpan.source == covering.source, NewsSpan.ticker == ticker)
        since, until = covering.since.astimezone(UTC), covering.until.astimezone(UTC)
        for span in session.exec(mine).all():
            if span.since <= until and since <= span.until:
                since, until = min(since, span.since), max(until, span.until)
                session.execute(delete(NewsSpan).where(col(NewsSpan.id) == span.id))
        session.add(NewsSpan(source=covering.source, ticker=ticker, since=since, until=until))
