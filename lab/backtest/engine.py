"""From signals to trades: one account that meets every signal, fill and exit of all tickers in order of time.

Order of events. At a bar's start: slots of positions that ended with an earlier session come back. Then the fills of that
bar, each with the money and prices known when the bar before closed (earlier signals first, then higher score, then ticker).
Then what ended within the bar gives its slot and money back. Then, at its close, the signals of that bar (higher score first,
ties by ticker). A waiting order holds a slot. So nothing is decided by what lies in the future.

Size. Shares = the least of: the risk (`risk_percent` of equity, marked to market at the signal's close, over the distance from
fill to stop), `max_position` of that equity, the room under `max_exposure` and under `buying_power`, both of equity marked at
the closes before the fill, and the participation cap. Rounded down to whole shares. An exit always fills whole.

Costs are charged in dollars beside the fill, so a fill's price is always one that was traded in its bar.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.backtest.account import Account, Costs
from lab.backtest.bars import Bars, Prepared, ReadBars, Side, prepare
from lab.backtest.curve import daily_equity
from lab.backtest.errors import BacktestError
from lab.backtest.fills import Exit, Fill, Release, find_entry, find_exit
from lab.backtest.logs import SkipLog, TradeLog, borrow_fee
from lab.backtest.metrics import measure
from lab.backtest.plan import Plan, PlannedStrategy
from lab.backtest.reasons import Direction, SkipReason
from lab.backtest.result import BacktestResult, fingerprint

if TYPE_CHECKING:
    import polars as pl

ENGINE_VERSION = "1"
"""Goes up when the same inputs could give another trade; stored with every result."""

_OPENING, _FILLING, _CLOSING = 0, 1, 2  # in the order in which they happen at one timestamp

_SMALLEST_FRACTION = 1e-6
"""Of a share; less is what rounding leaves of an account that is full."""

_ROUNDING = 1e-9
"""Relative slack when rounding shares down, so that 99.9999999999 from binary fractions is 100."""


@dataclass(slots=True)
class _Order:
    """An accepted signal: waiting, then held, until its slot comes back."""

    side: Side
    signal_row: int
    ticker: int
    score: float
    stop: float
    equity: float
    """Marked to market at the signal's close."""
    fill: Fill | None = None
    shares: float = 0.0
    exit: Exit | None = None


def run_backtest(
    strategy: PlannedStrategy, evaluated: pl.DataFrame, account: Account, costs: Costs, read: ReadBars | None = None
) -> BacktestResult:
    """Trade every signal of an evaluated frame on one account.

    `evaluated` holds the bars of all tickers with the columns of `Strategy.evaluate`; its order does not matter. The same
    inputs give the same result to the bit. Raises BacktestError if columns are missing, a bar stands twice or the plan makes
    no sense; a frame without bars or without signals is no error. `read` spares reading the same bars again for each of several
    strategies (see `lab.backtest.together`).
    """
    plan = strategy.plan
    _check(plan)
    prepared = prepare(evaluated, entry_kind=str(plan.entry_kind), has_target=plan.has_target, has_exit=plan.has_exit, read=read)
    trades, skips = _Run(plan, prepared, account, costs).run()
    trade_frame, skip_frame = trades.frame(), skips.frame(prepared.without_price)
    equity = daily_equity(prepared.bars, trades, account, costs)
    signals = len(prepared.signals.row) + prepared.without_price.height
    funnel = {"signals": signals, "trades": trade_frame.height}
    for reason, count in skip_frame["reason"].value_counts().sort(["count", "reason"], descending=[True, False]).iter_rows():
        funnel[reason] = count
    return BacktestResult(
        trades=trade_frame,
        skips=skip_frame,
        equity=equity,
        funnel=funnel,
        metrics=measure(trade_frame, equity, account.starting_equity, evaluated.height),
        fingerprint=fingerprint(trade_frame, skip_frame, equity),
        engine_version=ENGINE_VERSION,
    )


