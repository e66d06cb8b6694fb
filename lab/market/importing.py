"""Importing a file of bars into the cache: checked, cleaned, split-adjusted, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from time import time

import polars as pl

from lab.market.cache import BarsCache
from lab.market.durable import explaining_write_errors, make_folder
from lab.market.errors import UnreadableFile
from lab.market.files import FilePlan, bar_pieces
from lab.market.joining import join_with_cached
from lab.market.problems import Done, Problem, ProblemKind
from lab.market.quality import clean_bars
from lab.market.writing import check_ticker

_MEMORY_ROWS = 1_000_000
"""More rows than these are spilled to the disk by piece, and read back a group of tickers at a time."""
_GROUP_ROWS = 1_000_000
_SPILL = ".import-"
_LEFT_SECONDS = 86_400


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
    with _gathered(cache, plan, progress) as gathered:
        for ticker in gathered.tickers:
            check_ticker(ticker)
        absent = (Problem(ProblemKind.NO_BARS, f"{plan.path.name} has no bars of it."),)
        quality: dict[str, tuple[Problem, ...]] = {ticker: absent for ticker in plan.tickers if ticker not in gathered.tickers}
        written: list[str] = []
        rows = 0
        sessions: list[date] = []
        with cache.batch() as batch:
            for number, (ticker, raw) in enumerate(gathered.each()):
                progress(0.5 + 0.48 * number / len(gathered.tickers), f"checking {ticker}")
                clean = clean_bars(raw, plan.timeframe)
                if clean.bars.is_empty():
                    quality[ticker] = (*clean.problems, Problem(ProblemKind.UNREADABLE_PRICE, "No bar of it can be used.", Done.LEFT_OUT))
                    continue
                if clean.sessions is None:
                    sentence = "None of its bars lies in a trading session of New York: left out."
                    quality[ticker] = (Problem(ProblemKind.NO_SESSION, sentence, Done.LEFT_OUT, raw.height), *clean.problems)
                    continue
                joined = join_with_cached(cache, ticker, plan.timeframe, clean, plan.path.name)
                quality[ticker] = joined.problems
                batch.write(ticker, plan.timeframe, joined.bars, joined.source, joined.problems, spans=joined.spans, splits=joined.splits)
                written.append(ticker)
                rows += clean.bars.height
                sessions += clean.sessions
            if not written:
                raise UnreadableFile(f"{plan.path.name} has no bar that can be used: {_first_reason(quality)}")
        if gathered.nameless:
            lost = Problem(ProblemKind.UNREADABLE_PRICE, f"{gathered.nameless:,} rows name no ticker: left out.", Done.LEFT_OUT)
            quality[written[0]] = (*quality[written[0]], lost)
    progress(1.0, f"{rows:,} bars of {len(written)} tickers are cached")
    return ImportOutcome(rows, tuple(written), plan.timeframe, quality, min(sessions), max(sessions))


class _Gathered:
    """The rows of a plan by ticker: in memory where they are few, else in Parquet files beside the cache."""

    def __init__(self, folder: Path | None) -> None:
        self.nameless = 0
        self._folder = folder
        self._frames: list[pl.DataFrame] = []
        self._rows: dict[str, int] = {}

    @property
    def tickers(self) -> Sequence[str]:
        return sorted(self._rows)

    def add(self, piece: pl.DataFrame) -> None:
        self.nameless += piece["ticker"].null_count()
        piece = piece.drop_nulls("ticker")
        for ticker, rows in piece.group_by("ticker").len().iter_rows():
            self._rows[ticker] = self._rows.get(ticker, 0) + rows
        if self._folder is None:
            self._frames.append(piece)
        else:
            piece.write_parquet(self._folder / f"{len(self._frames)}.parquet", compression="lz4")
            self._frames.append(piece.clear())

    def each(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """The tickers in order with their rows (see `RAW_SCHEMA`), in the file's order."""
        for group in self._groups():
            if self._folder is None:
                frame = pl.concat(self._frames, how="vertical_relaxed")
            else:
                parts = [self._folder / f"{number}.parquet" for number in range(len(self._frames))]
                frame = pl.concat([pl.read_parquet(part).filter(pl.col("ticker").is_in(group)) for part in parts], how="vertical_relaxed")
            by_ticker = frame.partition_by("ticker", maintain_order=True, include_key=False, as_dict=True)
            del frame
            for ticker in group:
                yield ticker, by_ticker.pop((ticker,))

    def _groups(self) -> Iterator[list[str]]:
        if self._folder is None:
            yield list(self.tickers)
            return
        group: list[str] = []
        for ticker in self.tickers:
            if group and sum(self._rows[one] for one in group) + self._rows[ticker] > _GROUP_ROWS:
                yield group
                group = []
            group.append(ticker)
        yield group


@contextmanager
def _gathered(cache: BarsCache, plan: FilePlan, progress: Callable[[float, str], None]) -> Iterator[_Gathered]:
    """The plan's rows, read once in pieces. What is spilled to the disk is removed at the end."""
    with ExitStack() as stack:
        folder = None
        if plan.rows > _MEMORY_ROWS:
            stack.enter_context(explaining_write_errors(cache.folder))
            make_folder(cache.folder)
            for left in cache.folder.glob(f"{_SPILL}*"):
                # What a killed import left; one that runs now is younger.
                if time() - left.stat().st_mtime > _LEFT_SECONDS:
                    rmtree(left, ignore_errors=True)
            folder = Path(stack.enter_context(TemporaryDirectory(prefix=_SPILL, dir=cache.folder)))
        gathered = _Gathered(folder)
        done = 0
        for piece in bar_pieces(plan):
            gathered.add(piece)
            done += piece.height
            progress(0.02 + 0.48 * min(done / max(plan.rows, 1), 1.0), f"reading {plan.path.name}, {done:,} of {plan.rows:,} rows")
        yield gathered


def _first_reason(quality: Mapping[str, tuple[Problem, ...]]) -> str:
    sentences = [f"{ticker}: {problem.sentence}" for ticker, problems in quality.items() for problem in problems[:1]]
    return sentences[0] if sentences else "no row names a ticker."
