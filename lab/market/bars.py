"""The columns of bars and how raw bars are placed in their trading session."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lab.market.calendar import ZONE, trading_sessions
from lab.market.timeframes import DAILY, timeframe_minutes

TIMESTAMP = pl.Datetime("us", "UTC")
PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")

RAW_SCHEMA: dict[str, pl.DataType] = {"timestamp": TIMESTAMP, **dict.fromkeys(VALUES, pl.Float64())}
"""What a series is written from: the UTC start of each bar, prices in dollars, volume in shares."""

SERIES_SCHEMA: dict[str, pl.DataType] = {
    **RAW_SCHEMA,
    "session": pl.Date(),
    "minute": pl.Int16(),
    "close_minute": pl.Int16(),
    "regular": pl.Boolean(),
}
"""What the cache keeps of a ticker: the raw columns and the bar's place in its New York session."""

CONTEXT_DAYS = 430
"""How many calendar days before a session its context may look back: 292 sessions of the market, with room for holidays."""

SYNTHETIC_SOURCE = "demo"
"""The source of bars that nobody ever traded."""

BARS_SCHEMA: dict[str, pl.DataType] = {"ticker": pl.String(), **{k: v for k, v in SERIES_SCHEMA.items() if k != "regular"}}
"""What is read from the cache, regular hours only, sorted by ticker and timestamp."""


def place_in_sessions(raw: pl.DataFrame, timeframe: str, schedule: pl.DataFrame | None = None) -> pl.DataFrame:
    """Sort one ticker's raw bars and add `session`, `minute`, `close_minute` and `regular` (see `SERIES_SCHEMA`).

    A bar is regular when a part of it lies between the session's open and close. One that straddles the open (an hourly
    bar named 09:00) starts at the open from here on, since that is when it can first be traded. A daily bar starts at its
    session's open, whatever hour it was stamped with. `schedule` is the result of `trading_sessions` where the caller has it.
    """
    length = timeframe_minutes(timeframe)
    local = pl.col("timestamp").dt.convert_time_zone(ZONE)
    bars = (
        raw.lazy()
        .select(pl.col(name).cast(kind) for name, kind in RAW_SCHEMA.items())
        .sort("timestamp")
        .with_columns(session=local.dt.date(), minute=local.dt.hour().cast(pl.Int16) * 60 + local.dt.minute().cast(pl.Int16))
    )
    if schedule is None:
        first, last = _span(raw)
        schedule = trading_sessions(first, last)
    bars = bars.join(schedule.lazy().drop("close_at"), on="session", how="left", maintain_order="left")
    if timeframe == DAILY:
        inside = pl.col("open_at").is_not_null()
        bars = bars.with_columns(
            timestamp=pl.coalesce("open_at", "timestamp"),
            minute=pl.coalesce("open_minute", "minute"),
            regular=inside,
        )
    else:
        minute = pl.col("minute")
        inside = ((minute < pl.col("close_minute")) & (minute + length > pl.col("open_minute"))).fill_null(False)
        early = inside & (minute < pl.col("open_minute"))
        bars = bars.with_columns(
            timestamp=pl.when(early).then("open_at").otherwise("timestamp"),
            minute=pl.when(early).then("open_minute").otherwise("minute"),
            regular=inside,
        )
    return bars.select(pl.col(name).cast(kind) for name, kind in SERIES_SCHEMA.items()).collect()


def _span(raw: pl.DataFrame) -> tuple[date, date]:
    stamps = raw.select(first=pl.col("timestamp").min().dt.date(), last=pl.col("timestamp").max().dt.date())
    first, last = stamps.row(0)
    if first is None:
        return date(2000, 1, 1), date(2000, 1, 1)
    day = timedelta(days=1)
    return first - day, last + day
