"""Rows and details of the data screen: what is cached, fetches, universes."""

from __future__ import annotations

from textual.content import Content

from lab.agents.data_views import UNDER_WAY, FetchView, UniverseDetail, VerifyReport
from lab.agents.session_counts import Series, SessionCount
from lab.agents.views import CoverageRow
from lab.store.fetch_states import FetchState
from lab.tui.text import TONE_STYLES, Tone, bar, clean, count, duration, plural
from lab.tui.widgets.flow import BLANK, Line
from lab.tui.widgets.line_table import Cell, Column, Row

MUTED = TONE_STYLES[Tone.MUTED]

READING = "Reading what is cached…"
NO_BARS = """\
No bars are cached yet.

f  imports a CSV or Parquet file, or a folder of them
F  fetches bars from Polygon with your key

With SPY and the daily VIX among them, scripts know the market."""
NO_FETCHES = """\
Nothing was fetched yet.

F  fetches bars, splits, news and the VIX from Polygon

A fetch goes on when this program is closed; it can be paused
and goes on where it was."""
NO_UNIVERSES = """\
No universe yet: an agent trades one.

An import or a fetch makes one of its tickers.
u  makes one of cached tickers, named or chosen by a rule"""

BARS_COLUMNS = (
    Column("Ticker", least=6, most=16, keep=9),
    Column("Frame", least=5, most=5, keep=9),
    Column("From", least=10, most=10, keep=6),
    Column("To", least=10, most=10, keep=7),
    Column("Sessions", least=8, most=8, right=True, keep=5),
    Column("Complete", least=8, most=8, right=True, keep=8),
    Column("Problems", least=8, most=8, right=True, keep=8),
    Column("Bars", least=6, most=12, right=True, keep=2),
    Column("Damaged", least=7, most=14, keep=9, optional=True),
    Column("Source", least=9, most=40, keep=3, grow=True),
)
FETCH_COLUMNS = (
    Column("Fetch", least=18, most=60, keep=9, grow=True),
    Column("State", least=13, most=13, keep=8),
    Column("Done", least=9, most=9, keep=7),
    Column("Bars", least=9, most=12, right=True, keep=4),
    Column("Bars/s", least=6, most=8, right=True, keep=5, optional=True),
    Column("Time left", least=9, most=12, right=True, keep=6, optional=True),
    Column("Started", least=10, most=12, keep=1),
)
UNIVERSE_COLUMNS = (
    Column("Universe", least=14, most=60, keep=9, grow=True),
    Column("Tickers", least=7, most=7, right=True, keep=7),
    Column("Frame", least=5, most=5, keep=6),
    Column("From", least=10, most=10, keep=3),
    Column("Learns until", least=12, most=12, keep=2),
    Column("To", least=10, most=10, keep=4),
    Column("Agents", least=6, most=6, right=True, keep=5),
    Column("Context", least=12, most=12, keep=8),
    Column("Made by", least=8, most=40, keep=1),
)

_STATES: dict[FetchState, tuple[str, Tone]] = {
    FetchState.QUEUED: ("○ queued", Tone.MUTED),
    FetchState.RUNNING: ("● running", Tone.ACCENT),
    FetchState.PAUSED: ("‖ paused", Tone.WARN),
    FetchState.FINISHED: ("✓ finished", Tone.GOOD),
    FetchState.FAILED: ("× failed", Tone.BAD),
    FetchState.CANCELLED: ("– cancelled", Tone.MUTED),
}


def series_of(row: CoverageRow) -> Series:
    """What stays of a series when bars are added to it."""
    return row.ticker, row.timeframe, row.synthetic


def bars_row(row: CoverageRow, counted: SessionCount | None) -> Row:
    """`counted` is None while the sessions are not counted yet."""
    share = counted.complete / counted.sessions if counted and counted.sessions else None
    whole = counted is not None and counted.complete == counted.sessions
    # Rounded down: what is not complete must not read as if it were.
    complete = "…" if counted is None else "–" if share is None else "100%" if whole else f"{int(share * 1000) / 10:.1f}%"
    cells = (
        Cell(clean(row.ticker), Tone.STRONG),
        row.timeframe,
        f"{row.first_at:%Y-%m-%d}",
        f"{row.last_at:%Y-%m-%d}",
        count(counted.sessions) if counted else "…",
        Cell(complete, Tone.PLAIN if whole or share is None else Tone.WARN),
        Cell(count(len(row.problems)) if row.problems else "none", Tone.WARN if row.problems else Tone.MUTED),
        count(row.rows),
        Cell(f"! {', '.join(str(year) for year in row.damaged_years)}" if row.damaged_years else "", Tone.BAD),
        Cell("SYNTHETIC", Tone.WARN) if row.synthetic else clean(row.source),
    )
    return series_of(row), cells


def fetch_state(view: FetchView) -> tuple[str, Tone]:
    """A fetch's state as a sign and a word."""
    return ("! interrupted", Tone.WARN) if view.interrupted else _STATES[view.state]


