"""What is cached of one ticker: the calendar of its sessions beside the quality report, splits and news."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.events import Resize

from lab.agents.data_views import DayCoverage, QualityReport
from lab.agents.views import CoverageRow
from lab.tui.text import TONE_STYLES, Tone, clean, plural
from lab.tui.widgets.calendar import WEEKS_WIDTH, calendar_lines, incomplete_lines, legend, summary_lines
from lab.tui.widgets.flow import BLANK, Flow, Line
from lab.tui.widgets.tabs import Reader

if TYPE_CHECKING:
    from lab.agents.service import Lab

MUTED = TONE_STYLES[Tone.MUTED]
_SPLITS_NAMED = 6
_LABEL = 11


@dataclass(frozen=True, slots=True)
class NewsSpanShown:
    """A span over which all news of the ticker is kept."""

    source: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class TickerFacts:
    """What is known of one ticker's bars on one timeframe."""

    days: DayCoverage
    quality: QualityReport
    made_on_reading: tuple[str, ...]
    """Timeframes that are made of these bars."""
    listed_splits: tuple[tuple[date, float], ...]
    """As Polygon lists them: session and new shares for one."""
    dividends: int
    news: tuple[NewsSpanShown, ...]


def read_facts(lab: Lab, row: CoverageRow) -> TickerFacts:
    """Reads bars: for a thread. Raises LabError where they can't be read."""
    cache, fetches = lab.cache, lab.fetches
    spans = (NewsSpanShown(one.source, one.since, one.until) for one in lab.news.coverage(row.ticker))
    return TickerFacts(
        cache.coverage_days(row.ticker, row.timeframe, row.synthetic),
        cache.quality(row.ticker, row.timeframe, row.synthetic),
        cache.made_of(row.ticker, row.timeframe),
        () if row.synthetic else fetches.splits(row.ticker),
        0 if row.synthetic else len(fetches.dividends(row.ticker)),
        tuple(spans),
    )


class TickerPane(Reader):
    """Scrolls; the calendar stands beside the report where there is room for both."""

    DEFAULT_CSS = """
    TickerPane #both { height: auto; layout: vertical; }
    TickerPane #days { height: auto; }
    TickerPane #quality { height: auto; margin-top: 1; }
    TickerPane.-beside #both { layout: horizontal; }
    TickerPane.-beside #days { width: 62; padding-right: 3; }
    TickerPane.-beside #quality { width: 1fr; margin-top: 0; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: TickerFacts | None = None
        self._words = ""

    def compose(self) -> ComposeResult:
        with Container(id="both"):
            yield Flow(id="days")
            yield Flow(id="quality")

    def show(self, facts: TickerFacts | None, words: str = "") -> None:
        """Show these facts; `words` of ours in their place where there are none."""
        if (facts, words) != (self._facts, self._words):
            if facts is None or self._facts is None or facts.days.ticker != self._facts.days.ticker:
                self.scroll_home(animate=False)
            self._facts, self._words = facts, words
            self._draw()

    def on_resize(self, event: Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.is_attached:
            return
        width = self.size.width - 3  # padding and scroll bar
        beside = width >= WEEKS_WIDTH + 44
        self.set_class(beside, "-beside")
        days, quality = self.query_one("#days", Flow), self.query_one("#quality", Flow)
        if self._facts is None:
            days.show([(Content.styled(clean(self._words), MUTED), 0)] if self._words else [])
            quality.show([])
            return
        days.show(_days(self._facts.days, WEEKS_WIDTH if beside else min(width, 80)))
        quality.show(_quality(self._facts))


def _days(days: DayCoverage, width: int) -> list[Line]:
    head = Content.assemble((clean(f"{days.ticker} {days.timeframe}"), "bold"), "  ", summary_lines(days)[0][0])
    return [(head, 2), legend(), BLANK, *calendar_lines(days.sessions, width)]


def _quality(facts: TickerFacts) -> list[Line]:
    report = facts.quality
    lines: list[Line] = [(Content.styled("Quality", "bold"), 0)]
    if report.damaged_years:
        years = ", ".join(str(year) for year in report.damaged_years)
        lines.append(
            (Content.styled(f"! {years}: the file was damaged and set aside; R says how its bars come back.", TONE_STYLES[Tone.BAD]), 2)
        )
    for line in report.lines:
        lines.append((Content.assemble((f"{clean(line.done):<{_LABEL}}", MUTED), clean(line.sentence)), _LABEL))
    if not report.lines and not report.damaged_years:
        lines.append((Content.styled("✓ nothing was found wrong", TONE_STYLES[Tone.GOOD]), 2))
    lines += incomplete_lines(facts.days)
    lines += [BLANK, *_about(facts)]
    return lines


def _about(facts: TickerFacts) -> list[Line]:
    report = facts.quality
    label = TONE_STYLES[Tone.MUTED]
    source = Content.styled("SYNTHETIC ", TONE_STYLES[Tone.WARN]) if report.synthetic else Content("")
    lines: list[Line] = [
        (
            Content.assemble(("Bars       ", label), f"{report.rows:,}, ", f"{report.first_at:%Y-%m-%d} to {report.last_at:%Y-%m-%d}"),
            _LABEL,
        ),
        (Content.assemble(("Source     ", label), source, clean(report.source)), _LABEL),
    ]
    if facts.made_on_reading:
        lines.append((Content.assemble(("Also       ", label), f"{', '.join(facts.made_on_reading)}, made of these on reading"), _LABEL))
    lines.append((Content.assemble(("Splits     ", label), *_splits(facts)), _LABEL))
    if facts.dividends:
        lines.append((Content.assemble(("Dividends  ", label), f"{facts.dividends:,} on record"), _LABEL))
    if facts.news:
        spans = ", ".join(f"{one.since:%Y-%m-%d} to {one.until:%Y-%m-%d} ({clean(one.source)})" for one in facts.news)
        lines.append((Content.assemble(("News       ", label), spans), _LABEL))
    else:
        lines.append(
            (Content.assemble(("News       ", label), ("none is kept: news.* is unknown to scripts", TONE_STYLES[Tone.WARN])), _LABEL)
        )
    return lines


def _splits(facts: TickerFacts) -> list[str]:
    adjusted = [f"{name} on {session}" for session, name in facts.quality.splits]
    parts = [f"adjusted for {', '.join(adjusted[-_SPLITS_NAMED:])}" if adjusted else "none adjusted for"]
    if len(adjusted) > _SPLITS_NAMED:
        parts.append(f" and {plural(len(adjusted) - _SPLITS_NAMED, 'earlier one')}")
    known = {session for session, _ in facts.quality.splits}
    others = [f"{ratio:g}:1 on {session}" for session, ratio in facts.listed_splits if session not in known]
    if others:
        parts.append(f"; listed by Polygon besides: {', '.join(others[-_SPLITS_NAMED:])}")
    return parts
