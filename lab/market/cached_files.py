"""The Parquet files of the cache: written under their own checksum, never handed out before the checksum was seen to hold."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote, unquote

import polars as pl

from lab.market.bars import SERIES_SCHEMA
from lab.market.durable import write_durably
from lab.market.manifest import CachedFile
from lab.market.packed import keep_packed, read_packed, state_of
from lab.market.splits import Split

_EXTENDED_COLUMNS = list(SERIES_SCHEMA)
_REGULAR_COLUMNS = [name for name in SERIES_SCHEMA if name != "regular"]


class WrongContentError(Exception):
    """A cached file is not what was written. Caught inside the cache, which sets the file aside and says so."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a file says about itself, so that a lost manifest can be made anew."""

    ticker: str
    timeframe: str
    source: str
    splits: tuple[Split, ...]
    file: CachedFile


def write_year(
    folder: Path, series: tuple[str, str], source: str, part: pl.DataFrame, splits: Sequence[Split], new_files: list[Path]
) -> CachedFile:
    """Write one year of a (ticker, timeframe), columns of `SERIES_SCHEMA`; files that were not there before are added to `new_files`.

    `splits` are those the bars are adjusted for.
    """
    ticker, timeframe = series
    buffer = io.BytesIO()
    known = json.dumps([[split.session.isoformat(), split.ratio] for split in splits])
    metadata = {"lab.source": source, "lab.splits": known}
    part.write_parquet(buffer, compression="lz4", statistics=False, metadata=metadata)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    year = int(part["session"].dt.year()[0])
    # The digest in the name keeps a new file from ever overwriting one that the manifest still points to.
    path = folder / timeframe / quote(ticker, safe="") / f"{year}-{digest[:16]}.parquet"
    if not _has_digest(path, digest):
        if not path.exists():
            new_files.append(path)
        write_durably(path, content)
    return CachedFile(
        path=str(path.relative_to(folder)),
        year=year,
        rows=part.height,
        first_at=part["timestamp"][0],
        last_at=part["timestamp"][-1],
        sha256=digest,
        regular_rows=int(part["regular"].sum()),
    )


def read_content(folder: Path, file: CachedFile) -> bytes:
    """The bytes of a file whose checksum holds. Raises `WrongContentError`, `OSError`.

    Every read hashes what it decodes, from the same buffer: nothing is remembered of earlier reads, so that a bit that flips on the
    disk or on the way from it is found whenever it does.
    """
    content = (folder / file.path).read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise WrongContentError
    return content


def read_whole(folder: Path, file: CachedFile) -> pl.DataFrame:
    """All rows and columns (`SERIES_SCHEMA`) of a file. Raises `WrongContentError`, `OSError`."""
    return pl.read_parquet(read_content(folder, file), columns=_EXTENDED_COLUMNS)


def read_span(folder: Path, file: CachedFile, first: date | None, last: date | None, extended: bool) -> pl.DataFrame:
    """The file's bars in the sessions from `first` to `last`: the regular ones, or all with the column `regular`."""
    if not extended:
        packed = read_packed(folder, file, first, last)
        if packed is not None:
            return packed
    state = state_of(folder / file.path)
    content = read_content(folder, file)
    plain = not extended and file.regular_rows == file.rows
    bars = pl.read_parquet(content, columns=_REGULAR_COLUMNS if plain else _EXTENDED_COLUMNS)
    if not extended:
        bars = bars if plain else bars.filter("regular").drop("regular")
        keep_packed(folder, file, bars, state)
    inside = pl.lit(True)
    # A regular bar's session has the date of its time in UTC: where all are regular, the manifest tells whether any must go.
    cut = False
    if first is not None and not (plain and first <= file.first_at.date()):
        inside, cut = inside & (pl.col("session") >= first), True
    if last is not None and not (plain and last >= file.last_at.date()):
        inside, cut = inside & (pl.col("session") <= last), True
    return bars.filter(inside) if cut else bars


def described_file(folder: Path, path: Path) -> Described | None:
    """What a file found in the folder holds, None where its content is not what its name says.

    The name carries the first 64 bits of the checksum: no accident leaves them fitting.
    """
    year, _, digest = path.stem.partition("-")
    try:
        content = path.read_bytes()
        full = hashlib.sha256(content).hexdigest()
        if not digest or not full.startswith(digest):
            return None
        bars = pl.read_parquet(content, columns=["timestamp", "regular"])
        said = pl.read_parquet_metadata(io.BytesIO(content))
        entry = CachedFile(
            path=str(path.relative_to(folder)),
            year=int(year),
            rows=bars.height,
            first_at=bars["timestamp"][0],
            last_at=bars["timestamp"][-1],
            sha256=full,
            regular_rows=int(bars["regular"].sum()),
        )
        splits = tuple(Split(date.fromisoformat(day), float(ratio)) for day, ratio in json.loads(said.get("lab.splits", "[]")))
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
    return Described(unquote(path.parent.name), path.parent.parent.name, said.get("lab.source", ""), splits, entry)


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False
