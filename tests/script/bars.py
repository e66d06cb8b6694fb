"""Bars for the language's tests: several tickers, sessions with a half day, and on request everything that goes wrong in real data."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from lab.script import FIELDS, Strategy, compile_strategy

EXECUTION = "entry = at_open()\nstop = close - side * 0.01 * close\n"


def make_bars(
    seed: int = 0, tickers: int = 2, sessions: int = 3, per_session: int = 60, step: int = 5, *, damaged: bool = False
) -> pl.DataFrame:
    """Random bars of `step` minutes; every third session is a half day. Damaged ones have gaps, nulls, zero volume and odd numbers."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(tickers):
        rows = []
        for session in range(sessions):
            day = date(2024, 3, 4) + timedelta(days=session)
            half = session % 3 == 1
            count = per_session // 2 if half else per_session
            opened = datetime(2024, 3, 4, 14, 30, tzinfo=UTC) + timedelta(days=session)
            rows += [
                (f"T{number:02d}", opened + timedelta(minutes=i * step), day, 570 + i * step, 780 if half else 960) for i in range(count)
            ]
        size = len(rows)
        close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.004, size))), 2)
        opens = np.round(np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, 0.002, size)), 2)
        columns: dict[str, list[float | None]] = {
            "open": opens.tolist(),
            "high": np.round(np.maximum(opens, close) + np.abs(rng.normal(0, 0.15, size)), 2).tolist(),
            "low": np.round(np.minimum(opens, close) - np.abs(rng.normal(0, 0.15, size)), 2).tolist(),
            "close": close.tolist(),
            "volume": rng.integers(100, 5000, size).astype(float).tolist(),
        }
        for name in FIELDS:
            if "." in name:
                columns[name] = (
                    (100 + rng.normal(0, 1, size)).tolist()
                    if not name.startswith("market")
                    else rng.integers(-1, 2, size).astype(float).tolist()
                )
        keep = np.ones(size, dtype=bool)
        if damaged:
            for name, values in columns.items():
                for row in rng.choice(size, size // 25 + 1, replace=False):
                    values[row] = None
                if name == "volume":
                    for row in rng.choice(size, size // 8 + 1, replace=False):
                        values[row] = 0.0
            columns["close"][int(rng.integers(size))] = float("nan")
            columns["high"][int(rng.integers(size))] = float("inf")
            keep = rng.random(size) > 0.1
            keep[0] = True
        frame = pl.DataFrame(rows, schema=["ticker", "timestamp", "session", "minute", "close_minute"], orient="row").with_columns(
            pl.col("timestamp").cast(pl.Datetime("us", "UTC")),
            pl.col("minute").cast(pl.Int16),
            pl.col("close_minute").cast(pl.Int16),
            *(pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items()),
        )
        frames.append(frame.filter(pl.Series(keep)))
    return pl.concat(frames)


def strategy_of(*lines: str, execution: str = EXECUTION, **params: float) -> Strategy:
    """A strategy with these scan lines; a `long` line is added where there is none."""
    text = "\n".join(lines)
    if not any(line.startswith(("long ", "short ")) for line in lines):
        text += "\nlong = close > open"
    return compile_strategy(text, execution, params)


def column(frame: pl.DataFrame, *lines: str) -> list[object]:
    """The values of the scan line `x` on a frame."""
    values: list[object] = strategy_of(*lines).evaluate(frame)["scan.x"].to_list()
    return values
