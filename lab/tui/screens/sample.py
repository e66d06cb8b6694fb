"""What edited scripts did on a sample: where the signals went, and each with its order or the reason why there was none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content

from lab.tui.actions import BACK
from lab.tui.screen import LabScreen
from lab.tui.text import Tone, clean
from lab.tui.widgets.columns import Column
from lab.tui.widgets.flow import BLANK, Flow
from lab.tui.widgets.line_table import Cell, ReadTable, Row
from lab.tui.widgets.result import funnel
from lab.tui.widgets.trades import NEW_YORK

if TYPE_CHECKING:
    from lab.agents.sampling import SampleRun, SampleSignal

COLUMNS = (
    Column("Signal (New York)", least=16, most=17, keep=9),
    Column("Ticker", least=6, most=8, keep=9),
    Column("Side", least=5, most=5, keep=7),
    Column("Entry", least=11, most=12, keep=5),
    Column("In", least=6, most=10, right=True, keep=8),
    Column("Stop", least=6, most=10, right=True, keep=6),
    Column("Target", least=6, most=10, right=True, keep=6, optional=True),
    Column("Not traded", least=10, most=30, keep=8, grow=True),
)
NO_OUTCOME = "How the trades ended is left out: whoever looked at that would have tried a variant, which counts."


class SampleScreen(LabScreen[None]):
    """Opened with a run, what was counted in words, and the agent's name."""

    PLACE = "sample"
    TITLE = "Sample"
    ACTIONS = (BACK,)
    CSS = """
    SampleScreen #went { padding: 0 1; margin-bottom: 1; }
    SampleScreen ReadTable { height: 1fr; }
    """

    def __init__(self, ran: SampleRun, counted: str, agent: str) -> None:
        super().__init__()
        self._ran, self._counted = ran, counted
        self.subtitle = agent

    def compose_body(self) -> ComposeResult:
        yield Flow(id="went")
        yield ReadTable(COLUMNS, empty="No signal in these sessions.")

    def on_mount(self) -> None:
        muted = "$foreground-muted"
        lines = [(Content.styled(clean(self._counted), "bold"), 2), (Content.styled(NO_OUTCOME, muted), 2)]
        if self._ran.counted.signals:
            lines += [BLANK, *funnel(self._ran.funnel)]
        self.query_one("#went", Flow).show(lines)
        table = self.query_one(ReadTable)
        table.set_rows([_row(at, one) for at, one in enumerate(self._ran.signals)])
        table.focus()


def _row(at: int, one: SampleSignal) -> Row:
    signal = one.signal_at.astimezone(NEW_YORK)
    entered = ""
    if one.entry_at is not None:
        entry = one.entry_at.astimezone(NEW_YORK)
        entered = f"{entry:%H:%M}" if entry.date() == signal.date() else f"{entry:%m-%d %H:%M}"
    prices = ("" if price is None else f"{price:,.2f}" for price in (one.entry_price, one.stop, one.target))
    return (
        at,
        (
            f"{signal:%Y-%m-%d %H:%M}",
            Cell(clean(one.ticker), Tone.STRONG),
            clean(one.direction),
            entered,
            *prices,
            Cell(clean(one.skipped), Tone.MUTED),
        ),
    )
