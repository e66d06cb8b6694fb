"""Price levels a trader would draw: pivots, and support and resistance as clusters of swing highs and lows.

A swing low is a block of bars whose low is below those of the `SIDE` blocks before it and not above those of the `SIDE`
blocks after it; it is confirmed when the last of these has closed, and used from the next session on. Swings (highs and lows
alike, since a broken resistance becomes support) that lie within a tolerance form a level: their mean price, where at least
two of them agree. So the levels of a session are fixed before it opens and nothing in them comes from later bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lab.market.timeframes import DAILY, timeframe_minutes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDE = 3
"""Blocks on each side that a swing must stand out from."""
MIN_TOUCHES = 2
RANGE_SESSIONS = 14
"""Sessions over which the mean daily range is taken, which sets the tolerance."""
_ROW_STEP = 64.0


@dataclass(frozen=True, slots=True)
class LevelRule:
    """How levels are drawn on a timeframe."""

    block_minutes: int
    """Bars are joined to blocks of this length before swings are looked for, so that single ticks don't count as swings."""
    sessions: int
    """How many past sessions a swing is remembered."""
    tolerance: float
    """How far apart swings of one level may lie, as a share of the mean daily range."""


def level_rule(timeframe: str) -> LevelRule:
    """The rule for a timeframe: days of half-hours for intraday bars, a year of days for daily ones."""
    length = timeframe_minutes(timeframe)
    if timeframe == DAILY:
        return LevelRule(length, 250, 0.5)
    if length >= 60:
        return LevelRule(length, 60, 0.2)
    return LevelRule(30, 20, 0.15)


def pivots(high: pl.Expr, low: pl.Expr, close: pl.Expr) -> dict[str, pl.Expr]:
    """The pivots of a session, from the high, low and close of the session before it: classic, Fibonacci and Camarilla.

    Classic: floor traders' ones. Fibonacci: 0.382, 0.618 and 1 ranges from the pivot. Camarilla (N. Scott): 1.1 / 12, / 6, / 4 and / 2
    of the range from the close.
    """
    pivot, spread = (high + low + close) / 3, high - low
    found = {
        "levels.pivot": pivot,
        "levels.r1": 2 * pivot - low,
        "levels.r2": pivot + (high - low),
        "levels.r3": high + 2 * (pivot - low),
        "levels.s1": 2 * pivot - high,
        "levels.s2": pivot - (high - low),
        "levels.s3": low - 2 * (high - pivot),
    }
    for number, share in enumerate((0.382, 0.618, 1.0), start=1):
        found |= {f"levels.fib_r{number}": pivot + share * spread, f"levels.fib_s{number}": pivot - share * spread}
    for number, part in enumerate((12, 6, 4, 2), start=1):
        found |= {f"levels.cam_r{number}": close + 1.1 * spread / part, f"levels.cam_s{number}": close - 1.1 * spread / part}
    return found


