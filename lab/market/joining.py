"""Joining newly imported bars of a ticker with those cached before: one series, and a sentence for all that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import prod
from zoneinfo import ZoneInfo

import polars as pl

from lab.market.bars import RAW_SCHEMA, VALUES, place_in_sessions
from lab.market.cache import BarsCache, Coverage
from lab.market.calendar import ZONE
from lab.market.manifest import SourceSpan
from lab.market.problems import Problem, ProblemKind, once
from lab.market.quality import CleanBars
from lab.market.splits import Split, adjust_for_splits, find_splits

_SAME = 1e-9
"""Two values that differ by less than this part are the same."""
_SAME_SHARES = 0.02
_MOST_SPANS_TOLD = 6
_LIST_OF_SPANS = "Joined with bars cached before: "


@dataclass(frozen=True, slots=True)
class JoinedBars:
    """A ticker's whole series, as it is to be cached."""

    bars: pl.DataFrame
    problems: tuple[Problem, ...]
    """Of the new bars, of the joining, and of the older bars that stay."""
    spans: tuple[SourceSpan, ...]
    """Which source each part comes from, oldest first."""
    splits: tuple[Split, ...]
    """What all of them are adjusted for, as far as known."""

    @property
    def source(self) -> str:
        return ", ".join(dict.fromkeys(span.source for span in self.spans))


def join_with_cached(cache: BarsCache, ticker: str, timeframe: str, clean: CleanBars, source: str) -> JoinedBars:
    """The clean bars of `source`, joined with those of the ticker that are cached.

    In their own span the new bars take the place of the cached ones, which stay outside it, put on the same share count.
    """
    before = cache.covered(ticker, timeframe)
    if before is None:
        return JoinedBars(clean.bars, clean.problems, (_span(source, clean.bars),), clean.splits)
    cached, lost_years = cache.read_undamaged(ticker, timeframe)
    old, new = cached.select(*RAW_SCHEMA), clean.bars
    told: list[Problem] = []
    first, last = new["timestamp"][0], new["timestamp"][-1]
    outside = old.filter(~pl.col("timestamp").is_between(first, last))
    inside = old.filter(pl.col("timestamp").is_between(first, last))
    ratio = _ratio(old, new)
    later = prod(split.ratio for split in before.splits if split.session > _day(last))
    if ratio is not None and abs(ratio / later - 1) < _SAME_SHARES:
        # The cached bars are on record as adjusted for splits that come after this file's end, of which it can't know.
        new = _scaled(new, 1 / later)
        told.append(
            _joined(f"The prices of “{source}” were divided by {later:.6g}, for splits after its end that the cached bars know of.")
        )
        ratio = None
    if not outside.is_empty() and ratio is not None:
        # What was adjusted last knows of all splits: the other is put on its share count.
        if last >= old["timestamp"][-1]:
            outside = _scaled(outside, ratio)
            told.append(_joined(f"The bars cached before were multiplied by {ratio:.6g}: a split or another adjustment lies in between."))
        else:
            new = _scaled(new, 1 / ratio)
            told.append(_joined(f"The prices of “{source}” were multiplied by {1 / ratio:.6g} to fit the later bars cached before."))
    spans = (*_spans_left(before, outside, first, last), _span(source, new))
    spans = tuple(sorted(spans, key=lambda span: span.first_at))
    told = [*_what_changed(before, old, inside, new, outside, spans, source), *told]
    missing = sorted(set(lost_years) - set(new["timestamp"].dt.year().unique().to_list()))
    if missing:
        years = ", ".join(str(year) for year in missing)
        sentence = f"The cached bars of {years} were damaged and are not in this file: they are missing."
        told.append(Problem(ProblemKind.MISSING_SESSIONS, sentence))
    known = _all_splits(before.splits, clean.splits)
    if outside.is_empty():
        return JoinedBars(new, once((*clean.problems, *told)), spans, known)
    whole = pl.concat([outside, new]).sort("timestamp")
    if inside.is_empty():
        placed = place_in_sessions(whole, timeframe)
        splits = find_splits(placed)
        told += [Problem(ProblemKind.SPLIT, split.sentence) for split in splits]
        whole = adjust_for_splits(placed, splits).select(*RAW_SCHEMA)
        known = _all_splits(known, splits)
    named = [replace(problem, sentence=f"{problem.sentence} (in “{source}”)") for problem in clean.problems]
    return JoinedBars(whole, once((*named, *told, *_earlier(before))), spans, known)


