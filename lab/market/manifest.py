"""The manifest of the bars cache: which files make up each series, with their checksums, in one checked file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from lab.market.errors import DamagedBars

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
    problems: tuple[str, ...]
    """What the quality check found when the bars were written, a sentence each."""
    files: tuple[CachedFile, ...]
    spans: tuple[SourceSpan, ...] = ()
    """Which part came from which source, oldest first; empty in what earlier versions wrote: then all came from `source`."""

    @property
    def known_spans(self) -> tuple[SourceSpan, ...]:
        """As `spans`, never empty."""
        whole = SourceSpan(self.source, min(file.first_at for file in self.files), max(file.last_at for file in self.files))
        return self.spans or (whole,)


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
    document = json.loads(body)
    if document["format"] != _FORMAT:
        raise DamagedBars(f"The bars in {folder} were written by another version of the lab; update the lab to read them.")
    series = (_series(entry) for entry in document["series"])
    return Manifest({(one.ticker, one.timeframe): one for one in series})


def dump_manifest(manifest: Manifest) -> bytes:
    """The manifest as the bytes of its file: a line with the checksum of the rest, then one JSON document."""
    ordered = [asdict(manifest.series[key]) for key in sorted(manifest.series)]
    body = json.dumps({"format": _FORMAT, "series": ordered}, default=datetime.isoformat, indent=1, ensure_ascii=False).encode()
    return _checksum(body).encode("ascii") + b"\n" + body


def _checksum(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _damaged(path: Path) -> DamagedBars:
    return DamagedBars(
        f"The list of cached bars {path} is damaged (its checksum is wrong). Restore the file from a backup, "
        f"or move the folder {path.parent} away and import the bars again."
    )


def _series(entry: Mapping[str, object]) -> Series:
    files = entry["files"]
    problems = entry["problems"]
    spans = entry.get("spans", [])
    assert isinstance(spans, list)
    assert isinstance(files, list)
    assert isinstance(problems, list)
    return Series(
        ticker=str(entry["ticker"]),
        timeframe=str(entry["timeframe"]),
        source=str(entry["source"]),
        problems=tuple(problems),
        files=tuple(
            CachedFile(**{**file, "first_at": datetime.fromisoformat(file["first_at"]), "last_at": datetime.fromisoformat(file["last_at"])})
            for file in files
        ),
        spans=tuple(
            SourceSpan(span["source"], datetime.fromisoformat(span["first_at"]), datetime.fromisoformat(span["last_at"])) for span in spans
        ),
    )
