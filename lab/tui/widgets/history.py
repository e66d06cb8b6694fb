"""A figure over an agent's versions: a point a version with its interval as a whisker, and the line between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from lab.agents.views import Interval, IterationRow, VersionRow
from lab.tui.text import clean, number, percent

_AXIS = 7
_LEAST_EACH = 5
"""Cells a version needs at least."""


@dataclass(frozen=True, slots=True)
class Point:
    label: str
    """The version."""
    value: float
    interval: Interval | None


def newest_of_each(versions: Sequence[VersionRow], iterations: Sequence[IterationRow]) -> list[IterationRow]:
    """The newest measured iteration of each version, in the order in which the versions came to be. `iterations`: newest first."""
    measured: dict[str, IterationRow] = {}
    for row in iterations:
        if row.version is not None and row.trades:
            measured.setdefault(row.version, row)
    return [measured[version.version] for version in versions if version.version in measured]


def history_chart(
    title: str, points: Sequence[Point], form: Callable[[float], str], base: float | None, width: int, height: int
) -> Content:
    """The chart in `height` lines: its title, the points, their versions. `base` is a level drawn through, such as 0.

    The newest versions are shown where not all have room; an interval that goes beyond nine tenths of all is cut off.
    """
    rows, columns = height - 2, width - _AXIS
    if len(points) < 2 or rows < 3 or columns < 2 * _LEAST_EACH:
        return Content.styled(f"{title}: enlarge the terminal to see it.", "$foreground-muted") if len(points) > 1 else Content("")
    shown = list(points)[-max(2, columns // max(_LEAST_EACH, *(len(point.label) + 1 for point in points))) :]
    each = columns / len(shown)
    at = [int(each * (n + 0.5)) for n in range(len(shown))]
    low, high = _range(shown, base)

    def row(value: float) -> int:
        return max(0, min(rows - 1, int((high - value) / (high - low) * rows)))

    cells = [[(" ", "")] * columns for _ in range(rows)]
    if base is not None and low <= base <= high:
        cells[row(base)] = [("┈", "$foreground-muted")] * columns
    for (x, point), (next_x, following) in pairwise(zip(at, shown, strict=True)):
        for between in range(x + 1, next_x):
            value = point.value + (following.value - point.value) * (between - x) / (next_x - x)
            cells[row(value)][between] = ("·", "$primary")
    for x, point in zip(at, shown, strict=True):
        if point.interval is not None:
            top, bottom = row(point.interval.high), row(point.interval.low)
            for y in range(top, bottom + 1):
                cells[y][x] = ("│", "$foreground-muted")
            if point.interval.high <= high:
                cells[top][x] = ("┬", "$foreground-muted")
            if point.interval.low >= low:
                cells[bottom][x] = ("┴", "$foreground-muted")
        cells[row(point.value)][x] = ("●", "bold $primary")
    labels = {0: form(high), rows - 1: form(low)}
    if base is not None and low < base < high:
        labels.setdefault(row(base), form(base))
    lines = [Content.styled(title[:width], "bold")]
    for y, line in enumerate(cells):
        axis = f"{labels.get(y, ''):>{_AXIS - 1}} "
        lines.append(Content.assemble((axis, "$foreground-muted"), *line))
    names = [" "] * columns
    for x, point in zip(at, shown, strict=True):
        start = max(0, min(columns - len(point.label), x - len(point.label) // 2))
        names[start : start + len(point.label)] = point.label
    lines.append(Content.styled(" " * _AXIS + "".join(names), "$foreground-muted"))
    return Content("\n").join(lines)


def _range(points: Sequence[Point], base: float | None) -> tuple[float, float]:
    lows = sorted(point.interval.low if point.interval is not None else point.value for point in points)
    highs = sorted(point.interval.high if point.interval is not None else point.value for point in points)
    values = [point.value for point in points] + ([] if base is None else [base])
    low, high = min(lows[len(lows) // 10], *values), max(highs[-1 - len(highs) // 10], *values)
    room = (high - low) * 0.05 or max(0.01, abs(high) * 0.1)
    return low - room, high + room


class HistoryChart(Widget):
    """One figure over the versions."""

    DEFAULT_CSS = "HistoryChart { width: 1fr; height: 1fr; padding: 0 1; }"

    def __init__(self, title: str, form: Callable[[float], str], base: float | None) -> None:
        super().__init__()
        self._title, self._form, self._base = title, form, base
        self._points: tuple[Point, ...] = ()

    def show(self, points: Sequence[Point]) -> None:
        if tuple(points) != self._points:
            self._points = tuple(points)
            self.refresh()

    def render(self) -> Content:
        size = self.content_size
        return history_chart(self._title, self._points, self._form, self._base, size.width, size.height)


class VersionHistory(Horizontal):
    """Win rate and Sharpe ratio over the versions that were measured, beside each other; not there for fewer than two."""

    DEFAULT_CSS = "VersionHistory { height: 9; border-top: solid $surface-lighten-2; }"

    def compose(self) -> ComposeResult:
        yield HistoryChart("Win rate by version", lambda value: percent(value, 0), None)
        yield HistoryChart("Sharpe by version", lambda value: number(value, 1), 0.0)

    def show(self, versions: Sequence[VersionRow], iterations: Sequence[IterationRow]) -> None:
        """Draw what these measured."""
        rows = newest_of_each(versions, iterations)
        rates, ratios = self.query(HistoryChart)
        rates.show([Point(clean(row.version or ""), row.win_rate, row.win_rate_interval) for row in rows if row.win_rate is not None])
        ratios.show([Point(clean(row.version or ""), row.sharpe, row.sharpe_interval) for row in rows if row.sharpe is not None])
        self.display = len(rows) > 1
