"""The functions of the language, a module a subject."""

from __future__ import annotations

from lab.script.functions import (
    across,
    averages,
    candles,
    conversion,
    levels,
    logic,
    orders,
    oscillators,
    session,
    statistics,
    structure,
    trend,
    volatility,
    volume,
)

ALL = (
    *averages.FUNCTIONS,
    *oscillators.FUNCTIONS,
    *trend.FUNCTIONS,
    *volatility.FUNCTIONS,
    *volume.FUNCTIONS,
    *session.FUNCTIONS,
    *levels.FUNCTIONS,
    *candles.FUNCTIONS,
    *structure.FUNCTIONS,
    *statistics.FUNCTIONS,
    *logic.FUNCTIONS,
    *across.FUNCTIONS,
    *conversion.FUNCTIONS,
    *orders.FUNCTIONS,
)
"""Every entry, in the order a person reads them."""
