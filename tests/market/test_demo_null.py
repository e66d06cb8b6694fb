"""Markets in which there is nothing to find: the demo with no edges, and bars whose returns were shuffled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.market import EdgeStrength, MarketError, MarketFrames, block_shuffled, make_market_frames

pytestmark = pytest.mark.xdist_group("demo null")


@pytest.fixture(scope="module")
def planted() -> MarketFrames:
    return make_market_frames(seed=2, sessions=45, tickers=5, edges=EdgeStrength.STRONG)


@pytest.mark.parametrize("lag", [1, 5, 30])
def test_without_edges_returns_say_nothing_about_later_returns(lag: int) -> None:
    """Signs over many markets: what went up is as likely to go on as to turn, whatever the volatility."""
    agreed = []
    for seed in range(8):
        bars = make_market_frames(seed=seed, sessions=20, tickers=3, edges=EdgeStrength.NONE).bars.filter(pl.col("ticker") != "SPY")
        moves = bars.with_columns(move=pl.col("close").log().diff(lag).sign().over("ticker", "session"))
        later = moves.with_columns(later=pl.col("move").shift(-lag).over("ticker", "session")).drop_nulls()
        days = later.group_by("session").agg((pl.col("move") * pl.col("later")).mean())["move"]
        agreed += days.to_list()
    mean, error = float(np.mean(agreed)), float(np.std(agreed) / np.sqrt(len(agreed)))
    assert abs(mean) < 3.5 * error, f"{mean:+.4f} with a standard error of {error:.4f}"


def test_shuffled_bars_are_whole_and_keep_prices_volumes_and_the_shape_of_the_day(planted: MarketFrames) -> None:
    bars = planted.bars
    for shuffled in (block_shuffled(bars, 1), block_shuffled(bars, 1, block_minutes=15), block_shuffled(bars, 1, block_sessions=5)):
        assert shuffled.schema == bars.schema
        assert shuffled.height == bars.height
        assert shuffled.equals(shuffled.sort("ticker", "timestamp"))
        assert shuffled.filter((pl.col("low") > pl.min_horizontal("open", "close")) | (pl.col("low") <= 0)).is_empty()
        assert shuffled.filter(pl.col("high") < pl.max_horizontal("open", "close")).is_empty()
        for column, how in (("close", pl.Expr.last), ("volume", pl.Expr.sum)):
            before, after = (one.group_by("ticker").agg(how(pl.col(column))).sort("ticker")[column] for one in (bars, shuffled))
            assert np.allclose(before, after, rtol=1e-9), column
        shape, again = (one.group_by("minute").agg(pl.col("volume").sum()).sort("minute")["volume"] for one in (bars, shuffled))
        assert np.allclose(shape, again)
        assert not shuffled["close"].equals(bars["close"])


def test_shuffled_bars_keep_how_tickers_move_together(planted: MarketFrames) -> None:
    bars = planted.bars.filter(pl.col("ticker").is_in(["ALTO", "CIRQ"]))  # two of one sector
    for shuffled in (block_shuffled(bars, 4), block_shuffled(bars, 4, block_minutes=30)):
        before, after = (
            one.with_columns(move=(pl.col("close") / pl.col("open")).log())
            .pivot(on="ticker", index="timestamp", values="move")
            .drop_nulls()
            for one in (bars, shuffled)
        )
        wanted = before.select(pl.corr("ALTO", "CIRQ")).item()
        assert wanted > 0.1
        assert abs(after.select(pl.corr("ALTO", "CIRQ")).item() - wanted) < 0.01


def test_the_same_seed_shuffles_alike_and_another_differently(planted: MarketFrames) -> None:
    assert block_shuffled(planted.bars, 7).equals(block_shuffled(planted.bars, 7))
    assert not block_shuffled(planted.bars, 7).equals(block_shuffled(planted.bars, 8))


def test_sessions_of_a_block_stay_together_and_half_days_where_they_are() -> None:
    bars = make_market_frames(seed=1, sessions=50, tickers=1, edges=EdgeStrength.NONE).bars.filter(ticker="ALTO")
    shuffled = block_shuffled(bars, 3, block_sessions=5)
    totals = [
        one.group_by("session", maintain_order=True).agg(pl.col("volume").sum(), pl.col("close_minute").first()) for one in (bars, shuffled)
    ]
    half = [one.filter(close_minute=780) for one in totals]
    assert half[0].height >= 2
    assert half[0].equals(half[1])
    before, after = (one.filter(close_minute=960)["volume"].to_list() for one in totals)
    places = [before.index(volume) for volume in after]
    follows = [b - a == 1 for a, b in pairwise(places)]
    assert sum(follows) >= 0.75 * len(follows)
    assert places != sorted(places)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), blocks=st.integers(1, 60), minutes=st.none() | st.integers(1, 500))
def test_any_block_keeps_every_return(planted: MarketFrames, seed: int, blocks: int, minutes: int | None) -> None:
    bars = planted.bars.filter(ticker="BRIX")
    shuffled = block_shuffled(bars, seed, block_sessions=blocks, block_minutes=minutes)
    moves = [np.sort((one["close"] / one["open"]).log().to_numpy()) for one in (bars, shuffled)]
    assert np.allclose(*moves, atol=1e-9)


def test_a_block_of_nothing_is_refused(planted: MarketFrames) -> None:
    with pytest.raises(MarketError, match="at least one"):
        block_shuffled(planted.bars, 1, block_sessions=0)
