"""What the bars cache and imports cost: reading with checksums against Polars alone, rows a second, memory.

Run: pytest tests/benchmarks/test_data_speed.py -n0
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lab.market import BarsCache
from lab.market.bars import BARS_SCHEMA
from tests.market.ten_million import MOST_IMPORT_KIB, TICKERS, import_elsewhere, minutes, random_bars, ten_million_rows

ROUNDS = 5
MOST_TIMES_POLARS = 1.5


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> BarsCache:
    """Ten million 1-minute bars of 20 tickers over five years, written once."""
    made = BarsCache(tmp_path_factory.mktemp("bars"))
    stamps = minutes()
    with made.batch() as batch:
        for seed, ticker in enumerate(TICKERS):
            batch.write(ticker, "1m", random_bars(stamps, seed), "benchmark")
    return made


def medians(*works: Callable[[], Any]) -> list[float]:
    """Seconds of each, measured in turns: whatever else the machine does meets all of them alike."""
    spent: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, seconds in zip(works, spent, strict=True):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in spent]


def say(capsys: pytest.CaptureFixture[str], words: str) -> None:
    with capsys.disabled():
        sys.stderr.write(f"\n{words}\n")


def test_reading_ten_million_bars_with_checksums_costs_little_more_than_polars(
    cache: BarsCache, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = [name for name in BARS_SCHEMA if name != "ticker"]
    files = sorted(cache.folder.glob("1m/*/*.parquet"))

    def bare() -> pl.DataFrame:
        return pl.concat([pl.read_parquet(file, columns=columns) for file in files])

    read = cache.read(TICKERS, "1m")
    assert read.height == bare().height
    assert read.height > 9_500_000
    ours, polars = medians(lambda: cache.read(TICKERS, "1m"), bare)
    one, one_bare = medians(lambda: cache.read(TICKERS[:1], "1m"), lambda: [pl.read_parquet(file, columns=columns) for file in files[:5]])
    say(capsys, f"reading {read.height:,} bars: {ours:.2f} s, Polars alone {polars:.2f} s: {ours / polars:.2f} times")
    say(capsys, f"one ticker's {read.height // 20:,} bars: {one * 1000:.0f} ms, Polars alone {one_bare * 1000:.0f} ms")
    assert ours < MOST_TIMES_POLARS * polars


def test_longer_bars_made_on_reading(cache: BarsCache, capsys: pytest.CaptureFixture[str]) -> None:
    for timeframe in ("5m", "1h", "1d"):
        (seconds,) = medians(lambda timeframe=timeframe: cache.read(TICKERS, timeframe))
        say(capsys, f"{timeframe} bars made of ten million of 1m: {seconds:.2f} s")
        assert seconds < 30


def test_bars_are_added_without_writing_the_other_years(cache: BarsCache, capsys: pytest.CaptureFixture[str]) -> None:
    day = random_bars(minutes(), 0).tail(390)
    (seconds,) = medians(lambda: cache.append("T00", "1m", day, "benchmark"))
    say(capsys, f"a day added to five years of 1m bars: {seconds * 1000:.0f} ms")
    assert seconds < 5


def test_ten_million_rows_are_imported_in_less_than_two_gibibytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, looked, imported, peak_kib = import_elsewhere(ten_million_rows(tmp_path / "bars.csv"), tmp_path / "bars")
    total = looked + imported
    say(capsys, f"{rows:,.0f} rows looked at in {looked:.0f} s, imported in {imported:.0f} s: {rows / total:,.0f} rows a second")
    say(capsys, f"peak memory {peak_kib / 1024 / 1024:.2f} GiB")
    assert peak_kib < MOST_IMPORT_KIB
