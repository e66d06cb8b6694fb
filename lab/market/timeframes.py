"""Timeframes: the length of a bar, by name."""

from __future__ import annotations

from lab.market.errors import MarketError

MINUTES: dict[str, int] = {
    "1m": 1,
    "2m": 2,
    "3m": 3,
    "5m": 5,
    "10m": 10,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "1d": 1440,
}
"""Every timeframe the lab knows, with its length in minutes; "1d" stands for one regular session."""

DAILY = "1d"


def timeframe_minutes(timeframe: str) -> int:
    """The length of a bar in minutes; raises `MarketError` for a name that is not a timeframe."""
    try:
        return MINUTES[timeframe]
    except KeyError:
        raise MarketError(f"“{timeframe}” is not a timeframe; use one of {', '.join(MINUTES)}.") from None
