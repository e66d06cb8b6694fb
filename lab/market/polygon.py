"""Bars from Polygon: its aggregates page by page, every page checked, all tickers of one fetch into the cache or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.bars import VALUES
from lab.market.cache import BarsCache, check_ticker
from lab.market.calendar import ZONE, trading_sessions
from lab.market.errors import MarketError
from lab.market.polygon_line import PolygonError, PolygonLine
from lab.market.quality import CleanBars, clean_bars

SOURCE = "polygon"
TIMEFRAMES: dict[str, tuple[int, str]] = {
    "1m": (1, "minute"),
    "5m": (5, "minute"),
    "15m": (15, "minute"),
    "30m": (30, "minute"),
    # Polygon's hour from 09:00 mixes half an hour before the open with the first half hour of trading: made of halves instead.
    "1h": (30, "minute"),
    "1d": (1, "day"),
}
"""What is asked of Polygon for each timeframe: multiplier and timespan."""

SETTLED_AFTER = timedelta(hours=4, minutes=30)
"""After its close a session's bars still change: trades after hours, late prints."""
SAME_VENDOR = {"api.polygon.io", "api.massive.com"}
"""The vendor's two names: either may link to pages of the other. Pages are fetched from the base URL all the same."""

_STATUSES = {"OK", "DELAYED"}
_FIELDS = ("o", "h", "l", "c", "v")
_MOST_PAGES = 2_000
_MOST_EMPTY_PAGES = 3

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """What a fetch has put into the cache."""

    rows: int
    tickers: tuple[str, ...]
    timeframe: str
    first_session: date
    """Of the asked span: the first with bars of any of the tickers."""
    last_session: date
    quality: dict[str, tuple[str, ...]]
    """By ticker: what was found wrong and what was done about it, a sentence each."""


@dataclass(frozen=True, slots=True)
class _Page:
    stamps: NDArray[np.int64]
    """Starts of the bars, milliseconds since 1970."""
    values: NDArray[np.float64]
    """A row a bar: open, high, low, close, volume."""
    next_path: str | None


@dataclass(frozen=True, slots=True)
class _Span:
    """What is asked for: sessions, and the milliseconds they lie between."""

    first: date
    last: date

    @property
    def start(self) -> int:
        return _milliseconds(self.first)

    @property
    def end(self) -> int:
        return _milliseconds(self.last + timedelta(days=1))


def fetch_bars(
    cache: BarsCache,
    line: PolygonLine,
    tickers: Sequence[str],
    timeframe: str,
    first: date,
    last: date,
    progress: Progress,
    now: datetime | None = None,
) -> FetchOutcome:
    """Fetch the bars of `tickers` in the sessions from `first` to `last` and put them into the cache, all or none.

    Sessions that are not over, or only just, are left for a later fetch. Bars of an earlier fetch are fetched anew along with
    the new ones, because a split in between changes them all. Prices are split-adjusted as of today.

    Raises PolygonError, and what `progress` raises; the cache is then as it was.
    """
    if timeframe not in TIMEFRAMES:
        raise PolygonError(f"Polygon's bars can be had as {', '.join(TIMEFRAMES)}, not as {timeframe}.", "timeframe")
    wanted = checked_tickers(tickers)
    asked = _settled(first, last, now or datetime.now(UTC))
    spans = _with_cached(cache, wanted, timeframe, asked)
    clean: dict[str, CleanBars] = {}
    for number, ticker in enumerate(wanted):
        where = f"{ticker} ({number + 1} of {len(wanted)})" if len(wanted) > 1 else ticker

        def tell(share: float, note: str, number: int = number, where: str = where) -> None:
            progress(0.98 * (number + share) / len(wanted), f"{where}: {note}")

        raw = _series(line, ticker, timeframe, spans[ticker], tell)
        clean[ticker] = clean_bars(raw, timeframe)
        if clean[ticker].bars.is_empty():
            raise PolygonError(f"Polygon's bars of {ticker} have no usable prices. Nothing was stored.", "tickers")
    inside = [session for found in clean.values() for session in _sessions(found.bars) if asked.first <= session <= asked.last]
    if not inside:
        raise PolygonError(f"Polygon has no bars between {asked.first} and {asked.last}.", "span")
    progress(0.98, "writing to the cache")
    quality = {ticker: (*(one.sentence for one in found.problems), *_ends(found.bars, spans[ticker])) for ticker, found in clean.items()}
    with cache.batch() as batch:
        _with_cached(cache, wanted, timeframe, asked)  # again under the lock: an import may have come in between
        for ticker, found in clean.items():
            batch.write(ticker, timeframe, found.bars, SOURCE, quality[ticker])
    return FetchOutcome(
        rows=sum(found.bars.height for found in clean.values()),
        tickers=wanted,
        timeframe=timeframe,
        first_session=min(inside),
        last_session=max(inside),
        quality=quality,
    )


