"""One trade: the candles around it with its orders, and what is known of it; the next one is a key away."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content

from lab.agents.trade_views import TradeView
from lab.tui.actions import BACK, Action
from lab.tui.screen import LabScreen
from lab.tui.text import Tone, clean, dollars, plural, signed_dollars, signed_number, toned
from lab.tui.widgets.candles import NEW_YORK, Candle, CandleChart, Moment, Rung
from lab.tui.widgets.flow import BLANK, Flow, Line
from lab.tui.widgets.tabs import Reader

MUTED = "$foreground-muted"
_LABEL = 10


class TradeScreen(LabScreen[TradeView]):
    """Opened with trades in the order they are stepped through, each by its iteration's id and its place in order of entry, and the
    number of the one to begin with."""

    PLACE = "trade"
    TITLE = "Trade"
    ACTIONS = (
        Action("next_trade", "right,l", "Next trade", "Shows the next trade of the list you came from."),
        Action("previous_trade", "left,h", "Previous", "Shows the trade before it in the list you came from."),
        BACK,
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012  # an instance list is what Textual declares
    CSS = """
    TradeScreen #trade { height: 1fr; layout: vertical; }
    TradeScreen CandleChart { height: 2fr; padding: 0 1; }
    TradeScreen #facts { height: 1fr; min-height: 8; border-top: solid $panel; }
    TradeScreen #summary { height: auto; padding: 0 1; }
    TradeScreen.-wide #trade { layout: horizontal; }
    TradeScreen.-wide #picture { width: 1fr; height: 1fr; }
    TradeScreen.-narrow #picture { height: 2fr; }
    TradeScreen.-wide #facts { width: 44; height: 1fr; border-top: none; border-left: solid $panel; }
    """

    def __init__(self, trades: Sequence[tuple[int, int]], at: int = 0) -> None:
        super().__init__()
        self._order = tuple(trades)
        self._at = at

    def compose_body(self) -> ComposeResult:
        with Container(id="trade"):
            with Vertical(id="picture"):
                yield Flow(id="summary")
                yield CandleChart()
            with Reader(id="facts"):
                yield Flow(id="facts-text")

    def on_mount(self) -> None:
        self.query_one("#facts").focus()

    def load(self) -> TradeView:
        # A trade never changes once it is stored: only another place is read.
        wanted = self._order[self._at]
        return self.data if self.data is not None and (self.data.iteration_id, self.data.place) == wanted else self.lab.trade(*wanted)

    def show(self, data: TradeView) -> None:
        trade = data.trade
        self.subtitle = f"{trade.ticker} · {self._at + 1:,} of {len(self._order):,}"
        self.query_one("#summary", Flow).show(_summary(data))
        candles = [Candle(bar.started_at, bar.open, bar.high, bar.low, bar.close, bar.vwap) for bar in data.bars]
        self.query_one(CandleChart).show(candles, _rungs(data), _moments(data), data.core)
        self.query_one("#facts-text", Flow).show(_facts(data))
        self.query_one("#facts", Reader).scroll_home(animate=False)

    def why_not(self, name: str) -> str | None:
        if name == "next_trade" and self._at + 1 >= len(self._order):
            return "This is the last trade of the list."
        if name == "previous_trade" and self._at == 0:
            return "This is the first trade of the list."
        return None

    def action_next_trade(self) -> None:
        self._step(1)

    def action_previous_trade(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        self._at += by
        self.reload()

    def copied_text(self) -> str:
        """What copying takes: the trade in one line."""
        return _sentence(self.data) if self.data is not None else ""


def _sentence(data: TradeView) -> str:
    trade = data.trade
    entry, leave = trade.entry_at.astimezone(NEW_YORK), trade.exit_at.astimezone(NEW_YORK)
    return (
        f"{clean(trade.ticker)} {clean(trade.direction)} {entry:%Y-%m-%d %H:%M} {trade.entry_price:,.2f} to "
        f"{leave:%Y-%m-%d %H:%M} {trade.exit_price:,.2f}, {signed_dollars(trade.pnl)}, {signed_number(trade.r_multiple)}R, "
        f"{clean(trade.exit_reason)}"
    )


def _summary(data: TradeView) -> list[Line]:
    trade = data.trade
    each = f"{data.bars_each} x " if data.bars_each > 1 else ""
    parts = [
        (f"{clean(trade.ticker)} {clean(trade.direction)}  ", "bold"),
        (f"{signed_dollars(trade.pnl)}  {signed_number(trade.r_multiple)}R", "bold"),
        (f"  ended by {clean(trade.exit_reason)}  {each}{clean(data.timeframe)}, New York time", MUTED),
        ("  SYNTHETIC" if data.synthetic else "", "bold $text-warning"),
    ]
    return [(Content.assemble(*parts), 2)]


def _rungs(data: TradeView) -> list[Rung]:
    trade = data.trade
    since, until = trade.entry_at, trade.exit_at
    found = [
        Rung("E", trade.entry_price, since, until, "bold $foreground", "─", must=True),
        Rung("X", trade.exit_price, until, None, "bold $foreground", " ", must=True),
    ]
    if data.stop is not None:
        found.append(Rung("S", data.stop, since, until, "$text-warning", "╌"))
    if data.target is not None:
        found.append(Rung("T", data.target, since, until, "$text-primary", "╌"))
    return found + [Rung("L", level.price, None, None, MUTED, "┈") for level in data.levels]


def _moments(data: TradeView) -> list[Moment]:
    trade = data.trade
    marks = [Moment("n", headline.published_at, "$text-accent") for headline in data.news]
    if data.signal_at != trade.entry_at:
        marks.append(Moment("s", data.signal_at, "$foreground"))
    return [*marks, Moment("E", trade.entry_at), Moment("X", trade.exit_at)]


def _facts(data: TradeView) -> list[Line]:
    trade = data.trade
    entry, leave, signal = (moment.astimezone(NEW_YORK) for moment in (trade.entry_at, trade.exit_at, data.signal_at))
    opened = f"{entry:%H:%M}" if signal.date() == entry.date() else f"{entry:%m-%d %H:%M}"
    closed = f"{leave:%H:%M}" if leave.date() == entry.date() else f"{leave:%m-%d %H:%M}"
    lines: list[Line] = [
        _fact("Signal", f"{signal:%Y-%m-%d %H:%M}", "s"),
        _fact("Entry", f"{trade.entry_price:,.2f}", f"E  {opened}, {trade.shares:,.0f} shares"),
        _fact("Exit", f"{trade.exit_price:,.2f}", f"X  {closed}, {clean(trade.exit_reason)}"),
    ]
    if data.stop is not None:
        lines.append(_fact("Stop", f"{data.stop:,.2f}", f"S  {data.stop / trade.entry_price - 1:+.2%}"))
    if data.target is not None:
        lines.append(_fact("Target", f"{data.target:,.2f}", f"T  {data.target / trade.entry_price - 1:+.2%}"))
    lines.append(_fact("P&L", signed_dollars(trade.pnl), f"{signed_number(trade.r_multiple)}R net"))
    if data.costs is not None:
        lines.append(_fact("Costs", dollars(data.costs), "both ways"))
    if data.mae_r is not None and data.mfe_r is not None:
        lines.append(_fact("MAE, MFE", f"{signed_number(data.mae_r)}R", f"and {signed_number(data.mfe_r)}R at best"))
    lines.append(_fact("Held", plural(trade.bars_held, "bar"), f"closed in {data.exits} parts" if data.exits > 1 else ""))
    if data.context:
        lines += [BLANK, (toned("Known at the signal", Tone.STRONG), 0)]
        lines += [(Content.assemble((f"{words:<32}", MUTED), value), 2) for words, value in data.context]
    lines += [BLANK, (toned("News before and during it", Tone.STRONG), 0)]
    for headline in data.news:
        at = headline.published_at.astimezone(NEW_YORK)
        by = f"  {clean(headline.publisher)}" if headline.publisher else ""
        lines.append((Content.assemble((f"n {at:%m-%d %H:%M}  ", MUTED), clean(headline.title), (by, MUTED)), 15))
    if not data.news:
        lines.append((toned("None is kept of its last three days.", Tone.MUTED), 0))
    if data.levels:
        lines += [BLANK, (toned("Levels before the session", Tone.STRONG), 0)]
        for level in data.levels:
            touched = f"{plural(level.touches, 'touch', 'touches')}, {level.age_sessions} sessions old"
            lines.append((Content.assemble((f"L {level.price:>9,.2f}  ", MUTED), clean(level.side), (f"  {touched}", MUTED)), 13))
    lines += [BLANK, (toned("┃ rose, █ fell, • VWAP. Letters stand at their price and time.", Tone.MUTED), 0)]
    return lines


def _fact(label: str, value: str, rest: str) -> Line:
    return Content.assemble((f"{label:<{_LABEL}}", MUTED), (f"{value:>10}", "bold"), (f"  {rest}" if rest else "", MUTED)), _LABEL + 12
