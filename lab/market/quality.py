"""What is wrong with imported bars: found per ticker, said in a sentence, and put right or left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import polars as pl

from lab.market.bars import PRICES, RAW_SCHEMA, place_in_sessions
from lab.market.calendar import ZONE, trading_sessions
from lab.market.clockwork import named_by_start, put_on_grid, stale_problems, zone_problems
from lab.market.problems import Done, Problem, ProblemKind
from lab.market.splits import Split, adjust_for_splits, find_splits
from lab.market.timeframes import DAILY, timeframe_minutes

_LOWEST_PRICE, _HIGHEST_PRICE, _MOST_VOLUME = 1e-6, 1e9, 1e13
"""What a dollar price and a volume can be. The dearest share ever cost about a million dollars; adjusted for many reverse
splits a few were worth a thousand times as much, and adjusted for splits a few cost less than a thousandth of a cent."""
_FAR = math.log(1.4)
"""How far a high or low must lie from every price around it to be mentioned."""
_TOO_FAR = math.log(1.9)
"""How far, to be left out, where the bar closes among its neighbours and the bars around are narrow. Real panics (the VIX of
1997-10-28 and 2024-08-05, the stocks of 2010-05-06) stay below."""
_BEYOND_REASON = math.log(5)
"""How far, to be left out even where the bar closes far away too."""
_TIMES_USUAL = 8.0
"""How many times the usual range (high over low, of the bars around) a bad print is away."""
_USUAL_BARS = 21
_SIDE = 2
"""Bars on each side that are compared."""
_THIN_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class CleanBars:
    """A ticker's bars as they are kept, and what was found on the way."""

    bars: pl.DataFrame
    """Columns of `RAW_SCHEMA`, sorted by time, split-adjusted."""
    problems: tuple[Problem, ...]
    splits: tuple[Split, ...]
    sessions: tuple[date, date] | None = None
    """The first and last trading session with a bar in regular hours, None where there is none."""


def clean_bars(raw: pl.DataFrame, timeframe: str, *, adjust: bool = True) -> CleanBars:
    """Check one ticker's bars (see `RAW_SCHEMA`) and put right what can be put right.

    Left out: bars without a price, with a zero, negative or absurd one, with a single price far from all before and after it (a
    bad print), and all but one of those at the same time. Widened: a high or low that does not hold open and close. Adjusted:
    what came before an unadjusted split, unless `adjust` is False: where a source lists its splits, a jump without one is only
    reported. Put on the grid: times that stand a little beside it, and bars named by their end. Only reported: missing bars and
    sessions, bars outside regular hours, prices that may be bad prints, stale stretches, volumes that look like another zone's.
    """
    problems: list[Problem] = []

    def note(kind: ProblemKind, sentence: str, done: Done, count: int) -> None:
        # A daily bar stands at noon until it has its session.
        sentence = sentence.replace(" 12:00 New York", "") if timeframe == DAILY else sentence
        problems.append(Problem(kind, sentence, done, count))

    bars = raw.select(pl.col(name).cast(kind) for name, kind in RAW_SCHEMA.items()).sort("timestamp", maintain_order=True)
    bars = _without_unreadable(bars, note)
    on_grid = put_on_grid(bars, timeframe)
    problems += on_grid.problems
    bars = _without_duplicates(on_grid.bars, note)
    bars = _with_whole_range(bars, note)
    bars = _without_bad_prints(bars, note)
    if bars.is_empty():
        return CleanBars(bars, tuple(problems), ())
    placed = place_in_sessions(bars, timeframe)
    started = named_by_start(bars, placed, timeframe)
    if started.problems:
        problems += started.problems
        bars = started.bars
        placed = place_in_sessions(bars, timeframe)
    if placed["timestamp"].is_duplicated().any():
        # Daily bars of one date, or two bars that both hold the open, fall on one time once they are placed in their session.
        keep = ~placed["timestamp"].is_duplicated() | placed["timestamp"].is_first_distinct()
        extra = int((~keep).sum())
        note(ProblemKind.DUPLICATE, f"{_bars(extra)} of a session that already had one at that time: left out.", Done.LEFT_OUT, extra)
        bars, placed = bars.filter(keep), placed.filter(keep)
    if bars["volume"].sum() == 0:
        sentence = "No volumes: volume filters can't signal, and entries find no volume to fill against."
        note(ProblemKind.NO_VOLUME, sentence, Done.KEPT, bars.height)
    _report_hours(placed, timeframe, note)
    _report_gaps(placed, timeframe, note)
    problems += (*stale_problems(placed, timeframe), *zone_problems(placed, timeframe))
    splits = find_splits(placed)
    for split in splits:
        older = placed.filter(pl.col("session") < split.session).height
        note(ProblemKind.SPLIT, split.sentence if adjust else split.doubt, Done.ADJUSTED if adjust else Done.KEPT, older)
    days = placed.filter("regular")["session"]
    sessions = (days[0], days[-1]) if days.len() else None
    if not adjust:
        return CleanBars(bars, tuple(problems), (), sessions)
    adjusted = adjust_for_splits(placed, splits) if splits else placed
    return CleanBars(adjusted.select(*RAW_SCHEMA), tuple(problems), splits, sessions)


