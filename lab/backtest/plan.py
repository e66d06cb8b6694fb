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
    def has_target(self) -> bool: ...

    @property
    def has_exit(self) -> bool: ...

    @property
    def max_bars(self) -> int | None:
        """Bars a position may last; it leaves at the open of the bar after them."""

    @property
    def flat_by_minute(self) -> int | None:
        """New York minute of the day from which no position may be held."""

    @property
    def risk_percent(self) -> float:
        """Percent of equity lost if the stop is hit at its price."""


class PlannedStrategy(Protocol):
    """Anything with an execution plan (`lab.script.Strategy` is one)."""

    @property
    def plan(self) -> Plan: ...
