"""The bars around a trade as numbers: relative to its entry, so that no price says which stock or year it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.agents.jobs import BarsSlice
from lab.agents.loading import market_bars

BEFORE, AFTER, MOST = 12, 3, 40
"""Bars shown before the signal and after the exit, and in all."""


@dataclass(frozen=True, slots=True)
class TradeSpan:
    """Which trade is looked at."""

    ticker: str
    signal_at: datetime
    exit_at: datetime
    entry_price: float


def trade_bars_job(bars: BarsSlice, trade: TradeSpan) -> str:
    """A line a bar: New York time, open, high, low and close with the entry at 100, volume against the mean of those shown.

    Of a long trade the middle is left out. Runs in a process of the pool.
    """
    import polars as pl

    frame = market_bars(bars).filter(pl.col("ticker") == trade.ticker).sort("timestamp")
    at = frame["timestamp"].search_sorted(trade.signal_at)
    end = frame["timestamp"].search_sorted(trade.exit_at + timedelta(seconds=1))
    shown = frame.slice(max(0, at - BEFORE), end + AFTER - max(0, at - BEFORE))
    cut = max(0, shown.height - MOST)
    if cut:
        shown = pl.concat([shown.head(MOST // 2), shown.tail(MOST // 2)])
    if shown.is_empty():
        return "No bars are kept of that trade."
    mean = float(str(shown["volume"].mean() or 1.0)) or 1.0
    lines = ["time, open, high, low, close (entry = 100), volume (mean = 1)"]
    times = shown["timestamp"].dt.convert_time_zone("America/New_York")
    for number, (time, row) in enumerate(zip(times, shown.iter_rows(named=True), strict=True)):
        if cut and number == MOST // 2:
            lines.append(f"({cut} bars left out)")
        prices = ", ".join(f"{row[name] / trade.entry_price * 100:.2f}" for name in ("open", "high", "low", "close"))
        mark = " signal" if row["timestamp"] == trade.signal_at else " exit" if row["timestamp"] == trade.exit_at else ""
        lines.append(f"{time:%H:%M} {prices}, {row['volume'] / mean:.1f}{mark}")
    return "\n".join(lines)
