"""The market: cached bars, their import and checks, the exchange calendar, and the context around every bar.

Public names load on first use: who reads bars need not wait for what imports them or makes a demo market.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.on_use import names_on_use

if TYPE_CHECKING:
    from lab.market.cache import BarsCache, Coverage
    from lab.market.calendar import trading_sessions
    from lab.market.context import CONTEXT_SCHEMA, load_market
    from lab.market.demo import DEMO_EDGES, DemoOutcome, EdgeStrength, MarketFrames, block_shuffled, make_demo_market, make_market_frames
    from lab.market.errors import CacheUnwritable, DamagedBars, MarketError, MissingBars, MixedBars, UnknownColumns, UnreadableFile
    from lab.market.files import FilePlan, file_head, inspect_file
    from lab.market.importing import ImportOutcome, import_file
    from lab.market.problems import Problem, ProblemKind

__all__ = [
    "CONTEXT_SCHEMA",
    "DEMO_EDGES",
    "BarsCache",
    "CacheUnwritable",
    "Coverage",
    "DamagedBars",
    "DemoOutcome",
    "EdgeStrength",
    "FilePlan",
    "ImportOutcome",
    "MarketError",
    "MarketFrames",
    "MissingBars",
    "MixedBars",
    "Problem",
    "ProblemKind",
    "UnknownColumns",
    "UnreadableFile",
    "block_shuffled",
    "file_head",
    "import_file",
    "inspect_file",
    "load_market",
    "make_demo_market",
    "make_market_frames",
    "trading_sessions",
]

_MODULES = {
    "cache": (
        "BarsCache",
        "Coverage",
    ),
    "calendar": ("trading_sessions",),
    "context": (
        "CONTEXT_SCHEMA",
        "load_market",
    ),
    "demo": (
        "DEMO_EDGES",
        "DemoOutcome",
        "EdgeStrength",
        "MarketFrames",
        "block_shuffled",
        "make_demo_market",
        "make_market_frames",
    ),
    "errors": (
        "CacheUnwritable",
        "DamagedBars",
        "MarketError",
        "MissingBars",
        "MixedBars",
        "UnknownColumns",
        "UnreadableFile",
    ),
    "files": (
        "FilePlan",
        "file_head",
        "inspect_file",
    ),
    "importing": (
        "ImportOutcome",
        "import_file",
    ),
    "problems": (
        "Problem",
        "ProblemKind",
    ),
}


__getattr__ = names_on_use(__name__, _MODULES)
