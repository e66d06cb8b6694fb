"""The edges planted in the demo market: their rules in the lab's own language, and how strongly each strength plants them.

Each acts only when all its conditions hold. Where a trader sees nearly the same, but the condition that makes it work is
missing, the pattern loses, besides its costs: that is what a refinement can find out. Sizes are those of the strength
*medium*; *weak* is half of that, *strong* half as much again, *none* nothing at all. See `EdgeSettings` for what is measured how.

1. VWAP bounce. A dip to the session's VWAP that closes above it on loud volume is bought. In a falling market, or on
   half-hearted volume, it does not hold and the price falls on. Quiet dips mean nothing.
2. Gap continuation. A gap up on a rush of volume goes on for the first hour; on ordinary volume it fades. Gaps down mean nothing.
3. Reversal at a level. A sell-off right into support turns, one that only comes near it falls on; mirrored at a resistance.
   Elsewhere it means nothing.

Edges 1 and 3 look for a bar from the 21st minute on and start nothing in the last 45 minutes of a session; a stock with one
drift of a kept promise under way starts no other. What all pushes add up to on average is taken off evenly over the day, so
that holding the stocks earns nothing by it. Besides, the market drifts a little in its rising and falling states, which is too little
to pay for trading it within a day.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum


class EdgeStrength(StrEnum):
    """How strongly edges are planted.

    Trading exactly by a rule of `planted` over 200 sessions of 12 stocks gave these annual Sharpe ratios after costs (VWAP bounce, gap
    continuation, reversal at a level, which is traded both ways; means of seeds 1 to 3, a single market scatters by one or two around
    them): weak 0.5, 2.2, 1.2; medium 3.6, 3.9, 5.6; strong 6.0, 5.0, 7.6. Without edges the rules lose. What they earned on the markets
    of the studies, and how often agents found them, is in docs/calibration.md.
    """

    NONE = "none"
    WEAK = "weak"
    MEDIUM = "medium"
    STRONG = "strong"

    @property
    def scale(self) -> float:
        """Of the sizes at medium strength."""
        return {EdgeStrength.NONE: 0.0, EdgeStrength.WEAK: 0.5, EdgeStrength.MEDIUM: 1.0, EdgeStrength.STRONG: 1.5}[self]


LOUD_BARS = 20
"""Bars whose mean volume a bar's volume is held against."""
QUIET_END = 45
"""No edge starts in the last minutes of a session, so that each has the time to show."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """When the planted edges act and how hard they push, in basis points of the price, spread over so many bars."""

    bounce_bps: float = 9.0
    """In a market that is flat or rising."""
    break_bps: float = -9.0
    """The same dip in a falling market."""
    lukewarm_bps: float = -3.5
    """The same dip on volume that is only a little up, in any market."""
    bounce_bars: int = 30
    bounce_volume: float = 2.0
    """Volume of the bar against the mean of the last 20 bars, itself included."""
    lukewarm_volume: float = 1.5
    bounce_touch: float = 0.001
    """How far above the session VWAP the bar's low may be, as a share."""
    gap_up: float = 0.01
    gap_volume: float = 2.0
    """Volume of the first five bars against what is usual at that hour."""
    gap_strong_bps: float = 110.0
    gap_weak_bps: float = -45.0
    gap_bars: int = 55
    level_bps: float = 11.0
    """Up from a support; as much down from a resistance."""
    knife_bps: float = -3.5
    """After a sell-off that only comes near a support; as much up after a run that only comes near a resistance."""
    level_bars: int = 30
    level_rsi: float = 25.0
    """RSI below this at a support, above 100 minus this at a resistance."""
    level_near: float = 0.0025
    """How far from the level the close may be, as a share."""
    knife_rsi: float = 29.0
    knife_far: float = 0.006
    """What still counts as near, but is not at the level."""
    trend_bps: float = 4.0
    """The market's drift in a session of its rising state, with the opposite sign in its falling state; spread over all minutes."""

    @property
    def silent(self) -> bool:
        """Whether nothing is planted."""
        return not any(getattr(self, field.name) for field in fields(self) if field.name.endswith("_bps"))


def edge_settings(strength: EdgeStrength) -> EdgeSettings:
    """The sizes at a strength."""
    medium = EdgeSettings()
    sizes = {field.name: getattr(medium, field.name) * strength.scale for field in fields(medium) if field.name.endswith("_bps")}
    return replace(medium, **sizes)


@dataclass(frozen=True, slots=True)
class PlantedEdge:
    """A regularity put into the demo market on purpose."""

    name: str
    rule: str
    """A scan script that signals exactly where the edge acts."""
    execution: str
    """An execution script that holds as long as the edge pushes."""
    strength: str
    """What it pushes and where it turns against who trades it, in words."""


def planted(strength: EdgeStrength) -> tuple[PlantedEdge, ...]:
    """The edges as they are planted at a strength; none at `NONE`."""
    if strength is EdgeStrength.NONE:
        return ()
    size = edge_settings(strength)
    return (
        PlantedEdge(
            "VWAP bounce",
            f"near = low <= vwap() * {1 + size.bounce_touch:g} and close > vwap()\n"
            f"loud = volume >= {size.bounce_volume:g} * sma(volume, {LOUD_BARS})\n"
            f"middle = minutes_since_open() >= {LOUD_BARS} and minutes_to_close() > {QUIET_END}\n"
            "long = near and loud and middle and market.trend >= 0\n",
            f"entry = at_open()\nstop = close - 6 * atr(30)\nmax_bars = {size.bounce_bars}\nrisk = 0.5\n",
            f"{size.bounce_bps:+g} bps over the next {size.bounce_bars} bars, most of it in the first ten; {size.break_bps:+g} bps where "
            f"market.trend < 0; {size.lukewarm_bps:+g} bps on {size.lukewarm_volume:g} to {size.bounce_volume:g} times the mean volume; "
            "nothing on quiet volume",
        ),
        PlantedEdge(
            "gap continuation",
            f"gapped = gap() > {size.gap_up * 100:g}\n"
            f"rush = relative_volume(10) >= {size.gap_volume:g}\n"
            "long = gapped and rush and minutes_since_open() == 4\n",
            f"entry = at_open()\nstop = close - 8 * atr(30)\nmax_bars = {size.gap_bars}\nrisk = 1\n",
            f"{size.gap_strong_bps:+g} bps from the sixth bar to the end of the first hour; {size.gap_weak_bps:+g} bps on ordinary volume; "
            "nothing after gaps down",
        ),
        PlantedEdge(
            "reversal at a level",
            f"middle = minutes_since_open() >= {LOUD_BARS} and minutes_to_close() > {QUIET_END}\n"
            f"sold = rsi(close, 14) < {size.level_rsi:g} and close <= levels.support * {1 + size.level_near:g}\n"
            f"bought = rsi(close, 14) > {100 - size.level_rsi:g} and close * {1 + size.level_near:g} >= levels.resistance\n"
            "long = sold and middle\n"
            "short = bought and middle\n",
            f"entry = at_open()\nstop = close - side * 6 * atr(30)\nmax_bars = {size.level_bars}\nrisk = 0.5\n",
            f"{abs(size.level_bps):g} bps away from the level over the next {size.level_bars} bars; {abs(size.knife_bps):g} bps on "
            f"towards it where RSI(14) is below {size.knife_rsi:g} (above {100 - size.knife_rsi:g}) up to {size.knife_far * 100:g} % "
            "away; nothing elsewhere",
        ),
    )


DEMO_EDGES: tuple[PlantedEdge, ...] = planted(EdgeStrength.MEDIUM)
"""The edges as they are planted by default."""
