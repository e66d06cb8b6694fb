"""Unadjusted splits: every real one is found, and no crash is taken for one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from lab.market.bars import place_in_sessions
from lab.market.quality import clean_bars
from lab.market.splits import Split, adjust_for_splits, find_splits
from tests.market.conftest import walk


def unadjusted(bars: pl.DataFrame, session: date, ratio: float) -> pl.DataFrame:
    """What the bars looked like before the split on `session` was adjusted."""
    before = pl.col("timestamp").dt.date() < session
    factor = pl.when(before).then(ratio).otherwise(1.0)
    return bars.with_columns(pl.col("open", "high", "low", "close") * factor, pl.col("volume") / factor)


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 4.0, 7.0, 10.0, 20.0, 0.5, 0.25, 0.1, 0.05])
@pytest.mark.parametrize("minutes", [60, 1440])
def test_a_split_is_found_and_undone(ratio: float, minutes: int) -> None:
    timeframe = {60: "1h", 1440: "1d"}[minutes]
    bars = walk(date(2023, 1, 3), date(2023, 12, 29), minutes=minutes, spread=0.003 if minutes == 60 else 0.01)
    raw = unadjusted(bars, date(2023, 7, 3), ratio)
    clean = clean_bars(raw, timeframe)
    (split,) = clean.splits
    assert split.session == date(2023, 7, 3)
    assert split.ratio == pytest.approx(ratio)
    assert clean.bars["close"].to_list() == pytest.approx(bars["close"].to_list())
    assert clean.bars["volume"].to_list() == pytest.approx(bars["volume"].to_list())


def test_two_splits_within_weeks_are_both_found() -> None:
    bars = walk(date(2023, 1, 3), date(2023, 12, 29))
    raw = unadjusted(unadjusted(bars, date(2023, 7, 3), 2.0), date(2023, 7, 27), 3.0)
    assert [split.name for split in find_splits(place_in_sessions(raw, "1h"))] == ["2:1", "3:1"]


@pytest.mark.parametrize("ratio", [2.0, 4.0, 1.5])
def test_a_crash_on_heavy_trading_is_no_split(ratio: float) -> None:
    bars = unadjusted(walk(date(2023, 1, 3), date(2023, 12, 29)), date(2023, 7, 3), ratio)
    days = pl.col("timestamp").dt.date()
    panic = days.is_between(date(2023, 7, 3), date(2023, 7, 7))
    raw = bars.with_columns(volume=pl.when(panic).then(pl.col("volume") * 10).otherwise("volume"))
    assert find_splits(place_in_sessions(raw, "1h")) == ()


def test_a_jump_inside_a_session_is_no_split() -> None:
    bars = walk(date(2023, 1, 3), date(2023, 3, 31))
    half = bars.height // 2 + 3
    factor = pl.when(pl.int_range(pl.len()) < half).then(2.0).otherwise(1.0)
    raw = bars.with_columns(pl.col("open", "high", "low", "close") * factor)
    assert raw["timestamp"][half].date() == raw["timestamp"][half - 1].date()
    assert find_splits(place_in_sessions(raw, "1h")) == ()


def test_a_first_price_of_the_day_that_is_taken_back_is_no_split() -> None:
    bars = walk(date(2023, 1, 3), date(2023, 12, 29), minutes=1440, spread=0.01)
    wrong = pl.col("timestamp").dt.date() == date(2023, 7, 3)
    raw = bars.with_columns(pl.when(wrong).then(pl.col(name) * 2).otherwise(pl.col(name)).alias(name) for name in ("open", "high"))
    assert find_splits(place_in_sessions(raw, "1d")) == ()


def test_a_jump_after_a_long_pause_is_no_split() -> None:
    early = walk(date(2022, 1, 3), date(2022, 6, 30), price=200.0)
    late = walk(date(2023, 1, 3), date(2023, 6, 30), price=float(early["close"][-1]) / 2)
    assert find_splits(place_in_sessions(pl.concat([early, late]), "1h")) == ()


def test_ordinary_bars_have_no_splits() -> None:
    for seed in range(6):
        daily = walk(date(2021, 1, 4), date(2023, 12, 29), seed=seed, minutes=1440, spread=0.03)
        assert find_splits(place_in_sessions(daily, "1d")) == ()


def test_the_sentence_names_date_and_ratio() -> None:
    assert Split(date(2014, 6, 9), 7.0).sentence == ("Unadjusted 7:1 split on 2014-06-09: the prices and volumes before it were adjusted.")
    assert Split(date(2009, 7, 1), 0.05).name == "1:20"
    assert Split(date(1998, 8, 3), 1.5).name == "3:2"


def test_adjusting_keeps_what_was_traded_in_dollars() -> None:
    bars = place_in_sessions(walk(date(2023, 1, 3), date(2023, 3, 31)), "1h")
    adjusted = adjust_for_splits(bars, [Split(date(2023, 2, 1), 7.0), Split(date(2023, 3, 1), 0.1)])
    assert (adjusted["close"] * adjusted["volume"]).to_list() == pytest.approx((bars["close"] * bars["volume"]).to_list())


@pytest.mark.parametrize("file", ["hour/lean_1h", "daily/lean_daily"])
def test_the_real_splits_are_found_and_no_others(shared_data: Path, file: str) -> None:
    timeframe = "1h" if file.startswith("hour") else "1d"
    tickers = ["SPY", "AAPL", "IBM", "BAC", "AIG"]
    bars = pl.read_parquet(shared_data / f"{file}.parquet")
    events = pl.read_parquet(shared_data / "actions" / "lean_events.parquet").filter(pl.col("split_ratio") != 1.0)
    for ticker in tickers:
        found = clean_bars(bars.filter(ticker=ticker).drop("ticker"), timeframe).splits
        known = events.filter(ticker=ticker).sort("last_date_before")
        assert len(found) == known.height, f"{ticker}: {found}"
        for split, (before, ratio) in zip(found, known.select("last_date_before", "split_ratio").iter_rows(), strict=True):
            assert timedelta(0) < split.session - before <= timedelta(days=5)
            assert split.ratio == pytest.approx(ratio, rel=1e-3)


def test_apples_crash_of_2000_is_no_split(shared_data: Path) -> None:
    bars = pl.read_parquet(shared_data / "hour" / "lean_1h.parquet").filter(ticker="AAPL").drop("ticker")
    splits = clean_bars(bars, "1h").splits
    assert [(split.session, split.name) for split in splits] == [
        (date(2000, 6, 21), "2:1"),
        (date(2005, 2, 28), "2:1"),
        (date(2014, 6, 9), "7:1"),
        (date(2020, 8, 31), "4:1"),
    ]
    clean = clean_bars(bars, "1h").bars
    jumps = (clean["open"] / clean["close"].shift(1)).log().abs()
    assert clean.filter(jumps > 0.4)["timestamp"].dt.date().to_list() == [date(2000, 9, 29)]
