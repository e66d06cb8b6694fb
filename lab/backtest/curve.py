"""The daily equity curve: the account marked to market at every session's close, flat days included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from lab.backtest.account import Account, Costs
    from lab.backtest.bars import Bars, Floats, Ints
    from lab.backtest.logs import TradeLog

EQUITY_SCHEMA: dict[str, pl.DataType] = {"session": pl.Date(), "equity": pl.Float64()}


def daily_equity(bars: Bars, log: TradeLog, account: Account, costs: Costs) -> pl.DataFrame:
    """Equity in dollars at the close of every session of the frame.

    An open position is worth its shares at its ticker's last close, less what its entry and the borrowing have cost so far.
    """
    sessions = len(bars.sessions)
    realised, open_profit = np.zeros(sessions), np.zeros(sessions)
    last_row = _last_rows(bars, log)
    rate = costs.borrow_bps_per_year / 10_000 / 365
    entry_session = _sessions(bars, np.array([t.entry_row for t in log.trades], dtype=np.int64)).tolist()
    exit_session = _sessions(bars, np.array([t.exit_row for t in log.trades], dtype=np.int64)).tolist()
    for trade, first, last in zip(log.trades, entry_session, exit_session, strict=True):
        end = sessions - 1 if trade.settles_at_end else last
        realised[end] += trade.pnl
        if end > first:
            rows = last_row[int(bars.ticker[trade.entry_row])][first:end]
            profit = trade.sign * trade.shares * (bars.close[rows] - trade.entry_price) - trade.entry_costs
            if trade.sign < 0:
                profit -= trade.shares * (bars.borrow_days_value[rows] - bars.borrow_days_value[trade.entry_row]) * rate
            open_profit[first:end] += profit
    equity = account.starting_equity + np.cumsum(realised) + open_profit
    return pl.DataFrame({"session": pl.Series(bars.sessions.astype(np.int32)).cast(pl.Date), "equity": equity}, schema=EQUITY_SCHEMA)


def daily_returns(equity: pl.DataFrame, starting_equity: float) -> Floats:
    """Returns per session as fractions, the first one counted from the starting equity."""
    values = equity["equity"].to_numpy()
    before = np.concatenate(([starting_equity], values[:-1])) if len(values) else values
    with np.errstate(divide="ignore", invalid="ignore"):
        returns: Floats = np.where(before > 0, values / before - 1, 0.0)
    return returns


def _sessions(bars: Bars, rows: Ints) -> Ints:
    return bars.segment_session[np.searchsorted(bars.segment_starts, rows, side="right") - 1]


def _last_rows(bars: Bars, log: TradeLog) -> dict[int, Ints]:
    """Per traded ticker and session, the row of its last close by then."""
    ends = np.append(bars.segment_starts[1:], len(bars.at)) - 1
    tickers = bars.ticker[bars.segment_starts] if len(bars.segment_starts) else bars.ticker
    found: dict[int, Ints] = {}
    for ticker in sorted({int(bars.ticker[t.entry_row]) for t in log.trades}):
        own = np.flatnonzero(tickers == ticker)
        at = np.searchsorted(bars.segment_session[own], np.arange(len(bars.sessions)), side="right") - 1
        found[ticker] = ends[own][np.maximum(at, 0)]
    return found
