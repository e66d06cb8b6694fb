"""The stocks of the demo market and the sectors they move with. None of them exists."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Sector(StrEnum):
    """What a stock's company does: stocks of one sector move together beyond what the market explains."""

    TECHNOLOGY = "technology"
    FINANCE = "finance"
    ENERGY = "energy"
    HEALTH = "health"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class Stock:
    """What sets one synthetic stock apart from the next."""

    ticker: str
    sector: Sector
    price: float
    beta: float
    """To the market."""
    daily_volatility: float
    """Standard deviation of its own return within a session, without the parts of market and sector, in calm-to-normal times."""
    daily_shares: float


_T, _F, _E, _H, _C = Sector

DEMO_STOCKS: tuple[Stock, ...] = (
    Stock("ALTO", _T, 182.40, 1.25, 0.0120, 14e6),
    Stock("BRIX", _F, 96.15, 0.95, 0.0100, 9e6),
    Stock("CIRQ", _T, 241.70, 1.35, 0.0135, 22e6),
    Stock("DELV", _C, 68.90, 0.75, 0.0092, 8e6),
    Stock("EMBR", _E, 129.35, 1.05, 0.0120, 11e6),
    Stock("FJRD", _F, 310.20, 1.05, 0.0105, 6e6),
    Stock("GLOW", _C, 154.80, 1.10, 0.0118, 12e6),
    Stock("HELX", _H, 88.45, 0.90, 0.0125, 10e6),
    Stock("IRIS", _H, 203.10, 0.85, 0.0112, 9e6),
    Stock("JUNE", _C, 117.60, 0.80, 0.0096, 7e6),
    Stock("KITE", _T, 275.90, 1.40, 0.0140, 18e6),
    Stock("LUMA", _E, 143.25, 1.15, 0.0130, 13e6),
    Stock("MOSS", _H, 74.30, 0.75, 0.0094, 8e6),
    Stock("NOVA", _T, 192.75, 1.25, 0.0130, 16e6),
    Stock("OPAL", _F, 106.40, 0.90, 0.0100, 9e6),
    Stock("PYRE", _E, 62.85, 1.10, 0.0138, 15e6),
    Stock("QUIL", _F, 228.60, 0.95, 0.0104, 6e6),
    Stock("RUNE", _T, 135.95, 1.20, 0.0122, 10e6),
    Stock("SAGE", _H, 167.20, 0.80, 0.0098, 7e6),
    Stock("TIDE", _E, 352.50, 1.00, 0.0110, 5e6),
    Stock("UMBR", _C, 81.75, 0.95, 0.0110, 9e6),
    Stock("VELA", _T, 158.30, 1.30, 0.0132, 17e6),
    Stock("WREN", _F, 119.05, 1.00, 0.0102, 8e6),
    Stock("XENI", _H, 214.60, 1.00, 0.0138, 6e6),
    Stock("YARN", _C, 58.20, 0.85, 0.0105, 11e6),
    Stock("ZEST", _C, 132.90, 0.90, 0.0108, 9e6),
    Stock("ACRE", _F, 91.35, 1.10, 0.0112, 10e6),
    Stock("BOLT", _E, 176.45, 1.05, 0.0126, 12e6),
    Stock("CLAY", _E, 85.60, 0.95, 0.0115, 9e6),
    Stock("DUSK", _T, 208.15, 1.35, 0.0136, 15e6),
    Stock("ECHO", _T, 99.80, 1.20, 0.0128, 13e6),
    Stock("FERN", _H, 146.70, 0.85, 0.0104, 7e6),
    Stock("GUST", _E, 111.25, 1.10, 0.0122, 10e6),
    Stock("HALO", _H, 264.40, 0.90, 0.0118, 6e6),
    Stock("INKY", _C, 73.55, 1.00, 0.0114, 10e6),
    Stock("JADE", _F, 187.90, 1.00, 0.0106, 8e6),
    Stock("KELP", _C, 94.85, 0.80, 0.0098, 8e6),
    Stock("LYNX", _T, 228.05, 1.30, 0.0130, 14e6),
    Stock("MICA", _F, 139.50, 1.15, 0.0110, 9e6),
    Stock("NECT", _H, 122.35, 0.95, 0.0120, 8e6),
)
"""In the order in which they are taken: a market of twelve has the first twelve."""

SPLIT_TICKER = "EMBR"
SPLIT_RATIO = 2
"""The stock that splits once, 2:1; its bars before are adjusted as a vendor's would be."""
