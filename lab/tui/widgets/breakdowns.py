"""The trades of a result cut by what was known at their signals: a row a bucket, a bar with its interval, n and the corrected p beside.

A bar runs from a base, 0 R or the win rate of all trades, to the bucket's figure. Its interval lies over it: what is certain
of the bar is solid, what is not is hatched, and a whisker runs on to the interval's far end. So a bucket whose interval holds the
base has no solid part, in colour or without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from lab.agents.dimensions import OUTCOME_COLUMNS
from lab.agents.evidence import MIN_BUCKET, Bucket
from lab.agents.views import Interval
from lab.tui.text import Tone, clean, number_interval, percent, percent_interval, plural, signed_number
from lab.tui.widgets.columns import GAP, Column
from lab.tui.widgets.flow import Flow, Line
from lab.tui.widgets.line_table import Cell, LineTable, Row

NONE_YET = "No breakdowns yet: the analysis cuts the trades once the backtest has finished."
EVIDENCE_P = 0.05
"""Below it a corrected p is called evidence by its colour."""
_BY, _NAME, _COUNT, _FIGURE, _P, _ID = 24, 16, 5, 8, 5, 5
_ROOMY, _TWO_CHARTS = 100, 150
"""Cells from which on a dimension stands beside each of its buckets, not above them; and from which on both measures have a chart."""
_UNSEEN_WIDTH = 80
"""Cells assumed before the table has a size, so that its rows are there to go to."""


class Measure(Enum):
    """What the bars show."""

    MEAN_R = "mean R"
    WIN_RATE = "win rate"


@dataclass(frozen=True, slots=True)
class Scale:
    """What a chart's width stands for."""

    low: float
    high: float
    base: float
    """Where the bars begin."""

    def place(self, value: float, width: int) -> int:
        """The cell of a value; -1 or `width` for one that lies outside."""
        span = self.high - self.low
        at = round((value - self.low) / span * (width - 1)) if span else 0
        return max(-1, min(width, at))


def whiskered(value: float, interval: Interval | None, scale: Scale, width: int) -> str:
    """A bar with its whiskers in `width` cells; what lies outside of the scale ends in an arrow head."""
    cells = [" "] * width
    base, end = scale.place(scale.base, width), scale.place(value, width)
    first, last = sorted((base, end))
    low, high = (scale.place(interval.low, width), scale.place(interval.high, width)) if interval is not None else (width, -1)
    for x in range(max(0, first), min(width, last + 1)):
        cells[x] = "▒" if low <= x <= high or interval is None else "█"
    for x in range(max(0, low), min(width, high + 1)):
        if cells[x] == " ":
            cells[x] = "─"
    if interval is not None:
        # The ends of an interval stand outside the bar, or in it at the border of solid and hatched.
        if 0 <= low < width and cells[low] == "─":
            cells[low] = "├"
        if 0 <= high < width and cells[high] == "─":
            cells[high] = "┤"
    if 0 <= base < width:
        cells[base] = "│"
    if min(end, low) < 0:
        cells[0] = "◂"
    if max(end, high) >= width:
        cells[-1] = "▸"
    return "".join(cells)


