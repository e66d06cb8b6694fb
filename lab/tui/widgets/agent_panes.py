"""What the agent screen's panes show, made from its read model."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from lab.agents.views import AgentView, IterationRow, KnowledgeRow, VersionRow
from lab.tui.text import (
    TONE_STYLES,
    UNKNOWN,
    Tone,
    ago,
    bar,
    clean,
    count,
    levels,
    number,
    percent,
    percent_interval,
    plural,
    signed_percent,
    sparkline,
)
from lab.tui.widgets import limits
from lab.tui.widgets.flow import BLANK, Line, lines_of
from lab.tui.widgets.line_table import Cell, Column, Row
from lab.tui.widgets.result import figures, standing_mark
from lab.tui.widgets.status import status_cell, status_words
from lab.tui.widgets.version_tree import tree_rows

ITERATION_COLUMNS = (
    Column("#", least=2, most=5, right=True, keep=9),
    Column("Status", least=19, most=20, keep=8),
    Column("Version", least=7, most=8, keep=6),
    Column("Signals", least=7, most=8, right=True, keep=1),
    Column("Trades", least=6, most=8, right=True, keep=3),
    Column("Win rate", least=8, most=8, right=True, keep=7),
    Column("Interval", least=8, most=8, keep=2),
    Column("Sharpe", least=6, most=7, right=True, keep=7),
    Column("Return", least=6, most=8, right=True, keep=5),
    Column("Verdict", least=13, most=40, keep=4, grow=True),
    Column("When", least=10, most=12, right=True),
)
VERSION_COLUMNS = (
    Column("", least=3, most=3, keep=9),
    Column("Version", least=6, most=24, keep=9),
    Column("", least=9, most=9, keep=8),
    Column("Win rate", least=8, most=8, right=True, keep=6),
    Column("Sharpe", least=6, most=7, right=True, keep=7),
    Column("What changed", least=16, most=120, keep=5, grow=True),
    Column("When", least=10, most=12, right=True),
)
KNOWLEDGE_COLUMNS = (
    Column("Confidence", least=10, most=12, keep=8),
    Column("History", least=7, most=8, keep=5),
    Column("Kind", least=12, most=14, keep=4),
    Column("Insight", least=20, most=200, keep=9, grow=True),
    Column("From", least=4, most=6, right=True, keep=3),
)
MUTED = "$foreground-muted"


def _quiet(words: str) -> Line:
    return Content.styled(words, MUTED), 0


def state_lines(view: AgentView) -> list[Line]:
    """Who it is, on one line, and what it does now."""
    row = view.row
    who = f"{row.personality.risk} {row.personality.style} · {', '.join(row.personality.focus)} · {', '.join(row.personality.markets)}"
    synthetic = (" SYNTHETIC" if row.synthetic else "", "bold $text-warning")
    lines: list[Line] = [(Content.assemble((clean(row.universe), MUTED), synthetic, (f" · {clean(who)}", MUTED)), 0)]
    if row.running_iteration_id is not None:
        words, tone = status_words(row.step or "queued")
        note = f"  {clean(row.progress_note)}" if row.progress_note else ""
        lines.append((Content.assemble((words, TONE_STYLES[tone]), f"  {bar(row.progress, 20)}", (note, MUTED)), 2))
    elif row.pending_approvals:
        words = plural(row.pending_approvals, "proposal") + " to decide on: p opens the approvals."
        lines.append((Content.styled(f"◆ {words}", "$text-warning"), 2))
    return lines


def measured_by(view: AgentView) -> IterationRow | None:
    """The iteration that the newest result is of."""
    return next((row for row in view.iterations if row.trades is not None and row.version == view.row.result_version), None)


def overview_lines(view: AgentView) -> list[Line]:
    """The newest result, or how to get one."""
    if view.row.result is None:
        return [
            (Content.styled("No result yet.", "bold"), 0),
            _quiet("i starts a learning iteration: the agent writes a strategy, tests it, explains the result and proposes a change."),
        ]
    lines = figures(view.row.result, None)
    shown, current = view.row.result_version, view.row.current_version
    source = measured_by(view)
    if source is not None:
        measured = f"of version {clean(shown or UNKNOWN)}, iteration {source.number}"
        pending = "" if shown == current else f"; {clean(current or UNKNOWN)} is not measured yet"
        lines.insert(0, (Content.assemble(("Newest result ", "bold"), (measured, MUTED), (pending, "$text-warning")), 2))
    known = [value for value in view.row.sharpe_history if value is not None]
    if len(known) > 1:
        history = Content.assemble((f"{'Sharpe so far':<18}  ", MUTED), sparkline(view.row.sharpe_history, 40))
        lines.append((history, 20))
    return [*lines, BLANK]


def analysis_lines(view: AgentView) -> list[Line]:
    """Its latest analysis, and its instructions."""
    said = [(Content.styled("Latest analysis", "bold"), 0), *lines_of(view.row.latest_analysis), BLANK] if view.row.latest_analysis else []
    return [BLANK, *said, (Content.styled("Its instructions", "bold"), 0), *lines_of(view.row.instructions)]


def iteration_row(row: IterationRow) -> Row:
    mark, tone = standing_mark(row.verdict)
    verdict = clean(row.failure) if row.failure else f"{mark} {clean(row.verdict)}" if row.verdict else ""
    figures: tuple[Cell | str, ...] = (
        percent(row.win_rate),
        Cell(percent_interval(row.win_rate_interval), Tone.MUTED),
        number(row.sharpe),
        signed_percent(row.total_return),
    )
    if row.trades == 0:
        figures, verdict = ("", "", "", ""), verdict if row.failure else "· no trades"
    return (
        row.id,
        (
            str(row.number),
            status_cell(row.status),
            clean(row.version or ""),
            count(row.signals),
            count(row.trades),
            *figures,
            Cell(verdict, Tone.BAD if row.failure else tone),
            Cell(ago(row.created_at), Tone.MUTED),
        ),
    )


def version_rows(versions: Sequence[VersionRow], marked: Sequence[int]) -> list[Row]:
    """The versions as a tree, the current one named, marked ones with an x."""
    rows: list[Row] = []
    for branch in tree_rows(versions):
        version = branch.version
        rows.append(
            (
                version.id,
                (
                    Cell("[x]", Tone.ACCENT) if version.id in marked else Cell("[ ]", Tone.MUTED),
                    Cell(branch.branch + clean(version.version), Tone.STRONG if version.is_current else Tone.PLAIN),
                    Cell("● current", Tone.GOOD) if version.is_current else Cell(""),
                    percent(version.win_rate),
                    number(version.sharpe),
                    clean(version.changes) or "first version",
                    Cell(ago(version.created_at), Tone.MUTED),
                ),
            )
        )
    return rows


def version_lines(version: VersionRow, marked: int) -> list[Line]:
    """The version under the cursor in words, and what to press."""
    origin = f"from {clean(version.parent_version)}" if version.parent_version else "the first version"
    top = Content.assemble((f"Version {clean(version.version)}", "bold"), (f", {origin}", MUTED))
    keys = "c compares the two marked versions" if marked == 2 else "space marks two to compare; c alone compares with the current one"
    keys += "." if version.is_current else "; m makes this one current."
    return [(top, 0), *(lines_of(version.changes) if version.changes else []), (Content.styled(keys, MUTED), 0)]


def knowledge_row(row: KnowledgeRow) -> Row:
    retired, weighed = row.status == "retired", bool(row.history)
    tone = Tone.MUTED if retired or row.id < 0 else Tone.PLAIN
    sure = f"{bar(row.confidence, 6)} {row.confidence * 100:.0f}%" if weighed else ""
    moved = levels([point.confidence for point in row.history], 8)
    origin = f"#{row.learned_from_iteration}" if row.learned_from_iteration is not None else ""
    kind = "retired" if retired else clean(row.knowledge_type)
    return (row.id, (Cell(sure, tone), Cell(moved, tone), Cell(kind, tone), Cell(clean(row.insight), tone), Cell(origin, Tone.MUTED)))


def insight_lines(row: KnowledgeRow) -> list[Line]:
    """The insight under the cursor in full: its measure, its evidence, and how its confidence went."""
    origin = f"learned in iteration {row.learned_from_iteration}" if row.learned_from_iteration is not None else ""
    cited = f"from {' '.join(f'[{each}]' for each in row.evidence)}" if row.evidence else ""
    about = ", ".join(part for part in (row.knowledge_type, row.pattern_type, origin, cited) if part)
    lines = [*lines_of(row.insight), (Content.styled(clean(about), MUTED), 0)]
    if row.effect is not None and row.observations is not None and row.history:
        lines.append((Content.styled(_measured(row), MUTED), 2))
    if row.history:
        first, last = row.history[0], row.history[-1]
        went = f"{first.confidence * 100:.0f}%" + (f" to {last.confidence * 100:.0f}%" if len(row.history) > 1 else "")
        later = f"; confirmed by {row.confirmed}, contradicted by {row.contradicted} later iterations on other bars"
        drawn = levels([point.confidence for point in row.history], 40)
        lines.append((Content.assemble(("Confidence ", MUTED), drawn, (f" {went}{later}", MUTED)), 2))
    if row.retired_reason:
        lines.append((Content.styled(f"Retired: {clean(row.retired_reason)}", "$text-warning"), 2))
    return lines


def _measured(row: KnowledgeRow) -> str:
    """Effect, interval and count, such as "-0.24R (-0.40 to -0.08) over 130 trades"."""
    assert row.effect is not None
    scale, unit, over = (1.0, "R", "trades") if row.unit == "R" else (1e4, " basis points a day", "sessions")
    spread = "" if row.interval is None else f" ({row.interval.low * scale:+.2f} to {row.interval.high * scale:+.2f})"
    if row.mean_r is None:
        return f"{row.effect * scale:+.2f}{unit}{spread} over {row.observations:,} {over}"
    return f"{row.effect:+.2f}R against the rest; {row.mean_r:+.2f}R a trade there{spread} over {row.observations:,} trades"


def settings_lines(view: AgentView) -> list[Line]:
    """Everything that makes the agent what it is; `e` edits it."""
    row, personality = view.row, view.row.personality
    universe = view.universe
    facts = [
        ("risk", personality.risk),
        ("style", personality.style),
        ("focus", ", ".join(personality.focus)),
        ("markets", ", ".join(personality.markets)),
        ("universe", f"{universe.name}: {', '.join(universe.tickers)}; {universe.timeframe} bars"),
        *((limits.limit_of(name).label, limits.in_words(name, value)) for name, value in view.risk_config.items()),
        ("created", f"{view.created_at:%Y-%m-%d}"),
    ]
    lines: list[Line] = [_quiet("e edits name, instructions, personality, universe and limits."), BLANK]
    lines += [(Content.assemble((f"{name:<16}", MUTED), clean(value)), 16) for name, value in facts]
    lines += [BLANK, (Content.styled("Instructions", "bold"), 0), *lines_of(row.instructions)]
    lines += [BLANK, (Content.styled("System prompt, made from the above", "bold"), 0), *lines_of(view.system_prompt, Tone.MUTED)]
    return lines
