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
    number: int = 0
    """How many bars of the ticker came before."""
    atr: float = 0.0
    atr_before: float = 0.0
    is_tickers_last: bool = False


@dataclass
class FinerBar:
    minute: int
    open: float
    high: float
    low: float
    close: float


@dataclass
class Order:
    ticker: str
    direction: str
    signal: Bar
    score: float
    stop: float
    entry_price: float | None
    targets: list[float | None]
    size: float | None
    equity_at_signal: float
    bars_seen: int = 0


@dataclass
class Fill:
    at: datetime
    price: float
    shares: float
    costs: float
    reason: str


@dataclass
class Position:
    order: Order
    entry_bar: Bar
    entry_price: float
    shares: float
    mark: float
    last_bar: Bar
    filled_at: str
    """"open", "limit" or "stop": the moment of the entry bar."""
    level: float
    """Where the stop is now."""
    level_set_by: str
    to_leave: list[float]
    """Shares that leave at each target."""
    left: float
    """Shares that have not left yet."""
    fills: list[Fill]
    in_books: float
    """Shares whose money has not come back yet: those that left in the present bar come back at its close."""
    borrowed: float = 0.0
    """Of the shares in the books."""
    bars_held: int = 0
    exit_due: bool = False
    worst: float = 0.0
    best: float = 0.0
    hung: bool = False
    settled: int = 1
    """Fills whose money has changed hands."""

    @property
    def sign(self) -> int:
        return 1 if self.order.direction == "long" else -1

    def worth(self) -> float:
        return self.sign * self.in_books * self.mark - self.borrowed

    def at_or_past_stop(self, price: float) -> bool:
        return price <= self.level if self.sign > 0 else price >= self.level

    def beyond(self, price: float, target: float | None) -> bool:
        return target is not None and (price > target if self.sign > 0 else price < target)

    def worst_of(self, bar: Bar | FinerBar) -> float:
        return bar.low if self.sign > 0 else bar.high

    def best_of(self, bar: Bar | FinerBar) -> float:
        return bar.high if self.sign > 0 else bar.low

    def open_targets(self) -> list[int]:
        return [k for k, shares in enumerate(self.to_leave) if shares > 0 and self.order.targets[k] is not None]


@dataclass
class Outcome:
    trades: list[dict[str, Any]] = field(default_factory=list)
    skips: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    equity: list[tuple[date, float]] = field(default_factory=list)
    cash_and_positions: list[tuple[datetime, float, float]] = field(default_factory=list)
    """After every bar time: cash, value of positions."""
    interest: float = 0.0


def number(value: Any) -> float | None:
    """A price that exists."""
    return None if value is None or not math.isfinite(value) or value <= 0 else float(value)


def sound(o: float | None, h: float | None, low: float | None, c: float | None) -> bool:
    """Whether a bar's prices can be traded at."""
    if number(o) is None or number(h) is None or number(low) is None or number(c) is None:
        return False
    return low <= min(o, c) and h >= max(o, c)  # type: ignore[operator, type-var]  # none of them is None


def average_true_range(before: Bar | None, bar: Bar) -> float:
    """Wilder's over 14 bars; the plain mean until there are 14."""
    if before is None:
        return bar.high - bar.low
    span = max(bar.high, before.close) - min(bar.low, before.close)
    return before.atr + (span - before.atr) / min(bar.number + 1, 14)


