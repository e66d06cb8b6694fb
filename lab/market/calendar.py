"""The trading sessions of the New York Stock Exchange: dates, opening and closing times, half days."""

from __future__ import annotations

import warnings
from datetime import date
from functools import lru_cache

import polars as pl

EXCHANGE = "XNYS"
ZONE = "America/New_York"
_FIRST_KNOWN = date(1960, 1, 4)
_YEARS_AHEAD = 1


@lru_cache(maxsize=1)
def _schedule() -> pl.DataFrame:
    # The calendar library brings pandas with it, which takes a second to import: only on first need, once a process.
    import numpy as np
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

    until = date(date.today().year + _YEARS_AHEAD, 12, 31)
    with warnings.catch_warnings():
        # It uses what the pandas of tomorrow will drop: for its makers to mend, not for the person to read.
        warnings.simplefilter("ignore", DeprecationWarning)
        schedule = XNYSExchangeCalendar(start=_FIRST_KNOWN.isoformat(), end=until.isoformat()).schedule
    nanoseconds = {
        "session": np.asarray(schedule.index.to_numpy(dtype="datetime64[ns]")),
        "open_at": np.asarray(schedule["open"].dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")),
        "close_at": np.asarray(schedule["close"].dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")),
    }
    frame = pl.DataFrame(nanoseconds)
    return frame.select(
        pl.col("session").cast(pl.Date),
        pl.col("open_at", "close_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    ).with_columns(
        open_minute=_minute_of_day("open_at"),
        close_minute=_minute_of_day("close_at"),
    )


def _minute_of_day(column: str) -> pl.Expr:
    local = pl.col(column).dt.convert_time_zone(ZONE).dt
    return local.hour().cast(pl.Int16) * 60 + local.minute().cast(pl.Int16)


def trading_sessions(first: date, last: date) -> pl.DataFrame:
    """The regular sessions from `first` to `last`, both included.

    Columns: `session` (Date), `open_at` and `close_at` (UTC), `open_minute` and `close_minute` (New York minutes since
    midnight: 570 and 960 on a full day, 780 as the close of a half day). Known from 1960 to the end of next year.
    """
    return _schedule().filter(pl.col("session").is_between(first, last))
