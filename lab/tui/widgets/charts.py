"""Charts in text cells: the equity line with its drawdown.

Lines are rasterised by plotext into quarter-block cells, which more fonts have than braille; its own colours are stripped
and the theme's are put on, so a chart follows theme, NO_COLOR and size. plotext keeps one figure for the whole process:
`_plot` holds a lock and clears it before and after.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import date
from threading import Lock

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.worker import Worker

from lab.tui.text import percent
from lab.tui.widgets.flow import differences

_LOCK = Lock()
_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
_MARKER = "hd"
_LINE, _BASE = "blue+", "white"
"""Colours given to plotext only to tell the series apart in its output again."""
_STYLES = {"38;5;12": "$primary", "38;5;15": "$foreground-muted", "38;5;7": "$foreground-muted"}
_AXIS_WIDTH = 9
"""Cells of a y label with its axis: `_money` and `percent` give at most 8 characters."""


def prepare() -> None:
    """Import plotext now, in the calling thread, so that the first chart does not hold up the screen."""
    import plotext  # noqa: F401  (imported for its effect: it is slow the first time)


def drawdowns(equity: Sequence[float]) -> list[float]:
    """Fall from the highest equity so far, as a fraction <= 0, one a session."""
    peak = float("-inf")
    falls = []
    for value in equity:
        peak = max(peak, value)
        falls.append(value / peak - 1.0 if peak > 0 else 0.0)
    return falls


def _money(value: float) -> str:
    """Dollars in at most 7 characters."""
    if abs(value) >= 9_999_950:
        return f"{value / 1e6:.1f}M"
    if abs(value) >= 999_950:
        return f"{value / 1e6:.2f}M"
    if abs(value) >= 10_000:
        return f"{value / 1e3:.1f}k"
    return f"{value:,.0f}"


def _ticks(low: float, high: float, count: int) -> list[float]:
    """`count` levels from low to high, the ends included."""
    if count < 2 or high <= low:
        return [low]
    return [low + (high - low) * step / (count - 1) for step in range(count)]


def _distinct_money(levels: Sequence[float]) -> list[str]:
    """Labels for levels; exact dollars where thousands would make two of them read alike."""
    labels = [_money(level) for level in levels]
    return labels if len(set(labels)) == len(labels) else [f"{level:,.0f}" for level in levels]


def _date_ticks(days: Sequence[date], cells: int) -> tuple[list[int], list[str]]:
    """Positions and labels on the time axis: first, last and as many between as fit without touching."""
    if len(days) < 2:
        return [0], [f"{days[0]:%d %b %y}"] if days else [""]
    wanted = max(2, min(6, cells // 16, len(days)))
    at = sorted({round((len(days) - 1) * step / (wanted - 1)) for step in range(wanted)})
    years = {day.year for day in days}
    return at, [f"{days[index]:%d %b}" if len(years) == 1 else f"{days[index]:%d %b %y}" for index in at]


def _plot(
    series: Sequence[tuple[Sequence[float], str, str]],
    width: int,
    height: int,
    low: float,
    high: float,
    y_ticks: tuple[list[float], list[str]],
    x_ticks: tuple[list[int], list[str]] | None,
) -> str:
    """Rasterise series (values, marker, colour) with a left axis; `x_ticks` adds the bottom axis, two more rows."""
    import plotext

    with _LOCK:
        plotext.clear_figure()
        plotext.limit_size(False, False)
        plotext.plot_size(width, height)
        plotext.canvas_color("default")
        plotext.axes_color("default")
        plotext.ticks_color("default")
        plotext.xaxes(x_ticks is not None, False)
        plotext.yaxes(True, False)
        plotext.yticks(y_ticks[0], [label.rjust(_AXIS_WIDTH - 1) for label in y_ticks[1]])
        if x_ticks is not None:
            plotext.xticks(*x_ticks)
        else:
            plotext.xticks([], [])
        plotext.ylim(low, high)
        longest = max(len(values) for values, _, _ in series)
        plotext.xlim(0, max(1, longest - 1))
        for values, marker, colour in series:
            plotext.plot(list(range(len(values))), list(values), marker=marker, color=colour)
        drawn = str(plotext.build())
        plotext.clear_figure()
    return drawn


def _themed(drawn: str, styles: dict[str, str]) -> Content:
    """plotext's output with its escapes replaced by theme styles; what is not a series (axes, labels) is muted."""
    parts: list[tuple[str, str]] = []
    style, at = "$foreground-muted", 0
    for match in _ESCAPE.finditer(drawn):
        if match.start() > at:
            parts.append((drawn[at : match.start()], style))
        style, at = styles.get(match.group(1), "$foreground-muted"), match.end()
    parts.append((drawn[at:], style))
    return Content.assemble(*parts).rstrip()


