"""Whether bars stand where the clock of the market says: on the grid, named by their start, busiest at the session's two ends."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lab.market.calendar import ZONE
from lab.market.problems import Done, Problem, ProblemKind
from lab.market.timeframes import DAILY, timeframe_minutes

_STRAY_SHARE = 0.1
"""Bars off the grid that are fewer than this share are strays; more of them are a way to write times."""
_LEAST_SESSIONS = 20
_END_SESSIONS = 5
_MIDDLE = (150, 240)
"""Minutes after the opening in which a session is quietest."""
_LEAST_ENDS = 0.9
"""Less volume a minute at the two ends than this share of the middle's is no session of New York. Real ones have 1.3 to 4."""
_LEAST_INSIDE = 0.6
"""Less of the volume in regular hours than this share is no session of New York. Shares have 0.9 and more."""
_STALE_BARS = {DAILY: 5, "1h": 10, "2h": 8, "4h": 8}
_STALE_BARS_SHORT = 30


@dataclass(frozen=True, slots=True)
class TimedBars:
    """Bars on the grid, and what was found on the way."""

    bars: pl.DataFrame
    problems: tuple[Problem, ...]


def put_on_grid(bars: pl.DataFrame, timeframe: str) -> TimedBars:
    """Intraday bars (see `RAW_SCHEMA`) at the times their timeframe has, counted from midnight or from the opening.

    A few strays are left out: what they span isn't known. Where many are off the grid (09:30:59 and the like), each is put to
    the start of its bar; of two that meet there the first stays.
    """
    if timeframe == DAILY or bars.is_empty():
        return TimedBars(bars, ())
    length = timeframe_minutes(timeframe)
    local = pl.col("timestamp").dt.convert_time_zone(ZONE).dt
    minute = local.hour().cast(pl.Int32) * 60 + local.minute().cast(pl.Int32)
    whole = pl.col("timestamp").dt.truncate("1m") == pl.col("timestamp")
    on_grid = whole & ((minute % length == 0) | ((minute - 570) % length == 0))
    off = bars.filter(~on_grid)
    if off.is_empty():
        return TimedBars(bars, ())
    first = off["timestamp"].dt.convert_time_zone(ZONE).dt.strftime("%Y-%m-%d %H:%M:%S")[0]
    found = f"{off.height:,} {'bar' if off.height == 1 else 'bars'} off the {timeframe} grid (first {first} New York)"
    if off.height < _STRAY_SHARE * bars.height:
        return TimedBars(bars.filter(on_grid), (Problem(ProblemKind.OFF_GRID, f"{found}: left out.", Done.LEFT_OUT, off.height),))
    back = pl.duration(minutes=minute % length)
    floored = bars.with_columns(
        pl.when(on_grid).then("timestamp").otherwise(pl.col("timestamp").dt.truncate("1m") - back).alias("timestamp")
    )
    kept = floored.unique("timestamp", keep="first", maintain_order=True).sort("timestamp")
    lost = floored.height - kept.height
    also = f"; {lost:,} that met another there were left out" if lost else ""
    return TimedBars(kept, (Problem(ProblemKind.OFF_GRID, f"{found}: put to the start of their bar{also}.", Done.PUT_RIGHT, off.height),))


