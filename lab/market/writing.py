"""What one batch writes into the cache: whole series, bars added to them, spans replaced, splits applied."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import log
from pathlib import Path

import polars as pl

from lab.market.bars import SERIES_SCHEMA, SYNTHETIC_SOURCE, place_in_sessions
from lab.market.cached_files import WrongContentError, read_whole, write_year
from lab.market.errors import DamagedBars, MarketError, MixedBars
from lab.market.manifest import CachedFile, Manifest, Series, SourceSpan
from lab.market.problems import Problem, as_problems, once
from lab.market.splits import Split, adjust_for_splits
from lab.market.timeframes import timeframe_minutes

_TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.:^=_/-]{0,31}")
_SAME_PRICE = 0.02
"""The median of bars at the same times may differ by this part; more is another share count."""


class CacheBatch:
    """Series written together: all of them appear in the cache when the batch ends, or none. Made by `BarsCache.batch`."""

    def __init__(self, folder: Path, cached: Manifest, new_files: list[Path]) -> None:
        self._folder = folder
        self._cached = cached
        self._new_files = new_files
        self.series: dict[tuple[str, str], Series] = {}

    def write(
        self,
        ticker: str,
        timeframe: str,
        frame: pl.DataFrame,
        source: str,
        problems: Sequence[Problem | str] = (),
        schedule: pl.DataFrame | None = None,
        spans: Sequence[SourceSpan] = (),
        splits: Sequence[Split] = (),
        adjusted_until: date | None = None,
    ) -> None:
        """Make `frame` (see `RAW_SCHEMA`; any order, no duplicate times) the series of `ticker` on `timeframe`.

        `schedule` is the result of `trading_sessions` over the frame's span, where the caller has it at hand; `spans` say
        which part came from which source where that is not one; `splits` are those the bars are adjusted for, as far as
        known, and `adjusted_until` is the day up to which the source had adjusted for all of them.
        """
        placed = self._placed(ticker, timeframe, frame, source, schedule)
        files = tuple(self._write_year(ticker, timeframe, source, part, splits) for _, part in _by_year(placed))
        report = as_problems(problems)
        self.series[ticker, timeframe] = Series(ticker, timeframe, source, report, files, tuple(spans), tuple(splits), adjusted_until)

    def append(
        self,
        ticker: str,
        timeframe: str,
        frame: pl.DataFrame,
        source: str,
        problems: Sequence[Problem | str] = (),
        schedule: pl.DataFrame | None = None,
        adjusted_until: date | None = None,
    ) -> None:
        """Add bars to what is cached, which stays; at a time that both have, the new bar counts. Only the years touched are written.

        Apply splits that the cached bars don't know first (`apply_split`): bars on two share counts are refused with `MarketError`.
        Raises `DamagedBars` where a year to be added to is damaged.
        """
        old = self._known(ticker, timeframe)
        if old is None:
            self.write(ticker, timeframe, frame, source, problems, schedule, adjusted_until=adjusted_until)
            return
        placed = self._placed(ticker, timeframe, frame, source, schedule)
        files = {file.year: file for file in old.files}
        for year, part in _by_year(placed):
            if year in files:
                before = self._read(old, files[year])
                _check_same_shares(ticker, timeframe, before, part)
                part = pl.concat([before.join(part, on="timestamp", how="anti"), part]).sort("timestamp")
            files[year] = self._write_year(ticker, timeframe, source, part, old.splits)
        self._keep(old, files, placed, source, problems, adjusted_until)

    def replace_sessions(
        self,
        ticker: str,
        timeframe: str,
        frame: pl.DataFrame,
        source: str,
        first: date,
        last: date,
        problems: Sequence[Problem | str] = (),
    ) -> None:
        """Put `frame` in the place of all cached bars in the sessions from `first` to `last`, damaged years included.

        What a damaged year held outside those sessions is lost.
        """
        old = self._known(ticker, timeframe)
        if old is None:
            self.write(ticker, timeframe, frame, source, problems)
            return
        placed = self._placed(ticker, timeframe, frame, source, None).filter(pl.col("session").is_between(first, last))
        parts = dict(_by_year(placed))
        files = {}
        for file in old.files:
            if not first.year <= file.year <= last.year:
                files[file.year] = file
                continue
            try:
                outside = self._read(old, file).filter(~pl.col("session").is_between(first, last))
            except DamagedBars:
                outside = pl.DataFrame(schema=SERIES_SCHEMA)
            parts[file.year] = pl.concat([outside, parts.get(file.year, outside.clear())]).sort("timestamp")
        for year, part in parts.items():
            if not part.is_empty():
                files[year] = self._write_year(ticker, timeframe, source, part, old.splits)
        self._keep(old, files, placed, source, problems, None)

    def apply_split(self, ticker: str, session: date, ratio: float) -> tuple[str, ...]:
        """Adjust all cached bars of `ticker` from before `session` for a split of `ratio` new shares for one; the timeframes changed.

        Once, however often it is called: the split is put on record with the bars. Bars that are adjusted for it already stay as
        they are: those whose source had done so (`adjusted_until`), and those that lie on both sides of `session` without the jump.
        Raises `DamagedBars` where a file is found damaged now, `MarketError` for a ratio that is none.
        """
        if not (0 < ratio < 1e4) or ratio == 1:
            raise MarketError(f"A split of {ticker} can't give {ratio:g} shares for one.")
        split = Split(session, ratio)
        changed = []
        for (name, timeframe), series in sorted({**self._cached.series, **self.series}.items()):
            if name != ticker or series.knows(split):
                continue
            if self._needs(series, split):
                files = tuple(self._adjusted(series, file, split) for file in series.files)
                series = replace(series, files=files)
                changed.append(timeframe)
            self.series[ticker, timeframe] = series.with_split(split)
        return tuple(changed)

    # Inside

    def _known(self, ticker: str, timeframe: str) -> Series | None:
        return self.series.get((ticker, timeframe)) or self._cached.series.get((ticker, timeframe))

    def _placed(self, ticker: str, timeframe: str, frame: pl.DataFrame, source: str, schedule: pl.DataFrame | None) -> pl.DataFrame:
        timeframe_minutes(timeframe)
        check_ticker(ticker)
        if frame.is_empty():
            raise MarketError(f"There are no bars of {ticker} to write.")
        self._check_not_mixed(ticker, timeframe, source)
        return place_in_sessions(frame, timeframe, schedule)

    def _check_not_mixed(self, ticker: str, timeframe: str, source: str) -> None:
        old = self._cached.series.get((ticker, timeframe))
        if old is None or (old.source == SYNTHETIC_SOURCE) == (source == SYNTHETIC_SOURCE):
            return
        there = "the demo market's synthetic" if old.source == SYNTHETIC_SOURCE else "your own"
        raise MixedBars(
            f"This workspace holds {there} {timeframe} bars of {ticker}, which must not be mixed with others of that name. "
            "Use a workspace of its own for them: set LAB_HOME to a new folder. Nothing was changed."
        )

    def _write_year(self, ticker: str, timeframe: str, source: str, part: pl.DataFrame, splits: Sequence[Split]) -> CachedFile:
        return write_year(self._folder, (ticker, timeframe), source, part, splits, self._new_files)

    def _read(self, series: Series, file: CachedFile) -> pl.DataFrame:
        try:
            if not file.damaged:
                return read_whole(self._folder, file)
        except (WrongContentError, OSError):
            pass
        raise DamagedBars(
            f"The cached {series.timeframe} bars of {series.ticker} for {file.year} are damaged. Nothing was changed: "
            "run `lab data repair`, then try again."
        )

    def _keep(
        self,
        old: Series,
        files: dict[int, CachedFile],
        placed: pl.DataFrame,
        source: str,
        problems: Sequence[Problem | str],
        adjusted_until: date | None,
    ) -> None:
        spans = _spans_with(old, SourceSpan(source, placed["timestamp"][0], placed["timestamp"][-1]))
        self.series[old.ticker, old.timeframe] = replace(
            old,
            source=", ".join(dict.fromkeys(span.source for span in spans)),
            problems=once((*old.problems, *as_problems(problems))),
            files=tuple(files[year] for year in sorted(files)),
            spans=spans,
            adjusted_until=adjusted_until or old.adjusted_until,
        )

    def _needs(self, series: Series, split: Split) -> bool:
        """Whether the bars before the split are still on the old share count."""
        if series.adjusted_until is not None and series.adjusted_until >= split.session:
            return False
        own = pl.col("session")
        before = after = None
        for file in series.files:
            if file.damaged or not split.session.year - 1 <= file.year <= split.session.year + 1:
                continue
            bars = self._read(series, file).filter("regular")
            earlier, later = bars.filter(own < split.session), bars.filter(own >= split.session)
            before = earlier["close"][-1] if not earlier.is_empty() else before
            after = later["open"][0] if after is None and not later.is_empty() else after
        if before is None or after is None:
            return True
        jump = log(after / before)
        return abs(jump + log(split.ratio)) < abs(jump)

    def _adjusted(self, series: Series, file: CachedFile, split: Split) -> CachedFile:
        # A damaged file has nothing to adjust: what replaces it comes from a source that knows of the split.
        if file.damaged or file.year > split.session.year:
            return file
        adjusted = adjust_for_splits(self._read(series, file), [split])
        return self._write_year(series.ticker, series.timeframe, series.source, adjusted, (*series.splits, split))


def check_ticker(ticker: str) -> None:
    """Refuse what can't be a ticker, with a sentence."""
    if not _TICKER.fullmatch(ticker):
        raise MarketError(f"“{ticker[:40]}” can't be a ticker: use 1 to 32 letters, digits or any of . : ^ = _ / -, such as AAPL or BRK.B.")


