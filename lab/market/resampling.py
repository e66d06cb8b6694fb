"""Longer bars from shorter ones, each session by itself: counted from its opening, the last one as short as the session leaves it."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from lab.market.timeframes import DAILY, MINUTES, timeframe_minutes

_GRID = 30
"""Opening and closing times lie on half hours, so bars that divide one lie on the session's own grid whatever clock they keep to."""


def base_for(timeframe: str, cached: Iterable[str]) -> str | None:
    """The longest of the cached timeframes of which bars on `timeframe` can be made exactly, None where there is none.

    Hours as most vendors cut them (10:00 to 11:00) hold parts of two hours counted from the opening: only days are made of them.
    """
    length = timeframe_minutes(timeframe)

    def fits(name: str) -> bool:
        own = MINUTES.get(name, length)
        return own < length and (timeframe == DAILY or (_GRID % own == 0 and length % own == 0))

    return max((name for name in cached if fits(name)), key=lambda name: MINUTES[name], default=None)


def same_grid_everywhere(timeframe: str) -> bool:
    """Whether bars on the timeframe begin at the same times whether counted from midnight or from the opening."""
    return timeframe == DAILY or _GRID % timeframe_minutes(timeframe) == 0


def resample(bars: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    """Bars of the columns `BARS_SCHEMA` (`regular` too, where it is there; one ticker's without its name) on a longer timeframe.

    A bar starts where its part of the session starts, also when its first minutes had no trade. Bars before the opening and after
    the close are never put together with those of the session; of extended hours no daily bar is made.
    """
    length = timeframe_minutes(timeframe)
    extended = "regular" in bars.columns
    minute, opening = pl.col("minute").cast(pl.Int32), pl.lit(570, pl.Int32)
    if timeframe == DAILY:
        bars = bars.filter("regular") if extended else bars
        start = opening
    else:
        start = opening + (minute - opening).floordiv(length) * length
        if extended:
            # After the close the count begins anew: a half day closes at 13:00.
            closing = pl.col("close_minute").cast(pl.Int32)
            after = closing + (minute - closing).floordiv(length) * length
            start = pl.when(~pl.col("regular") & (minute >= closing)).then(after).otherwise(start)
    keys = [*(name for name in ("ticker", "session", "regular") if name in bars.columns), "#start"]
    grouped = bars.lazy().with_columns(start.alias("#start")).with_columns(pl.struct(keys).rle_id().alias("#bar"))
    longer = grouped.group_by("#bar", maintain_order=True).agg(
        pl.col(*keys).first(),
        # In minutes a session knows no change of clocks: they are turned at night.
        (pl.col("timestamp").first() - pl.duration(minutes=(minute.first() - pl.col("#start").first()))).alias("timestamp"),
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
        pl.col("close_minute").first(),
    )
    return longer.rename({"#start": "minute"}).select(pl.col(name).cast(bars.schema[name]) for name in bars.columns).collect()
