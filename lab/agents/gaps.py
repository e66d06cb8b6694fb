"""What context a universe lacks: found when bars or news change, said wherever it is shown, and a reason to refuse a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from lab.agents.news_files import SYNTHETIC, in_parts, joined
from lab.store.models import NewsSpan, Universe

if TYPE_CHECKING:
    from lab.market import BarsCache, Coverage

MARKET = "SPY"
VIX_NAMES = ("VIX", "I:VIX", "^VIX")
"""What different sources call the volatility index; it is context and never traded."""
DAILY = "1d"
LEAST_BREADTH = 5
"""Tickers below which the share that rises says nothing; `lab.market.regime` leaves it unknown there."""
OF_MARKET = ("market.trend", "market.volatility", "market.change")
OF_VIX = ("market.vix", "market.vix_change")
OF_NEWS = ("news.count_1d", "news.count_3d", "news.sentiment", "news.hours_since")
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Gap:
    """Context that is not there."""

    sentence: str
    unknown: tuple[str, ...] = ()
    """Fields that are null on every bar of the learning span; empty where a part of them is known."""


def gaps_of(universe: Universe) -> tuple[Gap, ...]:
    """What a universe lacks, as it was when bars or news last changed. Touches no bars."""
    if universe.context_gaps is None:
        no_market = () if universe.market_ticker is not None else (_no_market(universe.timeframe),)
        return (*no_market, *(() if universe.vix_ticker is not None else (_NO_VIX,)), _NO_NEWS)
    return tuple(Gap(str(gap["sentence"]), tuple(gap["unknown"])) for gap in universe.context_gaps)


def unknown_fields(universe: Universe) -> dict[str, str]:
    """Field -> why it is null on every bar that may be learned from, a sentence."""
    return {field: gap.sentence for gap in gaps_of(universe) for field in gap.unknown}


def find_gaps(session: Session, universe: Universe, cache: BarsCache) -> None:
    """Look at what is cached by now and write on the universe which market and VIX it has, and what it lacks."""
    market, vix = _cached(cache, (MARKET,), universe, universe.timeframe), _cached(cache, VIX_NAMES, universe, DAILY)
    gaps: list[Gap] = []
    universe.market_ticker = _usable(universe, market)
    if universe.market_ticker is None:
        gaps.append(_no_market(universe.timeframe) if market is None else _elsewhen(MARKET, market, OF_MARKET))
    else:
        assert market is not None
        gaps += _ends(universe, MARKET, market, "the market's trend, change and volatility are")
        if not cache.has(MARKET, universe.timeframe):
            gaps.append(Gap(f"{MARKET} has no {universe.timeframe} bars, only daily ones: market.change is unknown.", ("market.change",)))
    universe.vix_ticker = _usable(universe, vix)
    if universe.vix_ticker is None:
        gaps.append(_NO_VIX if vix is None else _elsewhen("The VIX", vix, OF_VIX))
    else:
        assert vix is not None
        gaps += _ends(universe, "The VIX", vix, "it is")
    if len(universe.tickers) < LEAST_BREADTH:
        gaps.append(Gap(f"Fewer than {LEAST_BREADTH} tickers: market.breadth is unknown.", ("market.breadth",)))
    news = _news_gap(session, universe)
    universe.has_news = news is None or not news.unknown
    gaps += [news] if news is not None else []
    universe.context_gaps = [{"sentence": gap.sentence, "unknown": list(gap.unknown)} for gap in gaps]
    session.add(universe)


@dataclass(frozen=True, slots=True)
class _Cached:
    """A context ticker and the New York days between which it is cached on any timeframe that serves."""

    ticker: str
    first: date
    last: date


def _cached(cache: BarsCache, names: Sequence[str], universe: Universe, timeframe: str) -> _Cached | None:
    """Of the names one index goes by, the one that covers most of the universe's span, or else reaches furthest."""
    there: list[_Cached] = []
    for ticker in names:
        found = [one for name in dict.fromkeys((timeframe, DAILY)) if (one := covered(cache, ticker, name)) is not None]
        if found:
            there.append(_Cached(ticker, new_york_day(min(c.first_at for c in found)), new_york_day(max(c.last_at for c in found))))

    def days(one: _Cached) -> int:
        return max(0, (min(one.last, universe.last_session) - max(one.first, universe.first_session)).days + 1)

    return max(there, key=lambda one: (one.first <= universe.learning_until, days(one), one.last), default=None)


