"""The signals of an evaluated frame, and what the scripts say of each, as the plain arrays the engine reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lab.backtest.bars import BAR_COLUMNS, Bars, ReadBars, floats, read_sorted
from lab.backtest.errors import BacktestError
from lab.backtest.reading import merged
from lab.backtest.reasons import Direction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lab.backtest.bars import Bools, Floats, Ints
    from lab.backtest.plan import Plan

TARGETS = ("target", "target_2", "target_3")


@dataclass(frozen=True, slots=True)
class Signals:
    """Every signal in order of ticker, time, long before short. Prices are those the scripts gave, NaN for none."""

    row: Ints
    is_short: NDArray[np.uint8]
    conflicting: NDArray[np.uint8]
    """Where the same bar says long and short."""
    ends: Ints
    """Per ticker: one past its last signal."""
    score: Floats
    """-infinity for none."""
    stop: Floats
    target: Floats
    """A row a target."""
    entry: Floats | None
    size: Floats | None
    """Dollars, or the price move the risk is lost over."""
    long_exit: NDArray[np.uint8] | None
    """Per bar, whether the exit rule is true at its close."""
    short_exit: NDArray[np.uint8] | None
    long_trail: Floats | None
    """Per bar, the trailing stop's distance in price."""
    short_trail: Floats | None

    def without_columns(self) -> Signals:
        """The same without what holds a value a bar."""
        return replace(self, long_exit=None, short_exit=None, long_trail=None, short_trail=None)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a run reads."""

    bars: Bars
    signals: Signals
    without_price: pl.DataFrame
    """Signals on bars without usable prices: ticker, direction, signal_at."""


def prepare(evaluated: pl.DataFrame, plan: Plan, read: ReadBars | None = None) -> Prepared:
    """The arrays of an evaluated frame; `read` are its bars where they are known already.

    Raises BacktestError if a column is missing or a bar stands twice.
    """
    directions = [direction for direction in Direction if f"signal.{direction}" in evaluated.columns]
    if not directions:
        raise BacktestError("The evaluated bars have neither a signal.long nor a signal.short column: the scan must assign long or short.")
    said = ["stop", *TARGETS[: len(plan.fractions)]]
    said += ["exit"] if plan.has_exit else []
    said += ["trail"] if plan.has_trail else []
    said += ["entry_price"] if plan.entry_kind != "at_open" else []
    said += ["size"] if plan.size_kind != "risk" else []
    needed = [*BAR_COLUMNS, *(f"{direction}.{name}" for direction in directions for name in said)]
    missing = [name for name in needed if name not in evaluated.columns]
    if missing:
        raise BacktestError(f"The evaluated bars lack the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}.")
    frame = evaluated.select([*needed, *(f"signal.{d}" for d in directions), *(["score"] if "score" in evaluated.columns else [])])
    if read is None:
        frame, read = read_sorted(frame)
    frame, without_price = _split_unusable(frame, read.usable, directions)
    return Prepared(read.bars, _signals(frame, read.bars, plan, directions), without_price)


def _split_unusable(frame: pl.DataFrame, usable: Bools | None, directions: list[Direction]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars without usable prices leave the run; signals on them are kept to be accounted for."""
    schema: dict[str, Any] = {"ticker": pl.String, "direction": pl.String, "signal_at": frame.schema["timestamp"]}
    if usable is None:
        return frame, pl.DataFrame(schema=schema)
    unusable = frame.filter(pl.Series(~usable))
    parts = [
        unusable.filter(pl.col(f"signal.{d}").fill_null(False)).select(
            "ticker", pl.lit(str(d)).alias("direction"), pl.col("timestamp").alias("signal_at")
        )
        for d in directions
    ]
    return frame.filter(pl.Series(usable)), pl.concat(parts)


def _signals(frame: pl.DataFrame, bars: Bars, plan: Plan, directions: list[Direction]) -> Signals:
    none = np.empty(0, dtype=np.int64)
    rows = {d: frame[f"signal.{d}"].arg_true().to_numpy().astype(np.int64) for d in directions}
    row, is_short, conflicting = merged(rows.get(Direction.LONG, none), rows.get(Direction.SHORT, none))
    places = {Direction.LONG: np.flatnonzero(is_short == 0), Direction.SHORT: np.flatnonzero(is_short)}

    def said(name: str) -> Floats:
        """What each signal's own direction says on its bar."""
        values = np.full(len(row), np.nan)
        for direction, found in rows.items():
            values[places[direction]] = _at(frame[f"{direction}.{name}"], found)
        return values

    def per_bar(direction: Direction, name: str, wanted: bool, read: Any) -> Any:
        if not wanted:
            return None
        # A direction without signals is never asked; an empty array could not even be pointed at.
        return read(frame, f"{direction}.{name}") if direction in rows and len(frame) else read(_NOTHING, name)

    score = _at(frame["score"], row) if "score" in frame.columns else np.zeros(len(row))
    return Signals(
        row=row,
        is_short=is_short,
        conflicting=conflicting,
        ends=np.searchsorted(row, bars.ticker_ends),
        score=np.where(np.isnan(score), -np.inf, score),
        stop=said("stop"),
        target=np.array([said(name) for name in TARGETS[: len(plan.fractions)]]).reshape(len(plan.fractions), len(row)),
        entry=said("entry_price") if plan.entry_kind != "at_open" else None,
        size=said("size") if plan.size_kind != "risk" else None,
        long_exit=per_bar(Direction.LONG, "exit", plan.has_exit, _flags),
        short_exit=per_bar(Direction.SHORT, "exit", plan.has_exit, _flags),
        long_trail=per_bar(Direction.LONG, "trail", plan.has_trail, floats),
        short_trail=per_bar(Direction.SHORT, "trail", plan.has_trail, floats),
    )


_NOTHING = pl.DataFrame({"exit": [False], "trail": [0.0]})


def _at(column: pl.Series, rows: Ints) -> Floats:
    """Some of a column's values as float64, nulls as NaN."""
    values: Floats = column.gather(rows).cast(pl.Float64, strict=False).to_numpy()
    return values


def _flags(frame: pl.DataFrame, name: str) -> NDArray[np.uint8]:
    flags = np.asarray(frame[name].fill_null(False).to_numpy(), dtype=np.bool_)
    return flags.view(np.uint8)
