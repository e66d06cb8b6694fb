"""What the engine needs to know of a strategy: the constants of its execution script."""

from __future__ import annotations

from typing import Protocol


class Plan(Protocol):
    """The part of an execution script that is the same on every bar (`lab.script.ExecutionPlan` is one)."""

    @property
    def entry_kind(self) -> str:
        """ "at_open", "limit" or "stop_entry"."""

    @property
    def expiry_bars(self) -> int:
        """Bars after the signal's in which a limit or stop entry may fill."""

    @property
    def fractions(self) -> tuple[float, ...]:
        """The share of the position that leaves at each of its targets, 0 to 3 of them. Together at most 1."""

    @property
    def has_exit(self) -> bool: ...

    @property
    def has_trail(self) -> bool:
        """Whether a distance per bar draws the stop after the best price."""

    @property
    def break_even_r(self) -> float | None:
        """The profit, in multiples of the risk from fill to stop, that draws the stop to the fill's price."""

    @property
    def max_bars(self) -> int | None:
        """Bars a position may last; it leaves at the open of the bar after them."""

    @property
    def flat_by_minute(self) -> int | None:
        """New York minute of the day from which no position may be held."""

    @property
    def cooldown_bars(self) -> int:
        """Bars of the ticker that have to pass between leaving and getting in again."""

    @property
    def size_kind(self) -> str:
        """ "risk": `risk_percent` is lost from fill to stop; "move": over the script's distance; "dollars": the script says them."""

    @property
    def risk_percent(self) -> float:
        """Percent of equity lost if the stop is hit at its price, or the price moves by the script's own distance."""


class PlannedStrategy(Protocol):
    """Anything with an execution plan (`lab.script.Strategy` is one)."""

    @property
    def plan(self) -> Plan: ...