def swings(high: Floats, low: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which blocks (last axis) are swing highs and which are swing lows."""
    return _troughs(-high), _troughs(low)


def _troughs(low: Floats) -> NDArray[np.bool_]:
    found = np.zeros(low.shape, dtype=bool)
    if low.shape[-1] > 2 * SIDE:
        window = np.lib.stride_tricks.sliding_window_view(low, 2 * SIDE + 1, axis=-1)
        middle = window[..., SIDE]
        found[..., SIDE:-SIDE] = (middle < window[..., :SIDE].min(axis=-1)) & (middle <= window[..., SIDE + 1 :].min(axis=-1))
    return found


def cluster(prices: Floats, tolerance: Floats) -> Floats:
    """Levels per row, ascending, NaN where there is none.

    `prices` holds one row of swing prices per session, padded with infinity; `tolerance` the row's width of a level as a share
    of the price.
    """
    rows, width = prices.shape
    if width == 0:
        return np.full((rows, 1), np.nan)
    prices = np.sort(prices, axis=1)
    group = _groups(prices, tolerance)
    real = np.isfinite(prices)
    slot = (group + np.arange(rows)[:, None] * width)[real]
    count = np.bincount(slot, minlength=rows * width)
    total = np.bincount(slot, weights=prices[real], minlength=rows * width)
    levels = np.where(count >= MIN_TOUCHES, total / np.maximum(count, 1), np.nan)
    return np.asarray(levels.reshape(rows, width))


def _groups(prices: Floats, tolerance: Floats) -> Ints:
    """Per row of ascending prices, the number of the level each belongs to: one reaches from its lowest price as far as the tolerance."""
    rows, width = prices.shape
    reach = 1 + tolerance
    group = np.zeros((rows, width), dtype=np.int64)
    limit = prices[:, 0] * reach
    current = np.zeros(rows, dtype=np.int64)
    for column in range(1, width):
        price = prices[:, column]
        beyond = price > limit
        current = current + beyond
        limit = np.where(beyond, price * reach, limit)
        group[:, column] = current
    return group


def nearest(levels: Floats, row: Ints, close: Floats) -> tuple[Floats, Floats]:
    """The nearest level at or below and the nearest above each close, among the levels of its row; NaN where there is none."""
    below, above = nearest_places(levels, row, close)
    padded = np.append(levels.ravel(), np.nan)
    return padded[below], padded[above]


def nearest_places(levels: Floats, row: Ints, close: Floats) -> tuple[Ints, Ints]:
    """As `nearest`, but where the levels stand in `levels.ravel()`; -1 where there is none."""
    known = np.isfinite(levels)
    if not known.any() or close.size == 0:
        return np.full(close.shape, -1), np.full(close.shape, -1)
    # One search over all rows: the row's number puts the rows one after another on one line of log prices. The step between
    # rows is fixed, so that what is found in one row can't depend, by rounding, on prices in another.
    owner = np.repeat(np.arange(levels.shape[0]), known.sum(axis=1))
    flat = levels[known]
    above = np.searchsorted(np.log(flat) + owner * _ROW_STEP, np.log(close) + row * _ROW_STEP, side="right")
    below = above - 1
    padded_owner = np.concatenate([owner, [-1]])
    place = np.concatenate([np.flatnonzero(known), [-1]])
    has_below = (below >= 0) & (padded_owner[below] == row)
    has_above = padded_owner[above] == row
    return np.where(has_below, place[below], -1), np.where(has_above, place[above], -1)


@dataclass(frozen=True, slots=True)
class LevelTable:
    """The levels of one ticker, a row a session, fixed before it opens. Prices ascend; NaN where there is no level."""

    price: Floats
    touches: Floats
    """How many of the remembered swings agree on it."""
    age: Floats
    """Sessions since the first of them was confirmed; 1 for the session after."""
    strength: Floats
    """The sum over its touches of what is left of each: 1 in the session after it was confirmed, falling in a straight line to
    nothing when it is forgotten."""


def level_table(bars: pl.DataFrame, timeframe: str) -> LevelTable:
    """The levels of one ticker's bars (see `BARS_SCHEMA`), a row for each of its sessions in order."""
    rule = level_rule(timeframe)
    prices, ages = _swing_table(bars, timeframe, rule)
    return _clustered(prices, ages, level_tolerance(bars, rule), rule.sessions)


def support_and_resistance(bars: pl.DataFrame, timeframe: str) -> tuple[Floats, Floats]:
    """`levels.support` and `levels.resistance` of one ticker's bars (see `BARS_SCHEMA`), in dollars, NaN where unknown."""
    rule = level_rule(timeframe)
    prices, _ = _swing_table(bars, timeframe, rule)
    return nearest(cluster(prices, level_tolerance(bars, rule)), session_rows(bars), bars["close"].to_numpy())


def level_details(bars: pl.DataFrame, timeframe: str) -> dict[str, Floats]:
    """`levels.support_touches` and its kin of one ticker's bars: what is known of the nearest levels, NaN where there is none."""
    table = level_table(bars, timeframe)
    below, above = nearest_places(table.price, session_rows(bars), bars["close"].to_numpy())
    found = {}
    for name, values in (("touches", table.touches), ("age", table.age), ("strength", table.strength)):
        padded = np.append(values.ravel(), np.nan)
        found[f"levels.support_{name}"], found[f"levels.resistance_{name}"] = padded[below], padded[above]
    return found


def session_rows(bars: pl.DataFrame) -> Ints:
    """Per bar of one ticker, the number of its session."""
    return bars["session"].rle_id().to_numpy().astype(np.int64)


def _swing_table(bars: pl.DataFrame, timeframe: str, rule: LevelRule) -> tuple[Floats, Floats]:
    """One row a session: the prices of the swings remembered in it, padded with infinity, and the sessions since each was confirmed."""
    block = (pl.col("minute") - 570) // rule.block_minutes if timeframe != DAILY else pl.lit(0)
    blocks = bars.lazy().group_by("session", block.alias("block"), maintain_order=True).agg(pl.col("high").max(), pl.col("low").min())
    joined = blocks.collect()
    block_row = joined["session"].rle_id().to_numpy().astype(np.int64)
    high, low = joined["high"].to_numpy(), joined["low"].to_numpy()
    tops, bottoms = swings(high, low)
    spots = np.concatenate([np.flatnonzero(tops), np.flatnonzero(bottoms)])
    prices = np.concatenate([high[tops], low[bottoms]])
    confirmed = block_row[np.minimum(spots + SIDE, high.size - 1)]
    order = np.argsort(confirmed, kind="stable")
    return recent_swings(prices[order], confirmed[order], int(block_row[-1]) + 1, rule.sessions)


def recent_swings(prices: Floats, confirmed: Ints, sessions: int, remembered: int) -> tuple[Floats, Floats]:
    """One row a session: the prices of the swings confirmed in the `remembered` sessions before it, padded with infinity, and ages."""
    numbers = np.arange(sessions)
    start = np.searchsorted(confirmed, numbers - remembered, side="left")
    end = np.searchsorted(confirmed, numbers, side="left")
    width = int((end - start).max()) if sessions else 0
    index = start[:, None] + np.arange(width)
    inside = index < end[:, None]
    index = np.where(inside, index, prices.size)
    ages = numbers[:, None] - np.append(confirmed, 0)[index]
    return np.where(inside, np.append(prices, np.inf)[index], np.inf), np.where(inside, ages, 0).astype(np.float64)


def _clustered(prices: Floats, ages: Floats, tolerance: Floats, remembered: int) -> LevelTable:
    """The levels that `cluster` finds, with what is known of their swings."""
    levels = cluster(prices, tolerance)
    if prices.shape[1] == 0:
        return LevelTable(levels, levels, levels, levels)
    order = np.argsort(prices, axis=1, kind="stable")
    prices, ages = np.take_along_axis(prices, order, axis=1), np.take_along_axis(ages, order, axis=1)
    group = _groups(prices, tolerance)
    rows, width = prices.shape
    real = np.isfinite(prices)
    slot = (group + np.arange(rows)[:, None] * width)[real]
    touches = np.bincount(slot, minlength=rows * width)
    strength = np.bincount(slot, weights=1 - (ages[real] - 1) / remembered, minlength=rows * width)
    age = np.zeros(rows * width)
    np.maximum.at(age, slot, ages[real])
    known = np.isfinite(levels)
    shaped = (np.where(known, values.reshape(rows, width), np.nan) for values in (touches, age, strength))
    return LevelTable(levels, *shaped)


def level_tolerance(bars: pl.DataFrame, rule: LevelRule) -> Floats:
    """Per session: the width of a level as a share of the price, from the mean daily range of the sessions before it."""
    days = bars.group_by("session", maintain_order=True).agg(
        share=(pl.col("high").max() - pl.col("low").min()) / pl.col("close").last(),
    )
    mean = days["share"].rolling_mean(RANGE_SESSIONS, min_samples=1).shift(1)
    return rule.tolerance * mean.fill_null(0.0).to_numpy()
