"""The bars cache: Parquet files by ticker, timeframe and year, whole or not at all, never silently damaged."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from lab.market.bars import BARS_SCHEMA, CONTEXT_DAYS, SERIES_SCHEMA
from lab.market.cached_files import WrongContentError, read_span, read_whole
from lab.market.durable import explaining_write_errors, make_folder, write_durably
from lab.market.errors import DamagedBars, MissingBars
from lab.market.gathering import Part, gathered, one_by_one
from lab.market.manifest import NAME, CachedFile, Manifest, Series, SourceSpan, dump_manifest, load_manifest
from lab.market.packed import SUFFIX as PACKED
from lab.market.packed import place_packed
from lab.market.problems import Problem
from lab.market.repairing import SET_ASIDE, UNKNOWN_SOURCE, Damage, Rebuilt, find_damage, rebuild_manifest, set_aside
from lab.market.resampling import base_for, resample, same_grid_everywhere
from lab.market.splits import Split
from lab.market.timeframes import DAILY, MINUTES, timeframe_minutes
from lab.market.writing import CacheBatch, check_ticker

__all__ = ["BarsCache", "CacheBatch", "Coverage", "check_ticker"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is cached of one ticker on one timeframe."""

    ticker: str
    timeframe: str
    source: str
    rows: int
    first_at: datetime
    last_at: datetime
    problems: tuple[str, ...]
    """The quality report as sentences."""
    spans: tuple[SourceSpan, ...]
    """Which part came from which source, oldest first."""
    report: tuple[Problem, ...] = ()
    """The quality report: kind, what was done, how many bars."""
    splits: tuple[Split, ...] = ()
    """Splits that the bars are known to be adjusted for."""
    damaged_years: tuple[int, ...] = ()
    """Years whose file was found damaged and set aside: their bars are missing."""
    adjusted_until: date | None = None
    """The source had adjusted the bars for every split up to this date; None where that is not known."""
    digest: str = ""
    """Made of the files' checksums: another one with any other bar."""


