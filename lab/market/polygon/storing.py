"""Polygon's unadjusted bars into the cache: what is missing, adjusting for the listed splits once, and the record of it.

All cached bars of a ticker are on one share count: that after the splits on record in the manifest. New bars come as traded and
are divided by the same splits; a split that lies after the cached bars adjusts those too, in the same write that puts it on
record. A listed split that the prices don't show is not applied (the vendor lists some twice), only told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from lab.market.bars import place_in_sessions
from lab.market.cache import BarsCache, Coverage
from lab.market.calendar import ZONE, trading_sessions
from lab.market.errors import MarketError
from lab.market.polygon import SOURCE
from lab.market.polygon.aggregates import INDEX_PREFIX, Span
from lab.market.polygon.line import PolygonError
from lab.market.problems import Problem, ProblemKind
from lab.market.quality import clean_bars
from lab.market.splits import Split, adjust_for_splits
from lab.market.writing import CacheBatch, check_ticker

SETTLED_AFTER = timedelta(hours=4, minutes=30)
"""After its close a session's bars still change: trades after hours, late prints."""

_BESIDE_A_YEAR = 7
"""Days on each side of a damaged year that hold a session of its neighbours."""
_SAME_PRICE = 0.02
_PLAIN_RATIO = 1.2
"""A smaller split hides in a day's move: it is taken from the list without looking at the prices."""
_EVERY_TIME = {ProblemKind.OUTSIDE_HOURS, ProblemKind.MISSING_BARS}
"""Said of a whole series, not again of each day that is added to it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was put into the cache."""

    rows: int
    splits: tuple[Split, ...]
    """On record with the series now."""
    problems: tuple[Problem, ...]


class OtherShares(PolygonError):
    """The cached bars are not adjusted as their record says: an earlier version fetched them, or the vendor corrected a split."""


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


def settled(first: date, last: date, now: datetime) -> Span:
    """The asked span drawn in to sessions that are over, and have been for long enough that their bars no longer change."""
    if first > last:
        raise PolygonError(f"The span ends before it begins: {first} to {last}.", "span")
    sessions = trading_sessions(first, last).filter(pl.col("close_at") <= now - SETTLED_AFTER)["session"]
    if sessions.is_empty():
        raise PolygonError(f"No trading session between {first} and {last} has ended yet, or there is none.", "span")
    return Span(sessions.to_list()[0], sessions.to_list()[-1])


def missing_spans(cache: BarsCache, ticker: str, timeframe: str, asked: Span, anew: bool = False) -> tuple[Span, ...]:
    """What to ask Polygon for: of the asked span, joined to what is cached without a hole, the part that is not there.

    One session that is cached is asked for again beside each part: its prices say whether both are on one share count. With
    `anew` all of it, the cached span included. PolygonError where other sources' bars are cached: universes stand on them.
    """
    before = cache.covered(ticker, timeframe)
    if before is None:
        return (asked,)
    _refuse_other_sources(before)
    first, last = session_span(before)
    if anew:
        return (Span(min(first, asked.first), max(last, asked.last)),)
    beside = timedelta(days=_BESIDE_A_YEAR)
    spans = [Span(max(first, date(year, 1, 1) - beside), min(last, date(year, 12, 31) + beside)) for year in before.damaged_years]
    if asked.first < first:
        spans.append(Span(asked.first, first))
    if asked.last > last:
        spans.append(Span(last, asked.last))
    return tuple(spans)


def session_span(covered: Coverage) -> tuple[date, date]:
    """The New York dates of the first and last cached bar."""
    zone = ZoneInfo(ZONE)
    return covered.first_at.astimezone(zone).date(), covered.last_at.astimezone(zone).date()


def store_bars(cache: BarsCache, ticker: str, timeframe: str, raw: pl.DataFrame, listed: Sequence[Split], span: Span) -> Stored:
    """Put unadjusted bars of the span (see `RAW_SCHEMA`, not empty) into the cache, on one share count with what is there.

    `listed` are all splits the vendor lists for the ticker from the first bar on, new or cached. Bars that reach over all that is
    cached take its place. The cache holds afterwards all of it or, with an error, what it held before. Raises OtherShares where
    the cached bars don't fit the new ones, MarketError.
    """
    placed = place_in_sessions(raw, timeframe)
    with cache.batch() as batch:
        before = cache.covered(ticker, timeframe)
        if before is not None:
            _refuse_other_sources(before)
            first, last = session_span(before)
            if placed["session"].to_list()[0] <= first and placed["session"].to_list()[-1] >= last:
                before = None
        shown, doubts = _shown(placed, listed)
        if before is None:
            record = shown
        else:
            record, more = _one_share_count(cache, batch, before, placed, shown, listed)
            doubts += more
        # The bars as placed carry their session; what is cleaned is on the share count of the record.
        clean = clean_bars(adjust_for_splits(placed, record), timeframe, adjust=False)
        if clean.bars.is_empty():
            raise PolygonError(f"Polygon's bars of {ticker} have no usable prices. Nothing of it was stored.", "tickers")
        problems = _report(ticker, clean.problems, clean.bars, span, before, doubts)
        if before is None:
            batch.write(ticker, timeframe, clean.bars, SOURCE, problems, splits=record)
            for split in record:
                batch.apply_split(ticker, split.session, split.ratio)
        else:
            batch.replace_sessions(ticker, timeframe, clean.bars, SOURCE, span.first, span.last, problems)
    return Stored(clean.bars.height, tuple(record), problems)