def _check(plan: Plan) -> None:
    if plan.entry_kind not in ("at_open", "limit", "stop_entry"):
        raise BacktestError(f"The engine knows no entry of the kind {plan.entry_kind!r}; use at_open, limit or stop_entry.")
    if plan.expiry_bars < 1:
        raise BacktestError(f"An order that waits {plan.expiry_bars} bars can't fill; give it at least 1.")
    if plan.max_bars is not None and plan.max_bars < 1:
        raise BacktestError(f"max_bars is {plan.max_bars}; a position lasts at least 1 bar.")
    if not (math.isfinite(plan.risk_percent) and plan.risk_percent > 0):
        raise BacktestError(f"risk is {plan.risk_percent:g} %; it must be above 0.")


class _Run:
    """The account's books while signals, fills and exits pass by in order of time."""

    def __init__(self, plan: Plan, prepared: Prepared, account: Account, costs: Costs) -> None:
        self.plan, self.account, self.costs = plan, account, costs
        self.bars: Bars = prepared.bars
        self.prepared = prepared
        self.cash = account.starting_equity
        self.live: dict[int, _Order] = {}
        """By ticker: orders and positions that hold a slot."""
        self.events: list[tuple[int, int, int, float, int]] = []
        """Heap of (time, kind, time of signal, -score, ticker)."""
        self.trades = TradeLog(self.bars)
        self.skips = SkipLog(self.bars)

    def run(self) -> tuple[TradeLog, SkipLog]:
        signals, sides = self.prepared.signals, self.prepared.sides
        bars, plan, live, skip = self.bars, self.plan, self.live, self.skips.add
        stops = {d: side.stop[signals.row].tolist() for d, side in sides.items()}
        prices = {d: side.entry[signals.row].tolist() for d, side in sides.items() if side.entry is not None}
        cut_off = math.inf if plan.flat_by_minute is None else plan.flat_by_minute
        events = self.events
        rows = zip(
            signals.row.tolist(),
            bars.at[signals.row].tolist(),
            bars.ticker[signals.row].tolist(),
            bars.minute[signals.row].tolist(),
            signals.is_short.tolist(),
            signals.score.tolist(),
            signals.conflicting.tolist(),
            strict=True,
        )
        for i, (row, at, ticker, minute, is_short, score, conflicting) in enumerate(rows):
            while events and events[0][0] <= at:
                self._happen(heapq.heappop(events))
            direction = Direction.SHORT if is_short else Direction.LONG
            if conflicting:
                skip(row, is_short, SkipReason.CONFLICTING)
            elif minute >= cut_off:
                skip(row, is_short, SkipReason.AFTER_CUT_OFF)
            elif ticker in live:
                skip(row, is_short, SkipReason.ORDER_PENDING if live[ticker].exit is None else SkipReason.IN_POSITION)
            elif not _usable(stops[direction][i], is_short):
                skip(row, is_short, SkipReason.NO_STOP)
            elif direction in prices and not _usable(prices[direction][i], is_short):
                skip(row, is_short, SkipReason.NO_ENTRY_PRICE)
            elif len(live) >= self.account.max_positions:
                skip(row, is_short, SkipReason.NO_SLOT)
            else:
                self._accept(_Order(sides[direction], row, ticker, score, stops[direction][i], self._worth(at, seen=True)[0]))
        while events:
            self._happen(heapq.heappop(events))
        return self.trades, self.skips

    def _accept(self, order: _Order) -> None:
        """Find out what the order will meet. It takes effect only when its time comes."""
        self.live[order.ticker] = order
        found = find_entry(self.bars, order.side, self.plan, order.signal_row)
        if isinstance(found, Fill):
            order.fill = found
            self._plan_event(order, Release.WITH_BAR, found.row, _FILLING)
        else:
            self._skip(order, found.reason)
            self._plan_event(order, found.release, found.row, _CLOSING)

    def _plan_event(self, order: _Order, release: Release, row: int, kind: int) -> None:
        bars = self.bars
        at = int(bars.at[row])
        if release is Release.NEVER:
            return
        if release is Release.NEXT_SESSION:
            later = int(bars.segment_session[bars.segment_of(order.signal_row)]) + 1
            if later >= len(bars.session_starts):
                return
            at, kind = int(bars.session_starts[later]), _OPENING
        heapq.heappush(self.events, (at, kind, int(bars.at[order.signal_row]), -order.score, order.ticker))

    def _happen(self, event: tuple[int, int, int, float, int]) -> None:
        at, kind, _, _, ticker = event
        order = self.live[ticker]
        if kind == _FILLING:
            self._enter(order, at)
            return
        del self.live[ticker]
        if order.fill is not None and order.exit is not None:
            self.cash += self._value(order, order.exit.row, order.exit.price * order.side.sign)
            self.cash -= order.shares * abs(order.exit.price) * self.costs.rate

    def _enter(self, order: _Order, at: int) -> None:
        side, fill = order.side, order.fill
        assert fill is not None
        target = math.inf if side.target is None else float(side.target[order.signal_row])
        target = target if math.isfinite(target) else math.inf
        reason = None
        if order.stop >= fill.price:
            reason = SkipReason.STOP_BEYOND_ENTRY
        elif target <= fill.price:
            reason = SkipReason.TARGET_BEYOND_ENTRY
        else:
            order.shares, reason = self._size(order, fill, at)
        if reason is not None:
            self._skip(order, reason)
            del self.live[order.ticker]
            return
        price = abs(fill.price)
        self.cash -= order.shares * fill.price + order.shares * price * self.costs.rate
        order.exit = find_exit(self.bars, side, self.plan, fill, order.stop, target)
        settles_at_end = order.exit.release is Release.NEVER
        self.trades.add(side, order.signal_row, fill, order.exit, order.shares, order.stop, target, order.score, self.costs, settles_at_end)
        self._plan_event(order, order.exit.release, order.exit.row, _CLOSING)

    def _size(self, order: _Order, fill: Fill, at: int) -> tuple[float, SkipReason | None]:
        account, price = self.account, abs(fill.price)
        equity, gross = self._worth(at, seen=False)
        if order.equity <= 0 or equity <= 0:
            return 0.0, SkipReason.NO_CASH
        own = min(order.equity * self.plan.risk_percent / 100 / (fill.price - order.stop), account.max_position * order.equity / price)
        room = min(
            (account.max_exposure * equity - gross) / price,
            (account.buying_power * equity - gross) / (price * (1 + self.costs.rate)),
        )
        cap = self.costs.participation_cap
        volume = math.inf if cap is None else cap * float(self.bars.volume[fill.row])
        for limit, reason in ((own, SkipReason.TOO_SMALL), (volume, SkipReason.NO_VOLUME), (room, SkipReason.NO_CASH)):
            if self._rounded(limit) <= 0:
                return 0.0, reason
        return self._rounded(min(own, room, volume)), None

    def _rounded(self, shares: float) -> float:
        if math.isinf(shares):
            return max(shares, 0.0)
        if not self.account.whole_shares:
            return shares if shares >= _SMALLEST_FRACTION else 0.0
        return float(math.floor(shares * (1 + _ROUNDING))) if shares > 0 else 0.0

    def _worth(self, at: int, *, seen: bool) -> tuple[float, float]:
        """Equity and gross exposure, positions marked at their last close: of bars up to `at` if `seen`, else of bars before it."""
        equity, gross = self.cash, 0.0
        times = self.bars.at
        for order in self.live.values():
            if order.exit is None or order.fill is None:
                continue
            first = order.fill.row
            row = first + int(np.searchsorted(times[first : order.exit.row + 1], at, side="right" if seen else "left")) - 1
            price = abs(order.fill.price) if row < first else float(self.bars.close[row])
            equity += self._value(order, max(row, first), price)
            gross += order.shares * price
        return equity, gross

    def _value(self, order: _Order, row: int, price: float) -> float:
        """What a position is worth at a price: negative for shorts, the fee for borrowed shares taken off."""
        assert order.fill is not None
        value = order.side.sign * order.shares * price
        if order.side.sign < 0:
            value -= order.shares * borrow_fee(self.bars, self.costs, order.fill.row, row)
        return value

    def _skip(self, order: _Order, reason: SkipReason) -> None:
        self.skips.add(order.signal_row, order.side.sign < 0, reason)


def _usable(price: float, mirrored: bool) -> bool:
    """A price that exists and is above 0; mirrored prices are below it."""
    return math.isfinite(price) and (price < 0 if mirrored else price > 0)