def fetch_row(view: FetchView, started: str) -> Row:
    words, tone = fetch_state(view)
    rate, left = (None, None) if view.interrupted else (view.bars_per_second, view.seconds_left)
    cells = (
        Cell(clean(view.title), Tone.STRONG if view.state in UNDER_WAY else Tone.PLAIN),
        Cell(words, tone),
        f"{bar(view.progress, 4)} {int(view.progress * 100):3d}%",
        count(view.bars),
        "" if rate is None else f"{rate:,.0f}",
        duration(left),
        Cell(started, Tone.MUTED),
    )
    return view.id, cells


def fetch_lines(view: FetchView) -> list[Line]:
    """The fetch under the cursor: what it does or what came of it, and its parts, those with something to say first."""
    words, tone = fetch_state(view)
    done = f"{view.parts_done} of {plural(len(view.parts), 'part')}, {plural(view.calls, 'call')}"
    head = Content.assemble(
        (words, f"bold {TONE_STYLES[tone]}"), (f"  {done}", MUTED), (f"  {clean(view.note)}" if view.note else "", MUTED)
    )
    lines: list[Line] = [(head, 2)]
    if view.interrupted:
        lines.append((Content.styled("No process is at it: space lets it go on where it was.", TONE_STYLES[Tone.WARN]), 2))
    if view.sentence:
        lines.append((Content.styled(clean(view.sentence), TONE_STYLES[Tone.BAD] if view.state == FetchState.FAILED else ""), 2))
    lines.append(BLANK)
    for part in sorted(view.parts, key=lambda part: not part.sentences):
        sign, part_tone = _STATES[part.state]
        what = f"{clean(part.ticker)} {part.kind.value}{f' {part.timeframe}' if part.timeframe else ''}".strip()
        figures = f"{part.first_session} to {part.last_session}, {part.rows:,}"
        lines.append((Content.assemble((f"{sign:<12}", TONE_STYLES[part_tone]), what, (f"  {figures}", MUTED)), 14))
        lines += [(Content.styled(f"              {clean(sentence)}", MUTED), 14) for sentence in part.sentences]
    return lines


def universe_row(one: UniverseDetail) -> Row:
    view = one.view
    missing = len(view.missing_context)
    cells = (
        Cell(clean(view.name), Tone.STRONG),
        count(len(view.tickers)),
        view.timeframe,
        str(view.first_session),
        str(view.learning_until),
        str(view.last_session),
        count(len(one.agents)) if one.agents else "–",
        Cell(f"! {missing} missing", Tone.WARN) if missing else Cell("✓ all there", Tone.GOOD),
        Cell("SYNTHETIC", Tone.WARN) if view.synthetic and one.rule is None else clean(one.made_by),
    )
    return view.id, cells


def universe_lines(one: UniverseDetail) -> list[Line]:
    """The universe under the cursor: what it lacks, what it was made by, who trades it, its tickers."""
    view = one.view
    lines: list[Line] = [
        (Content.assemble((clean(view.name), "bold"), ("  SYNTHETIC" if view.synthetic else "", TONE_STYLES[Tone.WARN])), 0),
        _fact("Learns on", f"{view.first_session} to {view.learning_until}; the vault is locked until {view.last_session}"),
        _fact("Made by", one.made_by),
        _fact("Source", view.source),
        _fact("Traded by", ", ".join(one.agents) or "no agent yet"),
    ]
    lines += missing_context_lines(view.missing_context) or [_fact("Context", "market, VIX and news are all there")]
    return [*lines, _fact("Tickers", " ".join(view.tickers))]


def missing_context_lines(sentences: tuple[str, ...], indent: int = 11) -> list[Line]:
    """What context is missing, under one label."""
    lines: list[Line] = []
    for sentence in sentences:
        label = "Missing" if not lines else ""
        lines.append((Content.assemble((f"{label:<{indent}}", TONE_STYLES[Tone.WARN]), clean(sentence)), indent))
    return lines


def _fact(label: str, words: str) -> Line:
    return Content.assemble((f"{label:<11}", MUTED), clean(words)), 11


def care_lines(report: VerifyReport) -> list[Line]:
    """What reading every file has shown, and how lost bars come back."""
    damaged = len(report.damaged)
    sign, tone = ("✓", Tone.GOOD) if not damaged else ("!", Tone.BAD)
    words = f"{plural(report.files, 'file')} read: {report.files - damaged:,} whole, {damaged:,} damaged."
    lines: list[Line] = [(Content.assemble((f"{sign} {words}", f"bold {TONE_STYLES[tone]}"), ("  esc closes this", MUTED)), 2)]
    lines += [(Content(clean(note)), 2) for note in report.notes]
    for row in report.damaged:
        lines.append((Content.assemble(clean(row.sentence), (f" {clean(row.advice)}", MUTED)), 2))
    return lines
