"""The context of a signal: what it says, and that it says nothing of what came later."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lab.agents.enrich import CONTEXT_COLUMNS, EXPRESSIONS, enrich_signals
from lab.script import check_scan, compile_strategy

SCAN = "long = close > open\nshort = close < open\n"
EXECUTION = "entry = at_open()\nstop = close - side * atr(3)\n"


def bars(sessions: int = 14, per_session: int = 30, seed: int = 1) -> pl.DataFrame:
    """Two tickers of 5-minute bars with context, a random walk."""
    rng = np.random.default_rng(seed)
    frames = []
    for ticker in ("AAA", "BBB"):
        n = sessions * per_session
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, n)))
        opened = np.concatenate([[100.0], close[:-1]])
        days = [date(2024, 8, 1) + timedelta(days=i // per_session) for i in range(n)]
        minutes = [570 + 5 * (i % per_session) for i in range(n)]
        frames.append(
            pl.DataFrame(
                {
                    "ticker": [ticker] * n,
                    "timestamp": [
                        datetime(d.year, d.month, d.day, tzinfo=UTC) + timedelta(minutes=m + 240)
                        for d, m in zip(days, minutes, strict=True)
                    ],
                    "open": opened,
                    "high": np.maximum(opened, close) * 1.0005,
                    "low": np.minimum(opened, close) * 0.9995,
                    "close": close,
                    "volume": rng.uniform(1000, 5000, n).round(),
                    "session": days,
                    "minute": pl.Series(minutes, dtype=pl.Int16),
                    "close_minute": pl.Series([960] * n, dtype=pl.Int16),
                    "market.trend": pl.Series(rng.integers(-1, 2, n), dtype=pl.Int8),
                    "market.volatility": pl.Series(rng.integers(0, 3, n), dtype=pl.Int8),
                    "market.change": rng.normal(0, 1, n),
                    "levels.support": close * 0.98,
                    "levels.resistance": [None] * (n - 1) + [float(close[-1] * 1.05)],
                },
                schema_overrides={"timestamp": pl.Datetime("us", "UTC"), "levels.resistance": pl.Float64},
            )
        )
    return pl.concat(frames)


def enriched(frame: pl.DataFrame) -> pl.DataFrame:
    return enrich_signals(compile_strategy(SCAN, EXECUTION).evaluate(frame))


def test_there_is_a_row_for_every_signal_and_no_other() -> None:
    frame = bars()
    found = enriched(frame)
    assert found.columns == ["ticker", "timestamp", "direction", *CONTEXT_COLUMNS]
    evaluated = compile_strategy(SCAN, EXECUTION).evaluate(frame)
    assert found.filter(pl.col("direction") == "long").height == int(evaluated["signal.long"].sum())
    assert found.filter(pl.col("direction") == "short").height == int(evaluated["signal.short"].sum())
    assert found.select("ticker", "timestamp", "direction").is_unique().all()


def test_the_columns_say_what_they_say() -> None:
    frame = bars()
    row = enriched(frame).filter((pl.col("ticker") == "BBB") & (pl.col("timestamp") > datetime(2024, 8, 13, tzinfo=UTC))).row(5, named=True)
    bar = frame.filter((pl.col("ticker") == "BBB") & (pl.col("timestamp") == row["timestamp"])).row(0, named=True)
    assert row["hour"] == bar["minute"] // 60
    assert row["minutes_since_open"] == bar["minute"] - 570
    assert row["weekday"] == bar["session"].isoweekday()
    assert row["support_distance_percent"] == pytest.approx(2.0)
    assert row["resistance_distance_percent"] is None
    assert row["market.trend"] == bar["market.trend"]
    before = frame.filter((pl.col("ticker") == "BBB") & (pl.col("minute") == bar["minute"]) & (pl.col("timestamp") < row["timestamp"]))[
        "volume"
    ].tail(10)
    assert row["relative_volume"] == pytest.approx(bar["volume"] / np.mean(before.to_numpy()))


def test_nothing_is_known_before_it_happened() -> None:
    frame = bars()
    whole = enriched(frame)
    stamps = frame["timestamp"].unique().sort()
    for cut in (stamps[1], stamps[2], stamps[30], stamps[200], stamps[311], stamps[-2]):
        known = enriched(frame.filter(pl.col("timestamp") <= cut))
        assert_frame_equal(known, whole.filter(pl.col("timestamp") <= cut), rel_tol=1e-9)


def test_bars_of_a_session_have_no_time_of_day() -> None:
    frame = bars(sessions=40, per_session=1)
    found = enriched(frame)
    assert found.height > 0
    for column in ("hour", "minutes_since_open", "vwap_distance_percent"):
        assert found[column].is_null().all()
    assert found["weekday"].is_not_null().all()


def test_context_that_is_not_there_is_unknown_not_an_error() -> None:
    frame = bars().drop("market.trend", "market.volatility", "market.change", "levels.support", "levels.resistance")
    found = enriched(frame)
    assert found["market.trend"].is_null().all()
    assert found["support_distance_percent"].is_null().all()
    assert found["rsi"].drop_nulls().len() > 0


def test_every_expression_is_a_valid_script() -> None:
    for text in EXPRESSIONS.values():
        assert check_scan(f"x = {text}\nlong = x > 0\n") == ()
