"""Looking after the cache: every checksum read again, damaged files named with where their bars came from, a lost list made anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.market.cached_files import described_file
from lab.market.durable import make_folder, write_durably
from lab.market.errors import DamagedBars
from lab.market.manifest import NAME, CachedFile, Manifest, Series, SourceSpan, dump_manifest, load_manifest
from lab.market.problems import Done, Problem, ProblemKind
from lab.market.splits import Split
from lab.market.timeframes import MINUTES

SET_ASIDE = "damaged"
"""The folder inside the cache into which damaged files are moved."""
UNKNOWN_SOURCE = "unknown"


@dataclass(frozen=True, slots=True)
class Damage:
    """One cached file whose bars are lost until they come again."""

    ticker: str
    timeframe: str
    year: int
    sources: tuple[str, ...]
    """Where its bars came from: "polygon", "demo", or the names of imported files."""
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A list of cached bars made anew from the files."""

    series: int
    files: int
    left_out: tuple[str, ...]
    """Files whose content is not what was written: moved aside."""


def sources_of(series: Series, file: CachedFile) -> tuple[str, ...]:
    """Which sources the bars of a file came from."""
    spans = [span for span in series.known_spans if span.first_at <= file.last_at and span.last_at >= file.first_at]
    return tuple(dict.fromkeys(span.source for span in spans)) or (series.source,)


def find_damage(
    manifest: Manifest, check: Callable[[Series, CachedFile], None], progress: Callable[[float, str], None]
) -> tuple[Damage, ...]:
    """Every file of the manifest that `check` refuses with `DamagedBars`."""
    found = []
    total, done = max(sum(1 for _ in manifest.files()), 1), 0
    for _, series in sorted(manifest.series.items()):
        for file in series.files:
            progress(done / total, f"{series.ticker} {series.timeframe} {file.year}")
            done += 1
            try:
                check(series, file)
            except DamagedBars as error:
                found.append(Damage(series.ticker, series.timeframe, file.year, sources_of(series, file), str(error)))
    progress(1.0, f"{total:,} files read")
    return tuple(found)


def rebuild_manifest(folder: Path, unknown_source: str = UNKNOWN_SOURCE) -> Rebuilt | None:
    """Make the list of cached bars anew where it is damaged or lost; None where it is whole. Call with the cache's lock held.

    Each file says in its name what its checksum begins with, and inside what it holds: a file that is not what was written is moved
    aside, and of two files of one year, which a crash can leave, the later written one counts. The quality reports are lost.
    """
    paths = [path for path in sorted(folder.glob("*/*/*.parquet")) if path.parent.parent.name in MINUTES]
    try:
        if not paths or load_manifest(folder).series:
            return None
    except DamagedBars:
        pass
    newest: dict[tuple[str, str], dict[int, CachedFile]] = {}
    sources: dict[str, str] = {}
    splits: dict[tuple[str, str], set[Split]] = {}
    left_out = []
    for path in sorted(paths, key=lambda one: one.stat().st_mtime_ns):
        said = described_file(folder, path)
        if said is None:
            left_out.append(str(path.relative_to(folder)))
            set_aside(folder, left_out[-1])
            continue
        newest.setdefault((said.ticker, said.timeframe), {})[said.file.year] = said.file
        sources[said.file.path] = said.source or unknown_source
        splits.setdefault((said.ticker, said.timeframe), set()).update(said.splits)
    note = Problem(ProblemKind.EARLIER, "The list of cached bars was lost and made anew; what was found before is not known.", Done.NOTHING)
    series = {}
    for key, years in newest.items():
        files = tuple(years[year] for year in sorted(years))
        spans = tuple(SourceSpan(sources[file.path], file.first_at, file.last_at) for file in files)
        source = ", ".join(dict.fromkeys(span.source for span in spans))
        known = tuple(sorted(splits[key], key=lambda split: split.session))
        gone = [str(year) for year in range(min(years), max(years)) if year not in years]
        lost = f"There is no file for {', '.join(gone)}: not filled."
        holes = (Problem(ProblemKind.MISSING_SESSIONS, lost, Done.NOT_FILLED),) if gone else ()
        series[key] = Series(*key, source, (note, *holes), files, spans, known)
    with suppress(FileNotFoundError):
        set_aside(folder, NAME)
    write_durably(folder / NAME, dump_manifest(Manifest(series)))
    return Rebuilt(len(series), sum(len(one.files) for one in series.values()), tuple(left_out))


def set_aside(folder: Path, name: str) -> Path:
    """Move a file of the cache into the folder for damaged ones; its place there. Raises OSError."""
    target = folder / SET_ASIDE / name.replace("/", "_")
    make_folder(target.parent)
    os.replace(folder / name, target)
    return target
