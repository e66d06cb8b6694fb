"""What a backtest trades with: the account's limits and the costs of every fill."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.backtest.errors import BacktestError


@dataclass(frozen=True, slots=True)
class Costs:
    """Trading costs; the defaults fit liquid US large caps. Never silently zero: shown beside every result by `in_words`."""

    commission_bps: float = 0.5
    """Commission and fees per fill, in basis points of its value."""
    slippage_bps: float = 1.0
    """Slippage per fill, in basis points of its value. Charged in dollars, so that a fill's price stays inside its bar."""
    participation_cap: float | None = 0.05
    """Largest share of the filling bar's volume an entry may take; None for no cap (bars without volume)."""
    borrow_bps_per_year: float = 50.0
    """Fee for shares sold short, in basis points of their value a year, per calendar night held."""

    def __post_init__(self) -> None:
        for name in ("commission_bps", "slippage_bps", "borrow_bps_per_year"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value < 5_000):
                raise BacktestError(f"{name} is {value:g}; it must be from 0 to 5000 basis points.")
        if self.participation_cap is not None and not 0 < self.participation_cap <= 1:
            raise BacktestError(f"participation_cap is {self.participation_cap:g}; it must be above 0 and at most 1.")

    @property
    def rate(self) -> float:
        """Commission and slippage of one fill as a fraction of its value."""
        return (self.commission_bps + self.slippage_bps) / 10_000

    def in_words(self) -> str:
        """One line for people, such as "commission 0.5 bps and slippage 1 bps a side, at most 5 % of a bar's volume, …"."""
        cap = "no volume cap" if self.participation_cap is None else f"at most {self.participation_cap * 100:g} % of a bar's volume"
        return (
            f"commission {self.commission_bps:g} bps and slippage {self.slippage_bps:g} bps a side, {cap}, "
            f"borrowing {self.borrow_bps_per_year:g} bps a year"
        )


@dataclass(frozen=True, slots=True)
class Account:
    """One account for all tickers. Fractions are of equity marked to market."""

    starting_equity: float = 100_000.0
    """Dollars."""
    max_positions: int = 5
    """Positions and waiting orders at once, over all tickers."""
    max_exposure: float = 1.0
    """Largest gross value of all positions, as a fraction of equity, measured when a position is opened."""
    max_position: float = 0.25
    """Largest value of one position, as a fraction of equity, measured when it is opened."""
    buying_power: float = 1.0
    """Gross value (entry costs included) the broker allows, as a fraction of equity: 1 for a cash account, 2 or 4 on margin."""
    whole_shares: bool = True
    """False trades fractions of shares."""

    def __post_init__(self) -> None:
        if self.max_positions < 1:
            raise BacktestError(f"max_positions is {self.max_positions}; at least 1 position must be allowed.")
        for name in ("starting_equity", "max_exposure", "max_position", "buying_power"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise BacktestError(f"{name} is {value:g}; it must be above 0.")
