"""The errors of the backtest room: each a sentence that says what to change."""

from __future__ import annotations

from lab.errors import LabError


class BacktestError(LabError):
    """A backtest can't be run on what it was given: bars, columns or settings."""
