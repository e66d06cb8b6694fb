"""The market: cached bars, their import and checks, the exchange calendar, and the context around every bar."""

from __future__ import annotations

from lab.market.cache import BarsCache, Coverage
from lab.market.calendar import trading_sessions
from lab.market.context import CONTEXT_SCHEMA, load_market
from lab.market.demo import DEMO_EDGES, DemoOutcome, make_demo_market
from lab.market.errors import CacheUnwritable, DamagedBars, MarketError, MissingBars, UnreadableFile

__all__ = [
    "CONTEXT_SCHEMA",
    "DEMO_EDGES",
    "BarsCache",
    "CacheUnwritable",
    "Coverage",
    "DamagedBars",
    "DemoOutcome",
    "MarketError",
    "MissingBars",
    "UnreadableFile",
    "load_market",
    "make_demo_market",
    "trading_sessions",
]
