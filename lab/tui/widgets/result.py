"""A measured result in words and figures: each with its uncertainty, an arrow only where there is evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from lab.agents.views import HUNG_ON_ORDER, AgainstParent, ResultSummary
from lab.tui.text import (
    TONE_STYLES,
    Tone,
    bar,
    clean,
    dollars,
    number,
    number_interval,
    percent,
    percent_interval,
    plural,
    signed_percent,
    verdict_mark,
)
from lab.tui.widgets.flow import Line

Part = str | tuple[str, str]
_LABEL = 11
_VALUE = 7


def standing_mark(verdict: str) -> tuple[str, Tone]:
    """The sign before the verdict on a single version: evidence of an edge, promising, no edge seen, no verdict yet."""
    signs = {"evidence of an edge": ("★", Tone.GOOD), "promising": ("✓", Tone.GOOD), "no edge seen": ("≈", Tone.MUTED)}
    return signs.get(verdict, ("·", Tone.MUTED))


def against_parent_line(against: AgainstParent, label: str = "Parent") -> Line:
    """The paired test against the parent version, with its interval: the only place of a result where an arrow is drawn."""
    mark, tone = verdict_mark(against.verdict)
    words = (
        f" than {clean(against.parent_version)}" if against.verdict in ("better", "worse") else f" against {clean(against.parent_version)}"
    )
    words += f": {against.daily_difference * 1e4:+.1f} bps a day"
    if (interval := against.daily_difference_interval) is not None:
        words += f" ({interval.low * 1e4:+.1f} to {interval.high * 1e4:+.1f})"
    if (whole := against.chosen_too) is None:
        words += f" on the same {plural(against.sessions, 'session')}"
    else:
        words += f" on {plural(against.sessions, 'session')} it was not chosen on"
        words += f"; on all {whole.sessions}, chosen there too: {whole.daily * 1e4:+.1f}"
    return (
        Content.assemble(
            (f"{label:<{_LABEL}}", "$foreground-muted"),
            (f"{mark} {clean(against.verdict)}", f"bold {TONE_STYLES[tone]}"),
            (words, "$foreground-muted"),
        ),
        _LABEL,
    )


def _before(value: str, against: AgainstParent | None) -> list[Part]:
    """What the parent version had; whether the difference means anything is for the paired test to say."""
    return [] if against is None else [(f"{value} on {clean(against.parent_version)}", "$foreground-muted")]


def _line(label: str, value: str, *rest: Part) -> Line:
    figure = Content.assemble((f"{label:<{_LABEL}}", "$foreground-muted"), (f"{value:>{_VALUE}}", "bold"), "  ", *rest)
    return figure, _LABEL + _VALUE + 2


def figures(result: ResultSummary, against: AgainstParent | None) -> list[Line]:
    """The results as a column of figures: label, value, uncertainty, what the parent version had."""
    muted = "$foreground-muted"
    rate = f"{percent_interval(result.win_rate_interval):<13}" if result.win_rate_interval else ""
    ratio = f"{number_interval(result.sharpe_interval):<13}" if result.sharpe_interval else ""
    rivals = ", ".join(f"{clean(name)} {signed_percent(value)}" for name, value in result.benchmarks.items())
    mark, tone = standing_mark(result.verdict)
    traded = f"{result.trades:,} traded, {result.signals - result.trades:,} skipped; {result.wins:,} won"
    verdict = Content.assemble(
        (f"{'Verdict':<{_LABEL}}", muted),
        (f"{mark} {clean(result.verdict)}", f"bold {TONE_STYLES[tone]}"),
        (f"  {clean(result.verdict_reason)}", muted),
    )
    if result.trades == 0:
        return [
            (verdict, _LABEL),
            _line("Signals", f"{result.signals:,}", ("no trades, so there is nothing to measure", muted)),
            _line("Costs", "none", (clean(result.costs), muted)),
        ]
    hung = next((figure.value for figure in result.figures if figure.name == HUNG_ON_ORDER), None)
    unsettled = [_line("Unsettled", percent(hung), ("of the trades: stop or target first? the worse was taken", muted))] if hung else []
    taken = [] if result.median_risk is None else [_line("Risk taken", percent(result.median_risk, 2), ("median a trade", muted))]
    rate_before, ratio_before = (None, None) if against is None else (against.win_rate[0], against.sharpe[0])
    return [
        (verdict, _LABEL),
        *([] if against is None else [against_parent_line(against)]),
        _line("Signals", f"{result.signals:,}", (traded, muted)),
        _line("Win rate", percent(result.win_rate), (rate, muted), *_before(percent(rate_before), against)),
        _line("Sharpe", number(result.sharpe), (ratio, muted), *_before(number(ratio_before), against)),
        _line("Return", signed_percent(result.total_return), (rivals, muted)),
        _line("Drawdown", percent(result.max_drawdown), ("the deepest fall from a high", muted)),
        _line("Expectancy", f"{number(result.expectancy_r)} R", (f"a trade; profit factor {number(result.profit_factor)}", muted)),
        *taken,
        *unsettled,
        _line("Costs", dollars(result.costs_paid), (clean(result.costs), muted)),
    ]


def unknown(missing: Sequence[str]) -> list[Line]:
    """What context was not there, a sentence a line."""
    muted = "$foreground-muted"
    return [
        (Content.assemble((f"{'Not known' if not row else '':<{_LABEL}}", muted), clean(words)), _LABEL)
        for row, words in enumerate(missing)
    ]


def funnel(went: Mapping[str, int], width: int = 20) -> list[Line]:
    """Every signal accounted for: a line a way it ended, with its share as a bar. `went` has "signals", "trades" and skip reasons."""
    total = went.get("signals", 0)
    names = [name for name in went if name != "signals"]
    if not names or total == 0:
        return [(Content.styled("No signal at all: there is nothing to trade.", "$foreground-muted"), 0)]
    label = max(len("traded"), *(len(clean(name)) for name in names))
    lines: list[Line] = [(Content.styled("Where the signals went", "bold"), 0)]
    for name in names:
        count = went[name]
        shown = "traded" if name == "trades" else clean(name)
        style = "$primary" if name == "trades" else "$foreground-muted"
        lines.append((Content.assemble(f"{shown:<{label}} {count:>6,} ", (bar(count / total, width), style)), 0))
    return lines
