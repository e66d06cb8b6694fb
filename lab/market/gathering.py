"""Bars of many files put one below the other while they are read: memory never holds all of them twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.arrow import repeated_text
from lab.market.packed import ARRAYS


@dataclass(frozen=True, slots=True)
class Part:
    """The bars of one ticker that a file holds, to be read when their turn comes."""

    ticker: str
    most: int
    """No more rows than these come."""
    read: Callable[[], pl.DataFrame]
    """Gives the columns of the schema, without the ticker."""
    place: Callable[[Mapping[str, NDArray[Any]], int], int | None] = lambda columns, start: None
    """Writes them into the columns from a row on, and returns how many rows they have; None where they must be read as a frame."""


class _NothingKnownError(Exception):
    """A column holds what an array can't say: that a value is not known."""


def gathered(parts: Sequence[Part], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The bars of all parts in their order, columns of `schema`, each column in one piece; read on all cores."""
    try:
        return _arrays(parts, schema)
    except _NothingKnownError:
        return one_by_one(parts, schema)


def one_by_one(parts: Sequence[Part], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """As `gathered`, each part read in this thread and however many rows it has."""
    every = [_named(part.ticker, part.read()).select(*schema) for part in parts]
    return pl.concat([pl.DataFrame(schema=schema), *every], rechunk=True)


def _arrays(parts: Sequence[Part], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    starts = np.cumsum([0, *(part.most for part in parts)]).tolist()
    # Memory that is never written to is never taken: `most` may be far above what comes.
    columns: dict[str, NDArray[Any]] = {name: np.empty(starts[-1], dtype=ARRAYS[kind]) for name, kind in schema.items() if name != "ticker"}

    def read(place: int) -> int:
        part, start = parts[place], starts[place]
        height = part.place(columns, start)
        if height is not None:
            return height
        # Copied where it is read: what was decoded is still in the processor's cache, and its memory serves the next file.
        bars = part.read()
        for name, values in columns.items():
            column = bars[name]
            if column.null_count():
                raise _NothingKnownError
            values[start : start + bars.height] = column.to_physical().to_numpy()
        return bars.height

    heights = _on_all_cores(read, len(parts))
    end = 0
    for start, height in zip(starts, heights, strict=False):
        if start != end:
            for values in columns.values():
                values[end : end + height] = values[start : start + height]
        end += height
    if not end:
        return pl.DataFrame(schema=schema)
    tickers = _repeated([part.ticker for part in parts], heights)
    made = {name: pl.Series(values[:end]).cast(schema[name]) for name, values in columns.items()}
    return pl.DataFrame({"ticker": tickers, **made}).select(*schema)


def _on_all_cores(work: Callable[[int], int], count: int) -> list[int]:
    """The results in order; hashing, decoding and copying leave Python's lock free."""
    workers = min(count, os.cpu_count() or 1)
    if workers < 2:
        return [work(place) for place in range(count)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, range(count)))


def _named(ticker: str, bars: pl.DataFrame) -> pl.DataFrame:
    return bars.insert_column(0, _repeated([ticker], [bars.height]).alias("ticker"))


def _repeated(names: Sequence[str], lengths: Sequence[int]) -> pl.Series:
    """Each name so many times, one after another."""
    counts = np.array(lengths, dtype=np.int64)
    return pl.Series(repeated_text([name.encode() for name in names], counts, np.empty((int(counts.sum()), 2), dtype=np.uint64)))