def _by_year(placed: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    for key, part in placed.group_by(pl.col("session").dt.year().alias("year"), maintain_order=True):
        yield int(str(key[0])), part


def _check_same_shares(ticker: str, timeframe: str, old: pl.DataFrame, new: pl.DataFrame) -> None:
    both = old.join(new.select("timestamp", pl.col("close").alias("new_close")), on="timestamp", how="inner")
    if both.is_empty():
        return
    ratio = float(both.select((pl.col("new_close") / pl.col("close")).median()).item())
    if abs(ratio - 1) > _SAME_PRICE:
        raise MarketError(
            f"The new {timeframe} bars of {ticker} cost {ratio:.4g} times what the cached ones do at the same times: a split lies between. "
            "Nothing was changed: fetch or import all bars of it anew."
        )


def _spans_with(old: Series, new: SourceSpan) -> tuple[SourceSpan, ...]:
    """The spans of a series after bars were added, the new ones cut out of those that were there."""
    known = old.known_spans
    if all(span.source == new.source for span in known):
        return (SourceSpan(new.source, min(known[0].first_at, new.first_at), max(*(span.last_at for span in known), new.last_at)),)
    bar = timedelta(minutes=timeframe_minutes(old.timeframe))
    left = []
    for span in known:
        if span.last_at < new.first_at or span.first_at > new.last_at:
            left.append(span)
            continue
        if span.first_at < new.first_at:
            left.append(replace(span, last_at=new.first_at - bar))
        if span.last_at > new.last_at:
            left.append(replace(span, first_at=new.last_at + bar))
    return tuple(sorted((*left, new), key=lambda span: span.first_at))
