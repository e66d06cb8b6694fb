"""What a fetch is made of: one part a series, planned from what is cached and covered already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from lab.store.database import Store
from lab.store.fetch_states import FetchKind
from lab.store.workspace import Workspace

if TYPE_CHECKING:
    from lab.market import BarsCache
    from lab.market.polygon.aggregates import Span

VIX = "I:VIX"
_VIX_SINCE = 430
"""Days before the first session from which the VIX is fetched: context looks so far back."""
_SPLIT_PAGES_A_YEAR = 2
"""All tickers' splits of a year fill about so many pages."""


@dataclass(frozen=True, slots=True)
class Part:
    kind: FetchKind
    ticker: str
    """Empty for splits of all tickers."""
    timeframe: str
    first: date
    last: date


def parts_of_fetch(
    workspace: Workspace,
    store: Store,
    tickers: Sequence[str],
    timeframe: str,
    span: Span,
    news: bool,
    dividends: bool,
    vix: bool,
    anew: bool,
) -> list[Part]:
    """The parts of a fetch of `tickers`; those of what is cached already are left out. Raises PolygonError."""
    from lab.market import BarsCache
    from lab.market.polygon.aggregates import TIMEFRAMES, Span
    from lab.market.polygon.line import PolygonError
    from lab.market.polygon.storing import missing_spans

    if timeframe not in TIMEFRAMES:
        raise PolygonError(f"Polygon's bars can be had as {', '.join(TIMEFRAMES)}, not as {timeframe}.", "timeframe")
    cache = BarsCache(workspace.bars)
    bars = [
        Part(FetchKind.BARS, ticker, timeframe, one.first, one.last)
        for ticker in tickers
        for one in missing_spans(cache, ticker, timeframe, span, anew)
    ]
    parts = [*_splits(cache, tickers, bars, span), *bars]
    if vix:
        asked = Span(span.first - timedelta(days=_VIX_SINCE), span.last)
        parts += [Part(FetchKind.INDEX, VIX, "1d", one.first, one.last) for one in missing_spans(cache, VIX, "1d", asked)]
    if dividends:
        parts += [Part(FetchKind.DIVIDENDS, ticker, "", span.first, span.last) for ticker in tickers]
    if news:
        parts += _news(workspace, store, tickers, span.first, span.last)
    return parts


def parts_of_update(workspace: Workspace, store: Store, dividends: bool, now: datetime) -> tuple[list[str], list[Part]]:
    """The tickers that came from Polygon and the parts that bring them up to date. Raises PolygonError where there are none."""
    from lab.agents.news_store import News
    from lab.market import BarsCache
    from lab.market.polygon import SOURCE
    from lab.market.polygon.aggregates import Span
    from lab.market.polygon.line import PolygonError
    from lab.market.polygon.storing import missing_spans, session_span, settled

    cache = BarsCache(workspace.bars)
    mine = [row for row in cache.coverage() if row.source == SOURCE]
    if not mine:
        raise PolygonError("No bars here came from Polygon: fetch some first, such as lab data fetch AAPL --from 2024-01-01.")
    today = now.date()
    bars: list[Part] = []
    for row in mine:
        first, last = session_span(row)
        whole = settled(first, max(today, last), now)
        kind = FetchKind.INDEX if row.ticker == VIX else FetchKind.BARS
        spans = missing_spans(cache, row.ticker, row.timeframe, Span(first, max(last, whole.last)))
        bars += [Part(kind, row.ticker, row.timeframe, one.first, one.last) for one in spans]
    tickers = list(dict.fromkeys(row.ticker for row in mine if row.ticker != VIX))
    until = settled(min(session_span(row)[0] for row in mine), today, now).last
    parts = [*_splits(cache, tickers, bars, Span(until, until)), *bars] if tickers else bars
    if dividends:
        first = min(session_span(row)[0] for row in mine)
        parts += [Part(FetchKind.DIVIDENDS, ticker, "", first, until) for ticker in tickers]
    covered = {ticker: span.since.date() for span in News(workspace, store).coverage() if span.source == SOURCE for ticker in span.tickers}
    for ticker, since in covered.items():
        parts += _news(workspace, store, [ticker], since, today)
    return tickers, parts or [Part(FetchKind.INDEX, VIX, "1d", until, until)]


def news_since(workspace: Workspace, store: Store, ticker: str, since: datetime) -> datetime:
    """From when on news of the ticker is not kept yet."""
    from lab.agents.news_store import News
    from lab.market.polygon import SOURCE

    for span in News(workspace, store).coverage(ticker):
        if span.source == SOURCE and span.since <= since <= span.until:
            since = span.until
    return since


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _news(workspace: Workspace, store: Store, tickers: Sequence[str], first: date, last: date) -> list[Part]:
    parts = []
    for ticker in tickers:
        since = news_since(workspace, store, ticker, midnight(first)).date()
        if since <= last:
            parts.append(Part(FetchKind.NEWS, ticker, "", since, last))
    return parts


def _splits(cache: BarsCache, tickers: Sequence[str], bars: Sequence[Part], span: Span) -> list[Part]:
    """Whose splits to ask for, since the first bar that is cached or comes: ticker by ticker, or of all where that is fewer calls."""
    from lab.market.polygon.storing import session_span

    since: dict[str, date] = {}
    for ticker, first in [
        *((row.ticker, session_span(row)[0]) for row in cache.coverage() if row.ticker in tickers),
        *((part.ticker, part.first) for part in bars if part.ticker in tickers),
    ]:
        since[ticker] = min(first, since.get(ticker, first))
    last = max((span.last, *(part.last for part in bars)))
    if not since:
        return []
    first = min(since.values())
    if len(since) > _SPLIT_PAGES_A_YEAR * (last.year - first.year + 1):
        return [Part(FetchKind.SPLITS, "", "", first, last)]
    return [Part(FetchKind.SPLITS, ticker, "", day, last) for ticker, day in since.items()]