def apply_listed_splits(cache: BarsCache, ticker: str, listed: Sequence[Split]) -> tuple[str, ...]:
    """Adjust the cached series of the ticker for splits inside them that were listed only later; a sentence for each."""
    late: set[Split] = set()
    for row in cache.coverage():
        if row.ticker == ticker and row.source == SOURCE:
            first, last = session_span(row)
            inside = [split for split in listed if first < split.session <= last and not _on_record(row.splits, split)]
            if inside:
                shown, _ = _shown(cache.read_undamaged(ticker, row.timeframe)[0], inside)
                late |= set(shown)
    if not late:
        return ()
    told = []
    with cache.batch() as batch:
        for split in sorted(late, key=lambda one: one.session):
            changed = batch.apply_split(ticker, split.session, split.ratio)
            if changed:
                told.append(f"The {', '.join(changed)} bars before {split.session} were adjusted for a {split.name} split.")
    return tuple(told)


def _one_share_count(
    cache: BarsCache, batch: CacheBatch, before: Coverage, new: pl.DataFrame, shown: Sequence[Split], listed: Sequence[Split]
) -> tuple[list[Split], list[Problem]]:
    """Bring the cached series to the share count after the new splits; what both parts are then adjusted for, and doubts."""
    old, _ = cache.read_undamaged(before.ticker, before.timeframe)
    _check_fit(before, old, new)
    unknown = [split for split in listed if not _on_record(before.splits, split)]
    late, doubts = _shown(old, [split for split in unknown if split not in shown])
    fresh = {split for split in (*shown, *late) if split in unknown}
    for split in sorted(fresh, key=lambda one: one.session):
        batch.apply_split(before.ticker, split.session, split.ratio)
    return sorted({*before.splits, *fresh}, key=lambda one: one.session), doubts


def _check_fit(before: Coverage, old: pl.DataFrame, new: pl.DataFrame) -> None:
    """Whether the cached bars cost what the new ones do once the splits on record are taken out, in a session that both have."""
    both = old.join(new.select("timestamp", pl.col("close").alias("traded")), on="timestamp", how="inner")
    if both.is_empty():
        return
    session = both["session"].to_list()[-1]
    same_day = both.filter(pl.col("session") == session)
    ratio = float(same_day.select((pl.col("traded") / pl.col("close")).median()).item())
    on_record = math.prod(split.ratio for split in before.splits if split.session > session)
    if abs(ratio / on_record - 1) > _SAME_PRICE:
        raise OtherShares(
            f"The cached {before.timeframe} bars of {before.ticker} are not on the share count that their splits on record give: on "
            f"{session} they should be {on_record:g} times lower than what was traded and are {ratio:.4g} times. Nothing was "
            "changed: fetch them anew."
        )


def _shown(bars: pl.DataFrame, splits: Sequence[Split]) -> tuple[list[Split], list[Problem]]:
    """Those splits inside the bars (columns of `SERIES_SCHEMA`) that the prices show, and what is said of the others."""
    days = (
        bars.filter("regular")
        .group_by("session", maintain_order=True)
        .agg(pl.col("open").first(), pl.col("close").last())
        .select("session", "open", pl.col("close").shift(1).alias("before"))
    )
    shown, doubts = [], []
    for split in splits:
        jumps = days.filter((pl.col("session") >= split.session) & pl.col("before").is_not_null()).head(1)
        if jumps.is_empty() or days["session"].to_list()[0] >= split.session:
            continue
        jump, size = math.log(jumps["open"][0] / jumps["before"][0]), math.log(split.ratio)
        if abs(size) < math.log(_PLAIN_RATIO) or abs(jump + size) < abs(jump):
            shown.append(split)
        else:
            sentence = f"A {split.name} split is listed for {split.session}, and the prices don't show it: not adjusted for."
            doubts.append(Problem(ProblemKind.SPLIT, sentence))
    return shown, doubts


def _report(
    ticker: str, found: Sequence[Problem], bars: pl.DataFrame, span: Span, before: Coverage | None, doubts: Sequence[Problem]
) -> tuple[Problem, ...]:
    problems = [*found, *doubts]
    if ticker.startswith(INDEX_PREFIX):
        problems = [problem for problem in problems if problem.kind is not ProblemKind.NO_VOLUME]
    if before is not None:
        return tuple(problem for problem in problems if problem.kind not in _EVERY_TIME)
    days = bars.select(pl.col("timestamp").dt.convert_time_zone(ZONE).dt.date().alias("day"))["day"].to_list()
    if days[0] > span.first:
        problems.append(_missing(f"The bars begin on {days[0]}, later than the asked {span.first}."))
    if days[-1] < span.last:
        problems.append(_missing(f"The bars end on {days[-1]}, earlier than the asked {span.last}."))
    return tuple(problems)


def _missing(sentence: str) -> Problem:
    return Problem(ProblemKind.MISSING_SESSIONS, sentence)


def _on_record(record: Sequence[Split], split: Split) -> bool:
    return any(one.session == split.session and abs(one.ratio / split.ratio - 1) < 1e-6 for one in record)


def _refuse_other_sources(before: Coverage) -> None:
    if before.source != SOURCE:
        raise PolygonError(
            f"The {before.timeframe} bars of {before.ticker} in this workspace come from “{before.source}”, and a ticker has one series. "
            "Leave the ticker out, or fetch into another workspace (set LAB_HOME to another folder).",
            "tickers",
        )
