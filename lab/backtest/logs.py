"""What a run writes down as it goes, and the frames of trades and skips made of it at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.backtest.fills import Exit, Fill, Moment
from lab.backtest.reasons import Direction, SkipReason

if TYPE_CHECKING:
    from lab.backtest.account import Costs
    from lab.backtest.bars import Bars, Ints, Side

TIME = pl.Datetime("us", "UTC")
TRADE_SCHEMA: dict[str, pl.DataType] = {
    "ticker": pl.String(),
    "direction": pl.String(),
    "signal_at": TIME,
    "entry_at": TIME,
    "exit_at": TIME,
    "entry_price": pl.Float64(),
    "exit_price": pl.Float64(),
    "shares": pl.Float64(),
    "pnl": pl.Float64(),
    "costs": pl.Float64(),
    "r_multiple": pl.Float64(),
    "mae_r": pl.Float64(),
    "mfe_r": pl.Float64(),
    "bars_held": pl.Int64(),
    "exit_reason": pl.String(),
    "stop": pl.Float64(),
    "target": pl.Float64(),
    "score": pl.Float64(),
    "session": pl.Date(),
}
SKIP_SCHEMA: dict[str, pl.DataType] = {"ticker": pl.String(), "direction": pl.String(), "signal_at": TIME, "reason": pl.String()}


def borrow_fee(bars: Bars, costs: Costs, entry_row: int, row: int) -> float:
    """Dollars a borrowed share has cost from one row to another: each calendar night on that day's close, 365 nights a year."""
    nights = float(bars.borrow_days_value[row] - bars.borrow_days_value[entry_row])
    return nights * costs.borrow_bps_per_year / 10_000 / 365


@dataclass(frozen=True, slots=True)
class LoggedTrade:
    """A trade by its rows, prices as they were traded."""

    sign: int
    signal_row: int
    entry_row: int
    exit_row: int
    entry_price: float
    exit_price: float
    shares: float
    entry_costs: float
    """Dollars, as are all costs."""
    costs: float
    """Of entry, exit and borrowing."""
    pnl: float
    """After all costs."""
    r_multiple: float
    mae_r: float
    mfe_r: float
    bars_held: int
    exit_reason: str
    stop: float
    target: float | None
    score: float
    settles_at_end: bool
    """Its ticker has no further bar: the position stays in the books to the end of the run."""


@dataclass(slots=True)
class TradeLog:
    """All trades in the order of their fills."""

    bars: Bars
    trades: list[LoggedTrade] = field(default_factory=list)

    def add(
        self,
        side: Side,
        signal_row: int,
        fill: Fill,
        end: Exit,
        shares: float,
        stop: float,
        target: float,
        score: float,
        costs: Costs,
        settles_at_end: bool,
    ) -> None:
        """Prices come mirrored for shorts."""
        sign = side.sign
        entry_costs, exit_costs = (shares * abs(price) * costs.rate for price in (fill.price, end.price))
        borrow = shares * borrow_fee(self.bars, costs, fill.row, end.row) if sign < 0 else 0.0
        spent = entry_costs + exit_costs + borrow
        pnl = shares * (end.price - fill.price) - spent
        risk = fill.price - stop
        worst, best = _excursion(side, fill, end)
        self.trades.append(
            LoggedTrade(
                sign=sign,
                signal_row=signal_row,
                entry_row=fill.row,
                exit_row=end.row,
                entry_price=sign * fill.price,
                exit_price=sign * end.price,
                shares=shares,
                entry_costs=entry_costs,
                costs=spent,
                pnl=pnl,
                r_multiple=pnl / (shares * risk),
                mae_r=min(0.0, (worst - fill.price) / risk),
                mfe_r=max(0.0, (best - fill.price) / risk),
                bars_held=end.row - fill.row + (end.moment is not Moment.OPEN),
                exit_reason=str(end.reason),
                stop=sign * stop,
                target=None if np.isinf(target) else sign * target,
                score=score,
                settles_at_end=settles_at_end,
            )
        )

    def frame(self) -> pl.DataFrame:
        """Trades in order of entry, then ticker."""
        bars, trades = self.bars, self.trades
        rows = {name: np.array([getattr(t, name) for t in trades], dtype=np.int64) for name in ("signal_row", "entry_row", "exit_row")}
        segments = np.searchsorted(bars.segment_starts, rows["entry_row"], side="right") - 1
        columns: dict[str, object] = {
            "ticker": [bars.tickers[i] for i in bars.ticker[rows["entry_row"]].tolist()],
            "direction": [str(Direction.LONG if t.sign > 0 else Direction.SHORT) for t in trades],
            "signal_at": _times(bars, rows["signal_row"]),
            "entry_at": _times(bars, rows["entry_row"]),
            "exit_at": _times(bars, rows["exit_row"]),
            "session": pl.Series(bars.sessions[bars.segment_session[segments]].astype(np.int32), dtype=pl.Int32).cast(pl.Date),
        }
        for name, dtype in TRADE_SCHEMA.items():
            if name not in columns:
                columns[name] = pl.Series([getattr(t, name) for t in trades], dtype=dtype)
        return pl.DataFrame({name: columns[name] for name in TRADE_SCHEMA}, schema=TRADE_SCHEMA).sort(
            "entry_at", "ticker", "signal_at", maintain_order=True
        )


