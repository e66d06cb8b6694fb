"""Bars that stand at the wrong time are found: off the grid, named by their end, in another zone, or standing still."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import BarsCache, DemoOutcome, import_file, inspect_file
from lab.market.problems import Done, Problem, ProblemKind
from lab.market.quality import clean_bars
from tests.market.conftest import walk

BARS = walk(date(2024, 1, 2), date(2024, 2, 29), minutes=5)


def one(bars: pl.DataFrame, timeframe: str = "5m") -> tuple[pl.DataFrame, Problem]:
    clean = clean_bars(bars, timeframe)
    (problem,) = clean.problems
    return clean.bars, problem


def u_shaped(bars: pl.DataFrame, height: float = 3.0) -> pl.DataFrame:
    """The bars with volumes that are largest at the session's two ends."""
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt
    middle = (local.hour().cast(pl.Float64) * 60 + local.minute() - 765) / 195
    return bars.with_columns(volume=(1000 * (1 + (height - 1) * middle**2)).round())


def test_strays_off_the_grid_are_left_out() -> None:
    stray = BARS[10:12].with_columns(pl.col("timestamp") + pl.duration(minutes=2, seconds=7))
    bars, problem = one(pl.concat([BARS, stray]).sort("timestamp"))
    assert bars.equals(BARS)
    assert (problem.kind, problem.done, problem.count) == (ProblemKind.OFF_GRID, Done.LEFT_OUT, 2)
    assert problem.sentence == "2 bars off the 5m grid (first 2024-01-02 10:22:07 New York): left out."


@pytest.mark.parametrize("seconds", [1, 59, 299])
def test_times_that_all_stand_beside_the_grid_are_put_on_it(seconds: int) -> None:
    bars, problem = one(BARS.with_columns(pl.col("timestamp") + pl.duration(seconds=seconds)))
    assert bars.equals(BARS)
    assert (problem.done, problem.count) == (Done.PUT_RIGHT, BARS.height)


@pytest.mark.parametrize("minutes", [1, 5, 30])
def test_bars_named_by_their_end_are_moved_to_their_start(minutes: int) -> None:
    timeframe = f"{minutes}m"
    good = walk(date(2024, 1, 2), date(2024, 1, 19), minutes=minutes)
    bars, problem = one(good.with_columns(pl.col("timestamp") + pl.duration(minutes=minutes)), timeframe)
    assert bars.equals(good)
    assert "are named by their end" in problem.sentence


def test_bars_of_extended_hours_are_not_moved() -> None:
    late = BARS.filter(pl.col("timestamp").dt.minute() == 0).with_columns(pl.col("timestamp") + pl.duration(hours=6))
    no_opening = BARS.filter(pl.col("timestamp").dt.strftime("%H:%M") != "14:30")
    kinds = [problem.kind for problem in clean_bars(pl.concat([no_opening, late]).unique("timestamp"), "5m").problems]
    assert ProblemKind.OFF_GRID not in kinds


def test_an_opening_that_is_not_on_the_hour_is_on_the_grid() -> None:
    hourly = walk(date(2024, 1, 2), date(2024, 2, 29))
    assert clean_bars(hourly, "1h").problems == ()
    clock = hourly.with_columns(pl.col("timestamp") - pl.duration(minutes=30))
    assert ProblemKind.OFF_GRID not in [problem.kind for problem in clean_bars(clock, "1h").problems]


@pytest.mark.parametrize("hours", [-2, -1, 1, 2, 5])
def test_volumes_of_another_zone_are_noticed(hours: int) -> None:
    extended = u_shaped(BARS)
    around = [extended.with_columns(pl.col("timestamp") + pl.duration(minutes=390 * side), volume=pl.lit(20.0)) for side in (-1, 1)]
    moved = pl.concat([extended, *around]).with_columns(pl.col("timestamp") + pl.duration(hours=hours))
    found = {problem.kind: problem for problem in clean_bars(moved, "5m").problems}
    assert "may be in another zone. Kept; check the zone" in found[ProblemKind.WRONG_ZONE].sentence
    still = pl.concat([extended, *around])
    assert ProblemKind.WRONG_ZONE not in {problem.kind for problem in clean_bars(still, "5m").problems}