_Note = Callable[[ProblemKind, str, Done, int], None]


def _without_unreadable(bars: pl.DataFrame, note: _Note) -> pl.DataFrame:
    readable = pl.all_horizontal(pl.col(name).is_finite().fill_null(False) for name in PRICES) & pl.col("timestamp").is_not_null()
    kept = bars.filter(readable)
    if kept.height < bars.height:
        lost = bars.height - kept.height
        note(ProblemKind.UNREADABLE_PRICE, f"{_bars(lost)} without a readable time and four prices: left out.", Done.LEFT_OUT, lost)
    positive = kept.filter(pl.all_horizontal(pl.col(name) > 0 for name in PRICES))
    if positive.height < kept.height:
        wrong = kept.filter(pl.any_horizontal(pl.col(name) <= 0 for name in PRICES))
        note(
            ProblemKind.BAD_PRICE,
            f"{_bars(wrong.height)} with a zero or negative price (first {_when(wrong)}): left out.",
            Done.LEFT_OUT,
            wrong.height,
        )
    possible = pl.all_horizontal(pl.col(name).is_between(_LOWEST_PRICE, _HIGHEST_PRICE) for name in PRICES)
    sane = positive.filter(possible)
    if sane.height < positive.height:
        wrong = positive.filter(~possible)
        found = f"{_bars(wrong.height)} with a price that no share has (first {_when(wrong)}: {_range(wrong)})"
        sentence = f"{found}; prices must lie between {_LOWEST_PRICE:f} and {_HIGHEST_PRICE:,.0f} dollars: left out."
        note(ProblemKind.BAD_PRICE, sentence, Done.LEFT_OUT, wrong.height)
    volume = pl.col("volume")
    absurd = sane.filter(volume.is_finite() & (volume > _MOST_VOLUME))
    if not absurd.is_empty():
        found = f"{_bars(absurd.height)} with more than {_MOST_VOLUME:,.0f} shares of volume (first {_when(absurd)})"
        note(ProblemKind.NO_VOLUME, f"{found}: their volume counts as unknown.", Done.PUT_RIGHT, absurd.height)
    volume = pl.when(volume <= _MOST_VOLUME).then(volume)
    return sane.with_columns(pl.when(volume.is_finite() & (volume > 0)).then(volume).otherwise(0.0).alias("volume"))


def _without_duplicates(bars: pl.DataFrame, note: _Note) -> pl.DataFrame:
    twice = bars.filter(pl.col("timestamp").is_duplicated())
    if twice.is_empty():
        return bars
    by_volume = bars.sort("timestamp", "volume", descending=[False, True], maintain_order=True)
    kept = by_volume.unique("timestamp", keep="first", maintain_order=True)
    extra = bars.height - kept.height
    sentence = f"{_bars(extra)} at a time that already had one (first {_when(twice)}): the one with most volume was kept."
    note(ProblemKind.DUPLICATE, sentence, Done.LEFT_OUT, extra)
    return kept


def _with_whole_range(bars: pl.DataFrame, note: _Note) -> pl.DataFrame:
    top, bottom = pl.max_horizontal(PRICES), pl.min_horizontal(PRICES)
    wrong = bars.filter((pl.col("high") < top) | (pl.col("low") > bottom))
    if wrong.is_empty():
        return bars
    note(
        ProblemKind.BAD_OHLC,
        f"{_bars(wrong.height)} with a high or low that does not hold the other prices (first {_when(wrong)}): the range was widened.",
        Done.PUT_RIGHT,
        wrong.height,
    )
    return bars.with_columns(high=top, low=bottom)


