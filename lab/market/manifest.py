"""The manifest of the bars cache: which files make up each series, with their checksums, in one checked file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from lab.market.errors import DamagedBars
from lab.market.problems import Done, Problem, ProblemKind
from lab.market.splits import Split

NAME = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class CachedFile:
    """One Parquet file: a year of one ticker on one timeframe."""

    path: str
    """Relative to the folder of the cache."""
    year: int
    rows: int
    first_at: datetime
    last_at: datetime
    sha256: str
    damaged: bool = False
    """Found to differ from what was written, and set aside: its bars are missing until they are imported again."""
    regular_rows: int | None = None
    """How many of the rows lie in regular hours; None in what earlier versions wrote."""


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A part of a series that came from one source."""

    source: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Series:
    """All cached bars of one ticker on one timeframe."""

    ticker: str
    timeframe: str
    source: str
    """Where the bars came from: "demo", "polygon", or the names of the imported files."""
    problems: tuple[Problem, ...]
    """The quality report: what was found when the bars were written, and what was done about it."""
    files: tuple[CachedFile, ...]
    spans: tuple[SourceSpan, ...] = ()
    """Which part came from which source, oldest first; empty in what earlier versions wrote: then all came from `source`."""
    splits: tuple[Split, ...] = ()
    """Splits that the cached bars are known to be adjusted for, oldest first."""
    adjusted_until: date | None = None
    """The source had adjusted all bars for every split up to this date; None where that is not known."""

    @property
    def known_spans(self) -> tuple[SourceSpan, ...]:
        """As `spans`, never empty."""
        whole = SourceSpan(self.source, min(file.first_at for file in self.files), max(file.last_at for file in self.files))
        return self.spans or (whole,)

    def knows(self, split: Split) -> bool:
        """Whether the bars are on record as adjusted for this split."""
        return any(one.session == split.session and abs(one.ratio / split.ratio - 1) < 1e-6 for one in self.splits)

    def with_split(self, split: Split) -> Series:
        """The series with the split on record."""
        return replace(self, splits=tuple(sorted((*self.splits, split), key=lambda one: one.session)))


@dataclass(frozen=True, slots=True)
class Manifest:
    series: Mapping[tuple[str, str], Series]
    """By (ticker, timeframe)."""

    def files(self) -> Iterator[CachedFile]:
        for series in self.series.values():
            yield from series.files


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a cache folder, empty where nothing was ever written; `DamagedBars` where its checksum is wrong."""
    path = folder / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Manifest({})
    except OSError as error:
        reason = error.strerror
        raise DamagedBars(f"The list of cached bars {path} can't be read ({reason}): check the disk and the folder's rights.") from error
    head, _, body = content.partition(b"\n")
    if head.decode("ascii", "replace") != _checksum(body):
        raise _damaged(path)
    manifest = _parsed(body)
    if manifest is None:
        raise DamagedBars(f"The bars in {folder} were written by another version of the lab; update the lab to read them.")
    return manifest


@lru_cache(maxsize=2)
def _parsed(body: bytes) -> Manifest | None:
    """The manifest in checked bytes, None for another format. Every read of bars asks for it, and it seldom changes."""
    document = json.loads(body)
    if document["format"] != _FORMAT:
        return None
    series = (_series(entry) for entry in document["series"])
    return Manifest({(one.ticker, one.timeframe): one for one in series})


def dump_manifest(manifest: Manifest) -> bytes:
    """The manifest as the bytes of its file: a line with the checksum of the rest, then one JSON document."""
    ordered = [asdict(manifest.series[key]) for key in sorted(manifest.series)]
    body = json.dumps({"format": _FORMAT, "series": ordered}, default=_written, indent=1, ensure_ascii=False).encode()
    return _checksum(body).encode("ascii") + b"\n" + body


def _written(value: object) -> str:
    """How times and dates stand in the file."""
    assert isinstance(value, date)
    return value.isoformat()


def _checksum(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _damaged(path: Path) -> DamagedBars:
    return DamagedBars(
        f"The list of cached bars {path} is damaged (its checksum is wrong). Run `lab data repair`, which makes it anew from the bars."
    )


def _series(entry: Mapping[str, object]) -> Series:
    files = entry["files"]
    problems = entry["problems"]
    spans = entry.get("spans", [])
    splits = entry.get("splits", [])
    adjusted_until = entry.get("adjusted_until")
    assert isinstance(spans, list)
    assert isinstance(splits, list)
    assert isinstance(files, list)
    assert isinstance(problems, list)
    return Series(
        ticker=str(entry["ticker"]),
        timeframe=str(entry["timeframe"]),
        source=str(entry["source"]),
        problems=tuple(_problem(one) for one in problems),
        files=tuple(
            CachedFile(**{**file, "first_at": datetime.fromisoformat(file["first_at"]), "last_at": datetime.fromisoformat(file["last_at"])})
            for file in files
        ),
        spans=tuple(
            SourceSpan(span["source"], datetime.fromisoformat(span["first_at"]), datetime.fromisoformat(span["last_at"])) for span in spans
        ),
        splits=tuple(Split(date.fromisoformat(split["session"]), float(split["ratio"])) for split in splits),
        adjusted_until=date.fromisoformat(str(adjusted_until)) if adjusted_until else None,
    )


def _problem(entry: object) -> Problem:
    """A problem as it was kept; earlier versions kept the sentence alone."""
    if not isinstance(entry, dict):
        return Problem(ProblemKind.EARLIER, str(entry))
    return Problem(ProblemKind(entry["kind"]), str(entry["sentence"]), Done(entry["done"]), int(entry["count"]))
