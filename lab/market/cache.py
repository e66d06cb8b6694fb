"""The bars cache: Parquet files by ticker, timeframe and year, whole or not at all, never silently damaged."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import polars as pl

from lab.market.bars import BARS_SCHEMA, CONTEXT_DAYS, SERIES_SCHEMA, SYNTHETIC_SOURCE, place_in_sessions
from lab.market.durable import explaining_write_errors, make_folder, write_durably
from lab.market.errors import DamagedBars, MarketError, MissingBars, MixedBars
from lab.market.manifest import NAME, CachedFile, Manifest, Series, SourceSpan, dump_manifest, load_manifest
from lab.market.timeframes import DAILY, timeframe_minutes

_TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.:^=_/-]{0,31}")
_SET_ASIDE = "damaged"


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
    spans: tuple[SourceSpan, ...]
    """Which part came from which source, oldest first."""


class CacheBatch:
    """Series written together: all of them appear in the cache when the batch ends, or none."""

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
        problems: Sequence[str] = (),
        schedule: pl.DataFrame | None = None,
        spans: Sequence[SourceSpan] = (),
    ) -> None:
        """Make `frame` (see `RAW_SCHEMA`; any order, no duplicate times) the series of `ticker` on `timeframe`.

        `schedule` is the result of `trading_sessions` over the frame's span, where the caller has it at hand; `spans` say
        which part came from which source where that is not one.
        """
        timeframe_minutes(timeframe)
        check_ticker(ticker)
        if frame.is_empty():
            raise MarketError(f"There are no bars of {ticker} to write.")
        self._check_not_mixed(ticker, timeframe, source)
        placed = place_in_sessions(frame, timeframe, schedule)
        years = placed.group_by(pl.col("session").dt.year().alias("year"), maintain_order=True).__iter__()
        files = tuple(self._write_year(ticker, timeframe, int(str(key[0])), part) for key, part in years)
        self.series[ticker, timeframe] = Series(ticker, timeframe, source, tuple(problems), files, tuple(spans))

    def _check_not_mixed(self, ticker: str, timeframe: str, source: str) -> None:
        old = self._cached.series.get((ticker, timeframe))
        if old is None or (old.source == SYNTHETIC_SOURCE) == (source == SYNTHETIC_SOURCE):
            return
        there = "the demo market's synthetic" if old.source == SYNTHETIC_SOURCE else "your own"
        raise MixedBars(
            f"This workspace holds {there} {timeframe} bars of {ticker}, which must not be mixed with others of that name. "
            "Use a workspace of its own for them: set LAB_HOME to a new folder. Nothing was changed."
        )

    def _write_year(self, ticker: str, timeframe: str, year: int, part: pl.DataFrame) -> CachedFile:
        buffer = io.BytesIO()
        part.write_parquet(buffer, compression="lz4", statistics=False)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        # The digest in the name keeps a new file from ever overwriting one that the manifest still points to.
        path = self._folder / timeframe / quote(ticker, safe="") / f"{year}-{digest[:16]}.parquet"
        if not _has_digest(path, digest):
            if not path.exists():
                self._new_files.append(path)
            write_durably(path, content)
        first_at, last_at = part["timestamp"][0], part["timestamp"][-1]
        return CachedFile(str(path.relative_to(self._folder)), year, part.height, first_at, last_at, digest)


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

    def write(self, ticker: str, timeframe: str, frame: pl.DataFrame, source: str, problems: Sequence[str] = ()) -> None:
        """Make `frame` the series of `ticker` on `timeframe`, replacing what was cached of it (see `CacheBatch.write`)."""
        with self.batch() as batch:
            batch.write(ticker, timeframe, frame, source, problems)

    # Reading

    def read(self, tickers: Sequence[str], timeframe: str, first: date | None = None, last: date | None = None) -> pl.DataFrame:
        """The regular-hours bars of `tickers` in the sessions from `first` to `last` (see `BARS_SCHEMA`), sorted by ticker and time.

        Raises `MissingBars` for a ticker that is not cached on `timeframe`, and `DamagedBars` for a file whose content is not
        what was written: that file is set aside and reported again on every read until its bars are imported anew.
        """
        manifest = load_manifest(self.folder)
        inside = pl.col("regular")
        if first is not None:
            inside &= pl.col("session") >= first
        if last is not None:
            inside &= pl.col("session") <= last
        parts = []
        for ticker in sorted(set(tickers)):
            for file in self._series(manifest, ticker, timeframe).files:
                if (first is not None and file.year < first.year) or (last is not None and file.year > last.year):
                    continue
                part = self._read_file(ticker, timeframe, file).filter(inside).drop("regular")
                parts.append(part.insert_column(0, pl.repeat(ticker, part.height, dtype=pl.String, eager=True).alias("ticker")))
        return pl.concat(parts, rechunk=True) if parts else pl.DataFrame(schema=BARS_SCHEMA)

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
        """Whether any bars of the ticker are cached on the timeframe."""
        return self.source(ticker, timeframe) is not None

    def source(self, ticker: str, timeframe: str) -> str | None:
        """Where the cached bars of the ticker came from, None where there are none."""
        series = load_manifest(self.folder).series.get((ticker, timeframe))
        return series.source if series is not None else None

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
                if name == timeframe or self.has(ticker, name):
                    _digest_bars(digest, ticker, name, self.read([ticker], name, since, last))
        return digest.hexdigest()

    def verify(self) -> list[str]:
        """Re-read every file and compare checksums; a sentence for each damaged one, which is set aside."""
        sentences = []
        manifest = load_manifest(self.folder)
        for (ticker, timeframe), series in sorted(manifest.series.items()):
            for file in series.files:
                try:
                    self._read_file(ticker, timeframe, file)
                except DamagedBars as error:
                    sentences.append(str(error))
        return sentences

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
        kept = {self.folder / file.path for file in manifest.files()}
        for path in (*self.folder.glob("*/*/*"), *self.folder.glob(".*.tmp")):
            if path not in kept and path.suffix in (".parquet", ".tmp"):
                with suppress(OSError):
                    path.unlink()

    def _series(self, manifest: Manifest, ticker: str, timeframe: str) -> Series:
        try:
            return manifest.series[ticker, timeframe]
        except KeyError:
            others = sorted(name for one, name in manifest.series if one == ticker)
            hint = f"; cached are {', '.join(others)}" if others else ""
            raise MissingBars(f"No {timeframe} bars of {ticker} are cached{hint}. Import a file with them first.") from None

    def _read_file(self, ticker: str, timeframe: str, file: CachedFile) -> pl.DataFrame:
        path = self.folder / file.path
        what = f"The cached {timeframe} bars of {ticker} for {file.year} are damaged"
        again = "Import them again."
        if file.damaged:
            raise DamagedBars(f"{what} and were set aside in {self.folder / _SET_ASIDE}. {again}")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            # A writer may have replaced the series since the manifest was read; only a file the manifest still names is missing.
            current = load_manifest(self.folder).series.get((ticker, timeframe))
            if current is not None and file not in current.files:
                newer = next((one for one in current.files if one.year == file.year), None)
                return self._read_file(ticker, timeframe, newer) if newer is not None else pl.DataFrame(schema=SERIES_SCHEMA)
            self._mark_damaged(ticker, timeframe, file)
            gone = f"The cached {timeframe} bars of {ticker} for {file.year} are missing: {path} is gone."
            raise DamagedBars(f"{gone} {again}") from None
        except OSError as error:
            reason = error.strerror
            raise DamagedBars(f"The cached {timeframe} bars of {ticker} for {file.year} can't be read ({reason}): {path}.") from error
        if hashlib.sha256(content).hexdigest() != file.sha256:
            aside = self._set_aside(ticker, timeframe, file)
            raise DamagedBars(f"{what} (the checksum of the file is wrong). {aside} {again}")
        return pl.read_parquet(io.BytesIO(content))

    def _set_aside(self, ticker: str, timeframe: str, file: CachedFile) -> str:
        target = self.folder / _SET_ASIDE / file.path.replace("/", "_")
        try:
            make_folder(target.parent)
            os.replace(self.folder / file.path, target)
        except OSError:
            return "The file could not be moved away."
        self._mark_damaged(ticker, timeframe, file)
        return f"The file was set aside as {target}."

    def _mark_damaged(self, ticker: str, timeframe: str, file: CachedFile) -> None:
        with suppress(OSError), self._lock():
            manifest = load_manifest(self.folder)
            series = manifest.series.get((ticker, timeframe))
            if series is None or file not in series.files:
                return
            files = tuple(replace(one, damaged=True) if one == file else one for one in series.files)
            changed = {**manifest.series, (ticker, timeframe): replace(series, files=files)}
            write_durably(self.folder / NAME, dump_manifest(Manifest(changed)))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time over all processes. The same thread may take it again: damage can be found in the middle of a batch."""
        with self._guard:
            if self._locks_held:
                yield
                return
            make_folder(self.folder)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
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
        series.problems,
        series.known_spans,
    )


def check_ticker(ticker: str) -> None:
    """Refuse what can't be a ticker, with a sentence."""
    if not _TICKER.fullmatch(ticker):
        raise MarketError(f"“{ticker[:40]}” can't be a ticker: use 1 to 32 letters, digits or any of . : ^ = _ / -, such as AAPL or BRK.B.")


def _digest_bars(digest: hashlib._Hash, ticker: str, timeframe: str, bars: pl.DataFrame) -> None:
    digest.update(f"\n{ticker} {timeframe} {bars.height}\n".encode())
    for name in BARS_SCHEMA:
        if name != "ticker":
            column = bars[name]
            values = column if column.dtype.is_float() else column.to_physical()
            digest.update(values.fill_null(-1).to_numpy().tobytes())


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False
