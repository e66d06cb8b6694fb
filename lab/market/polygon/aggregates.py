"""Bars from Polygon as they were traded: unadjusted aggregates page by page, every page checked and durable before the next.

They are asked for with `adjusted=false`, and the lab applies the vendor's list of splits itself (`lab.market.polygon.storing`).
An unadjusted bar never changes: pages fetched before and after a split fit together, so a fetch may be broken off and go on a
week later, an update fetches the new days alone, and which splits the cached bars are adjusted for is on record, one by one.
Adjusted aggregates are on the share count of the moment of the call, which the reply does not tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import urllib3
from numpy.typing import NDArray

from lab.market.bars import VALUES
from lab.market.calendar import ZONE
from lab.market.polygon.line import PolygonLine, Tick
from lab.market.polygon.pages import Listing, Page, read_pages
from lab.market.polygon.spool import Spool

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

LIMIT = 50_000
"""The most base bars (minutes or days) that Polygon puts into one page."""
INDEX_PREFIX = "I:"
"""What the tickers of indices begin with; they have no volume and no splits."""
NO_INDICES = "Without indices in the plan, save CBOE's daily file (VIX_History.csv at cboe.com) as VIX.csv and run: lab data import VIX.csv"
"""What to do about the VIX where Polygon does not give it."""

_PRICES = ("o", "h", "l", "c")

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done; what it raises ends the fetch, which can go on later."""


@dataclass(frozen=True, slots=True)
class Span:
    """Sessions from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def start(self) -> int:
        """Milliseconds since 1970 of the first day's midnight in New York."""
        return _milliseconds(self.first)

    @property
    def end(self) -> int:
        """Milliseconds of the midnight after the last day."""
        return _milliseconds(self.last + timedelta(days=1))


def fetch_series(line: PolygonLine, ticker: str, timeframe: str, span: Span, spool: Spool, tell: Progress) -> pl.DataFrame:
    """One ticker's unadjusted bars (see `RAW_SCHEMA`) over the span, whole; empty where Polygon has none.

    What the spool holds is not asked for again: the fetch goes on after its last bar. Each page is in the spool before the next
    is asked for. Raises PolygonError, BrokenPage for a page that is not as it must be, and what `tell` raises.
    """
    multiplier, timespan = TIMEFRAMES[timeframe]
    listing = Listing(
        ticker,
        ("/v2/aggs/",),
        f"The plan of this key does not include indices. {NO_INDICES}" if ticker.startswith(INDEX_PREFIX) else "",
        "bars",
    )

    def tick(number: int) -> Tick:
        pages, bars, share = len(spool.pages), spool.bars, _share(spool, span)
        return lambda waiting: tell(share, f"page {pages + 1}, {bars:,} bars" + (f", {waiting}" if waiting else ""))

    since = _resume_at(spool, span, timeframe)
    if not spool.ended and since is not None:
        first = partial(_request, ticker, multiplier, timespan, since, span.last)
        for page in read_pages(line, listing, first, tick):
            reached = spool.reached
            bars = _bars(page, ticker, span, reached if reached is not None else span.start - 1, listing, line)
            if bars.height or page.last:
                spool.add(bars, page.last)
    tell(1.0, f"{spool.bars:,} bars")
    series = spool.series().rename({"t": "timestamp"})
    frame = series.with_columns((pl.col("timestamp") * 1000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    return _hours(frame) if timeframe == "1h" else frame


def _request(ticker: str, multiplier: int, timespan: str, since: date | int, last: date, client: Any) -> urllib3.BaseHTTPResponse:
    adjusted = None if ticker.startswith(INDEX_PREFIX) else False
    reply: urllib3.BaseHTTPResponse = client.list_aggs(
        quote(ticker, safe=""), multiplier, timespan, since, last, adjusted=adjusted, sort="asc", limit=LIMIT, raw=True
    )
    return reply


def _resume_at(spool: Spool, span: Span, timeframe: str) -> date | int | None:
    """From when to ask: the span's first day, or the end of the last bar that has come; None where that is past the span."""
    reached = spool.reached
    if reached is None:
        return span.first
    multiplier, timespan = TIMEFRAMES[timeframe]
    if timespan == "day":
        after = datetime.fromtimestamp(reached / 1000, ZoneInfo(ZONE)).date() + timedelta(days=1)
        return after if after <= span.last else None
    stamp = reached + multiplier * 60_000
    return stamp if stamp < span.end else None


def _share(spool: Spool, span: Span) -> float:
    reached = spool.reached
    return 0.0 if reached is None else min(1.0, max(0.0, (reached - span.start) / (span.end - span.start)))


def _bars(page: Page, ticker: str, span: Span, reached: int, listing: Listing, line: PolygonLine) -> pl.DataFrame:
    """A page's bars (see `PAGE_SCHEMA`), all of them later than `reached` and inside the span."""
    document = page.document
    if document.get("ticker", ticker) != ticker:
        raise listing.broken(line, f"it holds bars of {line.readable(str(document['ticker']))}")
    if document.get("adjusted", False) is not False and not ticker.startswith(INDEX_PREFIX):
        raise listing.broken(line, "its prices are adjusted for splits, and those as traded were asked for")
    stamps, values = _columns(page.results, ticker, listing, line)
    if stamps.size and (stamps[0] <= reached or (np.diff(stamps) <= 0).any()):
        raise listing.broken(line, "its bars are not in order of time, each once")
    if stamps.size and (stamps[0] < span.start or stamps[-1] >= span.end):
        raise listing.broken(line, f"it has bars outside {span.first} to {span.last}")
    return pl.DataFrame({"t": stamps, **dict(zip(VALUES, values.T, strict=True))})


def _columns(results: list[Any], ticker: str, listing: Listing, line: PolygonLine) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    index = ticker.startswith(INDEX_PREFIX)
    try:
        stamps = [row["t"] for row in results]
        values = [[*(row[name] for name in _PRICES), row.get("v", 0) if index else row["v"]] for row in results]
    except (KeyError, TypeError, IndexError, AttributeError):
        raise listing.broken(line, "a bar lacks its time, a price or its volume") from None
    if not all(type(stamp) is int and 0 < stamp < 1 << 50 for stamp in stamps):
        raise listing.broken(line, "a bar's time is not a number of milliseconds")
    if not all(type(value) in (int, float) for row in values for value in row):
        raise listing.broken(line, "a price or volume is not a number")
    try:
        return np.array(stamps, dtype=np.int64), np.array(values, dtype=np.float64).reshape(len(values), len(VALUES))
    except OverflowError:
        raise listing.broken(line, "a price or volume is beyond all measure") from None


def _hours(halves: pl.DataFrame) -> pl.DataFrame:
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
    holds_open = (local.hour() == 9) & (local.minute() == 30)
    return hours.with_columns(timestamp=pl.when(holds_open).then("timestamp").otherwise("hour")).drop("hour")


def _milliseconds(day: date) -> int:
    return int(datetime.combine(day, time(), ZoneInfo(ZONE)).timestamp() * 1000)
