"""Bars of many files put one below the other while they are read: memory never holds all of them twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.bars import BARS_SCHEMA

_NUMBERS: dict[pl.DataType, Any] = {pl.Float64(): np.float64, pl.Int16(): np.int16, pl.Date(): np.int32, BARS_SCHEMA["timestamp"]: np.int64}


def joined(parts: Iterable[pl.DataFrame], schema: dict[str, pl.DataType], most: int) -> pl.DataFrame:
    """The columns of `schema` of frames of one ticker each, at most `most` rows in all, each column in one piece."""
    waiting = iter(parts)
    numbers = {name: kind for name, kind in schema.items() if kind in _NUMBERS}
    # Memory that is never written to is never taken: `most` may be far above what comes.
    columns: dict[str, NDArray[Any]] = {name: np.empty(most, dtype=_NUMBERS[kind]) for name, kind in numbers.items()}
    tickers: list[pl.Series] = []
    end = 0
    for part in waiting:
        # What numbers can't say (nothing known, truth) goes the long way, with all that comes after it.
        if len(numbers) + 1 < len(schema) or any(part[name].null_count() for name in numbers):
            above = _frame(tickers, columns, schema, end)
            return pl.concat([*([above] if end else []), part.select(*schema), *(one.select(*schema) for one in waiting)], rechunk=True)
        first, end = end, end + part.height
        for name, values in columns.items():
            values[first:end] = part[name].to_physical().to_numpy()
        if part.height:
            tickers.append(part["ticker"])
    return _frame(tickers, columns, schema, end)


def _frame(tickers: list[pl.Series], columns: dict[str, NDArray[Any]], schema: dict[str, pl.DataType], end: int) -> pl.DataFrame:
    if not end:
        return pl.DataFrame(schema=schema)
    made = {name: pl.Series(values[:end]).cast(schema[name]) for name, values in columns.items()}
    return pl.DataFrame({"ticker": pl.concat(tickers, rechunk=True), **made}).select(
        name for name in schema if name == "ticker" or name in made
    )