class Reference:
    def __init__(
        self, plan: Plan, frame: pl.DataFrame, account: Account, costs: Costs, finer: pl.DataFrame | None = None, minutes: int = 0
    ) -> None:
        self.plan, self.account, self.costs = plan, account, costs
        self.frame = frame
        self.cash = account.starting_equity
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Position] = {}
        self.left_at: dict[str, int] = {}
        """By ticker: the number of the bar in which it was last left."""
        self.out = Outcome()
        self.rate = (costs.commission_bps + costs.slippage_bps) / 10_000
        self.minutes = minutes
        self.finer: dict[tuple[str, date], list[FinerBar]] = {}
        for row in [] if finer is None else finer.iter_rows(named=True):
            prices = [row[name] for name in ("open", "high", "low", "close")]
            if sound(*prices):
                self.finer.setdefault((row["ticker"], row["session"]), []).append(FinerBar(row["minute"], *prices))

    def run(self) -> Outcome:
        session: date | None = None
        for bars in self.timeline():
            if session is not None and bars[0].session != session:
                self.end_session()
                self.out.equity.append((session, self.equity()))
                self.pay_interest((bars[0].session - session).days)
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
            if not sound(*prices):
                for direction in ("long", "short"):
                    if row.get(f"signal.{direction}"):
                        self.out.skips.append((row["ticker"], direction, row["timestamp"], "no price"))
                continue
            volume = row["volume"]
            volume = 0.0 if volume is None or not math.isfinite(volume) else volume
            before = last.get(row["ticker"])
            bar = Bar(row["ticker"], row["timestamp"], *prices, volume, row["session"], row["minute"], row)
            if before is not None:
                bar.number, bar.atr_before = before.number + 1, before.atr
            bar.atr = average_true_range(before, bar)
            times.setdefault(bar.at, []).append(bar)
            last[bar.ticker] = bar
        for bar in last.values():
            bar.is_tickers_last = True
        return [times[at] for at in sorted(times)]

    # money

    def equity(self) -> float:
        return self.cash + sum(position.worth() for position in self.positions.values())

    def gross(self) -> float:
        return sum(position.in_books * position.mark for position in self.positions.values())

    def costs_of_a_share(self, bar: Bar, price: float) -> float:
        return price * self.rate + self.costs.commission_per_share + self.costs.slippage_atr * bar.atr_before

    def pay_interest(self, nights: int) -> None:
        if self.cash < 0:
            interest = -self.cash * nights * self.costs.margin_bps_per_year / 10_000 / 365
            self.cash -= interest
            self.out.interest += interest

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
        if any(target is not None and (target - price) * sign <= 0 for target in order.targets):
            return self.drop(order, "target beyond entry")
        equity = self.equity()
        if equity <= 0 or order.equity_at_signal <= 0:
            return self.drop(order, "no cash")
        own = order.equity_at_signal * self.plan.risk_percent / 100 / abs(price - order.stop)
        if self.plan.size_kind == "move" and order.size is not None:
            own = order.equity_at_signal * self.plan.risk_percent / 100 / order.size
        if self.plan.size_kind == "dollars" and order.size is not None:
            own = order.size / price
        by_position = self.account.max_position * order.equity_at_signal / price
        by_volume = math.inf if self.costs.participation_cap is None else self.costs.participation_cap * bar.volume
        by_exposure = (self.account.max_exposure * equity - self.gross()) / price
        by_power = (self.account.buying_power * equity - self.gross()) / (price + self.costs_of_a_share(bar, price))
        if self.down(min(own, by_position)) <= 0:
            return self.drop(order, "too small")
        if self.down(by_volume) <= 0:
            return self.drop(order, "no volume")
        if self.down(min(by_exposure, by_power)) <= 0:
            return self.drop(order, "no cash")
        shares = self.down(min(own, by_position, by_volume, by_exposure, by_power))
        if shares * price < self.account.min_position * order.equity_at_signal:
            return self.drop(order, "too small")
        costs = shares * self.costs_of_a_share(bar, price)
        self.cash -= sign * shares * price + costs
        del self.orders[order.ticker]
        entry = Fill(bar.at, price, shares, costs, "entry")
        self.positions[order.ticker] = Position(
            order, bar, price, shares, price, bar, moment, order.stop, "stop", self.shared_out(shares), shares, [entry], shares,
            worst=price, best=price,
        )  # fmt: skip
        return None

    def down(self, shares: float) -> float:
        if shares <= 0 or math.isinf(shares):
            return max(shares, 0.0)
        if self.account.whole_shares:
            return float(math.floor(shares * (1 + 1e-9)))
        return shares if shares >= 1e-6 else 0.0

    def shared_out(self, shares: float) -> list[float]:
        """How many shares leave at each target; if nothing is to be left over, the last takes what the others leave."""
        parts: list[float] = []
        for fraction in self.plan.fractions:
            left = shares - sum(parts)
            is_last = len(parts) == len(self.plan.fractions) - 1
            parts.append(left if is_last and sum(self.plan.fractions) >= 1 - 1e-9 else min(self.down(fraction * shares), left))
        return parts

    def drop(self, order: Order, reason: str) -> None:
        del self.orders[order.ticker]
        self.out.skips.append((order.ticker, order.direction, order.signal.at, reason))

    # exits

    def live_through(self, position: Position, bar: Bar) -> None:
        entered = bar is position.entry_bar
        moment = position.filled_at if entered else "open"
        if position.sign < 0:
            nights = (bar.session - position.last_bar.session).days
            position.borrowed += position.in_books * nights * position.mark * self.costs.borrow_bps_per_year / 10_000 / 365
        if not entered:
            self.see(position, bar.open)
            due = self.due_at_open(position, bar)
            if due is not None:
                return self.leave(position, bar, position.left, bar.open, due)
            for k in position.open_targets():
                if position.beyond(bar.open, position.order.targets[k]):
                    self.take_target(position, bar, k, bar.open)
            if position.left == 0:
                return None
        if not self.settled_by_finer_bars(position, bar, moment):
            position.hung |= self.is_doubtful(position, bar, moment)
            if position.at_or_past_stop(position.worst_of(bar)):
                self.leave(position, bar, position.left, position.level, position.level_set_by)
            else:
                reached = bar.close if moment == "limit" else position.best_of(bar)
                for k in position.open_targets():
                    if position.beyond(reached, position.order.targets[k]):
                        self.take_target(position, bar, k, position.order.targets[k])
        position.bars_held += 1
        if position.left > 0:
            self.hold_to_the_close(position, bar, moment)
        return None

    def due_at_open(self, position: Position, bar: Bar) -> str | None:
        if position.exit_due:
            return "exit rule"
        if self.plan.max_bars is not None and position.bars_held >= self.plan.max_bars:
            return "max bars"
        if self.plan.flat_by_minute is not None and bar.minute >= self.plan.flat_by_minute:
            return "flat by"
        if position.at_or_past_stop(bar.open):
            return position.level_set_by
        return None

    def is_doubtful(self, position: Position, bar: Bar | FinerBar, moment: str) -> bool:
        """Whether what happens within the bar depends on an order of prices that it does not show."""
        targets = [position.order.targets[k] for k in position.open_targets()]
        touched = any(position.beyond(position.best_of(bar), target) for target in targets)
        if position.at_or_past_stop(position.worst_of(bar)):
            return touched or moment == "stop"
        unproven = any(position.beyond(position.best_of(bar), t) and not position.beyond(bar.close, t) for t in targets)
        return moment == "limit" and unproven

    def settled_by_finer_bars(self, position: Position, bar: Bar, moment: str) -> bool:
        """Walk through the finer bars of a doubtful bar, if they show it whole."""
        if not self.is_doubtful(position, bar, moment):
            return False
        own = self.finer.get((bar.ticker, bar.session), [])
        finer = [f for f in own if bar.minute <= f.minute < bar.minute + self.minutes]
        if not finer or min(f.low for f in finer) > bar.low or max(f.high for f in finer) < bar.high:
            return False
        price, long = position.entry_price, position.sign > 0
        if moment == "limit":
            while finer and (finer[0].low >= price if long else finer[0].high <= price):
                finer.pop(0)
        if moment == "stop":
            while finer and (finer[0].high < price if long else finer[0].low > price):
                finer.pop(0)
        if not finer:
            return False
        for f in finer:
            entering = f is finer[0] and moment != "open"
            from_above = f.open >= price if long else f.open <= price
            inside = moment if entering and from_above == (moment == "limit") else "open"
            if not entering:
                opening = min(max(f.open, bar.low), bar.high)
                if position.at_or_past_stop(opening):
                    self.leave(position, bar, position.left, opening, position.level_set_by)
                for k in position.open_targets():
                    if position.left > 0 and position.beyond(opening, position.order.targets[k]):
                        self.take_target(position, bar, k, opening)
            if position.left == 0:
                return True
            position.hung |= self.is_doubtful(position, f, inside)
            if position.at_or_past_stop(position.worst_of(f)):
                self.leave(position, bar, position.left, position.level, position.level_set_by)
                return True
            for k in position.open_targets():
                if position.beyond(f.close if inside == "limit" else position.best_of(f), position.order.targets[k]):
                    self.take_target(position, bar, k, position.order.targets[k])
            if position.left == 0:
                return True
        return True

    def hold_to_the_close(self, position: Position, bar: Bar, moment: str) -> None:
        """What is left is held over the bar; what its close moves counts from the next bar on."""
        self.see(position, bar.close)
        if moment != "stop":
            self.see(position, position.worst_of(bar))
        if moment != "limit":
            self.see(position, position.best_of(bar))
        position.mark = bar.close
        position.last_bar = bar
        direction, sign = position.order.direction, position.sign
        if self.plan.break_even_r is not None and (position.level - position.entry_price) * sign < 0:
            goal = position.entry_price + sign * self.plan.break_even_r * abs(position.entry_price - position.order.stop)
            if (position.best - goal) * sign >= 0:
                position.level, position.level_set_by = position.entry_price, "break even"
        if self.plan.has_trail:
            distance = number(bar.row[f"{direction}.trail"])
            if distance is not None and (position.best - sign * distance - position.level) * sign > 0:
                position.level, position.level_set_by = position.best - sign * distance, "trailing stop"
        position.exit_due = bool(self.plan.has_exit and bar.row[f"{direction}.exit"])

    def see(self, position: Position, price: float) -> None:
        if position.sign > 0:
            position.worst, position.best = min(position.worst, price), max(position.best, price)
        else:
            position.worst, position.best = max(position.worst, price), min(position.best, price)

    def take_target(self, position: Position, bar: Bar, k: int, price: float | None) -> None:
        assert price is not None
        shares, position.to_leave[k] = position.to_leave[k], 0.0
        self.leave(position, bar, shares, price, "target")

    def leave(self, position: Position, bar: Bar, shares: float, price: float, reason: str) -> None:
        if position.left - shares <= 1e-9 * position.shares:
            shares = position.left
        self.see(position, price)
        borrowed = position.borrowed * shares / position.in_books if position.in_books else 0.0
        position.left -= shares
        position.fills.append(Fill(bar.at, price, shares, shares * self.costs_of_a_share(bar, price) + borrowed, reason))
        if position.left == 0:
            self.left_at[bar.ticker] = bar.number

    def settle(self) -> None:
        """What left in the bar gives its money back, and what left whole its slot."""
        for position in list(self.positions.values()):
            for fill in position.fills[position.settled :]:
                self.cash += position.sign * fill.shares * fill.price - fill.costs
                position.borrowed -= position.borrowed * fill.shares / position.in_books
                position.in_books -= fill.shares
            position.settled = len(position.fills)
            if position.left == 0:
                del self.positions[position.order.ticker]
                self.write_down(position)

    def write_down(self, position: Position) -> None:
        order, entry, exits = position.order, position.fills[0], position.fills[1:]
        risk = abs(position.entry_price - order.stop)
        costs = sum(fill.costs for fill in position.fills)
        pnl = sum(position.sign * fill.shares * (fill.price - entry.price) for fill in exits) - costs
        mean = sum(fill.shares * fill.price for fill in exits) / position.shares
        self.out.trades.append(
            {
                "ticker": order.ticker,
                "direction": order.direction,
                "signal_at": order.signal.at,
                "entry_at": entry.at,
                "exit_at": exits[-1].at,
                "entry_price": position.entry_price,
                "exit_price": exits[0].price if len(exits) == 1 else mean,
                "shares": position.shares,
                "pnl": pnl,
                "costs": costs,
                "r_multiple": pnl / (position.shares * risk),
                "mae_r": position.sign * (position.worst - position.entry_price) / risk,
                "mfe_r": position.sign * (position.best - position.entry_price) / risk,
                "bars_held": position.bars_held,
                "exit_reason": exits[-1].reason,
                "stop": order.stop,
                "target": order.targets[0] if order.targets else None,
                "score": order.score,
                "session": position.entry_bar.session,
                "exits": len(exits),
                "hung_on_order": position.hung,
                "fills": position.fills,
            }
        )

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
        self.leave(position, bar, position.left, bar.close, "end of data" if bar.is_tickers_last else reason)

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
        if bar.ticker in self.left_at and bar.number - self.left_at[bar.ticker] < self.plan.cooldown_bars:
            return "cooldown"
        if stop is None:
            return "no stop"
        if self.plan.entry_kind != "at_open" and entry_price is None:
            return "no entry price"
        size = number(bar.row[f"{direction}.size"]) if self.plan.size_kind != "risk" else None
        if self.plan.size_kind != "risk" and size is None:
            return "no size"
        if len(self.positions) + len(self.orders) >= self.account.max_positions:
            return "no slot"
        names = ["target", "target_2", "target_3"][: len(self.plan.fractions)]
        said = [bar.row[f"{direction}.{name}"] for name in names]
        targets = [None if target is None or not math.isfinite(target) else target for target in said]
        self.orders[bar.ticker] = Order(bar.ticker, direction, bar, score, stop, entry_price, targets, size, self.equity())
        return None
