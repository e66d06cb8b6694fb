"""News: an article as every source hands it over, and what bars know of articles, as files that need no database."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lab.market.durable import explaining_write_errors, make_folder, write_durably

if TYPE_CHECKING:
    import polars as pl


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


@dataclass(frozen=True, slots=True)
class NewsCoverage:
    """A span over which all of a source's news of some tickers was asked for and answered."""

    source: str
    tickers: tuple[str, ...]
    since: datetime
    """Aware UTC, as is `until`."""
    until: datetime


class NewsFiles:
    """The times and signs of articles by ticker under one folder, written beside the database for processes that have none.

    One Parquet file a ticker (`published_at`, UTC, ascending; `sentiment`, 1, 0, -1 or null) and one of the spans that are covered
    (`ticker`, `since`, `until`, not overlapping): outside them nothing is known, inside no article means that there was none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, ticker: str, published_at: Sequence[datetime], sentiment: Sequence[int | None]) -> None:
        """Replace what is kept of a ticker. Raises CacheUnwritable where the folder can't be written."""
        import polars as pl

        kinds = {"published_at": pl.Datetime("us", "UTC"), "sentiment": pl.Int8()}
        frame = pl.DataFrame({"published_at": published_at, "sentiment": sentiment}, schema=kinds)
        self._put(self._file(ticker), frame.sort("published_at", "sentiment"))

    def write_coverage(self, spans: Iterable[tuple[str, datetime, datetime]]) -> None:
        """Replace what is said to be covered: (ticker, since, until) each. Raises CacheUnwritable."""
        import polars as pl

        stamp = pl.Datetime("us", "UTC")
        frame = pl.DataFrame(list(spans), schema={"ticker": pl.String(), "since": stamp, "until": stamp}, orient="row")
        self._put(self._coverage_file, frame.sort("ticker", "since"))

    def read(self, ticker: str) -> pl.DataFrame:
        """The articles of a ticker, oldest first; empty where none is kept."""
        import polars as pl

        path = self._file(ticker)
        if not path.exists():
            return pl.DataFrame(schema={"published_at": pl.Datetime("us", "UTC"), "sentiment": pl.Int8()})
        return pl.read_parquet(path)

    @property
    def there(self) -> bool:
        """Whether anything was ever written."""
        return self._coverage_file.exists()

    def coverage(self) -> pl.DataFrame:
        """The covered spans, by ticker and time."""
        import polars as pl

        if not self._coverage_file.exists():
            stamp = pl.Datetime("us", "UTC")
            return pl.DataFrame(schema={"ticker": pl.String(), "since": stamp, "until": stamp})
        return pl.read_parquet(self._coverage_file)

    def fingerprint(self, tickers: Sequence[str], last: date) -> str:
        """SHA-256 over what is known of `tickers` up to the end of the day `last`; empty where no news is covered."""
        import polars as pl

        end = datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=UTC)
        spans = self.coverage().filter(pl.col("ticker").is_in(list(tickers)) & (pl.col("since") <= end))
        if spans.is_empty():
            return ""
        spans = spans.with_columns(pl.min_horizontal("until", pl.lit(end)))
        digest = hashlib.sha256(repr(spans.rows()).encode())
        for ticker in sorted(set(tickers)):
            digest.update(f"{ticker} {self.read(ticker).filter(pl.col('published_at') <= end).rows()}".encode())
        return digest.hexdigest()

    @property
    def _coverage_file(self) -> Path:
        # No ticker begins with a full stop.
        return self.folder / ".coverage.parquet"

    def _file(self, ticker: str) -> Path:
        return self.folder / f"{quote(ticker, safe='')}.parquet"

    def _put(self, path: Path, frame: pl.DataFrame) -> None:
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        with explaining_write_errors(self.folder):
            make_folder(self.folder)
            write_durably(path, buffer.getvalue())