def checked_tickers(tickers: Sequence[str]) -> tuple[str, ...]:
    """The tickers without blanks and repeats; PolygonError for none, for one that can't be a ticker, or for no stock."""
    # Capitals matter to Polygon (BACpB is a preferred share), but nothing is listed in small letters alone.
    words = [ticker.strip() for ticker in tickers if ticker.strip()]
    wanted = tuple(dict.fromkeys(word.upper() if word.islower() else word for word in words))
    if not wanted:
        raise PolygonError("Name at least one ticker, such as AAPL.", "tickers")
    for ticker in wanted:
        try:
            check_ticker(ticker)
        except MarketError as error:
            raise PolygonError(str(error), "tickers") from None
        if ":" in ticker:
            raise PolygonError(f"{ticker} is not a stock: only stocks and funds on US exchanges can be fetched.", "tickers")
    return wanted


def _settled(first: date, last: date, now: datetime) -> _Span:
    """The asked span drawn in to sessions that are over."""
    if first > last:
        raise PolygonError(f"The span ends before it begins: {first} to {last}.", "span")
    sessions = trading_sessions(first, last).filter(pl.col("close_at") <= now - SETTLED_AFTER)["session"]
    if sessions.is_empty():
        raise PolygonError(f"No trading session between {first} and {last} has ended yet, or there is none.", "span")
    return _Span(sessions.to_list()[0], sessions.to_list()[-1])


def _with_cached(cache: BarsCache, tickers: Sequence[str], timeframe: str, asked: _Span) -> dict[str, _Span]:
    """Per ticker what to ask for. What other sources have put into the cache is not replaced: universes stand on it."""
    spans = dict.fromkeys(tickers, asked)
    for row in cache.coverage():
        if row.ticker not in spans or row.timeframe != timeframe:
            continue
        if row.source != SOURCE:
            raise PolygonError(
                f"The {timeframe} bars of {row.ticker} in this workspace come from “{row.source}”, and a ticker has one series. "
                "Leave the ticker out, or fetch into another workspace (set LAB_HOME to another folder).",
                "tickers",
            )
        zone = ZoneInfo(ZONE)
        first, last = row.first_at.astimezone(zone).date(), row.last_at.astimezone(zone).date()
        spans[row.ticker] = _Span(min(asked.first, first), max(asked.last, last))
    return spans


