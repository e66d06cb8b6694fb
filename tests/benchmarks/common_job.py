"""The common job on made-up minute bars, as a scan and an execution script; the bars as our frame and as a peer wants them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from lab.backtest import Account, BacktestResult, Costs, run_backtest
from lab.market import trading_sessions
from lab.script import compile_strategy
from tests.benchmarks.peer_job import Wide

PER_SESSION = 390
SMALL, LARGE = 20, 100
"""Tickers of 250 days: 1.95 and 9.75 million bars."""

SCAN = """near = low <= vwap() * 1.001 and close > vwap()
loud = volume > param(2.0, low=1, high=6) * sma(volume, 20)
long = near and loud and rsi(close, 14) < 60
"""
EXECUTION = """entry = at_open()
stop = close - param(1.5, low=0.5, high=4) * atr(14)
target = close + 2 * (close - stop)
max_bars = 60
flat_by = "16:00"
"""
COSTS = Costs(commission_bps=1.0, slippage_bps=1.0, participation_cap=None)


def account(tickers: int) -> Account:
    """Room for a position in every ticker at once, as the peer's separate accounts have."""
    return Account(1e6 * tickers, max_positions=tickers, max_exposure=1.0, max_position=0.05 / tickers, buying_power=2.0, min_position=0.0)


@lru_cache(maxsize=1)
def make_bars(tickers: int, days: int = 250) -> pl.DataFrame:
    """Regular-hours minute bars without gaps: volume U-shaped over the day, prices to the cent."""
    rng = np.random.default_rng(7)
    calendar = trading_sessions(date(2023, 1, 1), date(2023, 1, 1) + timedelta(days=days * 2))
    full = calendar.filter((pl.col("close_at") - pl.col("open_at")) == timedelta(minutes=PER_SESSION)).head(days)
    session = np.repeat(full["session"].to_physical().to_numpy(), PER_SESSION)
    opened_at = np.repeat(full["open_at"].dt.epoch("us").to_numpy(), PER_SESSION)
    minute = np.tile(np.arange(570, 570 + PER_SESSION, dtype=np.int16), days)
    start = opened_at + (minute.astype(np.int64) - 570) * 60_000_000
    shape = np.tile(1 + 2 * np.linspace(-1, 1, PER_SESSION) ** 2, days)
    size = len(start)
    columns: dict[str, list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = {
        name: [] for name in ("open", "high", "low", "close", "volume")
    }
    for _ in range(tickers):
        close = np.round(100 * np.exp(np.cumsum(rng.standard_normal(size) * 0.0007)), 2)
        opened = np.round(np.concatenate(([100.0], close[:-1])) * np.exp(rng.standard_normal(size) * 0.0002), 2)
        columns["open"].append(opened)
        columns["close"].append(close)
        columns["high"].append(np.round(np.maximum(opened, close) * (1 + np.abs(rng.standard_normal(size)) * 0.0004), 2))
        columns["low"].append(np.round(np.minimum(opened, close) * (1 - np.abs(rng.standard_normal(size)) * 0.0004), 2))
        columns["volume"].append(np.round(np.exp(rng.standard_normal(size) * 0.8) * 20_000 * shape))
    names = pl.concat([pl.repeat(f"T{number:03d}", size, dtype=pl.String, eager=True) for number in range(tickers)])
    return pl.DataFrame(
        {
            "ticker": names,
            "timestamp": pl.Series(np.tile(start, tickers)).cast(pl.Datetime("us", "UTC")),
            **{name: np.concatenate(parts) for name, parts in columns.items()},
            "session": pl.Series(np.tile(session, tickers)).cast(pl.Date),
            "minute": np.tile(minute, tickers),
            "close_minute": np.full(size * tickers, 960, dtype=np.int16),
        }
    ).rechunk()


def wide(bars: pl.DataFrame) -> Wide:
    tickers = bars["ticker"].n_unique()
    names = ("open", "high", "low", "close", "volume")
    return Wide(*(np.ascontiguousarray(bars[name].to_numpy().reshape(tickers, -1).T) for name in names), PER_SESSION)


def our_job(bars: pl.DataFrame) -> BacktestResult:
    strategy = compile_strategy(SCAN, EXECUTION)
    tickers = len(bars) // (PER_SESSION * 250) or 1
    result = run_backtest(strategy, strategy.evaluate(bars), account(tickers), COSTS)
    assert result.trades.width  # the frame of trades is part of the job, and made when it is asked for
    return result
