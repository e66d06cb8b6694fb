"""A candle chart in text cells with the orders of a trade: drawn by half cells, since candles need exact prices and no smooth lines.

A bar that rose is a thin heavy line, one that fell a solid block, so that no colour is needed to tell them apart. Entry, stop,
target and exit are named by letters on the price axis and, at their time, under the chart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil
from zoneinfo import ZoneInfo

from textual.content import Content
from textual.widget import Widget

from lab.tui.widgets.flow import differences

NEW_YORK = ZoneInfo("America/New_York")
_NOTHING, _WICK, _BODY = 0, 1, 2
_RISING = {
    (_BODY, _BODY): "┃",
    (_BODY, _WICK): "╿",
    (_WICK, _BODY): "╽",
    (_BODY, _NOTHING): "╹",
    (_NOTHING, _BODY): "╻",
    (_WICK, _WICK): "│",
    (_WICK, _NOTHING): "╵",
    (_NOTHING, _WICK): "╷",
}
_FALLING = _RISING | {(_BODY, _BODY): "█", (_BODY, _WICK): "▀", (_WICK, _BODY): "▄", (_BODY, _NOTHING): "▀", (_NOTHING, _BODY): "▄"}
_AXIS = 11
"""Cells of the price axis with its letter."""
_WIDEST = 4
"""Cells from one candle to the next at most: further apart, the eye reads single bars and no course."""
_ROOM = 0.6
"""Stop and target further away than so many times the height of the bars are not brought into the picture."""

Cells = list[list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Candle:
    started_at: datetime
    open: float
    high: float
    low: float
    close: float
    average: float | None = None
    """VWAP."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A price with a letter, drawn as a line over a part of the time."""

    letter: str
    price: float
    since: datetime | None = None
    """From the first candle where None."""
    until: datetime | None = None
    style: str = "$foreground-muted"
    sign: str = "─"
    must: bool = False
    """In the picture whatever it costs."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A letter under the chart, at its time."""

    letter: str
    at: datetime
    style: str = "bold"


def together(candles: Sequence[Candle], most: int) -> list[Candle]:
    """As few candles as fit, each made of as many neighbours."""
    each = max(1, ceil(len(candles) / max(1, most)))
    if each == 1:
        return list(candles)
    parts = [candles[at : at + each] for at in range(0, len(candles), each)]
    return [Candle(p[0].started_at, p[0].open, max(c.high for c in p), min(c.low for c in p), p[-1].close, p[-1].average) for p in parts]