def named_by_start(bars: pl.DataFrame, placed: pl.DataFrame, timeframe: str) -> TimedBars:
    """Bars that are named by their end moved back by their length: sessions have none at the opening, and one at the close.

    `placed` are the same bars in their sessions. Where there are bars before the opening or after the close nothing is moved.
    """
    length = timeframe_minutes(timeframe)
    if length > 30:
        return TimedBars(bars, ())
    days = placed.filter(pl.col("close_minute").is_not_null())
    beyond = days.filter((pl.col("minute") < 570) | (pl.col("minute") > pl.col("close_minute")))
    ends = days.group_by("session").agg(opening=(pl.col("minute") == 570).any(), closing=(pl.col("minute") == pl.col("close_minute")).any())
    share = ends.select(pl.col("opening").mean(), pl.col("closing").mean()).row(0) if ends.height else (1.0, 0.0)
    if ends.height < _END_SESSIONS or not beyond.is_empty() or share[0] > 0.05 or share[1] < 0.8:
        return TimedBars(bars, ())
    sentence = f"The bars are named by their end (the last at the close, none at the opening): all were moved back by {length} min."
    moved = bars.with_columns(pl.col("timestamp") - pl.duration(minutes=length))
    return TimedBars(moved, (Problem(ProblemKind.OFF_GRID, sentence, Done.PUT_RIGHT, bars.height),))


def zone_problems(placed: pl.DataFrame, timeframe: str) -> tuple[Problem, ...]:
    """Seasons in which the volume is not largest at the session's two ends, as a wrong time zone leaves it."""
    length = timeframe_minutes(timeframe)
    if timeframe == DAILY or length > 60:
        return ()
    local = pl.col("timestamp").dt.convert_time_zone(ZONE).dt
    since = pl.col("minute").cast(pl.Int32) - 570
    days = placed.filter(pl.col("close_minute") == 960).with_columns(summer=local.dst_offset().dt.total_minutes() > 0, since=since)
    end = max(30, length)
    problems = []
    for (summer,), every in days.group_by("summer", maintain_order=True):
        season = every.filter("regular")
        sessions, volume = season["session"].n_unique(), float(season["volume"].sum())
        if sessions < _LEAST_SESSIONS or volume <= 0:
            continue

        def rate(first: int, last: int, season: pl.DataFrame = season) -> float:
            return float(season.filter(pl.col("since").is_between(first, last - 1))["volume"].sum()) / (last - first)

        ends, middle = (rate(0, end) + rate(390 - end, 390)) / 2, rate(*_MIDDLE)
        when = "in summer time" if summer else "in winter time"
        inside = volume / float(every["volume"].sum())
        if inside < _LEAST_INSIDE:
            found = f"Only {inside:.0%} of the volume {when} lies between the opening and the close"
        elif ends < _LEAST_ENDS * middle:
            found = f"The volume {when} is not largest at the opening and the close ({ends / middle:.0%} of the middle of the session)"
        else:
            continue
        sentence = f"{found}: the times may be in another zone. Kept; check the zone and import again."
        problems.append(Problem(ProblemKind.WRONG_ZONE, sentence, Done.KEPT, season.height))
    return tuple(problems)


def stale_problems(placed: pl.DataFrame, timeframe: str) -> tuple[Problem, ...]:
    """Long stretches of bars that all stand at one price without any range."""
    least = _STALE_BARS.get(timeframe, _STALE_BARS_SHORT)
    flat = pl.all_horizontal(pl.col(name) == pl.col("close") for name in ("open", "high", "low"))
    runs = (
        placed.lazy()
        .filter("regular")
        .select("timestamp", flat=flat & (pl.col("close") == pl.col("close").shift(1)).fill_null(True))
        .with_columns(run=pl.col("flat").rle_id())
        .filter("flat")
        .group_by("run", maintain_order=True)
        .agg(pl.len().alias("bars"), pl.col("timestamp").first())
        .filter(pl.col("bars") >= least)
        .collect()
    )
    if runs.is_empty():
        return ()
    total, longest = int(runs["bars"].sum()), runs.sort("bars").row(-1, named=True)
    day = runs.filter(pl.col("bars") == longest["bars"])["timestamp"].dt.convert_time_zone(ZONE).dt.date()[0]
    stretches = "1 stretch" if runs.height == 1 else f"{runs.height:,} stretches"
    sentence = f"{stretches} of one unchanging price (the longest {longest['bars']:,} bars from {day}): kept; check whether it was traded."
    return (Problem(ProblemKind.STALE, sentence, Done.KEPT, total),)