def covered(cache: BarsCache, ticker: str, timeframe: str) -> Coverage | None:
    """What can be read of a ticker on a timeframe: what is cached so, or the longest of the shorter bars that it is made of."""
    own = cache.covered(ticker, timeframe)
    if own is not None or not cache.has(ticker, timeframe):
        return own
    from lab.market.timeframes import timeframe_minutes

    shorter = [row for row in cache.coverage() if row.ticker == ticker and timeframe_minutes(row.timeframe) < timeframe_minutes(timeframe)]
    return max(shorter, key=lambda row: timeframe_minutes(row.timeframe), default=None)


def _usable(universe: Universe, found: _Cached | None) -> str | None:
    """The ticker, where any of it lies in the learning span."""
    if found is None or found.first > universe.learning_until or found.last < universe.first_session:
        return None
    return found.ticker


def _ends(universe: Universe, name: str, found: _Cached, what: str) -> list[Gap]:
    """Where the context begins after the universe, or ends before it."""
    gaps = []
    if found.first > universe.first_session:
        gaps.append(Gap(f"{name} begins on {found.first}: before then {what} unknown."))
    # A few days' old context is still used; a universe that ends on a Friday has no gap on Monday.
    if (universe.last_session - found.last).days > 7:
        gaps.append(Gap(f"{name} ends on {found.last}: a week after that {what} unknown."))
    return gaps


def _news_gap(session: Session, universe: Universe) -> Gap | None:
    start = datetime(universe.first_session.year, universe.first_session.month, universe.first_session.day, tzinfo=UTC)
    learned, end = _end_of(universe.learning_until), _end_of(universe.last_session)
    own = NewsSpan.source == SYNTHETIC if universe.synthetic else NewsSpan.source != SYNTHETIC
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for part in in_parts(universe.tickers):
        query = select(NewsSpan).where(own, col(NewsSpan.ticker).in_(part), NewsSpan.since <= end, NewsSpan.until >= start)
        for span in session.exec(query.order_by(col(NewsSpan.since))):
            spans.setdefault(span.ticker, []).append((span.since, span.until))
    in_learning = [ticker for ticker, own_spans in spans.items() if any(since <= learned for since, _ in own_spans)]
    if not in_learning:
        return _NO_NEWS if not spans else Gap("News is kept of the vault only: news.* is unknown on the learning span.", OF_NEWS)
    count, total = len(in_learning), len(universe.tickers)
    if count < total:
        return Gap(f"News is kept of {count} of the {total} tickers only: news.* is unknown for the others.")
    whole = [ticker for ticker, own_spans in spans.items() if _covers(joined(own_spans), start, _close_of(universe.last_session))]
    if len(whole) < total:
        first = max(min(since for since, _ in own_spans) for own_spans in spans.values())
        last = min(max(until for _, until in own_spans) for own_spans in spans.values())
        return Gap(f"News of all tickers is kept from {first:%Y-%m-%d} to {last:%Y-%m-%d} only: outside, news.* may be unknown.")
    return None


def _covers(spans: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime) -> bool:
    return any(since.date() <= start.date() and until >= end for since, until in spans)


def _close_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 16, tzinfo=_NEW_YORK).astimezone(UTC)


def _end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=_NEW_YORK).astimezone(UTC)


def new_york_day(moment: datetime) -> date:
    return moment.astimezone(_NEW_YORK).date()


def _no_market(timeframe: str) -> Gap:
    return Gap(
        f"No {MARKET} bars, neither {timeframe} nor daily: market.trend, market.change and market.volatility are unknown."
        if timeframe != DAILY
        else f"No {MARKET} bars: market.trend, market.change and market.volatility are unknown.",
        OF_MARKET,
    )


def _elsewhen(name: str, found: _Cached, fields: tuple[str, ...]) -> Gap:
    listed = ", ".join(fields[:-1]) + f" and {fields[-1]}"
    return Gap(f"{name} is cached from {found.first} to {found.last} only, outside the learning span: {listed} are unknown.", fields)


_NO_VIX = Gap("No VIX: market.vix and market.vix_change are unknown.", OF_VIX)
_NO_NEWS = Gap("No news is kept of these tickers: news.* is unknown.", OF_NEWS)
