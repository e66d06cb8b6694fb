"""The pages of a series that have come so far, each durable before the next is asked for: what a broken fetch goes on from."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from contextlib import suppress
from pathlib import Path

import polars as pl

from lab.market.bars import VALUES
from lab.market.durable import explaining_write_errors, write_durably

PAGE_SCHEMA: dict[str, pl.DataType] = {"t": pl.Int64(), **dict.fromkeys(VALUES, pl.Float64())}
"""Bars as they were sent: start in milliseconds since 1970, prices, volume."""

_NAME = re.compile(r"(\d{5})-(more|end)-([0-9a-f]{16})\.parquet")


class Spool:
    """A folder with the checked pages of one series, in order. A damaged page is dropped with all that came after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages: list[pl.DataFrame] = []
        """See `PAGE_SCHEMA`."""
        self.ended = False
        """Whether the last page of the series is among them."""
        self._read()

    @property
    def bars(self) -> int:
        return sum(page.height for page in self.pages)

    @property
    def reached(self) -> int | None:
        """The start of the last bar; None where there is none yet."""
        return next((int(page["t"][-1]) for page in reversed(self.pages) if page.height), None)

    def add(self, page: pl.DataFrame, last: bool) -> None:
        """Keep a page; on return it survives a cut of power. Raises `CacheUnwritable`."""
        buffer = io.BytesIO()
        page.write_parquet(buffer, compression="lz4", statistics=False)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()[:16]
        with explaining_write_errors(self.folder):
            write_durably(self.folder / f"{len(self.pages):05}-{'end' if last else 'more'}-{digest}.parquet", content)
        self.pages.append(page)
        self.ended = last

    def series(self) -> pl.DataFrame:
        """All bars, see `PAGE_SCHEMA`."""
        return pl.concat([pl.DataFrame(schema=PAGE_SCHEMA), *self.pages])

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.pages, self.ended = [], False

    def _read(self) -> None:
        for path in sorted(self.folder.glob("*.parquet")):
            named = _NAME.fullmatch(path.name)
            page = None if self.ended or named is None or int(named[1]) != len(self.pages) else _checked(path, named[3])
            if named is None or page is None:
                with suppress(OSError):
                    path.unlink()
                continue
            self.pages.append(page)
            self.ended = named[2] == "end"


def _checked(path: Path, digest: str) -> pl.DataFrame | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest()[:16] != digest:
        return None
    return pl.read_parquet(io.BytesIO(content))
