"""Importing a file of bars into the cache: checked, cleaned, split-adjusted, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from lab.market.bars import place_in_sessions
from lab.market.cache import BarsCache
from lab.market.errors import UnreadableFile
from lab.market.files import FilePlan, read_bars
from lab.market.joining import join_with_cached
from lab.market.problems import Problem, ProblemKind
from lab.market.quality import clean_bars
from lab.market.writing import check_ticker


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
    """The first trading session with bars of the file, of any of its tickers."""
    last_session: date


def import_file(cache: BarsCache, plan: FilePlan, progress: Callable[[float, str], None] = lambda share, note: None) -> ImportOutcome:
    """Read the file as `plan` says, check and clean the bars of the plan's tickers, and write them to the cache.

    Where bars of a ticker are cached already, they are joined (see `join_with_cached`). A ticker without a bar in any trading
    session is left out with a sentence. `progress` is told the share done (0 to 1) and what is being done. Raises
    `UnreadableFile` where nothing can be used, `CacheUnwritable` where the cache can't be written; in either case the cache is
    as it was.
    """
    progress(0.02, f"reading {plan.path.name}")
    frame = read_bars(plan)
    nameless = frame["ticker"].null_count()
    parts = frame.drop_nulls("ticker").partition_by("ticker", maintain_order=True, as_dict=True)
    by_ticker = {str(key[0]): part.drop("ticker") for key, part in parts.items()}
    for ticker in by_ticker:
        check_ticker(ticker)
    absent = (Problem(ProblemKind.NO_BARS, f"{plan.path.name} has no bars of it."),)
    quality: dict[str, tuple[Problem, ...]] = {ticker: absent for ticker in plan.tickers if ticker not in by_ticker}
    written: list[str] = []
    rows = 0
    sessions: list[date] = []
    with cache.batch() as batch:
        for number, ticker in enumerate(sorted(by_ticker)):
            progress(0.1 + 0.85 * number / len(by_ticker), f"checking {ticker}")
            clean = clean_bars(by_ticker[ticker], plan.timeframe)
            if clean.bars.is_empty():
                quality[ticker] = (*clean.problems, Problem(ProblemKind.UNREADABLE_PRICE, "No bar of it can be used."))
                continue
            days = place_in_sessions(clean.bars, plan.timeframe).filter("regular")["session"].to_list()
            if not days:
                sentence = "None of its bars lies in a trading session of New York: left out."
                quality[ticker] = (Problem(ProblemKind.NO_SESSION, sentence), *clean.problems)
                continue
            joined = join_with_cached(cache, ticker, plan.timeframe, clean, plan.path.name)
            quality[ticker] = joined.problems
            sentences = tuple(problem.sentence for problem in joined.problems)
            batch.write(ticker, plan.timeframe, joined.bars, joined.source, sentences, spans=joined.spans)
            written.append(ticker)
            rows += clean.bars.height
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
