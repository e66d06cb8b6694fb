"""What doing nothing clever would have returned on the same bars, after the same costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lab.backtest.curve import EQUITY_SCHEMA
from lab.backtest.errors import BacktestError

if TYPE_CHECKING:
    from lab.backtest.account import Costs


def buy_and_hold(frame: pl.DataFrame, tickers: Sequence[str], costs: Costs) -> float:
    """Total return, as a fraction, of buying the tickers in equal parts and holding them to the end (see `buy_and_hold_equity`)."""
    equity = buy_and_hold_equity(frame, tickers, costs, 1.0)
    return float(equity["equity"][-1]) - 1.0 if equity.height else 0.0


def buy_and_hold_equity(frame: pl.DataFrame, tickers: Sequence[str], costs: Costs, starting_equity: float) -> pl.DataFrame:
    """Daily equity (session, equity in dollars) of holding `tickers`, equal parts of the money in each, not rebalanced.

    Each is bought at its first bar's open and sold at its last bar's close; commission and slippage are paid on both sides, fractions of
    shares are allowed. Money for a ticker whose bars begin later waits as cash. Raises BacktestError for a ticker without bars.
    """
    # Context may stand beside the bars: sorting it along would cost many times as much.
    held = frame.select("ticker", "timestamp", "session", "open", "close").filter(pl.col("ticker").is_in(list(tickers)))
    usable = pl.col("open").is_finite() & (pl.col("open") > 0) & pl.col("close").is_finite() & (pl.col("close") > 0)
    held = held.sort("ticker", "timestamp").filter(usable)
    known = set(held["ticker"].unique().to_list())
    missing = sorted(set(tickers) - known)
    if missing:
        raise BacktestError(f"There are no bars of {', '.join(missing)} to hold: choose tickers of the universe.")
    sessions = frame["session"].unique().sort()
    equity = np.zeros(sessions.len())
    part = starting_equity / max(len(known), 1)
    for _, bars in held.group_by("ticker", maintain_order=True):
        shares = part / (float(bars["open"][0]) * (1 + costs.rate) + costs.commission_per_share)
        closes = bars.group_by("session", maintain_order=True).agg(pl.col("close").last())
        marked = pl.DataFrame({"session": sessions}).join(closes, on="session", how="left", maintain_order="left")
        value = (marked["close"].forward_fill() * shares).fill_null(part).to_numpy().copy()
        value[-1] -= shares * (float(bars["close"][-1]) * costs.rate + costs.commission_per_share)
        equity += value
    return pl.DataFrame({"session": sessions, "equity": equity}, schema=EQUITY_SCHEMA)
