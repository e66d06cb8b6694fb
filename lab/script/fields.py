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
        """ "market", "levels", "news" or "prev_day"; empty for the bar's own columns."""
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
        Field("market.breadth", "share of the universe's tickers above their own 20-session mean at the previous close, in percent"),
        Field("levels.support", "nearest support level below the close, from swings known by now"),
        Field("levels.resistance", "nearest resistance level above the close, from swings known by now"),
        Field("levels.support_touches", "how many swings of the last sessions agree on levels.support"),
        Field("levels.support_age", "sessions since the first of those swings was confirmed"),
        Field("levels.support_strength", "touches of levels.support, each worth 1 when new and fading to 0 until it is forgotten"),
        Field("levels.resistance_touches", "how many swings of the last sessions agree on levels.resistance"),
        Field("levels.resistance_age", "sessions since the first of those swings was confirmed"),
        Field("levels.resistance_strength", "touches of levels.resistance, each worth 1 when new and fading to 0 until it is forgotten"),
        Field("levels.pivot", "classic pivot: (high + low + close) / 3 of the previous session"),
        Field("levels.r1", "first classic pivot resistance"),
        Field("levels.r2", "second classic pivot resistance"),
        Field("levels.r3", "third classic pivot resistance"),
        Field("levels.s1", "first classic pivot support"),
        Field("levels.s2", "second classic pivot support"),
        Field("levels.s3", "third classic pivot support"),
        *(
            Field(f"levels.fib_{side}{number}", f"Fibonacci pivot {word} {number}: the pivot {sign} {share} of the last session's range")
            for side, word, sign in (("r", "resistance", "+"), ("s", "support", "-"))
            for number, share in ((1, "0.382"), (2, "0.618"), (3, "1"))
        ),
        *(
            Field(f"levels.cam_{side}{number}", f"Camarilla pivot {word} {number}: the previous close {sign} 1.1 / {part} of its range")
            for side, word, sign in (("r", "resistance", "+"), ("s", "support", "-"))
            for number, part in ((1, 12), (2, 6), (3, 4), (4, 2))
        ),
        Field("prev_day.open", "open of the previous session"),
        Field("prev_day.high", "high of the previous session"),
        Field("prev_day.low", "low of the previous session"),
        Field("prev_day.close", "close of the previous session"),
        Field("prev_day.volume", "volume of the previous session"),
        Field("news.count_1d", "articles about the ticker since this time of day one trading session ago; missing where no news is kept"),
        Field("news.count_3d", "articles about the ticker since this time of day three trading sessions ago"),
        Field("news.sentiment", "mean of the vendor's word (1 good, 0 neutral, -1 bad) on the articles of news.count_1d that have one"),
        Field("news.hours_since", "hours since the newest article about the ticker was published"),
    )
}

NAMESPACES: tuple[str, ...] = tuple(sorted({field.namespace for field in FIELDS.values() if field.namespace}))
