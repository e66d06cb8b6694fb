"""Small evaluated frames for tests: hand-written ones, and random ones that are full of what goes wrong in markets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl


@dataclass(frozen=True)
class TestPlan:
    """An execution plan without a script."""

    __test__ = False

    entry_kind: str = "at_open"
    expiry_bars: int = 1
    fractions: tuple[float, ...] = ()
    has_exit: bool = False
    max_bars: int | None = None
    flat_by_minute: int | None = None
    risk_percent: float = 1.0
    has_trail: bool = False
    break_even_r: float | None = None
    cooldown_bars: int = 0
    size_kind: str = "risk"


@dataclass(frozen=True)
class Planned:
    """A strategy that is nothing but a plan."""

    plan: TestPlan


OPENING_MINUTE = 570
FIRST_SESSION = date(2024, 3, 7)
"""A Thursday; the second Monday after it has daylight saving time."""


def bar_time(session: date, minute: int) -> datetime:
    """The start of a bar; the offset to New York does not matter to the engine."""
    return datetime(session.year, session.month, session.day, tzinfo=UTC) + timedelta(minutes=minute + 300)


def hand_written(
    bars: list[tuple[float, float, float, float]],
    *,
    ticker: str = "AAA",
    sessions: list[int] | None = None,
    minutes: list[int] | None = None,
    volume: float = 1_000_000.0,
    long: dict[int, dict[str, float | None]] | None = None,
    short: dict[int, dict[str, float | None]] | None = None,
    long_exit: tuple[int, ...] = (),
    short_exit: tuple[int, ...] = (),
    score: float = 0.0,
    trail: float | None = None,
    size: float | None = None,
) -> pl.DataFrame:
    """A frame of (open, high, low, close) bars, a minute apart, with signals at the named rows (row -> stop, target, entry_price).

    `sessions` gives each bar's session by number, `minutes` its minute; by default one session from the opening on.
    """
    n = len(bars)
    sessions = sessions or [0] * n
    if minutes is None:
        minutes = [OPENING_MINUTE + sum(1 for s in sessions[:i] if s == sessions[i]) for i in range(n)]
    days = [FIRST_SESSION + timedelta(days=s) for s in sessions]
    columns: dict[str, Any] = {
        "ticker": [ticker] * n,
        "timestamp": [bar_time(day, minute) for day, minute in zip(days, minutes, strict=True)],
        **{name: [float(bar[i]) for bar in bars] for i, name in enumerate(("open", "high", "low", "close"))},
        "volume": [volume] * n,
        "session": days,
        "minute": pl.Series(minutes, dtype=pl.Int16),
        "score": [score] * n,
    }
    for direction, signals, exits in (("long", long or {}, long_exit), ("short", short or {}, short_exit)):
        columns[f"signal.{direction}"] = [i in signals for i in range(n)]
        columns[f"{direction}.exit"] = [i in exits for i in range(n)]
        columns[f"{direction}.trail"] = pl.Series([trail] * n, dtype=pl.Float64)
        columns[f"{direction}.size"] = pl.Series([size] * n, dtype=pl.Float64)
        for name in ("stop", "target", "target_2", "target_3", "entry_price"):
            columns[f"{direction}.{name}"] = pl.Series([signals.get(i, {}).get(name) for i in range(n)], dtype=pl.Float64)
    return pl.DataFrame(columns).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


@dataclass(frozen=True)
class Shape:
    """How a random market looks."""

    tickers: int = 3
    sessions: int = 3
    bars: int = 12
    missing: float = 0.1
    """Share of bars that are not there."""
    signals: float = 0.2
    """Share of bars with a signal."""
    sides: tuple[str, ...] = ("long", "short")
    bad: float = 0.02
    """Share of prices, stops… that are null or not a number."""
    tick: float = 0.25
    """Prices are multiples of it, so that touches and ties are common."""


def random_market(seed: int, shape: Shape) -> pl.DataFrame:
    """Gaps, halts, half days, one-bar sessions, zero volume, nulls, ties, stops and targets on either side."""
    rng = np.random.default_rng(seed)
    days = [FIRST_SESSION + timedelta(days=int(d)) for d in np.cumsum(rng.integers(1, 4, shape.sessions))]
    lengths = [int(rng.choice([1, shape.bars // 2 + 1, shape.bars], p=[0.1, 0.2, 0.7])) for _ in days]
    grid = [(day, OPENING_MINUTE + 30 * i) for day, length in zip(days, lengths, strict=True) for i in range(length)]
    frames = [_random_ticker(rng, shape, f"T{i}", grid) for i in range(shape.tickers)]
    return pl.concat(frames)


def _random_ticker(rng: np.random.Generator, shape: Shape, ticker: str, grid: list[tuple[date, int]]) -> pl.DataFrame:
    kept = [slot for slot in grid if rng.random() > shape.missing]
    if rng.random() < 0.15:
        kept = kept[: len(kept) // 2]
    n, tick = len(kept), shape.tick
    close = np.maximum(4.0, 20 + tick * np.cumsum(rng.integers(-3, 4, n)))
    jump = rng.random(n) < 0.15
    opening = np.maximum(4.0, np.concatenate(([20.0], close[:-1]))[:n] + tick * np.where(jump, rng.integers(-8, 9, n), 0))
    high = np.maximum(opening, close) + tick * rng.integers(0, 4, n)
    low = np.maximum(1.0, np.minimum(opening, close) - tick * rng.integers(0, 4, n))
    volume = np.where(rng.random(n) < 0.1, 0.0, rng.integers(10, 40_000, n).astype(float))
    columns: dict[str, Any] = {
        "ticker": pl.Series([ticker] * n, dtype=pl.String),
        "timestamp": pl.Series([bar_time(*slot) for slot in kept], dtype=pl.Datetime("us", "UTC")),
        "open": _spoiled(rng, opening, shape.bad / 4),
        "high": _spoiled(rng, high, shape.bad / 4),
        "low": low,
        "close": close,
        "volume": _spoiled(rng, volume, shape.bad),
        "session": pl.Series([day for day, _ in kept], dtype=pl.Date),
        "minute": pl.Series([minute for _, minute in kept], dtype=pl.Int16),
        "score": _spoiled(rng, rng.integers(0, 3, n).astype(float), shape.bad),
    }
    signal, says_long, says_both = rng.random(n) < shape.signals, rng.random(n) < 0.5, rng.random(n) < 0.05
    for direction, sign in (("long", 1), ("short", -1)):
        if direction not in shape.sides:
            continue
        mine = says_long if direction == "long" else ~says_long
        columns[f"signal.{direction}"] = pl.Series(signal & (mine | says_both), dtype=pl.Boolean)
        columns[f"{direction}.exit"] = pl.Series(rng.random(n) < 0.1, dtype=pl.Boolean)
        columns[f"{direction}.stop"] = _spoiled(rng, close - sign * tick * rng.integers(-1, 9, n), shape.bad)
        columns[f"{direction}.target"] = _spoiled(rng, close + sign * tick * rng.integers(-1, 9, n), 3 * shape.bad)
        columns[f"{direction}.target_2"] = _spoiled(rng, close + sign * tick * rng.integers(1, 14, n), 3 * shape.bad)
        columns[f"{direction}.target_3"] = _spoiled(rng, close + sign * tick * rng.integers(1, 20, n), 3 * shape.bad)
        columns[f"{direction}.trail"] = _spoiled(rng, tick * rng.integers(1, 12, n), shape.bad)
        columns[f"{direction}.size"] = _spoiled(rng, np.exp(rng.uniform(-2, 10, n)), shape.bad)
        columns[f"{direction}.entry_price"] = _spoiled(rng, close + tick * rng.integers(-4, 5, n), shape.bad)
    return pl.DataFrame(columns)


FINER_MINUTES = 30
"""Length of the bars of a random market."""


def finer_of(market: pl.DataFrame, seed: int, missing: float = 0.03) -> pl.DataFrame:
    """Five-minute bars that lie within those of a random market and show their highs and lows in any order, some of them missing."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for bar in market.iter_rows(named=True):
        prices = [bar[name] for name in ("open", "high", "low", "close")]
        if any(price is None or not np.isfinite(price) for price in prices):
            continue
        o, h, low, c = prices
        inner = [h, low, *(low + (h - low) * rng.integers(0, 5, int(rng.integers(0, 4))) / 4)]
        path = [o, *rng.permutation(inner).tolist(), c]
        for i, (start, end) in enumerate(pairwise(path)):
            start = low + (h - low) * int(rng.integers(0, 5)) / 4 if i and rng.random() < 0.2 else start
            if rng.random() > missing:
                minute = bar["minute"] + 5 * i
                at = bar_time(bar["session"], minute)
                span = {"open": start, "high": max(start, end), "low": min(start, end), "close": end}
                rows.append({"ticker": bar["ticker"], "timestamp": at, **span, "volume": 1.0, "session": bar["session"], "minute": minute})
    schema = {name: market.schema[name] for name in ("ticker", "timestamp", "open", "high", "low", "close", "volume", "session", "minute")}
    return pl.DataFrame(rows, schema=schema)


def _spoiled(rng: np.random.Generator, values: Any, share: float) -> pl.Series:
    """Some values null, some not a number, some infinite."""
    kinds = rng.random(len(values))
    made: list[float | None] = [float(v) for v in values]
    for i, kind in enumerate(kinds):
        if kind < share:
            made[i] = (None, float("nan"), float("inf"), -1.0)[int(kind / share * 4)]
    return pl.Series(made, dtype=pl.Float64)
