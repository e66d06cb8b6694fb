"""What a pattern's scripts depend on: the agent's temper and the length of a bar."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum

from lab.agents.demands import limits
from lab.agents.personality import risk_config
from lab.agents.strategist import Brief
from lab.agents.words import mentions

SESSION_MINUTES = 390
_UNIT_MINUTES = {"m": 1.0, "h": 60.0, "d": float(SESSION_MINUTES), "w": 5.0 * SESSION_MINUTES}
_SHORT_WORDS = (
    "short",
    "shorts",
    "shorting",
    "short selling",
    "long and short",
    "both directions",
    "both sides",
    "sell rallies",
    "falling stocks",
)
_NO_SALE = re.compile(
    r"short[\s-]+(?:term|squeeze\w*|stay|hold\w*|time\w*|period|window|moving|ema|sma|lived|while)|in\s+short\b", re.IGNORECASE
)
"""Where "short" is no direction."""
_SHORT_ONLY = ("short* only", "only short*", "short side only", "only ~ short side", "only sell* short")
_LONGS = ("longs", "go long")
_LONG_ONLY = ("long* only", "only long*", "long side only", "only ~ long side", "only buy*")


class Horizon(Enum):
    """Which clock a strategy lives by."""

    MINUTES = "minutes"
    """Bars up to a quarter of an hour: minutes of the day mean something, nothing is held overnight."""
    HOURS = "hours"
    """A few bars a session: positions last for sessions."""
    DAYS = "days"
    """One bar a session or less: there is no time of day."""


def bar_minutes(timeframe: str) -> float:
    """Minutes of trading in a bar: "5m" 5, "1h" 60, "1d" 390. A timeframe not understood counts as minutes of one."""
    found = re.fullmatch(r"(\d+)\s*([mhdw])\w*", timeframe.strip().lower())
    return float(found.group(1)) * _UNIT_MINUTES[found.group(2)] if found else 1.0


def horizon_of(timeframe: str) -> Horizon:
    minutes = bar_minutes(timeframe)
    if minutes <= 15:
        return Horizon.MINUTES
    return Horizon.HOURS if minutes < SESSION_MINUTES else Horizon.DAYS


@dataclass(frozen=True, slots=True)
class Setting:
    """The choices a pattern makes its scripts from."""

    horizon: Horizon
    bar_minutes: float
    risk: str
    style: str
    risk_percent: float
    shorts: bool
    """Whether the person speaks of selling short."""
    context: frozenset[str]
    markets: tuple[str, ...]
    longs: bool = True
    """Whether the person wants longs: all but those who say "short only" do."""

    def pick(self, conservative: float, balanced: float, aggressive: float) -> float:
        """The number that suits the agent's risk."""
        return {"conservative": conservative, "aggressive": aggressive}.get(self.risk, balanced)

    def bars(self, minutes: float, hours: int, days: int) -> int:
        """A window in bars: so many minutes on the minute horizon, else the number given for it."""
        if self.horizon is Horizon.MINUTES:
            return max(2, round(minutes / self.bar_minutes))
        return hours if self.horizon is Horizon.HOURS else days

    def ranges(self, minutes: float, hours: float, days: float) -> float:
        """A distance in average bar ranges; `minutes` is for 1-minute bars, and ranges grow with the root of time."""
        if self.horizon is Horizon.MINUTES:
            return max(1.0, round(2 * minutes / math.sqrt(self.bar_minutes)) / 2)
        return hours if self.horizon is Horizon.HOURS else days

    def move(self, minutes: float, hours: float, days: float) -> float:
        """A price move in percent that is notable on this horizon."""
        return {Horizon.MINUTES: minutes, Horizon.HOURS: hours}.get(self.horizon, days)

    @property
    def intraday(self) -> bool:
        return self.horizon is Horizon.MINUTES


def setting_of(brief: Brief) -> Setting:
    """The setting of a brief; its risk limits win over those usual for its temper."""
    usual = risk_config(brief.personality)
    asked = limits(brief.guidance).risk_percent or float(brief.risk_config.get("risk_percent", usual["risk_percent"]))
    said = _NO_SALE.sub(" ", f"{brief.instructions}. {brief.guidance}")
    short_only = bool(mentions(said, _SHORT_ONLY) or (mentions(said, _LONGS, negated=True) and not mentions(said, _LONGS)))
    long_only = bool(mentions(said, _LONG_ONLY))
    shorts = short_only or bool(mentions(said, _SHORT_WORDS))
    return Setting(
        horizon=horizon_of(brief.timeframe),
        bar_minutes=bar_minutes(brief.timeframe),
        risk=brief.personality.risk,
        style=brief.personality.style,
        risk_percent=asked,
        shorts=shorts and not (long_only and not short_only),
        longs=not short_only or long_only,
        context=brief.context,
        markets=brief.personality.markets,
    )
