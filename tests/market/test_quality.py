"""What is wrong with bars is found, said in a sentence and put right."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lab.market.problems import ProblemKind
from lab.market.quality import CleanBars, clean_bars
from tests.market.conftest import walk

GOOD = walk(date(2024, 1, 2), date(2024, 2, 29))


def changed(row: int, **values: float | None) -> pl.DataFrame:
    here = pl.int_range(pl.len()) == row
    return GOOD.with_columns(pl.when(here).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items())


def kinds(clean: CleanBars) -> list[ProblemKind]:
    return [problem.kind for problem in clean.problems]


def sentence(clean: CleanBars) -> str:
    (problem,) = clean.problems
    return problem.sentence


def test_good_bars_have_no_problems_and_stay_as_they_are() -> None:
    clean = clean_bars(GOOD, "1h")
    assert clean.problems == ()
    assert clean.bars.equals(GOOD)


def test_the_same_bar_twice_is_kept_once() -> None:
    clean = clean_bars(pl.concat([GOOD, GOOD[10:13]]), "1h")
    assert clean.bars.equals(GOOD)
    assert sentence(clean) == "3 bars at a time that already had one (first 2024-01-03 12:30 New York): the one with most volume was kept."


def test_of_two_bars_at_one_time_the_busier_stays() -> None:
    twin = GOOD[10:11].with_columns(volume=pl.lit(1.0), close=pl.col("open"))
    assert clean_bars(pl.concat([twin, GOOD]), "1h").bars.equals(GOOD)


def test_a_high_below_the_close_is_widened() -> None:
    top = float(GOOD["close"][20])
    clean = clean_bars(changed(20, high=top - 1, open=top - 1, low=top - 2), "1h")
    assert clean.bars["high"][20] == top
    assert "1 bar with a high or low that does not hold the other prices" in sentence(clean)


@pytest.mark.parametrize("price", [0.0, -3.0])
def test_zero_and_negative_prices_are_left_out(price: float) -> None:
    clean = clean_bars(changed(30, low=price), "1h")
    assert clean.bars.height == GOOD.height - 1
    assert "1 bar with a zero or negative price" in clean.problems[0].sentence


@pytest.mark.parametrize("price", [None, float("nan"), float("inf")])
def test_unreadable_prices_are_left_out(price: float | None) -> None:
    clean = clean_bars(changed(30, close=price), "1h")
    assert clean.bars.height == GOOD.height - 1
    assert kinds(clean)[0] is ProblemKind.UNREADABLE_PRICE


def test_a_price_that_jumps_away_and_straight_back_is_left_out() -> None:
    clean = clean_bars(changed(30, low=float(GOOD["low"][30]) / 10), "1h")
    assert clean.bars.height == GOOD.height - 1
    assert "left out as a bad print" in clean.problems[0].sentence
    doubled = clean_bars(changed(30, open=float(GOOD["open"][30]) * 2, high=float(GOOD["open"][30]) * 2), "1h")
    assert ProblemKind.BAD_PRINT in kinds(doubled)


def test_wide_bars_that_all_look_alike_are_no_bad_prints() -> None:
    days = walk(date(2024, 1, 2), date(2024, 4, 26), minutes=1440)[:80]
    alike = {"open": pl.lit(1.0), "high": pl.lit(2.0), "low": pl.lit(1.0), "close": pl.lit(1.5)}
    for timeframe, bars in (("1d", days.with_columns(**alike)), ("1h", GOOD.with_columns(**alike))):
        clean = clean_bars(bars, timeframe)
        assert clean.bars.height == bars.height
        assert clean.problems == ()


def test_a_doubtful_jump_is_told_and_kept() -> None:
    clean = clean_bars(changed(30, low=float(GOOD["low"][30]) / 1.6), "1h")
    assert clean.bars.height == GOOD.height
    assert kinds(clean) == [ProblemKind.FAR_PRICE]
    assert "kept, since it may be true; check it" in sentence(clean)


def test_a_bar_priced_in_another_unit_is_left_out() -> None:
    hundredfold = {name: float(GOOD[name][30]) * 100 for name in ("open", "high", "low", "close")}
    clean = clean_bars(changed(30, **hundredfold), "1h")
    assert clean.bars.height == GOOD.height - 1
    assert kinds(clean)[0] is ProblemKind.BAD_PRINT


@pytest.mark.parametrize("price", [1e302, 2e9, 1e-9])
def test_prices_that_no_share_has_are_left_out(price: float) -> None:
    absurd = dict.fromkeys(("open", "high", "low", "close"), price)
    clean = clean_bars(changed(30, **absurd), "1h")
    assert clean.bars.height == GOOD.height - 1
    assert "1 bar with a price that no share has" in clean.problems[0].sentence
    everywhere = clean_bars(GOOD.with_columns(**{name: pl.lit(price) for name in absurd}), "1h")
    assert everywhere.bars.is_empty()


def test_a_volume_beyond_all_shares_counts_as_unknown() -> None:
    clean = clean_bars(changed(30, volume=1e200), "1h")
    assert clean.bars["volume"][30] == 0.0
    assert "their volume counts as unknown" in sentence(clean)


def test_a_real_fall_is_kept() -> None:
    factor = pl.when(pl.int_range(pl.len()) >= 33).then(0.7).otherwise(1.0)
    fallen = GOOD.with_columns(pl.col("open", "high", "low", "close") * factor)
    assert ProblemKind.BAD_PRINT not in kinds(clean_bars(fallen, "1h"))


def test_missing_sessions_and_the_longest_gap_are_named() -> None:
    day = pl.col("timestamp").dt.date()
    holes = GOOD.filter(~day.is_between(date(2024, 1, 10), date(2024, 1, 12)) & (day != date(2024, 2, 6)))
    clean = clean_bars(holes, "1h")
    assert sentence(clean) == "4 trading sessions without bars (the longest gap 2024-01-10 to 2024-01-12): not filled."


def test_thin_trading_is_told_as_a_share() -> None:
    clean = clean_bars(GOOD.filter(pl.int_range(pl.len()) % 7 != 3), "1h")
    assert sentence(clean).startswith("14% of the regular 1h bars are missing")


def test_bars_outside_the_session_are_told() -> None:
    early = GOOD.filter(pl.col("timestamp").dt.hour() == 14).with_columns(pl.col("timestamp") - pl.duration(hours=3))
    clean = clean_bars(pl.concat([GOOD, early]), "1h")
    assert sentence(clean) == f"{early.height} bars outside regular hours: kept, but not traded."
    sunday = GOOD[:1].with_columns(pl.col("timestamp") + pl.duration(days=5))
    assert sentence(clean_bars(pl.concat([GOOD, sunday]), "1h")) == (
        "1 bar on days without a trading session (first 2024-01-07): kept, but not traded."
    )


def test_without_volumes_the_person_is_told_what_that_means() -> None:
    clean = clean_bars(GOOD.with_columns(volume=pl.lit(None, pl.Float64)), "1h")
    assert clean.bars["volume"].sum() == 0
    assert kinds(clean) == [ProblemKind.NO_VOLUME]


def test_nothing_usable_leaves_nothing_and_says_so() -> None:
    clean = clean_bars(GOOD.with_columns(close=pl.lit(0.0)), "1h")
    assert clean.bars.is_empty()
    assert kinds(clean) == [ProblemKind.BAD_PRICE]


def test_the_known_dirt_of_the_real_vix_is_found(shared_data: Path) -> None:
    clean = clean_bars(pl.read_parquet(shared_data / "vix" / "vix_daily.parquet").drop("ticker"), "1d")
    (bad,) = (problem for problem in clean.problems if problem.kind is ProblemKind.BAD_OHLC)
    assert bad.sentence.startswith("47 bars with a high or low that does not hold")


def test_the_real_vix_keeps_its_panics_and_loses_its_bad_prints(shared_data: Path) -> None:
    raw = pl.read_parquet(shared_data / "vix" / "vix_daily.parquet").drop("ticker")
    day = pl.col("timestamp").dt.date()
    kept = set(clean_bars(raw, "1d").bars.select(day)["timestamp"].to_list())
    lost = sorted(set(raw.select(day)["timestamp"].to_list()) - kept)
    assert lost == [date(2004, 1, 21), date(2004, 9, 27), date(2004, 11, 8), date(2005, 6, 6), date(2005, 7, 25), date(2006, 2, 8)]


def test_the_missing_minutes_of_thin_stocks_are_found(shared_data: Path) -> None:
    bars = pl.read_parquet(shared_data / "minute" / "blaizard_1m.parquet").filter(ticker="AZO")
    assert ProblemKind.MISSING_BARS in kinds(clean_bars(bars, "1m"))
