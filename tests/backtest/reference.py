"""A second engine, slow and plain: a loop over every bar that reads like the rules. The real engine must agree with it on everything."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from lab.backtest import Account, Costs, Plan


@dataclass
class Bar:
    ticker: str
    at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    session: date
    minute: int
    row: dict[str, Any]
    is_tickers_last: bool = False


@dataclass
class Order:
    ticker: str
    direction: str
    signal: Bar
    score: float
    stop: float
    entry_price: float | None
    target: float | None
    equity_at_signal: float
    bars_seen: int = 0


@dataclass
class Position:
    order: Order
    entry_bar: Bar
    entry_price: float
    shares: float
    entry_costs: float
    mark: float
    last_bar: Bar
    filled_at: str
    """"open", "limit" or "stop": the moment of the entry bar."""
    borrowed: float = 0.0
    bars_held: int = 0
    exit_due: bool = False
    worst: float = 0.0
    best: float = 0.0

    @property
    def sign(self) -> int:
        return 1 if self.order.direction == "long" else -1

    def worth(self) -> float:
        return self.sign * self.shares * self.mark - self.borrowed


@dataclass
class Outcome:
    trades: list[dict[str, Any]] = field(default_factory=list)
    skips: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    equity: list[tuple[date, float]] = field(default_factory=list)
    cash_and_positions: list[tuple[datetime, float, float]] = field(default_factory=list)
    """After every bar time: cash, value of positions."""


def number(value: Any) -> float | None:
    """A price that exists."""
    return None if value is None or not math.isfinite(value) or value <= 0 else float(value)


class Reference:
    def __init__(self, plan: Plan, frame: pl.DataFrame, account: Account, costs: Costs) -> None:
        self.plan, self.account, self.costs = plan, account, costs
        self.frame = frame
        self.cash = account.starting_equity
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Position] = {}
        self.ended: list[Position] = []
        """Positions that ended in the present bar: their money and slot come back at its close."""
        self.out = Outcome()
        self.rate = (costs.commission_bps + costs.slippage_bps) / 10_000

    def run(self) -> Outcome:
        session: date | None = None
        for bars in self.timeline():
            if session is not None and bars[0].session != session:
                self.end_session()
                self.out.equity.append((session, self.equity()))
            session = bars[0].session
            self.fill_orders(bars)
            for bar in bars:
                if bar.ticker in self.positions:
                    self.live_through(self.positions[bar.ticker], bar)
            self.settle()
            self.meet_signals(bars)
            self.out.cash_and_positions.append((bars[0].at, self.cash, self.equity() - self.cash))
        if session is not None:
            self.end_session()
            self.end_data()
            self.out.equity.append((session, self.equity()))
        return self.out

    def timeline(self) -> list[list[Bar]]:
        times: dict[datetime, list[Bar]] = {}
        last: dict[str, Bar] = {}
        for row in self.frame.sort("timestamp", "ticker").iter_rows(named=True):
            prices = [row[name] for name in ("open", "high", "low", "close")]
            o, h, low, c = prices
            if any(number(p) is None for p in prices) or not (low <= min(o, c) and h >= max(o, c)):
                for direction in ("long", "short"):
                    if row.get(f"signal.{direction}"):
                        self.out.skips.append((row["ticker"], direction, row["timestamp"], "no price"))
                continue
            volume = row["volume"]
            volume = 0.0 if volume is None or not math.isfinite(volume) else volume
            bar = Bar(row["ticker"], row["timestamp"], o, h, low, c, volume, row["session"], row["minute"], row)
            times.setdefault(bar.at, []).append(bar)
            last[bar.ticker] = bar
        for bar in last.values():
            bar.is_tickers_last = True
        return [times[at] for at in sorted(times)]

    # money

    def equity(self) -> float:
        return self.cash + sum(position.worth() for position in self.positions.values())

    def gross(self) -> float:
        return sum(position.shares * position.mark for position in self.positions.values())

    # entries

    def fill_orders(self, bars: list[Bar]) -> None:
        filled: list[tuple[Order, Bar, float, str]] = []
        for bar in bars:
            order = self.orders.get(bar.ticker)
            if order is None:
                continue
            order.bars_seen += 1
            if self.plan.flat_by_minute is not None and bar.minute >= self.plan.flat_by_minute:
                self.drop(order, "after cut-off" if order.bars_seen == 1 else "no fill")
                continue
            met = self.price_met(order, bar)
            if met is not None:
                filled.append((order, bar, *met))
            elif order.bars_seen >= self.plan.expiry_bars:
                self.drop(order, "no fill")
        for order, bar, price, moment in sorted(filled, key=lambda f: (f[0].signal.at, -f[0].score, f[0].ticker)):
            self.enter(order, bar, price, moment)

    def price_met(self, order: Order, bar: Bar) -> tuple[float, str] | None:
        kind, price = self.plan.entry_kind, order.entry_price
        if kind == "at_open" or price is None:
            return bar.open, "open"
        if kind == "limit" and order.direction == "long" and bar.low < price:
            return (bar.open, "open") if bar.open < price else (price, "limit")
        if kind == "limit" and order.direction == "short" and bar.high > price:
            return (bar.open, "open") if bar.open > price else (price, "limit")
        if kind == "stop_entry" and order.direction == "long" and bar.high >= price:
            return (bar.open, "open") if bar.open >= price else (price, "stop")
        if kind == "stop_entry" and order.direction == "short" and bar.low <= price:
            return (bar.open, "open") if bar.open <= price else (price, "stop")
        return None

    def enter(self, order: Order, bar: Bar, price: float, moment: str) -> None:
        sign = 1 if order.direction == "long" else -1
        if (price - order.stop) * sign <= 0:
            return self.drop(order, "stop beyond entry")
        if order.target is not None and (order.target - price) * sign <= 0:
            return self.drop(order, "target beyond entry")
        equity = self.equity()
        if equity <= 0 or order.equity_at_signal <= 0:
            return self.drop(order, "no cash")
        by_risk = order.equity_at_signal * self.plan.risk_percent / 100 / abs(price - order.stop)
        by_position = self.account.max_position * order.equity_at_signal / price
        by_volume = math.inf if self.costs.participation_cap is None else self.costs.participation_cap * bar.volume
        by_exposure = (self.account.max_exposure * equity - self.gross()) / price
        by_power = (self.account.buying_power * equity - self.gross()) / (price * (1 + self.rate))
        if self.down(min(by_risk, by_position)) <= 0:
            return self.drop(order, "too small")
        if self.down(by_volume) <= 0:
            return self.drop(order, "no volume")
        if self.down(min(by_exposure, by_power)) <= 0:
            return self.drop(order, "no cash")
        shares = self.down(min(by_risk, by_position, by_volume, by_exposure, by_power))
        costs = shares * price * self.rate
        self.cash -= sign * shares * price + costs
        del self.orders[order.ticker]
        self.positions[order.ticker] = Position(order, bar, price, shares, costs, price, bar, moment, worst=price, best=price)
        return None

    def down(self, shares: float) -> float:
        if shares <= 0 or math.isinf(shares):
            return max(shares, 0.0)
        if self.account.whole_shares:
            return float(math.floor(shares * (1 + 1e-9)))
        return shares if shares >= 1e-6 else 0.0

    def drop(self, order: Order, reason: str) -> None:
        del self.orders[order.ticker]
        self.out.skips.append((order.ticker, order.direction, order.signal.at, reason))

    # exits

    def live_through(self, position: Position, bar: Bar) -> None:
        order, long = position.order, position.sign > 0
        stop, target = order.stop, order.target
        moment = position.filled_at if bar is position.entry_bar else None
        if not long:
            nights = (bar.session - position.last_bar.session).days
            position.borrowed += position.shares * nights * position.mark * self.costs.borrow_bps_per_year / 10_000 / 365
        if moment is None:
            if position.exit_due:
                return self.close(position, bar, bar.open, "exit rule", at_open=True)
            if self.plan.max_bars is not None and position.bars_held >= self.plan.max_bars:
                return self.close(position, bar, bar.open, "max bars", at_open=True)
            if self.plan.flat_by_minute is not None and bar.minute >= self.plan.flat_by_minute:
                return self.close(position, bar, bar.open, "flat by", at_open=True)
            if (bar.open <= stop) if long else (bar.open >= stop):
                return self.close(position, bar, bar.open, "stop", at_open=True)
            if target is not None and ((bar.open > target) if long else (bar.open < target)):
                return self.close(position, bar, bar.open, "target", at_open=True)
        if (bar.low <= stop) if long else (bar.high >= stop):
            return self.close(position, bar, stop, "stop", at_open=False)
        if target is not None:
            if moment == "limit":
                through = bar.close > target if long else bar.close < target
            else:
                through = bar.high > target if long else bar.low < target
            if through:
                return self.close(position, bar, target, "target", at_open=False)
        self.see(position, bar.close)
        low, high = (bar.low, bar.high)
        if moment == "limit":
            low, high = (bar.low, bar.close) if long else (bar.close, bar.high)
        if moment == "stop":
            low, high = (bar.close, bar.high) if long else (bar.low, bar.close)
        self.see(position, low)
        self.see(position, high)
        position.bars_held += 1
        position.mark = bar.close
        position.last_bar = bar
        if self.plan.has_exit and bar.row[f"{order.direction}.exit"]:
            position.exit_due = True
        return None

    def see(self, position: Position, price: float) -> None:
        if position.sign > 0:
            position.worst, position.best = min(position.worst, price), max(position.best, price)
        else:
            position.worst, position.best = max(position.worst, price), min(position.best, price)

    def close(self, position: Position, bar: Bar, price: float, reason: str, *, at_open: bool) -> None:
        if bar is not position.entry_bar:
            self.see(position, bar.open)
        self.see(position, price)
        order = position.order
        risk = abs(position.entry_price - order.stop)
        exit_costs = position.shares * price * self.rate
        costs = position.entry_costs + exit_costs + position.borrowed
        pnl = position.sign * position.shares * (price - position.entry_price) - costs
        position.mark = price
        self.cash -= exit_costs
        self.ended.append(position)
        self.out.trades.append(
            {
                "ticker": order.ticker,
                "direction": order.direction,
                "signal_at": order.signal.at,
                "entry_at": position.entry_bar.at,
                "exit_at": bar.at,
                "entry_price": position.entry_price,
                "exit_price": price,
                "shares": position.shares,
                "pnl": pnl,
                "costs": costs,
                "r_multiple": pnl / (position.shares * risk),
                "mae_r": position.sign * (position.worst - position.entry_price) / risk,
                "mfe_r": position.sign * (position.best - position.entry_price) / risk,
                "bars_held": position.bars_held + (0 if at_open else 1),
                "exit_reason": reason,
                "stop": order.stop,
                "target": order.target,
                "score": order.score,
                "session": position.entry_bar.session,
            }
        )

    def settle(self) -> None:
        for position in self.ended:
            self.cash += position.worth()
            del self.positions[position.order.ticker]
        self.ended = []

    def end_session(self) -> None:
        """With `flat_by`, whoever is still in is out at the ticker's last close, and no order survives."""
        if self.plan.flat_by_minute is None:
            return
        for position in list(self.positions.values()):
            self.close_at_last(position, "flat by")
        for order in list(self.orders.values()):
            self.drop(order, "no fill" if order.bars_seen else "no next bar")
        self.settle()

    def end_data(self) -> None:
        for position in list(self.positions.values()):
            self.close_at_last(position, "end of data")
        for order in list(self.orders.values()):
            self.drop(order, "no fill" if order.bars_seen else "no next bar")
        self.settle()

    def close_at_last(self, position: Position, reason: str) -> None:
        bar = position.last_bar
        position.bars_held -= 1
        self.close(position, bar, bar.close, "end of data" if bar.is_tickers_last else reason, at_open=False)

    # signals

    def meet_signals(self, bars: list[Bar]) -> None:
        def score(bar: Bar) -> float:
            value = bar.row.get("score", 0.0)
            return -math.inf if value is None or math.isnan(value) else float(value)

        for bar in sorted(bars, key=lambda b: (-score(b), b.ticker)):
            directions = [d for d in ("long", "short") if bar.row.get(f"signal.{d}")]
            for direction in directions:
                reason = self.meet(bar, direction, score(bar), conflicting=len(directions) == 2)
                if reason is not None:
                    self.out.skips.append((bar.ticker, direction, bar.at, reason))

    def meet(self, bar: Bar, direction: str, score: float, *, conflicting: bool) -> str | None:
        stop = number(bar.row[f"{direction}.stop"])
        entry_price = number(bar.row[f"{direction}.entry_price"]) if self.plan.entry_kind != "at_open" else None
        if conflicting:
            return "conflicting"
        if self.plan.flat_by_minute is not None and bar.minute >= self.plan.flat_by_minute:
            return "after cut-off"
        if bar.ticker in self.positions:
            return "in position"
        if bar.ticker in self.orders:
            return "order pending"
        if stop is None:
            return "no stop"
        if self.plan.entry_kind != "at_open" and entry_price is None:
            return "no entry price"
        if len(self.positions) + len(self.orders) >= self.account.max_positions:
            return "no slot"
        target = bar.row[f"{direction}.target"] if self.plan.has_target else None
        target = None if target is None or not math.isfinite(target) else target
        self.orders[bar.ticker] = Order(bar.ticker, direction, bar, score, stop, entry_price, target, self.equity())
        return None
