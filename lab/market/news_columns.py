"""What a bar knows of the news about its ticker: an article counts from the first bar that closes at its publication or later."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.calendar import trading_sessions
from lab.market.news import NewsFiles
from lab.market.resampling import same_grid_everywhere
from lab.market.timeframes import timeframe_minutes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEWS_COLUMNS = ("news.count_1d", "news.count_3d", "news.sentiment", "news.hours_since")
LOOK_BACK_DAYS = 12
"""Calendar days that surely hold three sessions."""
_MINUTE = 60_000_000
_HOUR = 3_600_000_000


def bar_ends(bars: pl.DataFrame, timeframe: str) -> Ints:
    """When each bar of any tickers has closed, in microseconds since 1970: after its length, at the latest with its session.

    Hours cut by the clock, as most vendors do, begin with half an hour: a ticker with any such hour has its 09:30 bar end at 10:00.
    """
    length = timeframe_minutes(timeframe)
    minute = pl.col("minute").cast(pl.Int64)
    own = pl.lit(length, pl.Int64)
    if not same_grid_everywhere(timeframe):
        by_clock = (minute % length == 0).any().over("ticker")
        own = pl.when(by_clock).then(length - minute % length).otherwise(own)
    lasts = bars.select(pl.min_horizontal(own, pl.col("close_minute").cast(pl.Int64) - minute)).to_series().to_numpy()
    return np.asarray(bars["timestamp"].to_physical().to_numpy() + lasts * _MINUTE, dtype=np.int64)


def news_columns(bars: pl.DataFrame, timeframe: str, files: NewsFiles) -> dict[str, Floats]:
    """The columns of `NEWS_COLUMNS` for bars of any tickers, sorted by ticker and time, and `known_at` of them; NaN where unknown.

    `news.count_1d` and `news.count_3d` are the articles published since this time of day one or three trading sessions ago, so
    that Monday's count holds the weekend. They are known only where the kept news covers that whole stretch: there, none is 0.
    `news.sentiment` is the mean of the vendor's signs (1, 0, -1) over the articles of the last session that have one, NaN where none has.
    `news.hours_since` is the age of the newest article, as far back as coverage reaches without a hole. `known_at` is the publication
    of the newest article, or the bar's close where the coverage holds none, in microseconds since 1970.
    """
    ends = bar_ends(bars, timeframe)
    one, three = _window_starts(bars, ends, 1), _window_starts(bars, ends, 3)
    found = {name: np.full(bars.height, np.nan) for name in (*NEWS_COLUMNS, "known_at")}
    spans = files.coverage()
    offset = 0
    for ticker, length in bars["ticker"].rle().struct.unnest().select("value", "len").iter_rows():
        part = slice(offset, offset + length)
        offset += length
        own = spans.filter(pl.col("ticker") == ticker)
        if own.is_empty():
            continue
        for name, values in _of_ticker(files.read(ticker), own, ends[part], one[part], three[part]).items():
            found[name][part] = values
    return found


def _of_ticker(articles: pl.DataFrame, spans: pl.DataFrame, end: Ints, one: Ints, three: Ints) -> dict[str, Floats]:
    since, until = (spans[name].to_physical().to_numpy() for name in ("since", "until"))
    at = articles["published_at"].to_physical().to_numpy()
    sign = articles["sentiment"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    span = np.searchsorted(since, end, side="right") - 1
    covered = (span >= 0) & (end <= until[np.maximum(span, 0)])
    begin = np.where(covered, since[np.maximum(span, 0)], np.iinfo(np.int64).max)
    seen = np.searchsorted(at, end, side="right")
    from_one, from_three = np.searchsorted(at, one, side="right"), np.searchsorted(at, three, side="right")
    signs = np.concatenate([[0.0], np.cumsum(np.nan_to_num(sign))])
    judged = np.concatenate([[0], np.cumsum(~np.isnan(sign))])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (signs[seen] - signs[from_one]) / (judged[seen] - judged[from_one])
    newest = np.append(at, 0)[np.where(seen > 0, seen - 1, at.size)]
    has_newest = (seen > 0) & (newest >= begin) & covered
    return {
        "news.count_1d": np.where(one >= begin, (seen - from_one).astype(np.float64), np.nan),
        "news.count_3d": np.where(three >= begin, (seen - from_three).astype(np.float64), np.nan),
        "news.sentiment": np.where(one >= begin, mean, np.nan),
        "news.hours_since": np.where(has_newest, (end - newest) / _HOUR, np.nan),
        "known_at": np.where(has_newest, newest, np.where(covered, end, np.nan)),
    }


def _window_starts(bars: pl.DataFrame, ends: Ints, back: int) -> Ints:
    """The same time of day, counted from the open, so many trading sessions before each bar's close."""
    days = bars["session"].to_numpy()
    if days.size == 0:
        return ends
    first: date = bars["session"].min()  # type: ignore[assignment]  # of a Date column
    last: date = bars["session"].max()  # type: ignore[assignment]  # of a Date column
    calendar = trading_sessions(first - timedelta(days=LOOK_BACK_DAYS), last)
    row = np.searchsorted(calendar["session"].to_numpy(), days)
    opens = calendar["open_at"].to_physical().to_numpy()
    return np.asarray(ends - opens[row] + opens[np.maximum(row - back, 0)], dtype=np.int64)
