"""Importing a file of bars into the cache: checked, cleaned, split-adjusted, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from lab.market.bars import RAW_SCHEMA, place_in_sessions
from lab.market.cache import BarsCache, check_ticker
from lab.market.errors import UnreadableFile
from lab.market.files import FilePlan, read_bars
from lab.market.quality import CleanBars, Problem, ProblemKind, clean_bars
from lab.market.splits import adjust_for_splits, find_splits


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import wrote, and what was found on the way."""

    rows: int
    """Bars of the file that are now cached."""
    tickers: tuple[str, ...]
    timeframe: str
    quality: Mapping[str, tuple[Problem, ...]]
    """By ticker, also those of which nothing could be used; empty where nothing was wrong."""
    first_session: date
    last_session: date


def import_file(cache: BarsCache, plan: FilePlan, progress: Callable[[float, str], None] = lambda share, note: None) -> ImportOutcome:
    """Read the file as `plan` says, check and clean each ticker's bars, and write them to the cache.

    Where bars of a ticker are cached already, the file's replace those in its own span and the rest stays, put on the same
    share count. `progress` is told the share done (0 to 1) and what is being done. Raises `UnreadableFile` where nothing can be
    used, `CacheUnwritable` where the cache can't be written; in either case the cache is as it was.
    """
    progress(0.02, f"reading {plan.path.name}")
    frame = read_bars(plan)
    nameless = frame["ticker"].null_count()
    parts = frame.drop_nulls("ticker").partition_by("ticker", maintain_order=True, as_dict=True)
    by_ticker = {str(key[0]): part.drop("ticker") for key, part in parts.items()}
    for ticker in by_ticker:
        check_ticker(ticker)
    quality: dict[str, tuple[Problem, ...]] = {}
    written: list[str] = []
    rows, sessions = 0, []
    with cache.batch() as batch:
        for number, ticker in enumerate(sorted(by_ticker)):
            progress(0.1 + 0.85 * number / len(by_ticker), f"checking {ticker}")
            clean = clean_bars(by_ticker[ticker], plan.timeframe)
            if clean.bars.is_empty():
                quality[ticker] = (*clean.problems, Problem(ProblemKind.UNREADABLE_PRICE, "No bar of it can be used."))
                continue
            whole, found = _joined_with_cached(cache, ticker, plan.timeframe, clean)
            quality[ticker] = found
            batch.write(ticker, plan.timeframe, whole, plan.path.name, tuple(problem.sentence for problem in found))
            written.append(ticker)
            rows += clean.bars.height
            days = place_in_sessions(clean.bars, plan.timeframe)["session"].to_list()
            sessions += [days[0], days[-1]]
        if not written:
            raise UnreadableFile(f"{plan.path.name} has no bar that can be used: {_first_reason(quality)}")
    if nameless:
        quality[written[0]] = (*quality[written[0]], Problem(ProblemKind.UNREADABLE_PRICE, f"{nameless:,} rows name no ticker: left out."))
    progress(1.0, f"{rows:,} bars of {len(written)} tickers are cached")
    return ImportOutcome(rows, tuple(written), plan.timeframe, quality, min(sessions), max(sessions))


def _first_reason(quality: Mapping[str, tuple[Problem, ...]]) -> str:
    sentences = [f"{ticker}: {problem.sentence}" for ticker, problems in quality.items() for problem in problems[:1]]
    return sentences[0] if sentences else "no row names a ticker."


def _joined_with_cached(cache: BarsCache, ticker: str, timeframe: str, clean: CleanBars) -> tuple[pl.DataFrame, tuple[Problem, ...]]:
    if not cache.has(ticker, timeframe):
        return clean.bars, clean.problems
    cached, lost_years = cache.read_undamaged(ticker, timeframe)
    problems = list(clean.problems)
    new = clean.bars
    missing = sorted(set(lost_years) - set(new["timestamp"].dt.year().unique().to_list()))
    if missing:
        years = ", ".join(str(year) for year in missing)
        sentence = f"The cached bars of {years} were damaged and are not in this file: they are missing."
        problems.append(Problem(ProblemKind.MISSING_SESSIONS, sentence))
    old = cached.select(*RAW_SCHEMA)
    both = old.join(new.select("timestamp", pl.col("close").alias("new_close")), on="timestamp", how="inner")
    outside = old.filter(~pl.col("timestamp").is_between(new["timestamp"][0], new["timestamp"][-1]))
    if outside.is_empty():
        return new, tuple(problems)
    if both.height:
        # A split after the older of the two was adjusted shows as a constant ratio where both have bars.
        ratio = float(both.sort("timestamp").tail(50).select((pl.col("new_close") / pl.col("close")).median()).item())
        if abs(ratio - 1) > 0.02:
            new_is_newer = new["timestamp"][-1] >= old["timestamp"][-1]
            if new_is_newer:
                outside = _scaled(outside, ratio)
            else:
                new = _scaled(new, 1 / ratio)
        return pl.concat([outside, new]).sort("timestamp"), tuple(problems)
    whole = pl.concat([outside, new]).sort("timestamp")
    placed = place_in_sessions(whole, timeframe)
    splits = find_splits(placed)
    problems += [Problem(ProblemKind.SPLIT, split.sentence) for split in splits]
    return adjust_for_splits(placed, splits).select(*RAW_SCHEMA), tuple(problems)


def _scaled(bars: pl.DataFrame, factor: float) -> pl.DataFrame:
    return bars.with_columns(pl.col("open", "high", "low", "close") * factor, pl.col("volume") / factor)
