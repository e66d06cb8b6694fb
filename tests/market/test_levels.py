"""Support and resistance: swings, clusters, and the nearest level."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lab.market.bars import place_in_sessions
from lab.market.levels import MIN_TOUCHES, SIDE, cluster, nearest, support_and_resistance, swings
from tests.market.conftest import walk

prices = st.floats(1.0, 500.0, allow_nan=False, width=32)


def test_a_swing_stands_out_from_three_blocks_on_each_side() -> None:
    low = np.array([5.0, 4, 3, 2, 1, 2, 3, 4, 5, 5, 5])
    tops, bottoms = swings(low + 10, low)
    assert np.flatnonzero(bottoms).tolist() == [4]
    assert not tops.any()
    assert np.flatnonzero(swings(-low, -low - 10)[0]).tolist() == [4]


def test_the_last_blocks_are_no_swings_yet() -> None:
    falling = np.arange(20.0, 0, -1)
    assert not swings(falling + 1, falling)[1].any()


@given(arrays(np.float64, st.integers(2 * SIDE + 2, 60), elements=prices), st.integers(1, 20))
def test_a_swing_once_confirmed_stays_one(low: np.ndarray, more: int) -> None:
    before = swings(low, low)[1]
    after = swings(*[np.concatenate([low, np.full(more, 250.0)])] * 2)[1][: low.size]
    assert (after[: low.size - SIDE] == before[: low.size - SIDE]).all()


def test_swings_close_together_are_one_level_and_a_lonely_one_is_none() -> None:
    row = np.array([[100.0, 100.1, 100.2, 105.0, 110.0, 110.3, np.inf]])
    levels = cluster(row, np.array([0.004]))
    found = levels[np.isfinite(levels)]
    assert np.allclose(found, [100.1, 110.15])


@given(arrays(np.float64, (3, 12), elements=prices), st.floats(0.0, 0.05))
def test_levels_rise_and_lie_among_their_swings(rows: np.ndarray, tolerance: float) -> None:
    levels = cluster(rows, np.full(3, tolerance))
    for row, swing_prices in zip(levels, rows, strict=True):
        found = row[np.isfinite(row)]
        assert (np.diff(found) > 0).all()
        assert found.size <= swing_prices.size / MIN_TOUCHES
        for level in found:
            near = np.abs(swing_prices / level - 1) <= tolerance + 1e-9
            assert near.sum() >= MIN_TOUCHES


@given(arrays(np.float64, (4, 6), elements=prices), arrays(np.float64, (4, 9), elements=prices))
def test_the_nearest_levels_are_those_a_search_by_hand_finds(levels: np.ndarray, close: np.ndarray) -> None:
    levels = np.sort(levels, axis=1)
    levels[1, :] = np.nan
    levels[2, 4:] = np.nan
    row = np.repeat(np.arange(4), 9)
    below, above = (side.reshape(4, 9) for side in nearest(levels, row, close.ravel()))
    for number in range(4):
        own = levels[number][np.isfinite(levels[number])]
        for place, price in enumerate(close[number]):
            under, over = own[own <= price], own[own > price]
            assert np.array_equal(below[number, place], under.max() if under.size else np.nan, equal_nan=True)
            assert np.array_equal(above[number, place], over.min() if over.size else np.nan, equal_nan=True)


def test_a_price_that_turned_twice_at_100_has_support_there() -> None:
    bars = walk(date(2024, 1, 2), date(2024, 1, 12), minutes=30, spread=0.0)
    path = np.concatenate([np.linspace(104, 100, 20), np.linspace(100, 105, 20), np.linspace(105, 100, 20)])
    path = np.concatenate([path, np.linspace(100, 106, bars.height - path.size)])
    bars = bars.with_columns(open=path, high=path + 0.05, low=path - 0.05, close=path)
    support, resistance = support_and_resistance(place_in_sessions(bars, "30m"), "30m")
    last = pl.Series(support)[-1]
    assert abs(last - 99.95) < 0.1
    assert np.isnan(resistance[-1])
    assert np.isnan(support[:39]).all(), "not known before the second turn was confirmed and the session over"
