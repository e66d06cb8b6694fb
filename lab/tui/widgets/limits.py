"""An agent's limits on risk as a person says them: fractions of equity as percent, each with what it is of."""

from __future__ import annotations

from dataclasses import dataclass

from lab.tui.text import clean


@dataclass(frozen=True, slots=True)
class Limit:
    label: str
    unit: str
    """What follows the number, such as "% of equity"."""
    meaning: str
    scale: float = 1.0
    """The shown number over the stored one: 100 for a fraction shown as percent."""


LIMITS: dict[str, Limit] = {
    "risk_percent": Limit("one trade", "% of equity", "lost on one trade if its stop is hit"),
    "max_positions": Limit("positions", "at a time", "at most"),
    "max_exposure": Limit("exposure", "% of equity", "in all positions together, at most", 100.0),
    "max_position": Limit("one position", "% of equity", "in one position, at most", 100.0),
}


def limit_of(name: str) -> Limit:
    """How a limit is shown; one not known here is shown as it is stored."""
    return LIMITS.get(name) or Limit(clean(name.replace("_", " ")), "", "")


def shown(name: str, value: float) -> str:
    """The number as it is shown and typed: an exposure of 0.8 is "80"."""
    return f"{value * limit_of(name).scale:g}"


def stored(name: str, typed: str) -> float:
    """The limit for what was typed. Raises ValueError where that is no number."""
    return float(f"{float(typed) / limit_of(name).scale:.10g}")


def in_words(name: str, value: float) -> str:
    """Such as "80 % of equity in all positions together, at most"."""
    limit = limit_of(name)
    return " ".join(part for part in (shown(name, value), limit.unit, limit.meaning) if part)
