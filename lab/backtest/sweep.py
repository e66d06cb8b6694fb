"""Designs over a strategy's parameters: which points to test, all of them on the parameters' steps and within their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.errors import BacktestError

if TYPE_CHECKING:
    import polars as pl

    from lab.backtest.metrics import Metrics
    from lab.script import Parameter

MAX_POINTS = 5_000
LEAST_DIVISIONS = 1_000
"""A parameter without a step is divided at least so finely, in a power of ten: its values stay short enough to read and write."""

Point = tuple[float, ...]
"""A value for each axis, in the order of the axes."""

METRICS = ("trades", "win_rate", "sharpe", "total_return", "max_drawdown", "profit_factor", "expectancy_r")
"""The columns of a sweep's table beside its parameters, named as in `Metrics`."""


class Method(StrEnum):
    """How the points of a sweep are chosen."""

    GRID = "grid"
    """Every combination of evenly spread values."""
    RANDOM = "random"
    """Any points, each as likely as another."""
    LATIN = "latin"
    """Latin hypercube: along each parameter the points lie as evenly as they can (McKay, Beckman and Conover 1979)."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds given from outside; they may not leave those of the script."""

    low: float
    high: float
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter that is varied: its values are `start`, `start + step` and so on."""

    name: str
    low: float
    high: float
    start: float
    """The first value: `low`, or the first whole steps away from the strategy's own value."""
    step: float
    levels: int
    """How many values there are; at least 2."""
    own: float
    """What the strategy itself has."""

    def value(self, level: int) -> float:
        """The value of a level, 0 to `levels` - 1, rounded as it is written: 0.05 + 3 x 0.05 is 0.2."""
        return min(max(float(f"{self.start + level * self.step:.12g}"), self.low), self.high)


def axes_of(parameters: Sequence[Parameter], names: Sequence[str] = (), ranges: Mapping[str, Range] | None = None) -> tuple[Axis, ...]:
    """The axes of a sweep over the named parameters, or over all that have both bounds.

    With a step, values are counted from the parameter's own value, so that it is one of them; without one, from its low.

    Raises:
        BacktestError: no such parameter, a parameter without bounds, a range outside the script's, or nothing to vary.
    """
    ranges = dict(ranges or {})
    known = {parameter.name: parameter for parameter in parameters}
    wanted = list(dict.fromkeys([*names, *ranges])) or [p.name for p in parameters if p.low is not None and p.high is not None]
    for name in wanted:
        if name not in known:
            raise BacktestError(f"There is no parameter {name!r}; the scripts have {', '.join(known) or 'none'}.")
    if not wanted:
        raise BacktestError("The scripts mark no number as free to vary: write param(3.0, low=1.0, high=5.0) in place of one.")
    return tuple(_axis(known[name], ranges.get(name)) for name in wanted)


