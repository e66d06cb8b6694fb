"""The demo market: a synthetic exchange with documented edges that can be switched off."""

from __future__ import annotations

from lab.market.demo.edges import DEMO_EDGES, EdgeSettings, EdgeStrength, PlantedEdge, edge_settings
from lab.market.demo.making import DEMO_VERSION, SEED, DemoOutcome, MarketFrames, make_demo_market, make_market_frames
from lab.market.demo.shuffle import block_shuffled
from lab.market.demo.stocks import DEMO_STOCKS, Sector, Stock

__all__ = [
    "DEMO_EDGES",
    "DEMO_STOCKS",
    "DEMO_VERSION",
    "SEED",
    "DemoOutcome",
    "EdgeSettings",
    "EdgeStrength",
    "MarketFrames",
    "PlantedEdge",
    "Sector",
    "Stock",
    "block_shuffled",
    "edge_settings",
    "make_demo_market",
    "make_market_frames",
]
