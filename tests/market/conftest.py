"""The demo market, made once a test process, and small hand-made bars."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import BarsCache, DemoOutcome, load_market, make_demo_market, trading_sessions


@dataclass(slots=True)
class Making:
    """How the demo market was made."""

    cpu_seconds: float = 0.0
    notes: list[tuple[float, str]] = field(default_factory=list)


@pytest.fixture(scope="session")
def demo_making() -> Making:
    return Making()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, demo_making: Making) -> tuple[BarsCache, DemoOutcome]:
    cache = BarsCache(tmp_path_factory.mktemp("demo") / "bars")
    trading_sessions(date(2024, 1, 1), date(2024, 1, 31))
    begin = time.process_time()
    made = make_demo_market(cache, lambda share, note: demo_making.notes.append((share, note)))
    demo_making.cpu_seconds = time.process_time() - begin
    return cache, made


@pytest.fixture(scope="session")
def demo_frame(demo: tuple[BarsCache, DemoOutcome]) -> pl.DataFrame:
    cache, made = demo
    return load_market(cache, made.tickers, made.timeframe, market_ticker=made.market_ticker, vix_ticker=made.vix_ticker)


@pytest.fixture
def cache(tmp_path: Path) -> BarsCache:
    return BarsCache(tmp_path / "bars")


def walk(first: date, last: date, seed: int = 1, minutes: int = 60, price: float = 100.0, spread: float = 0.004) -> pl.DataFrame:
    """A random walk of regular-hours bars (daily ones for 1440 minutes) in the columns that a series is written from."""
    rng = np.random.default_rng(seed)
    stamps = []
    for open_at, close_at in trading_sessions(first, last).select("open_at", "close_at").iter_rows():
        stamps.append(pl.datetime_range(open_at, close_at, f"{minutes}m", closed="left", time_unit="us", eager=True))
    stamp = pl.concat(stamps)
    steps = rng.standard_normal(stamp.len()) * spread
    close = np.round(price * np.exp(np.cumsum(steps)), 2)
    opens = np.concatenate([[price], close[:-1]])
    high = np.round(np.maximum(opens, close) * (1 + np.abs(rng.standard_normal(stamp.len())) * spread / 3), 2)
    low = np.round(np.minimum(opens, close) * (1 - np.abs(rng.standard_normal(stamp.len())) * spread / 3), 2)
    volume = np.round(rng.lognormal(11, 0.4, stamp.len()))
    return pl.DataFrame({"timestamp": stamp, "open": opens, "high": high, "low": low, "close": close, "volume": volume})