def _axis(parameter: Parameter, given: Range | None) -> Axis:
    name = parameter.name
    low, high, step = (given.low, given.high, given.step) if given else (parameter.low, parameter.high, None)
    if low is None or high is None:
        raise BacktestError(f"The parameter {name!r} has no low and high: write them in the script, or give a range as {name}=LOW:HIGH.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BacktestError(f"The range of {name!r} must run from a lower to a higher number, not from {low:g} to {high:g}.")
    if (parameter.low is not None and low < parameter.low) or (parameter.high is not None and high > parameter.high):
        bounds = f"{'-∞' if parameter.low is None else f'{parameter.low:g}'} to {'∞' if parameter.high is None else f'{parameter.high:g}'}"
        raise BacktestError(f"The range {low:g} to {high:g} leaves the bounds of {name!r} in the script, {bounds}.")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise BacktestError(f"The step of {name!r} must be above 0, not {step:g}.")
    start, size = low, step or parameter.step
    if size is None:
        size = 10.0 ** math.floor(math.log10((high - low) / LEAST_DIVISIONS))
    elif step is None or given is None:
        # up from the lowest value that is whole steps away from the strategy's own
        start = parameter.value - math.floor((parameter.value - low) / size + 1e-9) * size
    levels = math.floor((high - start) / size + 1e-9) + 1
    if levels < 2:
        raise BacktestError(f"The parameter {name!r} has one value from {low:g} to {high:g} in steps of {size:g}: nothing to vary.")
    return Axis(name, low, high, start, size, levels, parameter.value)


def size_of(axes: Sequence[Axis]) -> int:
    """How many points there are in all."""
    return math.prod(axis.levels for axis in axes)


def design(axes: Sequence[Axis], method: Method, points: int, seed: int) -> tuple[Point, ...]:
    """At most `points` distinct points in order of their values; the same arguments give the same points.

    A grid has as many as its most even division allows. The other two have `points` of them, or all there are.

    Raises BacktestError for less than 1 or more than MAX_POINTS points.
    """
    if not 1 <= points <= MAX_POINTS:
        raise BacktestError(f"A sweep has from 1 to {MAX_POINTS:,} points, not {points:,}.")
    rng = np.random.default_rng(seed)
    if method is Method.GRID:
        chosen = _grid(axes, points)
    elif points >= size_of(axes):
        chosen = [_unravel(axes, number) for number in range(size_of(axes))]
    elif method is Method.RANDOM:
        chosen = _random(axes, points, rng)
    else:
        chosen = _latin(axes, points, rng)
    return tuple(tuple(axis.value(level) for axis, level in zip(axes, levels, strict=True)) for levels in sorted(chosen))


def result_table(names: Sequence[str], points: Sequence[tuple[Point, Metrics]]) -> pl.DataFrame:
    """A row a point: a column a parameter, then METRICS. What could not be measured is null."""
    import polars as pl

    schema: dict[str, pl.DataType] = {name: pl.Float64() for name in (*names, *METRICS)} | {"trades": pl.Int64()}
    rows = [(*values, *(getattr(metrics, name) for name in METRICS)) for values, metrics in points]
    return pl.DataFrame(rows, schema=schema, orient="row")


_Levels = tuple[int, ...]


def _grid(axes: Sequence[Axis], points: int) -> list[_Levels]:
    """Evenly spread levels, both ends among them; an axis for which there is no room keeps the strategy's own value, or the nearest."""
    counts = [1] * len(axes)
    growing = set(range(len(axes)))
    while growing:
        fewest = min(growing, key=lambda i: (counts[i], i))
        counts[fewest] += 1
        if counts[fewest] > axes[fewest].levels or math.prod(counts) > points:
            counts[fewest] -= 1
            growing.remove(fewest)
    chosen: list[_Levels] = [()]
    for axis, count in zip(axes, counts, strict=True):
        spread = [round(i * (axis.levels - 1) / (count - 1)) for i in range(count)] if count > 1 else [_own_level(axis)]
        chosen = [(*levels, level) for levels in chosen for level in spread]
    return chosen


def _own_level(axis: Axis) -> int:
    return min(max(round((axis.own - axis.start) / axis.step), 0), axis.levels - 1)


def _unravel(axes: Sequence[Axis], number: int) -> _Levels:
    levels: list[int] = []
    for axis in reversed(axes):
        number, level = divmod(number, axis.levels)
        levels.append(level)
    return tuple(reversed(levels))


def _random(axes: Sequence[Axis], points: int, rng: np.random.Generator) -> list[_Levels]:
    size = size_of(axes)
    if size <= 1_000_000:
        return [_unravel(axes, int(number)) for number in rng.choice(size, points, replace=False)]
    chosen: set[_Levels] = set()
    while len(chosen) < points:
        chosen.add(tuple(int(rng.integers(axis.levels)) for axis in axes))
    return list(chosen)


def _latin(axes: Sequence[Axis], points: int, rng: np.random.Generator) -> list[_Levels]:
    from scipy.stats import qmc

    sample = qmc.LatinHypercube(len(axes), rng=rng).random(points)
    columns = [_levels_of(sample[:, i], axis.levels, points) for i, axis in enumerate(axes)]
    return _made_distinct(axes, [list(levels) for levels in zip(*columns, strict=True)], rng)


def _levels_of(shares: np.ndarray[tuple[int], np.dtype[np.float64]], levels: int, points: int) -> list[int]:
    """From one point in each of `points` equal cells to levels, each used as often as the next; none twice where there are enough."""
    found = []
    for share in shares.tolist():
        cell = min(int(share * points), points - 1)
        if levels <= points:
            found.append(cell * levels // points)
        else:
            first, end = -(-cell * levels // points), -(-(cell + 1) * levels // points)
            found.append(first + min(int((share * points - cell) * (end - first)), end - first - 1))
    return found


def _made_distinct(axes: Sequence[Axis], rows: list[list[int]], rng: np.random.Generator) -> list[_Levels]:
    """Points that fell together are parted by exchanging one value with another point: how often each value is used stays as it is.

    Where nearly all points there are were asked for, that may not be possible; the last ones are then any that are free.
    """
    for _ in range(50 * len(rows)):
        first = {tuple(row): i for i, row in reversed(list(enumerate(rows)))}
        twice = next((i for i, row in enumerate(rows) if first[tuple(row)] != i), None)
        if twice is None:
            return [tuple(row) for row in rows]
        other, axis = int(rng.integers(len(rows))), int(rng.integers(len(axes)))
        rows[twice][axis], rows[other][axis] = rows[other][axis], rows[twice][axis]
    distinct = {tuple(row) for row in rows}
    while len(distinct) < len(rows):
        distinct.add(tuple(int(rng.integers(axis.levels)) for axis in axes))
    return list(distinct)