def framed(candles: Sequence[Candle], core: tuple[int, int], columns: int) -> Sequence[Candle]:
    """The candles of `core` (first, one after the last), with as many before and after them as have room with a cell between each."""
    first, last = core
    spare = columns // 2 - (last - first)
    if spare <= 0:
        return candles[first:last]
    after = min(len(candles) - last, spare // 2)
    before = min(first, spare - after)
    return candles[first - before : min(len(candles), last + spare - before)]


def candle_chart(
    candles: Sequence[Candle],
    rungs: Sequence[Rung],
    moments: Sequence[Moment],
    width: int,
    height: int,
    core: tuple[int, int] | None = None,
) -> Content:
    """The chart in `height` lines: prices, a line of letters, a line of times. A sentence where there are no bars or no room.

    All candles are shown, or with `core` those from its first to before its last and as many around them as there is room for.
    """
    if not candles:
        return Content.styled("The bars of this trade are cached no more.", "$foreground-muted")
    if width < _AXIS + 12 or height < 6:
        return Content.styled("Too little room for the candles: enlarge the terminal.", "$foreground-muted")
    columns, rows = width - _AXIS, height - 2
    given = candles if core is None else framed(candles, core, columns)
    shown = together(given, columns)
    step = max(1, min(_WIDEST, columns // len(shown)))
    low, high = _range(shown, rungs)
    cells: Cells = [[(" ", "")] * columns for _ in range(rows)]
    starts = [candle.started_at for candle in shown]

    def column(at: datetime) -> int:
        return min(columns - 1, max(0, bisect_right(starts, at) - 1) * step)

    def row(price: float) -> int:
        return min(rows - 1, max(0, int((high - price) / (high - low) * rows)))

    inside = [rung for rung in rungs if low <= rung.price <= high]
    for rung in inside:
        first = 0 if rung.since is None else column(rung.since)
        last = (len(shown) - 1) * step if rung.until is None else column(rung.until)
        for x in range(first, last + 1):
            cells[row(rung.price)][x] = (rung.sign, rung.style)
    for x, candle in enumerate(shown):
        if candle.average is not None and low <= candle.average <= high:
            for between in range(x * step, min(columns, (x + 1) * step)):
                cells[row(candle.average)][between] = ("•", "$text-accent")
    for x, candle in enumerate(shown):
        _draw(cells, x * step, candle, low, high, rows)
    axis = _axis(inside, row, low, high, rows)
    lines = [Content.assemble(*_runs(cells[y]), axis[y]) for y in range(rows)]
    lines.append(_letters(moments, column, columns, starts))
    each = ceil(len(given) / len(shown))
    # As wide as the axis of prices above it.
    lines.append(Content.assemble(_times(starts, step, columns), (f"{each} a candle"[:_AXIS] if each > 1 else "", "$foreground-muted")))
    return Content("\n").join(lines)


def _range(shown: Sequence[Candle], rungs: Sequence[Rung]) -> tuple[float, float]:
    low, high = min(candle.low for candle in shown), max(candle.high for candle in shown)
    room = (high - low) * _ROOM
    wanted = [rung.price for rung in rungs if rung.must or (rung.letter in ("S", "T") and low - room <= rung.price <= high + room)]
    low, high = min([low, *wanted]), max([high, *wanted])
    if high == low:
        low, high = low - max(0.01, abs(low) * 0.001), high + max(0.01, abs(high) * 0.001)
    edge = (high - low) * 0.02
    return low - edge, high + edge


def _draw(cells: Cells, x: int, candle: Candle, low: float, high: float, rows: int) -> None:
    """One candle, by halves of cells; what overlaps it is covered."""
    halves = rows * 2

    def half(price: float) -> int:
        return min(halves - 1, max(0, int((high - price) / (high - low) * halves)))

    top, bottom = half(candle.high), half(candle.low)
    body_top, body_bottom = half(max(candle.open, candle.close)), half(min(candle.open, candle.close))
    rising = candle.close >= candle.open
    signs = _RISING if rising else _FALLING
    for y in range(top // 2, bottom // 2 + 1):
        kinds = []
        for part in (2 * y, 2 * y + 1):
            kinds.append(_BODY if body_top <= part <= body_bottom else _WICK if top <= part <= bottom else _NOTHING)
        if sign := signs.get((kinds[0], kinds[1])):
            cells[y][x] = (sign, "$foreground" if rising else "$primary")


def _runs(line: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours of one style as one piece."""
    runs: list[tuple[str, str]] = []
    for sign, style in line:
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + sign, style)
        else:
            runs.append((sign, style))
    return runs


def _axis(rungs: Sequence[Rung], row: Callable[[float], int], low: float, high: float, rows: int) -> list[Content]:
    """A label a row: the prices of the rungs first, then the ends of the scale where there is room."""
    taken: dict[int, tuple[str, str]] = {}
    for rung in rungs:
        y = row(rung.price)
        if y in taken and taken[y][0].split()[0] == _price(rung.price):
            taken[y] = (f"{taken[y][0]}{rung.letter}", taken[y][1])
            continue
        free = next((each for each in (y, y - 1, y + 1) if 0 <= each < rows and each not in taken), None)
        if free is not None:
            taken[free] = (f"{_price(rung.price)} {rung.letter}", rung.style)
    for price in (high, low, (high + low) / 2):
        taken.setdefault(row(price), (_price(price), "$foreground-muted"))
    labels = [taken.get(y, ("", "")) for y in range(rows)]
    return [Content.styled(f" {text[: _AXIS - 1]}" if text else "", style) for text, style in labels]


def _price(price: float) -> str:
    return f"{price:,.2f}" if abs(price) < 100_000 else f"{price:,.0f}"


def _letters(moments: Sequence[Moment], column: Callable[[datetime], int], columns: int, starts: Sequence[datetime]) -> Content:
    line: list[tuple[str, str]] = [(" ", "")] * columns
    for moment in moments:
        if moment.at < starts[0]:
            continue
        x = column(moment.at)
        while x < columns - 1 and line[x][0] != " ":
            x += 1
        line[x] = (moment.letter, moment.style)
    return Content.assemble(*_runs(line))


def _times(starts: Sequence[datetime], step: int, columns: int) -> Content:
    """New York times under the candles; the day stands where another one begins."""
    local = [start.astimezone(NEW_YORK) for start in starts]
    daily = len(local) > 1 and all(a.date() != b.date() for a, b in pairwise(local))
    line = [" "] * columns
    free, day = 0, None
    for x, moment in enumerate(local):
        new_day = moment.date() != day
        words = f"{moment:%d %b %y}" if daily else f"{moment:%d %b %H:%M}" if new_day else f"{moment:%H:%M}"
        if x * step < free or x * step + len(words) > columns:
            continue
        line[x * step : x * step + len(words)] = words
        free, day = x * step + len(words) + 5, moment.date()
    return Content.styled("".join(line), "$foreground-muted")


class CandleChart(Widget):
    """Draws the candles it was given, anew at each size."""

    DEFAULT_CSS = "CandleChart { height: 1fr; min-height: 6; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._given: tuple[tuple[Candle, ...], tuple[Rung, ...], tuple[Moment, ...]] = ((), (), ())
        self._core: tuple[int, int] | None = None

    def show(
        self, candles: Sequence[Candle], rungs: Sequence[Rung], moments: Sequence[Moment], core: tuple[int, int] | None = None
    ) -> None:
        """Draw these, of the candles those of `core` and as many around them as there is room for."""
        given = (tuple(candles), tuple(rungs), tuple(moments))
        if given == self._given:
            return
        before = self.render() if self._given[0] and self.size else None
        self._given, self._core = given, core
        if before is not None:
            after = self.render()
            if before.plain.count("\n") == after.plain.count("\n"):
                if regions := list(differences(before, after)):
                    self.refresh(*regions)
                return
        self.refresh()

    def render(self) -> Content:
        return candle_chart(*self._given, self.size.width, self.size.height, self._core)