def test_a_zone_without_summer_time_is_noticed_in_summer_alone() -> None:
    year = u_shaped(walk(date(2023, 1, 3), date(2023, 12, 29), minutes=15), 6.0)
    summer = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.dst_offset().dt.total_minutes() > 0
    fixed = year.with_columns(pl.when(summer).then(pl.col("timestamp") + pl.duration(hours=1)).otherwise("timestamp").alias("timestamp"))
    (problem,) = (problem for problem in clean_bars(fixed, "15m").problems if problem.kind is ProblemKind.WRONG_ZONE)
    assert "in summer time" in problem.sentence


def test_a_price_that_stands_still_is_told() -> None:
    frozen = pl.int_range(pl.len()).is_between(100, 139)
    price = float(BARS["close"][99])
    bars = BARS.with_columns(pl.when(frozen).then(price).otherwise(pl.col(name)).alias(name) for name in ("open", "high", "low", "close"))
    kept, problem = one(bars)
    assert kept.height == BARS.height
    assert (problem.kind, problem.done, problem.count) == (ProblemKind.STALE, Done.KEPT, 40)
    assert problem.sentence.startswith("1 stretch of one unchanging price (the longest 40 bars from 2024-01-03)")


@pytest.mark.xdist_group("demo market")
def test_the_demo_market_keeps_the_market_s_clock(demo: tuple[BarsCache, DemoOutcome]) -> None:
    cache, made = demo
    for ticker in made.tickers[:4]:
        bars, _ = cache.read_undamaged(ticker, made.timeframe)
        found = {problem.kind for problem in clean_bars(bars, made.timeframe).problems}
        assert not found & {ProblemKind.WRONG_ZONE, ProblemKind.OFF_GRID, ProblemKind.SPLIT}


REAL = {
    "minute/blaizard_1m": ("1m", {"missing bars"}),
    "minute/lean_1m": ("1m", {"outside regular hours", "missing sessions", "unadjusted split"}),
    "hour/lean_1h": ("1h", {"unadjusted split", "bad print", "outside regular hours"}),
    "daily/lean_daily": ("1d", {"unadjusted split", "missing sessions"}),
    "daily/bokeh_daily": ("1d", {"unadjusted split"}),
    "daily/zipline_daily": ("1d", set()),
    "vix/vix_daily": ("1d", {"bad OHLC", "bad print", "no volume"}),
}


@pytest.mark.parametrize("name", REAL)
def test_every_real_file_is_imported_with_its_dirt_found_and_no_false_alarm_about_its_clock(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    timeframe, expected = REAL[name]
    plan = inspect_file(shared_data / f"{name}.parquet")
    few = plan.tickers[:: max(1, len(plan.tickers) // 4)] if timeframe == "1m" else plan.tickers
    cache = BarsCache(tmp_path / "bars")
    outcome = import_file(cache, replace(plan, tickers=few))
    assert (outcome.timeframe, outcome.tickers) == (timeframe, few)
    found = {str(problem.kind) for problems in outcome.quality.values() for problem in problems}
    assert expected <= found
    assert not found & {"wrong zone", "off-grid time"}
    kept = {row.ticker: row.report for row in cache.coverage()}
    assert {ticker: problems for ticker, problems in outcome.quality.items() if ticker in kept} == kept, "kept with the bars as told"
    read = cache.read(few, timeframe)
    whole = np.all([read["high"] >= read[price] for price in ("open", "close", "low")], axis=0)
    assert whole.all()
    if name == "vix/vix_daily":
        (bad,) = (problem for problem in outcome.quality["I:VIX"] if problem.kind is ProblemKind.BAD_OHLC)
        assert bad.count == 47
    if name == "hour/lean_1h":
        splits = [(str(split.session), split.name) for split in next(row.splits for row in cache.coverage() if row.ticker == "AAPL")]
        assert splits == [("2000-06-21", "2:1"), ("2005-02-28", "2:1"), ("2014-06-09", "7:1"), ("2020-08-31", "4:1")]
    if name == "minute/blaizard_1m":
        missing = [problem for problems in outcome.quality.values() for problem in problems if problem.kind is ProblemKind.MISSING_BARS]
        assert len(missing) >= len(few) - 1, "one of them trades nearly every minute"
        assert all(problem.count > 500 and problem.done is Done.NOT_FILLED for problem in missing)
