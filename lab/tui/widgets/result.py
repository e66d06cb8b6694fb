"""A measured result in words and figures: each with its uncertainty, an arrow only where there is evidence."""

from __future__ import annotations

from textual.content import Content

from lab.agents.views import Change, ResultSummary
from lab.tui.text import TONE_STYLES, bar, clean, dollars, number, number_interval, percent, percent_interval, signed_percent, verdict_mark

Part = str | tuple[str, str]
_LABEL = 11
_VALUE = 9


def change_parts(change: Change | None, parent: str, as_percent: bool) -> list[Part]:
    """What became of a metric against the parent version, in words; no arrow without evidence."""
    if change is None:
        return []
    if change.before is None or change.after is None:
        return [(f"≈ not measured on {parent}", "$text-muted")]
    mark, tone = verdict_mark(change.verdict)
    style = TONE_STYLES[tone]
    difference = change.after - change.before
    amount = f"{difference * 100:+.1f} points" if as_percent else f"{difference:+.2f}"
    if change.verdict in ("better", "worse"):
        return [(f"{mark} {amount} on {parent}: {change.verdict}", style)]
    return [(f"{mark} {amount} on {parent}: no evidence", style)]


def _line(label: str, value: str, *rest: Part, style: str = "bold") -> Content:
    return Content.assemble((f"{label:<{_LABEL}}", "$text-muted"), (f"{value:>{_VALUE}}", style), "  ", *rest)


def figures(result: ResultSummary, win_rate_change: Change | None, sharpe_change: Change | None, parent: str | None) -> Content:
    """The results as a column of figures: label, value, uncertainty, change from the parent version."""
    against = parent or "the parent"
    skipped = result.signals - result.trades
    rate = f"{percent_interval(result.win_rate_interval):<13}" if result.win_rate_interval else ""
    ratio = f"{number_interval(result.sharpe_interval):<13}" if result.sharpe_interval else ""
    rivals = ", ".join(f"{clean(name)} {signed_percent(value)}" for name, value in result.benchmarks.items())
    mark, tone = verdict_mark(result.verdict)
    lines = [
        _line("Signals", f"{result.signals:,}", (f"{skipped:,} skipped", "$text-muted")),
        _line("Trades", f"{result.trades:,}", (f"{result.wins:,} won", "$text-muted")),
        _line("Win rate", percent(result.win_rate), (rate, "$text-muted"), *change_parts(win_rate_change, against, True)),
        _line("Sharpe", number(result.sharpe), (ratio, "$text-muted"), *change_parts(sharpe_change, against, False)),
        _line("Return", signed_percent(result.total_return), (rivals, "$text-muted")),
        _line("Drawdown", percent(result.max_drawdown), ("deepest fall from a high", "$text-muted")),
        _line("Expectancy", f"{number(result.expectancy_r)} R", (f"a trade; profit factor {number(result.profit_factor)}", "$text-muted")),
        _line("Costs", dollars(result.costs_paid), (clean(result.costs), "$text-muted")),
        Content.assemble((f"{'Verdict':<{_LABEL}}", "$text-muted"), "  ", (f"{mark} {clean(result.verdict)}", f"bold {TONE_STYLES[tone]}")),
        Content.styled(clean(result.verdict_reason), "$text-muted"),
    ]
    return Content("\n").join(lines)


def funnel(result: ResultSummary, width: int = 24) -> Content:
    """Every signal accounted for: a line a way it ended, with its share as a bar."""
    total = max(1, result.signals)
    parts: list[Part] = [("Where the signals went", "bold")]
    names = [name for name in result.funnel if name != "signals"]
    longest = max((len(name) for name in names), default=0)
    for name in names:
        count = result.funnel[name]
        shown = "became trades" if name == "trades" else clean(name)
        style = "$text-success" if name == "trades" else "$text-muted"
        parts.append((f"\n{shown:<{max(longest, 13)}} {count:>6,} ", "$text"))
        parts.append((bar(count / total, width), style))
    if not names:
        parts.append(("\nno signal at all", "$text-muted"))
    return Content.assemble(*parts)
