"""Where a result comes from: its trades by direction, ticker, month, hour, weekday and market regime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from lab.backtest.statistics import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

NEW_YORK = "America/New_York"
_TRENDS = {-1: "down", 0: "flat", 1: "up"}
_VOLATILITIES = {0: "low", 1: "normal", 2: "high"}
_WEEKDAYS = {1: "Monday", 2: "Tuesday", 3: "Wednesday", 4: "Thursday", 5: "Friday", 6: "Saturday", 7: "Sunday"}


@dataclass(frozen=True, slots=True)
class Part:
    """The trades that have one thing in common. All after costs."""

    name: str
    trades: int
    wins: int
    win_rate: float
    win_rate_interval: tuple[float, float]
    """Wilson, 95 %."""
    mean_r: float
    pnl: float
    """Dollars."""
    profit_factor: float | None
    """None without a losing trade."""
    costs: float
    """Dollars."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """All trades, cut one way."""

    by: str
    """"direction", "ticker", "month", "hour of entry", "weekday", "market trend" or "market volatility"."""
    parts: tuple[Part, ...]
    """In natural order."""


def break_down(trades: pl.DataFrame) -> tuple[Breakdown, ...]:
    """Trades of a backtest by everything known of them; the hour is New York's, of the entry.

    By regime where the frame has the columns `market.trend` and `market.volatility`, as known when the signal came; trades
    without a known regime are left out there. Ways in which there is no trade are left out.
    """
    entry = pl.col("entry_at").dt.convert_time_zone(NEW_YORK)
    keys: dict[str, tuple[pl.Expr, Mapping[int, str] | None]] = {
        "direction": (pl.col("direction"), None),
        "ticker": (pl.col("ticker"), None),
        "month": (pl.col("session").dt.strftime("%Y-%m"), None),
        "hour of entry": (entry.dt.strftime("%H:00"), None),
        "weekday": (pl.col("session").dt.weekday(), _WEEKDAYS),
    }
    if "market.trend" in trades.columns:
        keys["market trend"] = (pl.col("market.trend"), _TRENDS)
    if "market.volatility" in trades.columns:
        keys["market volatility"] = (pl.col("market.volatility"), _VOLATILITIES)
    found = []
    for by, (key, names) in keys.items():
        if parts := _parts(trades, key, names):
            found.append(Breakdown(by, parts))
    return tuple(found)


def _parts(trades: pl.DataFrame, key: pl.Expr, names: Mapping[int, str] | None) -> tuple[Part, ...]:
    pnl = pl.col("pnl")
    rows = (
        trades.with_columns(key.alias("_key"))
        .filter(pl.col("_key").is_not_null())
        .group_by("_key")
        .agg(
            pl.len().alias("trades"),
            (pnl > 0).sum().alias("wins"),
            pl.col("r_multiple").mean().alias("mean_r"),
            pnl.sum().alias("pnl"),
            pnl.filter(pnl > 0).sum().alias("gained"),
            (-pnl.filter(pnl <= 0).sum()).alias("lost"),
            pl.col("costs").sum().alias("costs"),
        )
        .sort("_key")
    )
    return tuple(
        Part(
            name=str(row["_key"]) if names is None else names.get(int(row["_key"]), str(row["_key"])),
            trades=row["trades"],
            wins=row["wins"],
            win_rate=row["wins"] / row["trades"],
            win_rate_interval=wilson_interval(row["wins"], row["trades"]),
            mean_r=row["mean_r"],
            pnl=row["pnl"],
            profit_factor=row["gained"] / row["lost"] if row["lost"] > 0 else None,
            costs=row["costs"],
        )
        for row in rows.iter_rows(named=True)
    )
