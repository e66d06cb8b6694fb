"""What a backtest trades with: the account's limits and the costs of every fill."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

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
    commission_per_share: float = 0.0
    """Dollars per share and fill, beside `commission_bps`."""
    slippage_atr: float = 0.0
    """Slippage per share and fill as a share of the ticker's average true range (14 bars, Wilder) before the fill's bar."""
    margin_bps_per_year: float = 600.0
    """Interest on what the account owes, in basis points a year, per calendar night."""

    def __post_init__(self) -> None:
        for name in ("commission_bps", "slippage_bps", "borrow_bps_per_year", "margin_bps_per_year"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value < 5_000):
                raise BacktestError(f"{name} is {value:g}; it must be from 0 to 5000 basis points.")
        if not (math.isfinite(self.commission_per_share) and 0 <= self.commission_per_share <= 10):
            raise BacktestError(f"commission_per_share is {self.commission_per_share:g}; it must be from 0 to 10 dollars.")
        if not (math.isfinite(self.slippage_atr) and 0 <= self.slippage_atr <= 1):
            raise BacktestError(f"slippage_atr is {self.slippage_atr:g}; it must be from 0 to 1, a share of the average true range.")
        if self.participation_cap is not None and not 0 < self.participation_cap <= 1:
            raise BacktestError(f"participation_cap is {self.participation_cap:g}; it must be above 0 and at most 1.")

    @classmethod
    def of(cls, settings: Mapping[str, float | None] | None) -> Costs:
        """The defaults with what `settings` names changed.

        Raises:
            BacktestError: a setting that does not exist, is no number, or is out of bounds.
        """
        known = [field.name for field in fields(cls)]
        for name, value in (settings or {}).items():
            if name not in known:
                raise BacktestError(f"There is no cost called {name}: there are {', '.join(known)}.")
            if isinstance(value, bool) or not isinstance(value, int | float | None) or (value is None and name != "participation_cap"):
                raise BacktestError(f"{name} must be a number, not {value!r}.")
        return cls(**dict(settings or {}))  # type: ignore[arg-type]  # each was checked just above

    def changed(self) -> dict[str, float | None]:
        """What differs from the defaults: the settings `of` needs to give the same."""
        usual = Costs()
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(usual, name)}

    @property
    def rate(self) -> float:
        """Commission and slippage of one fill as a fraction of its value, beside what is charged per share."""
        return (self.commission_bps + self.slippage_bps) / 10_000

    def in_words(self) -> str:
        """One line for people, such as "commission 0.5 bps and slippage 1 bps a side, at most 5 % of a bar's volume, …"."""
        commission = _joined(self.commission_bps, f"{self.commission_per_share * 100:g} cents a share" if self.commission_per_share else "")
        slippage = _joined(self.slippage_bps, f"{self.slippage_atr * 100:g} % of the ATR" if self.slippage_atr else "")
        cap = "no volume cap" if self.participation_cap is None else f"at most {self.participation_cap * 100:g} % of a bar's volume"
        return (
            f"commission {commission} and slippage {slippage} a side, {cap}, "
            f"borrowing {self.borrow_bps_per_year:g} bps and margin {self.margin_bps_per_year:g} bps a year"
        )


def _joined(bps: float, more: str) -> str:
    return more if more and not bps else " plus ".join([f"{bps:g} bps", *([more] if more else [])])


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
    min_position: float = 0.01
    """Least value of one position, as a fraction of equity: what is left of a full account is not worth a trade."""

    def __post_init__(self) -> None:
        if self.max_positions < 1:
            raise BacktestError(f"max_positions is {self.max_positions}; at least 1 position must be allowed.")
        for name in ("starting_equity", "max_exposure", "max_position", "buying_power"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise BacktestError(f"{name} is {value:g}; it must be above 0.")
        if not 0 <= self.min_position < self.max_position:
            raise BacktestError(f"min_position is {self.min_position:g}; it must be from 0 to below max_position, {self.max_position:g}.")