def _what_changed(
    before: Coverage,
    old: pl.DataFrame,
    inside: pl.DataFrame,
    new: pl.DataFrame,
    outside: pl.DataFrame,
    spans: Sequence[SourceSpan],
    source: str,
) -> list[Problem]:
    told = []
    other = any(span.source != source for span in before.spans)
    if not outside.is_empty():
        parts = [f"{_days(span.first_at, span.last_at)} from “{span.source}”" for span in spans[:_MOST_SPANS_TOLD]]
        more = f" and {len(spans) - _MOST_SPANS_TOLD} more parts" if len(spans) > _MOST_SPANS_TOLD else ""
        told.append(_joined(f"{_LIST_OF_SPANS}{', '.join(parts)}{more}."))
    elif other and not inside.is_empty():
        told.append(_joined(f"The {inside.height:,} bars cached before from “{before.source}” were replaced by those of “{source}”."))
    if inside.is_empty():
        return told
    both = inside.join(new, on="timestamp", how="inner", suffix="_new")
    differs = [(pl.col(f"{name}_new") - pl.col(name)).abs() > _SAME * pl.max_horizontal(pl.col(name).abs(), 1e-9) for name in VALUES]
    changed = both.filter(pl.any_horizontal(differs)).height
    gone = inside.height - both.height
    added = new.filter(pl.col("timestamp").is_between(old["timestamp"][0], old["timestamp"][-1])).height - both.height
    span = _days(inside["timestamp"][0], inside["timestamp"][-1])
    if changed or gone:
        counts = [f"{count:,} {what}" for count, what in ((changed, "changed"), (gone, "left out"), (added, "are new")) if count]
        result = "Universes that hold them have other bars now, and earlier results were measured on the old ones."
        told.append(_joined(f"From {span} both had bars and those of “{source}” won: of the cached bars {', '.join(counts)}. {result}"))
    elif added:
        told.append(_joined(f"From {span} the {added:,} bars that were missing before were added from “{source}”."))
    elif other or not outside.is_empty():
        told.append(_joined(f"From {span} both have the same bars."))
    return told


def _ratio(old: pl.DataFrame, new: pl.DataFrame) -> float | None:
    """New over old price where both have bars, None where that is one: a split after the older of the two was adjusted."""
    both = old.join(new.select("timestamp", pl.col("close").alias("new_close")), on="timestamp", how="inner")
    if both.is_empty():
        return None
    ratio = float(both.sort("timestamp").tail(50).select((pl.col("new_close") / pl.col("close")).median()).item())
    return ratio if abs(ratio - 1) > 0.02 else None


def _spans_left(before: Coverage, outside: pl.DataFrame, first: datetime, last: datetime) -> list[SourceSpan]:
    """What remains of the cached spans around the new bars."""
    at = pl.col("timestamp")
    left = []
    for span in before.spans:
        own = outside.filter(at.is_between(span.first_at, span.last_at))
        left += [_span(span.source, part) for part in (own.filter(at < first), own.filter(at > last)) if not part.is_empty()]
    return left


def _earlier(before: Coverage) -> list[Problem]:
    """What was found in the older bars, with their source where they had only one and it isn't said yet."""
    sources = {span.source for span in before.spans}
    kept = [problem for problem in before.report if not problem.sentence.startswith(_LIST_OF_SPANS)]
    mark = f" (in “{next(iter(sources))}”)" if len(sources) == 1 else ""
    return [problem if problem.sentence.endswith("”)") else replace(problem, sentence=problem.sentence + mark) for problem in kept]


def _all_splits(*found: Sequence[Split]) -> tuple[Split, ...]:
    """All splits once, oldest first."""
    return tuple(sorted({split for some in found for split in some}, key=lambda split: split.session))


def _day(at: datetime) -> date:
    return at.astimezone(ZoneInfo(ZONE)).date()


def _span(source: str, bars: pl.DataFrame) -> SourceSpan:
    return SourceSpan(source, bars["timestamp"][0], bars["timestamp"][-1])


def _joined(sentence: str) -> Problem:
    return Problem(ProblemKind.JOINED, sentence)


def _days(first: datetime, last: datetime) -> str:
    """Two times as the New York dates they fall on."""
    days = pl.Series([first, last], dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(ZONE).dt.date().to_list()
    return f"{days[0]} to {days[1]}"


def _scaled(bars: pl.DataFrame, factor: float) -> pl.DataFrame:
    return bars.with_columns(pl.col("open", "high", "low", "close") * factor, pl.col("volume") / factor)