def _without_bad_prints(bars: pl.DataFrame, note: _Note) -> pl.DataFrame:
    """Leave out bars with one price far from everything before and after it; where that is less plain, only say so."""
    top, bottom, close = pl.col("high").log(), pl.col("low").log(), pl.col("close").log()
    sides = [step for step in range(-_SIDE, _SIDE + 1) if step]
    # A neighbour's range counts as reached: a bar as wide as those around it is a wide market, no bad print.
    above = top - pl.max_horizontal(top.shift(step) for step in sides)
    below = pl.min_horizontal(bottom.shift(step) for step in sides) - bottom
    up = above >= below
    reach = pl.max_horizontal(above, below)
    own = pl.when(up).then(top - close).otherwise(close - bottom)
    usual = (top - bottom).rolling_median(_USUAL_BARS, center=True, min_samples=1)
    whole = pl.int_range(pl.len()).is_between(1, pl.len() - 2)
    back = pl.max_horizontal((close - close.shift(1)).abs(), (close.shift(-1) - close).abs()) <= reach / 3
    narrow = reach >= _TIMES_USUAL * usual
    agree = (close.shift(-1) - close.shift(1)).abs() <= reach / 3
    single = back & (own >= _TOO_FAR) & (reach >= _TOO_FAR)
    bad = whole & narrow & agree & (single | (reach >= _BEYOND_REASON))
    judged = bars.with_columns(bad=bad.fill_null(False), odd=(reach >= _FAR).fill_null(False))
    wrong, odd = judged.filter("bad"), judged.filter(pl.col("odd") & ~pl.col("bad"))
    if not wrong.is_empty():
        found = f"{_bars(wrong.height)} with a price far from all before and after (first {_when(wrong)}: {_range(wrong)})"
        note(ProblemKind.BAD_PRINT, f"{found}: left out as a bad print.", Done.LEFT_OUT, wrong.height)
    if not odd.is_empty():
        found = f"{_bars(odd.height)} with a price far from those before and after (first {_when(odd)}: {_range(odd)})"
        note(ProblemKind.FAR_PRICE, f"{found}: kept, since it may be true; check it.", Done.KEPT, odd.height)
    return judged.filter(~pl.col("bad")).drop("bad", "odd")


def _report_hours(placed: pl.DataFrame, timeframe: str, note: _Note) -> None:
    outside = placed.filter(~pl.col("regular"))
    if outside.is_empty():
        return
    off_days = outside.filter(pl.col("close_minute").is_null())
    if not off_days.is_empty():
        note(
            ProblemKind.NO_SESSION,
            f"{_bars(off_days.height)} on days without a trading session (first {off_days['session'][0]}): kept, but not traded.",
            Done.KEPT,
            off_days.height,
        )
    extended = outside.height - off_days.height
    if extended and timeframe != DAILY:
        note(ProblemKind.OUTSIDE_HOURS, f"{_bars(extended)} outside regular hours: kept, but not traded.", Done.KEPT, extended)


def _report_gaps(placed: pl.DataFrame, timeframe: str, note: _Note) -> None:
    regular = placed.filter("regular")
    if regular.is_empty():
        return
    first, last = regular["session"][0], regular["session"][-1]
    schedule = trading_sessions(first, last)
    missing = schedule.join(regular.select("session").unique(), on="session", how="anti")
    if not missing.is_empty():
        begin, end, length = _longest_run(schedule["session"].to_list(), set(missing["session"].to_list()))
        span = f"{begin}" if length == 1 else f"{begin} to {end}"
        sessions = "session" if missing.height == 1 else "sessions"
        longest = f"the longest gap {span}" if missing.height > 1 else span
        sentence = f"{missing.height:,} trading {sessions} without bars ({longest}): not filled."
        note(ProblemKind.MISSING_SESSIONS, sentence, Done.NOT_FILLED, missing.height)
    if timeframe == DAILY:
        return
    length_minutes = timeframe_minutes(timeframe)
    present = schedule.join(missing, on="session", how="anti")
    minutes = present["close_minute"].cast(pl.Int64) - present["open_minute"].cast(pl.Int64)
    expected = int(((minutes + length_minutes - 1) // length_minutes).sum())
    share = 1 - regular.height / expected
    if share > _THIN_SHARE:
        missing_share = f"{share:.0%} of the regular {timeframe} bars are missing"
        sentence = f"{missing_share} (no trades, or a hole in the file): not filled."
        note(ProblemKind.MISSING_BARS, sentence, Done.NOT_FILLED, expected - regular.height)


def _longest_run(sessions: list[date], missing: set[date]) -> tuple[date, date, int]:
    best, length, begin = (sessions[0], sessions[0], 0), 0, sessions[0]
    for session in sessions:
        if session not in missing:
            length = 0
            continue
        begin = session if length == 0 else begin
        length += 1
        if length > best[2]:
            best = (begin, session, length)
    return best


def _bars(count: int) -> str:
    return f"{count:,} bar" if count == 1 else f"{count:,} bars"


def _range(bars: pl.DataFrame) -> str:
    """The prices of the first bar, in the order people write them."""
    return "/".join(f"{price:g}" for price in bars.select(PRICES).row(0))


def _when(bars: pl.DataFrame) -> str:
    """The time of the first bar as New York shows it."""
    at = bars.select(pl.col("timestamp").dt.convert_time_zone(ZONE).dt.strftime("%Y-%m-%d %H:%M")).item(0, 0)
    return str(at).removesuffix(" 00:00") if str(at).endswith(" 00:00") else f"{at} New York"
