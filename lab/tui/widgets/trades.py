"""The trades of a backtest as a table, times as New York's clock showed them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from lab.agents.views import TradeRow
from lab.tui.text import Tone, clean, plural, signed_dollars, signed_number
from lab.tui.widgets.flow import Flow
from lab.tui.widgets.line_table import Cell, Column, LineTable

NEW_YORK = ZoneInfo("America/New_York")

COLUMNS = (
    Column("Ticker", least=6, most=8, keep=9),
    Column("Side", least=5, most=5, keep=7),
    Column("Entry (New York)", least=16, most=16, keep=8),
    Column("Exit", least=5, most=12, keep=3),
    Column("In", least=6, most=10, right=True, keep=4),
    Column("Out", least=6, most=10, right=True, keep=4),
    Column("Shares", least=4, most=8, right=True, keep=2),
    Column("P&L", least=6, most=10, right=True, keep=9),
    Column("R", least=5, most=7, right=True, keep=6),
    Column("Bars", least=4, most=5, right=True, keep=1),
    Column("Ended by", least=8, most=16, keep=5),
)


NONE_YET = "No trades yet: they appear when the backtest has finished."

ORDERS: tuple[tuple[str, Callable[[TradeRow], Any]], ...] = (
    ("by entry", lambda trade: trade.entry_at),
    ("by ticker", lambda trade: (trade.ticker, trade.entry_at)),
    ("by P&L, best first", lambda trade: -trade.pnl),
    ("by P&L, worst first", lambda trade: trade.pnl),
    ("by R, best first", lambda trade: -trade.r_multiple),
    ("by R, worst first", lambda trade: trade.r_multiple),
)


class TradesTable(LineTable):
    """A line a trade, in the order given."""

    class Everything(Message):
        """All trades are wanted again, where only some were shown."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(COLUMNS, empty=NONE_YET, id=id)
        self._shown: Sequence[tuple[int, TradeRow]] = ()
        self.some = False
        """Whether there are trades that are not shown, other than for words that are sought."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return (action == "show_all" and self.some) or super().check_action(action, parameters)

    def action_show_all(self) -> None:
        if self.some and not self.sought:
            self.post_message(self.Everything())
        else:
            super().action_show_all()

    def show(self, trades: Sequence[tuple[int, TradeRow]]) -> None:
        """Show these trades, each with its place in order of entry, which is its row's id."""
        if trades is self._shown:
            return
        self._shown = trades
        self.set_rows([(at, trade_cells(trade)) for at, trade in trades])


class TradesPane(Vertical):
    """The trades with an order to choose; on request only some of them."""

    DEFAULT_CSS = """
    TradesPane TradesTable { height: 1fr; }
    TradesPane #trades-line { padding: 0 1; display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._trades: Sequence[TradeRow] = ()
        self._order = 0
        self._only: frozenset[int] | None = None
        self._whose = self._all_of = ""

    def compose(self) -> ComposeResult:
        yield TradesTable()
        yield Flow(id="trades-line")

    def show(self, trades: Sequence[TradeRow], whose: str = "") -> None:
        """Show these trades, in the order chosen before; `whose` says in words which they are."""
        if trades is not self._trades:
            self._trades, self._all_of = trades, whose
            self._draw()

    def show_only(self, places: Collection[int], whose: str) -> None:
        """Show the trades at these places alone; `whose` says in words which they are."""
        self._only, self._whose = frozenset(places), whose
        self.query_one(TradesTable).seek("")
        self._draw()
        self.query_one(TradesTable).action_to_end(-1)

    @on(TradesTable.Everything)
    def _show_everything(self) -> None:
        self._only, self._whose = None, ""
        self._draw()

    def next_order(self) -> None:
        """Sort by the next thing one may sort by."""
        self._order = (self._order + 1) % len(ORDERS)
        self._draw()
        self.query_one(TradesTable).action_to_end(-1)

    def _draw(self) -> None:
        order, key = ORDERS[self._order]
        only, table = self._only, self.query_one(TradesTable)
        shown = [one for one in enumerate(self._trades) if only is None or one[0] in only]
        table.some = only is not None
        table.show(sorted(shown, key=lambda one: key(one[1])))
        line = self.query_one("#trades-line", Flow)
        whose = clean(self._whose or self._all_of)
        line.display = self._order > 0 or bool(whose)
        words = f"{plural(len(shown), 'trade')}{f' of {whose}' if whose else ''}, {order}"
        back = "; esc shows all" if only is not None else ""
        line.show([(Content.styled(words + back, "$foreground-muted"), 2)])


def trade_cells(trade: TradeRow) -> tuple[Cell, ...]:
    """A cell for each of `COLUMNS`."""
    entry, leave = trade.entry_at.astimezone(NEW_YORK), trade.exit_at.astimezone(NEW_YORK)
    same_day = entry.date() == leave.date()
    # Green says that something is better than something else, which only the paired test can say.
    tone = Tone.BAD if trade.pnl < 0 else Tone.PLAIN
    return (
        Cell(clean(trade.ticker)),
        Cell(clean(trade.direction)),
        Cell(f"{entry:%Y-%m-%d %H:%M}"),
        Cell(f"{leave:%H:%M}" if same_day else f"{leave:%m-%d %H:%M}"),
        Cell(f"{trade.entry_price:,.2f}"),
        Cell(f"{trade.exit_price:,.2f}"),
        Cell(f"{trade.shares:,.0f}"),
        Cell(signed_dollars(trade.pnl), tone),
        Cell(signed_number(trade.r_multiple), tone),
        Cell(f"{trade.bars_held:,}"),
        Cell(clean(trade.exit_reason)),
    )
