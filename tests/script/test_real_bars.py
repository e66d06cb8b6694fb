"""Look-ahead on real bars: gaps, halts and half days as they come."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lab.script import FIELDS, truncation_check
from tests.script.bars import strategy_of
from tests.script.calls import ALONE, COMPUTED, scans_of


def _real(path: Path, tickers: int, rows: int) -> pl.DataFrame:
    bars = pl.read_parquet(path)
    names = bars["ticker"].unique(maintain_order=True).head(tickers)
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    minute = local.dt.hour().cast(pl.Int16) * 60 + local.dt.minute()
    return (
        bars.filter(pl.col("ticker").is_in(names.to_list()))
        .with_columns(session=local.dt.date(), minute=minute, close_minute=pl.lit(960, dtype=pl.Int16))
        .filter(pl.col("minute").is_between(570, 959))
        .group_by("ticker", maintain_order=True)
        .head(rows)
        .sort("ticker", "timestamp")
        .with_columns(pl.col("close").shift(1).over("ticker").alias(name) for name in FIELDS if "." in name)
    )


def test_no_function_sees_later_bars_on_real_minutes(shared_data: Path) -> None:
    frame = _real(shared_data / "minute" / "blaizard_1m.parquet", tickers=3, rows=900)
    cuts = [1, 2, 13, 14, 15, 28, 29, 200, 389, 390, 391, 555, 780, 899, frame["timestamp"][1000], frame["timestamp"][2000]]
    for lines in scans_of(ALONE, 14):
        assert truncation_check(strategy_of(*lines), frame, cuts) == ()


def test_no_function_sees_later_bars_on_real_hours(shared_data: Path) -> None:
    frame = _real(shared_data / "hour" / "lean_1h.parquet", tickers=4, rows=700)
    for lines in scans_of(ALONE, 5):
        assert truncation_check(strategy_of(*lines), frame, [1, 2, 4, 5, 6, 7, 70, 333, frame["timestamp"][1500]]) == ()


def test_nothing_that_looks_across_tickers_sees_later_bars_on_real_minutes(shared_data: Path) -> None:
    frame = _real(shared_data / "minute" / "blaizard_1m.parquet", tickers=4, rows=600)
    frame = frame.with_columns(ticker=pl.col("ticker").replace(frame["ticker"][0], "T00")).sort("ticker", "timestamp")
    across = [function for function in COMPUTED if function not in ALONE]
    cuts = [1, 2, 13, 14, 15, 200, 391, 555, 780, frame["timestamp"][700], frame["timestamp"][1500], frame["timestamp"][-2]]
    for lines in scans_of(across, 14):
        more = ('x_mixed = rank_across(of("T00", close) / close)', 'x_longer = of("T00", on("15m", sma(close, 3)))')
        assert truncation_check(strategy_of(*lines, *more), frame, cuts) == ()
