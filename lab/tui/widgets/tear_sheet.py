"""The tear sheet in lines: what was tried and how often, every metric with its interval, its months, and the trades cut each way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from lab.agents.proof.figures import every_figure, figure_aside, figure_value
from lab.agents.views import Interval, ResultSummary
from lab.tui.text import clean, number, percent, percent_interval, plural, signed_dollars, signed_number
from lab.tui.widgets.flow import BLANK, Line

if TYPE_CHECKING:
    from lab.agents.proof.sheet import Breakdown, TearSheet

MUTED = "$foreground-muted"
_LABEL, _VALUE = 49, 12
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tried_lines(sheet: TearSheet) -> list[Line]:
    """What was tried, how often, and whether the vault was ever looked into."""
    own = ", ".join(f"{clean(purpose)} {amount:,}" for purpose, amount in sheet.trials.items()) or "none"
    tried = f"{plural(sheet.tried_in_all, 'variant')} on bars that overlap with these, by all agents and by hand; of this agent: {own}"
    worth = f"as the best of the {sheet.tried_in_all:,} up to now a deflated Sharpe ratio of {percent(sheet.deflated)}"
    worth += f" ({number(sheet.effective_trials, 1)} independent ones among them)" if sheet.effective_trials is not None else ""
    vault = sheet.vault_state
    opened = f"opened {plural(vault.openings, 'time')}" if vault.openings else "never opened"
    return [
        (Content.assemble(("Tried      ", MUTED), tried), 11),
        (Content.assemble(("Worth      ", MUTED), worth), 11),
        (Content.assemble(("Vault      ", MUTED), f"the sessions after {vault.learning_until}: {opened}"), 11),
    ]


def sheet_lines(sheet: TearSheet) -> list[Line]:
    """Everything measured: the metrics, the months, and the trades cut each way."""
    lines = [] if sheet.view.result is None else figure_lines(sheet.view.result)
    lines += month_lines(dict(sheet.monthly))
    for breakdown in sheet.breakdowns:
        lines += breakdown_lines(breakdown)
    return lines


def figure_lines(result: ResultSummary) -> list[Line]:
    """A metric a line: its name, its value, and its interval where it has one."""
    lines: list[Line] = [BLANK, _title("Every figure, after costs"), _quiet(f"{'':<{_LABEL}}{'value':>{_VALUE}}  95% interval")]
    for figure in every_figure(result):
        name = clean(figure.name)
        name = name if len(name) < _LABEL else name[: _LABEL - 2] + "…"
        row = Content.assemble(
            (f"{name:<{_LABEL}}", MUTED),
            (f"{figure_value(figure):>{_VALUE}}", "bold"),
            (f"  {figure_aside(figure)}", MUTED),
        )
        lines.append((row, _LABEL + _VALUE + 2))
    return lines


def month_lines(monthly: Mapping[str, float]) -> list[Line]:
    """The return of each month ("2024-08"), a year a line."""
    if not monthly:
        return []
    lines: list[Line] = [BLANK, _title("Return by month, in percent"), _quiet("    " + "".join(f"{name:>6}" for name in _MONTHS))]
    for year in sorted({month[:4] for month in monthly}):
        found = [monthly.get(f"{year}-{at:02}") for at in range(1, 13)]
        cells = "".join(f"{'' if value is None else signed_number(value * 100, 1):>6}" for value in found)
        lines.append((Content.assemble((year, MUTED), cells), 4))
    return lines


def breakdown_lines(breakdown: Breakdown) -> list[Line]:
    """The trades cut one way, a part a line, with the interval of its win rate."""
    head = f"{clean(breakdown.by)[:17]:<18}{'trades':>7}{'win rate':>10}{'95%':>9}{'mean R':>8}{'profit':>12}{'factor':>8}"
    lines: list[Line] = [BLANK, (Content.styled(head, "bold"), 0)]
    for part in breakdown.parts:
        rate = f"{percent(part.win_rate):>10}{percent_interval(Interval(*part.win_rate_interval)):>9}"
        rest = f"{signed_number(part.mean_r):>8}{signed_dollars(part.pnl):>12}{number(part.profit_factor):>8}"
        lines.append((Content(f"{clean(part.name)[:17]:<18}{part.trades:>7,}{rate}{rest}"), 0))
    return lines


def _title(words: str) -> Line:
    return Content.styled(words, "bold"), 0


def _quiet(words: str) -> Line:
    return Content.styled(words, MUTED), 0
