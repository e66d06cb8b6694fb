"""A sweep as a text heat map of two parameters: every cell a shade and a number, so that nothing hangs on colour or on shade alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import fmean

from lab.agents.errors import NotThere
from lab.agents.sweep_jobs import Measured, Point

SHADES = " ░▒▓█"
"""From the lowest value shown to the highest."""
NOTHING = "·"
MOST_ROWS, MOST_COLUMNS = 8, 6
"""Of a map; more values are gathered into as many ranges."""


class Figure(StrEnum):
    """What a heat map can show."""

    SHARPE = "sharpe"
    TOTAL_RETURN = "total_return"
    WIN_RATE = "win_rate"
    MAX_DRAWDOWN = "max_drawdown"
    PROFIT_FACTOR = "profit_factor"
    EXPECTANCY_R = "expectancy_r"
    TRADES = "trades"

    def of(self, measured: Measured) -> float | None:
        value: float | None = getattr(measured, self.value)
        return value

    @property
    def in_words(self) -> str:
        return {"sharpe": "Sharpe", "expectancy_r": "expectancy in R"}.get(self.value, self.value.replace("_", " "))

    def written(self, value: float) -> str:
        if self in (Figure.TOTAL_RETURN, Figure.WIN_RATE, Figure.MAX_DRAWDOWN):
            return f"{value * 100:.1f}%"
        return f"{value:.0f}" if self is Figure.TRADES else f"{value:.2f}"


@dataclass(frozen=True, slots=True)
class Cell:
    """What the points of one pair of values, or of two ranges of them, came to."""

    value: float
    """The mean over the points that could be measured."""
    points: int
    shade: int
    """Index into SHADES."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    figure: Figure
    row_name: str
    column_name: str
    """Empty where one parameter was varied."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]
    """By row; None where no point was measured."""

    def lines(self) -> list[str]:
        """The map as text, at most 80 characters wide for values of usual length."""
        texts = [[_text(self.figure, cell) for cell in row] for row in self.cells]
        first = max(len(text) for text in (self.row_name, *self.rows))
        widths = [max(len(name), *(len(row[i]) for row in texts)) for i, name in enumerate(self.columns)]
        found = [f"Mean {self.figure.in_words} of each cell's points: blank the lowest, {SHADES[-1]} the highest, {NOTHING} no point"]
        if self.column_name:
            found.append(f"{'':<{first}}  {self.column_name} →")
        found.append(
            "  ".join([f"{self.row_name:<{first}}", *(name.rjust(width) for name, width in zip(self.columns, widths, strict=True))])
        )
        for name, row in zip(self.rows, texts, strict=True):
            found.append("  ".join([name.rjust(first), *(text.rjust(width) for text, width in zip(row, widths, strict=True))]).rstrip())
        return found


def heat_map(points: Sequence[Point], names: Sequence[str], row: str, column: str, figure: Figure) -> HeatMap:
    """The map of `row` against `column`; `column` is empty for a map of one parameter.

    Raises NotThere for a parameter that was not varied.
    """
    for name in filter(None, (row, column)):
        if name not in names:
            raise NotThere(f"The sweep did not vary {name!r}; it varied {', '.join(names)}.")
    measured = [(point.values, value) for point in points if (value := figure.of(point.measured)) is not None]
    # Random points hardly share a value: with as many ranges as this, most cells have a point and some have several.
    usual = max(2, round(len(measured) ** 0.5))
    rows = _Ranges([values[names.index(row)] for values, _ in measured], MOST_ROWS, usual)
    columns = _Ranges([values[names.index(column)] if column else 0.0 for values, _ in measured], MOST_COLUMNS, usual)
    gathered: dict[tuple[int, int], list[float]] = {}
    for values, value in measured:
        place = rows.of(values[names.index(row)]), columns.of(values[names.index(column)] if column else 0.0)
        gathered.setdefault(place, []).append(value)
    means = {place: fmean(found) for place, found in gathered.items()}
    low, high = min(means.values(), default=0.0), max(means.values(), default=0.0)

    def cell(place: tuple[int, int]) -> Cell | None:
        if place not in means:
            return None
        share = (means[place] - low) / (high - low) if high > low else 0.5
        return Cell(means[place], len(gathered[place]), min(int(share * len(SHADES)), len(SHADES) - 1))

    cells = tuple(tuple(cell((i, j)) for j in range(len(columns.labels))) for i in range(len(rows.labels)))
    return HeatMap(figure, row, column, tuple(rows.labels), tuple(columns.labels) if column else (figure.in_words,), cells)


class _Ranges:
    """The values of a parameter in order, gathered into even ranges where they are too many to show."""

    def __init__(self, values: Sequence[float], most: int, usual: int) -> None:
        distinct = sorted(set(values))
        self._low, self._values = (distinct[0] if distinct else 0.0), distinct
        self._width = 0.0
        if len(distinct) <= most:
            self.labels = [f"{value:g}" for value in distinct]
        else:
            most = min(most, usual)
            self._width = (distinct[-1] - distinct[0]) / most
            edges = [self._low + i * self._width for i in range(most + 1)]
            self.labels = [f"{low:.3g}–{high:.3g}" for low, high in pairwise(edges)]

    def of(self, value: float) -> int:
        if self._width:
            return min(int((value - self._low) / self._width), len(self.labels) - 1)
        return self._values.index(value)


def _text(figure: Figure, cell: Cell | None) -> str:
    return NOTHING if cell is None else f"{SHADES[cell.shade] * 2} {figure.written(cell.value)}"
