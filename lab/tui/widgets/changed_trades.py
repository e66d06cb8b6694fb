"""The trades by which two versions differ, as rows and in a sentence a kind."""

from __future__ import annotations

from textual.content import Content

from lab.agents.version_trades import Became, ChangedTrade, TradesCompared
from lab.tui.text import Tone, clean, plural, signed_dollars, signed_number
from lab.tui.widgets.columns import Column
from lab.tui.widgets.flow import Line
from lab.tui.widgets.line_table import Cell, Row
from lab.tui.widgets.trades import COLUMNS as TRADE_COLUMNS
from lab.tui.widgets.trades import trade_cells

SIGNS = {Became.APPEARED: "+ ", Became.VANISHED: "- ", Became.ENDED_OTHERWISE: "~ "}
COLUMNS = (
    Column("", least=10, most=17, keep=9),
    *TRADE_COLUMNS,
    Column("Before", least=7, most=24, keep=4, optional=True),
)


def changed_rows(compared: TradesCompared) -> list[Row]:
    """A row a trade; its id is its iteration's and its place, by which it is opened."""
    return [((one.iteration_id, one.place), _cells(one)) for one in compared.changed]


def _cells(one: ChangedTrade) -> tuple[Cell | str, ...]:
    tone = {Became.APPEARED: Tone.ACCENT, Became.VANISHED: Tone.MUTED}.get(one.became, Tone.PLAIN)
    before = "" if one.before is None else f"{signed_number(one.before.r_multiple)}R {clean(one.before.exit_reason)}"
    return (Cell(SIGNS[one.became] + one.became.value, tone), *trade_cells(one.trade), Cell(before, Tone.MUTED))


def _by_size(compared: TradesCompared) -> str:
    """What the trades of both made more or less, which nothing but another size of them can have changed."""
    before, after = compared.same_pnl
    return f" ({signed_dollars(after - before)} by another size)" if abs(after - before) >= 1 else ""


def summary_lines(compared: TradesCompared) -> list[Line]:
    """How many of each kind, and what they came to."""
    if compared.missing:
        return [(Content.styled(clean(compared.missing), "$foreground-muted"), 0)]
    parts: list[str] = []
    for became in Became:
        if found := compared.of(became):
            before = sum(one.before.pnl for one in found if one.before is not None)
            made = signed_dollars(sum(one.trade.pnl for one in found))
            made = f"{made} instead of {signed_dollars(before)}" if became is Became.ENDED_OTHERWISE else made
            parts.append(f"{SIGNS[became].strip()} {len(found):,} {became.value} ({made})")
    parts.append(f"{plural(compared.same, 'trade')} the same{_by_size(compared)}")
    lines: list[Line] = [(Content.assemble(("Trades  ", "bold"), "; ".join(parts)), 8)]
    return [*lines, (Content.styled(clean(compared.note), "$text-warning"), 0)] if compared.note else lines
