"""Two versions side by side in figures."""

from __future__ import annotations

from textual.content import Content

from lab.agents.views import ResultSummary, VersionComparison
from lab.tui.text import UNKNOWN, clean, dollars, number, number_interval, percent, percent_interval, signed_percent
from lab.tui.widgets.flow import Line
from lab.tui.widgets.result import against_parent_line

_LABEL, _SIDE = 12, 16


def _figures(result: ResultSummary | None) -> list[tuple[str, str, str]]:
    """Label, figure and its interval, line by line; unknown figures where there is no result."""
    if result is None:
        labels = ("signals", "trades", "win rate", "Sharpe", "return", "drawdown", "expectancy", "costs")
        return [(label, UNKNOWN, "") for label in labels]
    if result.trades == 0:
        unknown = [(label, "", "") for label in ("win rate", "Sharpe", "return", "drawdown", "expectancy", "costs")]
        return [("signals", f"{result.signals:,}", ""), ("trades", "no trades", ""), *unknown]
    return [
        ("signals", f"{result.signals:,}", ""),
        ("trades", f"{result.trades:,}", ""),
        ("win rate", percent(result.win_rate), percent_interval(result.win_rate_interval)),
        ("Sharpe", number(result.sharpe), number_interval(result.sharpe_interval)),
        ("return", signed_percent(result.total_return), ""),
        ("drawdown", percent(result.max_drawdown), ""),
        ("expectancy", f"{number(result.expectancy_r)} R", ""),
        ("costs", dollars(result.costs_paid), ""),
    ]


def side_by_side(comparison: VersionComparison) -> list[Line]:
    """Metrics of both versions with their intervals; a note where one was never measured."""
    a, b = clean(comparison.a.version), clean(comparison.b.version)
    head = f"{'':<{_LABEL}}{'version ' + a:<{_SIDE + 7}}{'version ' + b}"
    lines: list[Line] = [(Content.styled(head, "bold"), 0)]
    sides = zip(_figures(comparison.result_a), _figures(comparison.result_b), strict=True)
    for (label, left, left_range), (_, right, right_range) in sides:
        row = Content.assemble(
            (f"{label:<{_LABEL}}", "$foreground-muted"),
            (f"{left:<10}", "bold"),
            (f"{left_range:<{_SIDE - 3}}", "$foreground-muted"),
            (f"{right:<10}", "bold"),
            (right_range, "$foreground-muted"),
        )
        lines.append((row, _LABEL))
    unmeasured = [name for name, result in ((a, comparison.result_a), (b, comparison.result_b)) if result is None]
    if unmeasured:
        words = " and ".join(unmeasured)
        note = f"No result yet of {words}: an iteration measures a version once it is current."
        lines.append((Content.styled(note, "$foreground-muted"), 0))
    elif comparison.paired is not None:
        lines.append(against_parent_line(comparison.paired, b))
    else:
        words = "They were not measured on the same bars, so nothing can be said of which is better."
        lines.append((Content.styled(words, "$foreground-muted"), 0))
    return lines