def scale_of(buckets: Sequence[Bucket], measure: Measure) -> Scale:
    """One scale for all buckets, so that their bars can be compared: it holds nine tenths of the intervals' ends.

    Buckets too small to be tested, and those of what is known only after a trade, such as how it ended, don't stretch it.
    """
    tested = [bucket for bucket in buckets if bucket.trades >= MIN_BUCKET and bucket.column not in OUTCOME_COLUMNS] or list(buckets)
    ranges = [(value, interval or Interval(value, value)) for value, interval in (figure_of(bucket, measure) for bucket in tested)]
    lows, highs = sorted(interval.low for _, interval in ranges), sorted(interval.high for _, interval in ranges)
    base = 0.0
    if measure is Measure.WIN_RATE:
        # A dimension without gaps holds all trades, and none holds more.
        sums: dict[str, tuple[int, int]] = {}
        for bucket in buckets:
            wins, trades = sums.get(bucket.column, (0, 0))
            sums[bucket.column] = (wins + bucket.wins, trades + bucket.trades)
        wins, trades = max(sums.values(), key=lambda one: one[1])
        base = wins / trades
    return Scale(min(base, lows[len(lows) // 10]), max(base, highs[-1 - len(highs) // 10]), base)


def heading(scale: Scale, measure: Measure, width: int) -> str:
    """What stands over a chart: the ends of its scale and where the bars begin."""
    low, high = (
        (percent(scale.low, 0), percent(scale.high, 0))
        if measure is Measure.WIN_RATE
        else (f"{signed_number(scale.low, 1)}R", f"{signed_number(scale.high, 1)}R")
    )
    base = f"all {percent(scale.base, 0)}" if measure is Measure.WIN_RATE else "0R"
    line = low.ljust(width)
    at = min(max(scale.place(scale.base, width) - len(base) // 2, len(low) + 1), width - len(high) - len(base) - 1)
    if at > len(low):
        line = line[:at] + base + line[at + len(base) :]
    return line[: max(0, width - len(high))] + high


def tone_of(bucket: Bucket) -> Tone:
    """Colour only where a corrected p says that there is something; muted where there is too little to say anything."""
    if bucket.trades < MIN_BUCKET:
        return Tone.MUTED
    if bucket.corrected_p is not None and bucket.corrected_p < EVIDENCE_P and bucket.r_lift:
        return Tone.GOOD if bucket.r_lift > 0 else Tone.BAD
    return Tone.PLAIN


ORDERS: tuple[tuple[str, Callable[[Bucket], Any] | None], ...] = (
    ("by dimension", None),
    ("by corrected p", lambda bucket: (bucket.corrected_p is None, bucket.corrected_p, bucket.p_value)),
    ("by mean R, best first", lambda bucket: -bucket.mean_r),
    ("by mean R, worst first", lambda bucket: bucket.mean_r),
    ("by number of trades", lambda bucket: -bucket.trades),
)


class BreakdownTable(LineTable):
    """A row a bucket; the charts take the room that is left."""

    def __init__(self) -> None:
        super().__init__((), empty=NONE_YET)
        self._buckets: Sequence[Bucket] = ()
        self._all_of_them: Sequence[Bucket] = ()
        self._measure = Measure.MEAN_R
        self._order = ""

    def show(self, buckets: Sequence[Bucket], all_of_them: Sequence[Bucket], measure: Measure, order: str) -> None:
        """Show these in their order, named `order`, on the scale of all."""
        self._buckets, self._all_of_them, self._measure, self._order = buckets, all_of_them, measure, order
        self._redraw()

    @property
    def roomy(self) -> bool:
        """Whether a row says by itself what its bucket is of."""
        return self.size.width >= _ROOMY

    def _resized(self) -> None:
        self._redraw()
        super()._resized()

    def _redraw(self) -> None:
        if not self._all_of_them:
            self.set_rows([])
            return
        room = self.size.width or _UNSEEN_WIDTH
        grouped = room < _ROOMY and self._buckets == self._all_of_them
        measures = list(Measure) if room >= _TWO_CHARTS else [self._measure]
        by = 0 if grouped else _BY if room >= _ROOMY else _NAME
        evidence_id = _ID if room >= _ROOMY else 0
        name = _BY if grouped else _NAME
        fixed = [by, name, _COUNT, *(_FIGURE for _ in measures), _P, evidence_id]
        # A cell to the left, and one for the scroll bar.
        width = max(10, (room - 2 - sum(cells + GAP for cells in fixed if cells)) // len(measures) - GAP + GAP // len(measures))
        scales = {measure: scale_of(self._all_of_them, measure) for measure in measures}
        charts = [
            column
            for measure in measures
            for column in (
                Column(heading(scales[measure], measure, width), least=width, most=width, keep=7),
                Column(measure.value[0].upper() + measure.value[1:], least=_FIGURE, most=_FIGURE, right=True, keep=8),
            )
        ]
        self.columns = (
            Column(self._order[:1].upper() + self._order[1:], least=by or _BY, most=by or _BY, keep=6 if by else -1),
            Column("Bucket", least=name, most=24, keep=9, grow=True),
            Column("n", least=_COUNT, most=6, right=True, keep=8),
            *charts,
            Column("p", least=_P, most=_P, right=True, keep=8),
            Column("", least=_ID, most=_ID, keep=1 if evidence_id else -2),
        )
        rows: list[Row] = []
        for at, bucket in enumerate(self._buckets):
            if grouped and (at == 0 or self._buckets[at - 1].column != bucket.column):
                title = Cell(clean(bucket.dimension), Tone.STRONG)
                rows.append((f"by {bucket.column}", ("", title, "", *("",) * (2 * len(measures)), "", "")))
            rows.append(self._row(bucket, scales, width))
        self._strips.clear()
        self.refresh()
        self.set_rows(rows)

    def _row(self, bucket: Bucket, scales: dict[Measure, Scale], width: int) -> Row:
        tone = tone_of(bucket)
        cells: list[Cell | str] = []
        for measure, scale in scales.items():
            value, interval = figure_of(bucket, measure)
            figure = percent(value, 0) if measure is Measure.WIN_RATE else f"{signed_number(value)}R"
            cells += [Cell(whiskered(value, interval, scale, width), tone), Cell(figure, tone)]
        p = (
            ""
            if bucket.corrected_p is None
            else f"{bucket.corrected_p:.3f}"
            if bucket.corrected_p < 0.0995
            else f"{bucket.corrected_p:.2f}"
        )
        return (
            bucket.id,
            (
                Cell(clean(bucket.dimension), Tone.MUTED),
                clean(bucket.name),
                f"{bucket.trades:,}",
                *cells,
                Cell(p, Tone.STRONG if tone in (Tone.GOOD, Tone.BAD) else tone),
                Cell(bucket.id, Tone.MUTED),
            ),
        )


def figure_of(bucket: Bucket, measure: Measure) -> tuple[float, Interval | None]:
    """A bucket's figure and its interval."""
    if measure is Measure.WIN_RATE:
        return bucket.win_rate, bucket.win_rate_interval
    return bucket.mean_r, bucket.mean_r_interval


class BreakdownPane(Vertical):
    """The table with the bucket under the cursor in words below it."""

    DEFAULT_CSS = """
    BreakdownPane BreakdownTable { height: 1fr; }
    BreakdownPane #bucket { height: auto; max-height: 6; padding: 0 1; border-top: solid $surface-lighten-2; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.buckets: tuple[Bucket, ...] = ()
        """All of them, in their natural order."""
        self._cited: frozenset[str] = frozenset()
        self._order = 0
        self._measure = Measure.MEAN_R

    def compose(self) -> ComposeResult:
        yield BreakdownTable()
        yield Flow(id="bucket")

    @property
    def table(self) -> BreakdownTable:
        return self.query_one(BreakdownTable)

    @property
    def chosen(self) -> Bucket | None:
        """The bucket under the cursor."""
        return next((bucket for bucket in self.buckets if bucket.id == self.table.cursor_id), None)

    def show(self, buckets: Sequence[Bucket], cited: frozenset[str]) -> None:
        """Show these; `cited` are the ids that the analysis names."""
        if (tuple(buckets), cited) != (self.buckets, self._cited):
            self.buckets, self._cited = tuple(buckets), cited
            self._draw()

    def next_order(self) -> None:
        """Sort by the next thing one may sort by."""
        self._order = (self._order + 1) % len(ORDERS)
        self._draw()
        self.table.action_to_end(-1)

    def next_measure(self) -> None:
        """Draw the other measure."""
        self._measure = Measure.WIN_RATE if self._measure is Measure.MEAN_R else Measure.MEAN_R
        self._draw()

    def go_to(self, bucket_id: str) -> bool:
        """Put the cursor on a bucket, found or not because of words that are sought; False where there is no such bucket."""
        if not any(bucket.id == bucket_id for bucket in self.buckets):
            return False
        self.table.seek("")
        self.table.move_to(bucket_id)
        return True

    def _draw(self) -> None:
        key = ORDERS[self._order][1]
        ordered = sorted(self.buckets, key=key) if key is not None else self.buckets
        self.table.show(ordered, self.buckets, self._measure, ORDERS[self._order][0])
        if self.chosen is None and ordered:
            self.table.move_to(ordered[0].id)
        self._say()

    @on(LineTable.RowHighlighted)
    def _moved(self) -> None:
        self._say()

    def _say(self) -> None:
        detail, bucket = self.query_one("#bucket", Flow), self.chosen
        detail.display = bool(self.buckets)
        if bucket is not None:
            lines = bucket_lines(bucket, ORDERS[self._order][0], bucket.id in self._cited)
            # Fewer bytes a key where the row has the name.
            detail.show(lines[1:] if self.table.roomy else lines)


def bucket_lines(bucket: Bucket, order: str, cited: bool) -> list[Line]:
    """A bucket in words, and what its test says."""
    muted = "$foreground-muted"
    title = Content.assemble(
        (f"{clean(bucket.dimension)} {clean(bucket.name)}", "bold"),
        (f"  {bucket.id}{', cited by the analysis' if cited else ''}; {order}", muted),
    )
    share = f"{percent(bucket.win_rate)} won ({percent_interval(bucket.win_rate_interval)})"
    mean_range = f" ({number_interval(bucket.mean_r_interval, 2)})" if bucket.mean_r_interval is not None else ""
    against = "" if bucket.r_lift is None else f", {signed_number(bucket.r_lift)}R against the rest"
    words = f"{plural(bucket.trades, 'trade')}, {share}; {signed_number(bucket.mean_r)}R a trade{mean_range}{against}"
    return [(title, 2), (Content(words), 2), (Content.styled(_tested(bucket), muted), 2)]


def _tested(bucket: Bucket) -> str:
    if bucket.corrected_p is None or bucket.p_value is None:
        return "Not tested: too few trades or days on one side, or known only after the trade."
    found = "evidence of a difference" if bucket.corrected_p < EVIDENCE_P else "no evidence of a difference"
    return f"p {bucket.p_value:.3f} alone, {bucket.corrected_p:.3f} corrected for all buckets, over {bucket.clusters:,} days: {found}."
