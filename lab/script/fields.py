"""The names of a bar's columns that scripts can read, with their meaning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the bars frame; every value is known when its bar has closed, never later."""

    name: str
    meaning: str

    @property
    def namespace(self) -> str:
        """ "market", "levels" or "prev_day"; empty for the bar's own columns."""
        return self.name.partition(".")[0] if "." in self.name else ""


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("open", "first price of the bar"),
        Field("high", "highest price of the bar"),
        Field("low", "lowest price of the bar"),
        Field("close", "last price of the bar"),
        Field("volume", "shares traded in the bar"),
        Field("market.trend", "daily trend of SPY as of the previous close: 1 up, 0 sideways, -1 down"),
        Field("market.change", "SPY since its previous close, as of this bar, in percent"),
        Field("market.vix", "VIX at the previous close"),
        Field("market.vix_change", "change of the VIX over the previous session, in percent"),
        Field("market.volatility", "realised volatility of SPY against its own past: 0 low, 1 normal, 2 high"),
        Field("levels.support", "nearest support level below the close, from swings known by now"),
        Field("levels.resistance", "nearest resistance level above the close, from swings known by now"),
        Field("levels.pivot", "classic pivot: (high + low + close) / 3 of the previous session"),
        Field("levels.r1", "first classic pivot resistance"),
        Field("levels.r2", "second classic pivot resistance"),
        Field("levels.s1", "first classic pivot support"),
        Field("levels.s2", "second classic pivot support"),
        Field("prev_day.open", "open of the previous session"),
        Field("prev_day.high", "high of the previous session"),
        Field("prev_day.low", "low of the previous session"),
        Field("prev_day.close", "close of the previous session"),
        Field("prev_day.volume", "volume of the previous session"),
    )
}

NAMESPACES: tuple[str, ...] = tuple(sorted({field.namespace for field in FIELDS.values() if field.namespace}))