def equity_chart(
    equity: Sequence[tuple[date, float]], starting_equity: float, width: int, height: int, beside: Sequence[float] = ()
) -> Content:
    """The equity line over a dotted line at the starting equity, with the drawdown below where there are rows for it.

    `beside` is another equity on the same sessions, dotted instead of the starting equity. Fewer than 2 sessions, or less room than
    24x5 cells, give a sentence instead.
    """
    if len(equity) < 2:
        return Content.styled("No equity curve yet: it needs at least two sessions.", "$foreground-muted")
    if width < 24 or height < 5:
        return Content.styled(f"Equity {_money(equity[0][1])} → {_money(equity[-1][1])}", "$foreground-muted")
    days = [day for day, _ in equity]
    values = [value for _, value in equity]
    base = list(beside) or [starting_equity] * len(values)
    low, high = min(*values, *base), max(*values, *base)
    if high == low:
        low, high = low - 1, high + 1
    fall_rows = max(3, height // 4) if height >= 14 else 0
    main_rows = height - fall_rows - (1 if fall_rows else 0)
    levels = _ticks(low, high, max(2, min(5, (main_rows - 2) // 2)))
    drawn = _plot(
        [(base, "·", _BASE), (values, _MARKER, _LINE)],
        width,
        main_rows,
        low,
        high,
        (levels, _distinct_money(levels)),
        _date_ticks(days, width - _AXIS_WIDTH),
    )
    chart = _themed(drawn, _STYLES)
    if not fall_rows:
        return chart
    falls = drawdowns(values)
    worst = min(falls)
    if worst == 0:
        return Content("\n").join([chart, Content.styled("drawdown none: it never fell"[:width], "$foreground-muted")])
    drawn = _plot([(falls, _MARKER, _LINE)], width, fall_rows, worst, 0.0, ([worst, 0.0], [percent(worst), "0%"]), None)
    title = Content.styled(f"drawdown  deepest {percent(worst)}"[:width], "$foreground-muted")
    return Content("\n").join([chart, title, _themed(drawn, {"38;5;12": "$error"})])


class EquityChart(Widget):
    """The equity line of one result, drawn anew at each size."""

    DEFAULT_CSS = """
    EquityChart { height: 1fr; min-height: 4; }
    """

    def __init__(self, *, shown: bool = True, id: str | None = None) -> None:
        """`shown` False leaves its place empty until `display` is set."""
        super().__init__(id=id)
        self.display = shown
        self._given: tuple[Sequence[tuple[date, float]], float, Sequence[float]] = ((), 0.0, ())
        self._drawn: tuple[Size, Content] | None = None
        """What is on the screen, and the size it was drawn for."""

    def show(self, equity: Sequence[tuple[date, float]], starting_equity: float, beside: Sequence[float] = ()) -> None:
        """Draw this curve: equity in dollars at each session's close. `beside` is another one on the same sessions, dotted."""
        given = tuple(equity), starting_equity, tuple(beside)
        if given == self._given:
            return
        self._given = given
        if self._drawn is None:
            self.refresh()
        else:
            # plotext takes as long as several keys may.
            _: Worker[None] = self.run_worker(self._draw, group="drawing", exclusive=True)

    async def _draw(self) -> None:
        size = self.size
        after = await asyncio.to_thread(equity_chart, *self._chart_arguments(size))
        if self._drawn is None or size != self.size:
            return  # drawn anew for the size it has now
        before, self._drawn = self._drawn[1], (size, after)
        if before.plain.count("\n") != after.plain.count("\n"):
            self.refresh()
        elif regions := list(differences(before, after)):
            self.refresh(*regions)

    def _chart_arguments(self, size: Size) -> tuple[Sequence[tuple[date, float]], float, int, int, Sequence[float]]:
        equity, starting_equity, beside = self._given
        return equity, starting_equity, size.width, size.height, beside

    def render(self) -> Content:
        if self._drawn is None or self._drawn[0] != self.size:
            self._drawn = self.size, equity_chart(*self._chart_arguments(self.size))
        return self._drawn[1]