@dataclass(slots=True)
class SkipLog:
    """All signals that did not become trades."""

    bars: Bars
    rows: list[int] = field(default_factory=list)
    shorts: list[bool] = field(default_factory=list)
    reasons: list[SkipReason] = field(default_factory=list)

    def add(self, signal_row: int, is_short: bool, reason: SkipReason) -> None:
        self.rows.append(signal_row)
        self.shorts.append(is_short)
        self.reasons.append(reason)

    def frame(self, without_price: pl.DataFrame) -> pl.DataFrame:
        """Skips in order of signal, then ticker; with the signals that `bars.prepare` could not use."""
        rows = np.array(self.rows, dtype=np.int64)
        tickers = pl.Series(self.bars.tickers, dtype=pl.String)
        names = pl.Series([str(Direction.LONG), str(Direction.SHORT)])
        known = list(SkipReason)
        places = {reason: place for place, reason in enumerate(known)}
        codes = np.array([places[reason] for reason in self.reasons], dtype=np.int64)
        met = pl.DataFrame(
            {
                "ticker": tickers.gather(self.bars.ticker[rows]),
                "direction": names.gather(np.array(self.shorts, dtype=np.int64)),
                "signal_at": _times(self.bars, rows),
                "reason": pl.Series([str(reason) for reason in known]).gather(codes),
            },
            schema=SKIP_SCHEMA,
        )
        unusable = without_price.select(
            "ticker", "direction", pl.col("signal_at").cast(TIME), pl.lit(str(SkipReason.NO_PRICE)).alias("reason")
        )
        return pl.concat([met, unusable]).sort("signal_at", "ticker", "direction")


def _times(bars: Bars, rows: Ints) -> pl.Series:
    return pl.Series(bars.at[rows], dtype=pl.Int64).cast(TIME)


def _excursion(side: Side, fill: Fill, end: Exit) -> tuple[float, float]:
    """The worst and the best price a position is known to have seen, mirrored for shorts.

    Bars held whole count whole. Of the entry bar counts what is known to lie after the fill, of an exit bar left before its
    close the open and the exit price.
    """
    worst, best = min(fill.price, end.price), max(fill.price, end.price)
    row = fill.row
    whole_until = end.row + (end.moment is Moment.CLOSE)
    if whole_until > row:
        if fill.moment is not Moment.AT_STOP:
            worst = min(worst, float(side.low[row]))
        if fill.moment is not Moment.AT_LIMIT:
            best = max(best, float(side.high[row]))
        close = float(side.close[row])
        opening = float(side.open[end.row]) if end.row > row else close
        worst, best = min(worst, close, opening), max(best, close, opening)
        if whole_until > row + 1:
            worst = min(worst, float(side.low[row + 1 : whole_until].min()))
            best = max(best, float(side.high[row + 1 : whole_until].max()))
    return worst, best
