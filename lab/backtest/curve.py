"""The daily equity curve: the account marked to market at every session's close, flat days included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.backtest.reading import profits

if TYPE_CHECKING:
    from lab.backtest.account import Account, Costs
    from lab.backtest.bars import Floats
    from lab.backtest.logs import Log

EQUITY_SCHEMA: dict[str, pl.DataType] = {"session": pl.Date(), "equity": pl.Float64()}


def daily_equity(log: Log, account: Account, costs: Costs) -> pl.DataFrame:
    """Equity in dollars at the close of every session of the frame.

    An open position is worth its shares at its ticker's last close, less what its entry and the borrowing have cost so far.
    """
    bars, sessions = log.bars, len(log.bars.sessions)
    signal, ticker, *_, at_end = log.trade_rows
    realised, unrealised = profits(
        bars.close,
        bars.borrow,
        bars.segment_starts,
        bars.segment_session,
        bars.ticker_ends[ticker],
        at_end.astype(np.uint8),
        1 - 2 * log.signals.is_short[signal].astype(np.int8),
        log.fill_rows,
        log.fill_values,
        sessions,
        costs.borrow_bps_per_year / 10_000 / 365,
    )
    equity = account.starting_equity + np.cumsum(realised - log.interest) + unrealised
    return pl.DataFrame({"session": pl.Series(bars.sessions.astype(np.int32)).cast(pl.Date), "equity": equity}, schema=EQUITY_SCHEMA)


def daily_returns(equity: pl.DataFrame, starting_equity: float) -> Floats:
    """Returns per session as fractions, the first one counted from the starting equity."""
    return returns_of(equity["equity"].to_numpy(), starting_equity)


def returns_of(values: Floats, starting_equity: float) -> Floats:
    """As `daily_returns`, from the equity at each session's close."""
    before = np.concatenate(([starting_equity], values[:-1])) if len(values) else values
    with np.errstate(divide="ignore", invalid="ignore"):
        returns: Floats = np.where(before > 0, values / before - 1, 0.0)
    return returns