def _series(line: PolygonLine, ticker: str, timeframe: str, span: _Span, tell: Progress) -> pl.DataFrame:
    """One ticker's bars (see `RAW_SCHEMA`), whole: a page that is not as it must be raises."""
    multiplier, timespan = TIMEFRAMES[timeframe]
    pages: list[_Page] = []
    seen: set[str] = set()
    bars, empty, reached, path = 0, 0, span.start - 1, None
    while True:

        def tick(waiting: str, bars: int = bars, reached: int = reached, number: int = len(pages) + 1) -> None:
            share = (reached - span.start) / (span.end - span.start)
            tell(min(1.0, max(0.0, share)), f"page {number}, {bars:,} bars" + (f", {waiting}" if waiting else ""))

        document = line.aggregates(ticker, multiplier, timespan, span.first, span.last, tick) if path is None else line.follow(path, tick)
        page = _page(document, ticker, span, reached, line)
        pages.append(page)
        bars += page.stamps.size
        empty = 0 if page.stamps.size else empty + 1
        reached = int(page.stamps[-1]) if page.stamps.size else reached
        path = page.next_path
        if path is None:
            break
        if path in seen or empty > _MOST_EMPTY_PAGES or len(pages) >= _MOST_PAGES:
            raise _broken(line, ticker, "its pages never end")
        seen.add(path)
    if bars == 0:
        raise PolygonError(
            f"Polygon has no bars of {ticker} from {span.first} to {span.last}: check how the ticker is written and the dates. "
            "Nothing was stored.",
            "tickers",
        )
    stamps = np.concatenate([page.stamps for page in pages])
    values = np.concatenate([page.values for page in pages])
    frame = pl.DataFrame({"timestamp": stamps * 1000, **dict(zip(VALUES, values.T, strict=True))})
    frame = frame.with_columns(pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    return _hours(frame, ticker) if timeframe == "1h" else frame


def _page(document: dict[str, Any], ticker: str, span: _Span, reached: int, line: PolygonLine) -> _Page:
    """A page's bars, all of them later than `reached` and inside the span."""
    status = document.get("status")
    if status not in _STATUSES:
        said = document.get("error") or document.get("message") or ""
        raise _broken(line, ticker, f"its status is {line.readable(str(status))} {line.readable(str(said))}".rstrip())
    if document.get("ticker", ticker) != ticker:
        raise _broken(line, ticker, f"it holds bars of {line.readable(str(document['ticker']))}")
    if document.get("adjusted", True) is not True:
        raise _broken(line, ticker, "its prices are not adjusted for splits")
    results, count = document.get("results"), document.get("resultsCount", document.get("count"))
    if results is None and count == 0:
        results = []
    if not isinstance(results, list):
        raise _broken(line, ticker, "it has no results")
    if count is not None and count != len(results):
        raise _broken(line, ticker, f"it announces {line.readable(str(count))} bars and has {len(results)}")
    stamps, values = _columns(results, ticker, line)
    if stamps.size and (stamps[0] <= reached or (np.diff(stamps) <= 0).any()):
        raise _broken(line, ticker, "its bars are not in order of time, each once")
    if stamps.size and (stamps[0] < span.start or stamps[-1] >= span.end):
        raise _broken(line, ticker, f"it has bars outside {span.first} to {span.last}")
    return _Page(stamps, values, _next_path(document, ticker, line))


def _columns(results: list[Any], ticker: str, line: PolygonLine) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        stamps = [row["t"] for row in results]
        values = [[row[name] for name in _FIELDS] for row in results]
    except (KeyError, TypeError, IndexError):
        raise _broken(line, ticker, "a bar lacks its time, a price or its volume") from None
    if not all(type(stamp) is int and 0 < stamp < 1 << 50 for stamp in stamps):
        raise _broken(line, ticker, "a bar's time is not a number of milliseconds")
    if not all(type(value) in (int, float) for row in values for value in row):
        raise _broken(line, ticker, "a price or volume is not a number")
    try:
        return np.array(stamps, dtype=np.int64), np.array(values, dtype=np.float64).reshape(len(values), len(_FIELDS))
    except OverflowError:
        raise _broken(line, ticker, "a price or volume is beyond all measure") from None


def _next_path(document: dict[str, Any], ticker: str, line: PolygonLine) -> str | None:
    """Where the next page lies on the line's own host; None on the last page."""
    link = document.get("next_url")
    if link is None or link == "":
        return None
    try:
        parts = urlsplit(link if isinstance(link, str) else "")
        host = parts.netloc.lower()
    except ValueError:
        host = ""
    if host != line.host.lower() and not {host, line.host.lower()} <= SAME_VENDOR:
        raise _broken(line, ticker, f"its next page lies on another host ({line.readable(host) or 'none'})")
    if not parts.path.startswith("/v2/aggs/"):
        raise _broken(line, ticker, "its next page is not one of bars")
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _hours(halves: pl.DataFrame, ticker: str) -> pl.DataFrame:
    """Clock hours from half hours; the one that holds the open has only what was traded after it."""
    local = pl.col("timestamp").dt.convert_time_zone(ZONE).dt
    before_open = (local.hour() == 9) & (local.minute() == 0)
    hours = (
        halves.filter(~before_open)
        .sort("timestamp")
        .group_by(pl.col("timestamp").dt.truncate("1h").alias("hour"), maintain_order=True)
        .agg(
            pl.col("timestamp").first(),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
    )
    if hours.is_empty():
        raise PolygonError(f"Polygon has no bars of {ticker} in trading hours.", "tickers")
    holds_open = (local.hour() == 9) & (local.minute() == 30)
    return hours.with_columns(timestamp=pl.when(holds_open).then("timestamp").otherwise("hour")).drop("hour")


def _ends(bars: pl.DataFrame, span: _Span) -> tuple[str, ...]:
    """What is missing at the two ends of the span; gaps between are the quality check's."""
    sessions = _sessions(bars)
    found = []
    if sessions[0] > span.first:
        found.append(f"The bars begin on {sessions[0]}, later than the asked {span.first}.")
    if sessions[-1] < span.last:
        found.append(f"The bars end on {sessions[-1]}, earlier than the asked {span.last}.")
    return tuple(found)


def _sessions(bars: pl.DataFrame) -> list[date]:
    return bars.select(pl.col("timestamp").dt.convert_time_zone(ZONE).dt.date().alias("day")).unique().sort("day")["day"].to_list()


def _broken(line: PolygonLine, ticker: str, what: str) -> PolygonError:
    return PolygonError(f"A page of {ticker} from {line.host} can't be trusted: {what}. Nothing was stored; try again later.")


def _milliseconds(day: date) -> int:
    return int(datetime.combine(day, time(), ZoneInfo(ZONE)).timestamp() * 1000)