class BarsCache:
    """The bars of a workspace, under one folder. Many processes may read while one writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.RLock()
        self._locks_held = 0

    def __reduce__(self) -> tuple[type[BarsCache], tuple[Path]]:
        return BarsCache, (self.folder,)

    # Writing

    @contextmanager
    def batch(self) -> Iterator[CacheBatch]:
        """Write several series as one: nothing of them is in the cache before the `with` block has ended well.

        Raises `CacheUnwritable` when the disk is full or the folder can't be written, and `MixedBars` when real bars would replace
        synthetic ones or the other way round; what was cached before stays as it was.
        """
        new_files: list[Path] = []
        try:
            with explaining_write_errors(self.folder), self._lock():
                batch = CacheBatch(self.folder, load_manifest(self.folder), new_files)
                yield batch
                new = Manifest({**load_manifest(self.folder).series, **batch.series})
                write_durably(self.folder / NAME, dump_manifest(new))
                self._sweep(new)
        except BaseException:
            self._forget(new_files)
            raise

    def write(self, ticker: str, timeframe: str, frame: pl.DataFrame, source: str, problems: Sequence[Problem | str] = ()) -> None:
        """Make `frame` the series of `ticker` on `timeframe`, replacing what was cached of it (see `CacheBatch.write`)."""
        with self.batch() as batch:
            batch.write(ticker, timeframe, frame, source, problems)

    def append(self, ticker: str, timeframe: str, frame: pl.DataFrame, source: str, problems: Sequence[Problem | str] = ()) -> None:
        """Add bars to what is cached of `ticker` on `timeframe` (see `CacheBatch.append`)."""
        with self.batch() as batch:
            batch.append(ticker, timeframe, frame, source, problems)

    def apply_split(self, ticker: str, session: date, ratio: float) -> tuple[str, ...]:
        """Adjust the cached bars of `ticker` for a split, once (see `CacheBatch.apply_split`); the timeframes whose bars changed."""
        with self.batch() as batch:
            return batch.apply_split(ticker, session, ratio)

    # Reading

    def read(
        self, tickers: Sequence[str], timeframe: str, first: date | None = None, last: date | None = None, *, extended: bool = False
    ) -> pl.DataFrame:
        """The regular-hours bars of `tickers` in the sessions from `first` to `last` (see `BARS_SCHEMA`), sorted by ticker and time.

        Where a ticker is not cached on `timeframe`, its bars are made of shorter ones that are (see `resample`); hours only where
        none are cached of any ticker, since those are cut otherwise. With `extended`, bars before and after the session and on
        days without one are read too, and the column `regular` tells them apart.

        Raises `MissingBars` for a ticker that has neither, and `DamagedBars` for a file whose content is not what was written:
        that file is set aside and reported again on every read until its bars are there anew.
        """
        manifest = load_manifest(self.folder)
        timeframe_minutes(timeframe)
        schema = {**BARS_SCHEMA, "regular": pl.Boolean()} if extended else BARS_SCHEMA
        parts: list[Part] = []
        with_care: list[Part] = []
        for ticker in sorted(set(tickers)):
            series = self._readable(manifest, ticker, timeframe)
            for file in series.files:
                if (first is not None and file.year < first.year) or (last is not None and file.year > last.year):
                    continue
                if file.damaged:
                    self._read_file(series.ticker, series.timeframe, file)
                chosen = (series, file, timeframe, first, last, extended)
                most = file.rows if extended or file.regular_rows is None else file.regular_rows
                part = Part(ticker, most, partial(self._part, *chosen))
                if series.timeframe == timeframe and not extended:
                    part = replace(part, place=partial(place_packed, self.folder, file, first, last))
                parts.append(part)
                with_care.append(Part(ticker, most, partial(self._part_with_care, *chosen)))
        try:
            return gathered(parts, schema)
        except (WrongContentError, OSError):
            # Which it was, and what to say and do about it, is found out one by one, in the thread that may hold the lock.
            return one_by_one(with_care, schema)

    def readable(self, ticker: str) -> dict[str, bool]:
        """The timeframes on which bars of the ticker can be read, shortest first, and whether they are cached so or made on reading."""
        manifest = load_manifest(self.folder)
        cached = {timeframe for one, timeframe in manifest.series if one == ticker}
        return {name: name in cached for name in MINUTES if name in cached or self._base(manifest, ticker, name) is not None}

    def read_undamaged(self, ticker: str, timeframe: str) -> tuple[pl.DataFrame, tuple[int, ...]]:
        """All cached bars of a ticker (see `SERIES_SCHEMA`), extended hours included, and the years whose file is damaged."""
        parts, lost = [pl.DataFrame(schema=SERIES_SCHEMA)], []
        for file in self._series(load_manifest(self.folder), ticker, timeframe).files:
            try:
                parts.append(self._read_file(ticker, timeframe, file))
            except DamagedBars:
                lost.append(file.year)
        return pl.concat(parts), tuple(lost)

    def has(self, ticker: str, timeframe: str) -> bool:
        """Whether bars of the ticker can be read on the timeframe: cached so, or made of shorter ones."""
        return self.source(ticker, timeframe) is not None

    def source(self, ticker: str, timeframe: str) -> str | None:
        """Where the bars of the ticker that are read on the timeframe came from, None where there are none."""
        try:
            return self._readable(load_manifest(self.folder), ticker, timeframe).source
        except MissingBars:
            return None

    def coverage(self) -> list[Coverage]:
        """What is cached, by ticker and timeframe."""
        return [_coverage(series) for _, series in sorted(load_manifest(self.folder).series.items(), key=lambda item: item[0])]

    def covered(self, ticker: str, timeframe: str) -> Coverage | None:
        """What is cached of the ticker on the timeframe, None where nothing is."""
        series = load_manifest(self.folder).series.get((ticker, timeframe))
        return _coverage(series) if series is not None else None

    def fingerprint(self, tickers: Sequence[str], timeframe: str, first: date | None = None, last: date | None = None) -> str:
        """SHA-256 over what a market of `tickers` between the sessions `first` and `last` is made of: equal exactly when that is.

        That is their bars on the timeframe and their daily ones, from `CONTEXT_DAYS` before `first`, since context looks back. It
        depends on the values alone, not on how or when the files were written, nor on bars after `last`.
        """
        digest = hashlib.sha256(f"{timeframe} {first}".encode())
        since = first - timedelta(days=CONTEXT_DAYS) if first is not None else None
        for ticker in sorted(set(tickers)):
            for name in dict.fromkeys((timeframe, DAILY)):
                if name == timeframe or self.covered(ticker, name) is not None:
                    _digest_bars(digest, ticker, name, self.read([ticker], name, since, last))
        return digest.hexdigest()

    # Care

    def verify(self, progress: Callable[[float, str], None] = lambda share, note: None) -> tuple[Damage, ...]:
        """Read every file again and compare checksums: the damaged ones, which are set aside, and those that were found before."""

        def check(series: Series, file: CachedFile) -> None:
            self._read_file(series.ticker, series.timeframe, file)

        return find_damage(load_manifest(self.folder), check, progress)

    def file_count(self) -> int:
        """How many files the cache holds, damaged ones included."""
        return sum(1 for _ in load_manifest(self.folder).files())

    def rebuild(self, unknown_source: str = UNKNOWN_SOURCE) -> Rebuilt | None:
        """Make a damaged or lost list of cached bars anew from the files (see `rebuild_manifest`); None where it is whole."""
        if not self.folder.is_dir():
            return None
        with explaining_write_errors(self.folder), self._lock():
            return rebuild_manifest(self.folder, unknown_source)

    # Inside

    def _forget(self, new_files: Sequence[Path]) -> None:
        # The manifest may already name them, where only making its own name durable failed: then they stay.
        with suppress(OSError, DamagedBars):
            named = {self.folder / file.path for file in load_manifest(self.folder).files()}
            for path in new_files:
                if path not in named:
                    path.unlink(missing_ok=True)

    def _sweep(self, manifest: Manifest) -> None:
        """Remove what the manifest does not name: replaced files, and what a killed writer left behind. Call with the lock held."""
        named = [self.folder / file.path for file in manifest.files()]
        kept = {*named, *(path.with_suffix(PACKED) for path in named)}
        for path in (*self.folder.glob("*/*/*"), *self.folder.glob(".*.tmp")):
            if path not in kept and path.suffix in (".parquet", PACKED, ".tmp"):
                with suppress(OSError):
                    path.unlink()

    def _series(self, manifest: Manifest, ticker: str, timeframe: str) -> Series:
        try:
            return manifest.series[ticker, timeframe]
        except KeyError:
            others = sorted((name for one, name in manifest.series if one == ticker), key=lambda name: MINUTES.get(name, 0))
            hint = f"; cached are {', '.join(others)}" if others else ""
            if base_for(timeframe, others) is not None:
                hint += f", of which none are made beside other tickers' {timeframe} bars: those may be cut by the clock"
            raise MissingBars(f"No {timeframe} bars of {ticker} are cached{hint}. Import a file with them first.") from None

    def _readable(self, manifest: Manifest, ticker: str, timeframe: str) -> Series:
        """The series that is read for `timeframe`: the cached one, or the longest of which its bars can be made."""
        if (ticker, timeframe) not in manifest.series:
            base = self._base(manifest, ticker, timeframe)
            if base is not None:
                return manifest.series[ticker, base]
        return self._series(manifest, ticker, timeframe)

    def _base(self, manifest: Manifest, ticker: str, timeframe: str) -> str | None:
        if not same_grid_everywhere(timeframe) and any(name == timeframe for _, name in manifest.series):
            # Beside cached hours, most of them cut by the clock, hours counted from the opening would look as if known half an
            # hour before they end.
            return None
        return base_for(timeframe, (name for one, name in manifest.series if one == ticker))

    def _part(
        self, series: Series, file: CachedFile, timeframe: str, first: date | None, last: date | None, extended: bool
    ) -> pl.DataFrame:
        return _on_timeframe(series, timeframe, read_span(self.folder, file, first, last, extended))

    def _part_with_care(
        self, series: Series, file: CachedFile, timeframe: str, first: date | None, last: date | None, extended: bool
    ) -> pl.DataFrame:
        """As `_part`, where a file of the read was damaged or replaced meanwhile."""
        bars = self._read_file(series.ticker, series.timeframe, file)
        inside = pl.lit(True) if extended else pl.col("regular")
        if first is not None:
            inside &= pl.col("session") >= first
        if last is not None:
            inside &= pl.col("session") <= last
        bars = bars.filter(inside)
        return _on_timeframe(series, timeframe, bars if extended else bars.drop("regular"))

    def _read_file(self, ticker: str, timeframe: str, file: CachedFile) -> pl.DataFrame:
        path = self.folder / file.path
        what = f"The cached {timeframe} bars of {ticker} for {file.year} are damaged"
        again = "Import them again, or run `lab data repair`."
        if file.damaged:
            raise DamagedBars(f"{what} and were set aside in {self.folder / SET_ASIDE}. {again}")
        try:
            return read_whole(self.folder, file)
        except FileNotFoundError:
            # A writer may have replaced the series since the manifest was read; only a file the manifest still names is missing.
            current = load_manifest(self.folder).series.get((ticker, timeframe))
            if current is not None and file not in current.files:
                newer = next((one for one in current.files if one.year == file.year), None)
                return self._read_file(ticker, timeframe, newer) if newer is not None else pl.DataFrame(schema=SERIES_SCHEMA)
            self._mark_damaged(ticker, timeframe, file)
            gone = f"The cached {timeframe} bars of {ticker} for {file.year} are missing: {path} is gone."
            raise DamagedBars(f"{gone} {again}") from None
        except WrongContentError:
            aside = self._set_aside(ticker, timeframe, file)
            raise DamagedBars(f"{what} (the checksum of the file is wrong). {aside} {again}") from None
        except OSError as error:
            reason = error.strerror
            raise DamagedBars(f"The cached {timeframe} bars of {ticker} for {file.year} can't be read ({reason}): {path}.") from error

    def _set_aside(self, ticker: str, timeframe: str, file: CachedFile) -> str:
        try:
            target = set_aside(self.folder, file.path)
        except OSError:
            return "The file could not be moved away."
        self._mark_damaged(ticker, timeframe, file)
        return f"The file was set aside as {target}."

    def _mark_damaged(self, ticker: str, timeframe: str, file: CachedFile) -> None:
        # Where another program is writing, this one doesn't wait for it: without its mark the missing file is found again.
        with suppress(OSError), self._lock(wait=False):
            manifest = load_manifest(self.folder)
            series = manifest.series.get((ticker, timeframe))
            if series is None or file not in series.files:
                return
            files = tuple(replace(one, damaged=True) if one == file else one for one in series.files)
            changed = {**manifest.series, (ticker, timeframe): replace(series, files=files)}
            write_durably(self.folder / NAME, dump_manifest(Manifest(changed)))

    @contextmanager
    def _lock(self, wait: bool = True) -> Iterator[None]:
        """One writer at a time over all processes. The same thread may take it again: damage can be found in the middle of a batch.

        Without `wait`, BlockingIOError where another process has it.
        """
        with self._guard:
            if self._locks_held:
                yield
                return
            make_folder(self.folder)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._locks_held += 1
                yield
            finally:
                self._locks_held = 0
                os.close(descriptor)


def _coverage(series: Series) -> Coverage:
    return Coverage(
        series.ticker,
        series.timeframe,
        series.source,
        sum(file.rows for file in series.files),
        min(file.first_at for file in series.files),
        max(file.last_at for file in series.files),
        tuple(problem.sentence for problem in series.problems),
        series.known_spans,
        series.problems,
        series.splits,
        tuple(file.year for file in series.files if file.damaged),
        series.adjusted_until,
        hashlib.sha256(" ".join(file.sha256 for file in series.files).encode()).hexdigest()[:16],
    )


def _on_timeframe(series: Series, timeframe: str, bars: pl.DataFrame) -> pl.DataFrame:
    return bars if series.timeframe == timeframe else resample(bars, timeframe)


def _digest_bars(digest: hashlib._Hash, ticker: str, timeframe: str, bars: pl.DataFrame) -> None:
    digest.update(f"\n{ticker} {timeframe} {bars.height}\n".encode())
    for name in BARS_SCHEMA:
        if name != "ticker":
            column = bars[name]
            values = column if column.dtype.is_float() else column.to_physical()
            digest.update(values.fill_null(-1).to_numpy().tobytes())
