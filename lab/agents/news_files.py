"""News on its way from the database to the jobs: the files beside the bars that a confined process reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlmodel import Session, col, select

from lab.store.models import NewsEvent, NewsMention, NewsSpan

T = TypeVar("T")

SYNTHETIC = "demo"
"""The source of news that never happened; kept apart from all others, as invented bars are."""
_PART = 400
"""Values in one query: databases limit them."""


def news_folder(bars: Path, synthetic: bool) -> Path:
    """Where the news of a workspace lies, given its folder of bars. Not in it: the cache sweeps out Parquet files it doesn't know."""
    return bars.parent / "news" / ("demo" if synthetic else "real")


def write_news_files(session: Session, bars: Path, touched: set[tuple[str, str]]) -> bool:
    """Write anew what (source, ticker) changed, as far as it is covered. Returns whether any file was written.

    Inside the caller's transaction, whose lock keeps two writers from overtaking each other.
    """
    from lab.market.news import NewsFiles

    written = False
    for synthetic in (True, False):
        tickers = {ticker for source, ticker in touched if (source == SYNTHETIC) == synthetic}
        spans = covered(session, synthetic) if tickers else {}
        files = NewsFiles(news_folder(bars, synthetic))
        there = sorted(tickers & spans.keys())
        for part in in_parts(there):
            articles = _articles(session, part, synthetic)
            for ticker in part:
                rows = articles.get(ticker, [])
                files.write(ticker, [at for at, _ in rows], [sign for _, sign in rows])
        if there:
            files.write_coverage((ticker, since, until) for ticker, own in spans.items() for since, until in own)
            written = True
    return written


def restore_news_files(session: Session, bars: Path) -> None:
    """Write all files anew where they are gone: deleted, or left behind when a workspace's database was moved."""
    from lab.market.news import NewsFiles

    for synthetic in (True, False):
        if not NewsFiles(news_folder(bars, synthetic)).there:
            own = NewsSpan.source == SYNTHETIC if synthetic else NewsSpan.source != SYNTHETIC
            rows = session.exec(select(NewsSpan.source, NewsSpan.ticker).where(own).distinct())
            write_news_files(session, bars, {(source, ticker) for source, ticker in rows})


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """A long list in pieces that fit into one query."""
    for start in range(0, len(values), _PART):
        yield values[start : start + _PART]


def covered(session: Session, synthetic: bool) -> dict[str, list[tuple[datetime, datetime]]]:
    """By ticker the spans that any source covers, joined where they touch."""
    own = NewsSpan.source == SYNTHETIC if synthetic else NewsSpan.source != SYNTHETIC
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for span in session.exec(select(NewsSpan).where(own).order_by(col(NewsSpan.since))):
        found.setdefault(span.ticker, []).append((span.since, span.until))
    return {ticker: joined(spans) for ticker, spans in found.items()}


def joined(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Spans in order of their beginning, those that overlap or touch made one."""
    found: list[tuple[datetime, datetime]] = []
    for since, until in spans:
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return found


def _articles(session: Session, tickers: Sequence[str], synthetic: bool) -> dict[str, list[tuple[datetime, int | None]]]:
    own = NewsEvent.source == SYNTHETIC if synthetic else NewsEvent.source != SYNTHETIC
    rows = session.exec(
        select(NewsMention.ticker, NewsMention.published_at, NewsMention.sentiment)
        .join(NewsEvent, onclause=col(NewsMention.event_id) == col(NewsEvent.id))
        .where(col(NewsMention.ticker).in_(tickers), own)
    )
    found: dict[str, list[tuple[datetime, int | None]]] = {}
    for ticker, published_at, sentiment in rows:
        found.setdefault(ticker, []).append((published_at, sentiment))
    return found
