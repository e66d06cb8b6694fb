"""The demo market against real bars: fat tails, clustered volatility, the shape of a day, what happens overnight.

Each fact is measured in the same way on both, as the median over tickers; both have to lie in the band written down here.
Wide bands are wide because real stocks differ as much: single years, single names, quiet and wild times.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from lab.market import EdgeStrength, MarketFrames, make_market_frames
from lab.market.bars import place_in_sessions

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.skipif(not DATA.exists(), reason=f"the real bars are not here: {DATA}"),
    pytest.mark.xdist_group("demo facts"),
]

Floats = NDArray[np.float64]
Facts = dict[str, float]

MINUTE_BANDS = {
    "kurtosis": (4.0, 45.0),
    "tail index": (2.3, 4.2),
    "absolute returns, lag 1": (0.05, 0.25),
    "absolute returns, lag 60": (0.0, 0.20),
    "volume of the first half-hour": (0.07, 0.20),
    "volume of a half-hour at noon": (0.035, 0.065),
    "volume of the last half-hour": (0.13, 0.33),
    "volatility of the first half-hour": (1.5, 2.8),
    "volatility at noon": (0.70, 0.92),
    "returns and volume": (0.12, 0.45),
}
HOUR_BANDS = {
    "kurtosis": (4.5, 30.0),
    "tail index": (2.2, 4.3),
    "absolute returns, lag 1": (0.10, 0.40),
    "absolute returns, lag 35": (0.03, 0.30),
}
DAY_BANDS = {
    "deviation": (0.009, 0.035),
    "kurtosis": (4.5, 30.0),
    "tail index": (2.2, 4.0),
    "absolute returns, lag 1": (0.05, 0.40),
    "absolute returns, lag 5": (0.03, 0.35),
    "returns, lag 1": (-0.12, 0.08),
    "gap share of variance": (0.25, 0.55),
}
FIVE_YEARS = 1_250


@pytest.fixture(scope="module")
def demo_bars() -> MarketFrames:
    return make_market_frames(seed=11, sessions=FIVE_YEARS, tickers=4, edges=EdgeStrength.NONE)


def kurtosis(x: Floats) -> float:
    return float(((x - x.mean()) ** 4).mean() / x.var() ** 2)


def tail_index(x: Floats) -> float:
    """Hill's estimate from the largest twentieth of the moves."""
    size = np.sort(np.abs(x[x != 0]))[::-1]
    many = len(size) // 20
    return float(many / np.log(size[:many] / size[many]).sum())


def correlation(x: Floats, lag: int) -> float:
    return float(np.corrcoef(x[lag:], x[:-lag])[0, 1])


def minute_facts(bars: pl.DataFrame) -> Facts:
    """Of one ticker's regular minutes; returns between neighbouring minutes only, sizes against what is usual at the half-hour."""
    minute, session = bars["minute"].to_numpy().astype(int), bars["session"].rle_id().to_numpy().astype(int)
    neighbours = (np.diff(minute) == 1) & (np.diff(session) == 0)
    moves = np.diff(np.log(bars["close"].to_numpy()))[neighbours]
    part = ((minute[1:] - 570) // 30)[neighbours]
    size = np.abs(moves)
    usual = np.array([size[part == one].mean() for one in range(13)])
    wild = np.array([moves[part == one].std() for one in range(13)])
    volume = np.bincount((minute - 570) // 30, weights=bars["volume"].to_numpy(), minlength=13)[:13]
    volume, wild = volume / volume.sum(), wild / wild.mean()
    return {
        "kurtosis": kurtosis(moves),
        "tail index": tail_index(moves),
        "absolute returns, lag 1": correlation(size / usual[part], 1),
        "absolute returns, lag 60": correlation(size / usual[part], 60),
        "volume of the first half-hour": volume[0],
        "volume of a half-hour at noon": volume[4:8].mean(),
        "volume of the last half-hour": volume[12],
        "volatility of the first half-hour": wild[0],
        "volatility at noon": wild[4:8].mean(),
        "returns and volume": float(np.corrcoef(size, np.log(bars["volume"].to_numpy()[1:][neighbours] + 1))[0, 1]),
    }


def hour_facts(bars: pl.DataFrame) -> Facts:
    session = bars["session"].rle_id().to_numpy().astype(int)
    moves = np.diff(np.log(bars["close"].to_numpy()))[np.diff(session) == 0]
    return {
        "kurtosis": kurtosis(moves),
        "tail index": tail_index(moves),
        "absolute returns, lag 1": correlation(np.abs(moves), 1),
        "absolute returns, lag 35": correlation(np.abs(moves), 35),
    }


def day_facts(bars: pl.DataFrame) -> Facts:
    opens, close = np.log(bars["open"].to_numpy()), np.log(bars["close"].to_numpy())
    gap, day = opens[1:] - close[:-1], close[1:] - opens[1:]
    kept = np.abs(gap) < 0.35  # the real bars hold unadjusted splits
    gap, day = gap[kept], day[kept]
    moves = gap + day
    return {
        "deviation": float(moves.std()),
        "kurtosis": kurtosis(moves),
        "tail index": tail_index(moves),
        "absolute returns, lag 1": correlation(np.abs(moves), 1),
        "absolute returns, lag 5": correlation(np.abs(moves), 5),
        "returns, lag 1": correlation(moves, 1),
        "gap share of variance": float(gap.var() / (gap.var() + day.var())),
    }


def medians(found: list[Facts]) -> Facts:
    return {name: float(np.median([facts[name] for facts in found])) for name in found[0]}


def refuse_outside(bands: dict[str, tuple[float, float]], real: Facts, demo: Facts) -> None:
    outside = [
        f"{who}, {name}: {value:.3f} is not within {bands[name]}"
        for who, facts in (("real", real), ("demo", demo))
        for name, value in facts.items()
        if not bands[name][0] <= value <= bands[name][1]
    ]
    assert not outside, "; ".join(outside)


def test_minutes_are_like_real_ones(demo_bars: MarketFrames) -> None:
    real = []
    for file, least in (("blaizard_1m", 10_000), ("lean_1m", 2_000)):
        for _, raw in pl.read_parquet(DATA / "minute" / f"{file}.parquet").group_by("ticker", maintain_order=True):
            bars = place_in_sessions(raw.unique("timestamp"), "1m").filter("regular")
            if bars.height > least:
                real.append(minute_facts(bars))
    year = demo_bars.bars["session"].unique().sort()[-250]
    own = demo_bars.bars.filter((pl.col("session") >= year) & (pl.col("ticker") != "SPY"))
    refuse_outside(MINUTE_BANDS, medians(real), medians([minute_facts(bars) for _, bars in own.group_by("ticker", maintain_order=True)]))


def test_hours_are_like_real_ones(demo_bars: MarketFrames) -> None:
    hours = pl.read_parquet(DATA / "hour" / "lean_1h.parquet")
    real = []
    for ticker in ("AAPL", "IBM", "BAC", "AIG", "SPY"):
        own = hours.filter((pl.col("ticker") == ticker) & (pl.col("timestamp").dt.year() >= 2009))
        bars = place_in_sessions(own, "1h").filter("regular")
        days = bars["session"].unique().sort()
        starts = range(0, len(days) - FIVE_YEARS, 600)
        real += [hour_facts(bars.filter(pl.col("session").is_between(days[a], days[a + FIVE_YEARS]))) for a in starts]
    joined = demo_bars.bars.group_by("ticker", "session", (pl.col("minute") // 60).alias("hour"), maintain_order=True).agg(
        pl.col("close").last()
    )
    demo = [hour_facts(bars) for _, bars in joined.group_by("ticker", maintain_order=True)]
    refuse_outside(HOUR_BANDS, medians(real), medians(demo))


def test_days_are_like_real_ones(demo_bars: MarketFrames) -> None:
    days = pl.read_parquet(DATA / "daily" / "lean_daily.parquet")
    real = []
    for ticker in ("AAPL", "AIG", "BAC", "FB", "GOOG", "IBM", "IWM", "QQQ", "SPY", "WM"):
        own = days.filter((pl.col("ticker") == ticker) & (pl.col("timestamp").dt.year() >= 2009)).sort("timestamp")
        real += [day_facts(own[start : start + FIVE_YEARS]) for start in range(0, own.height - FIVE_YEARS, 600)]
    played = demo_bars.daily.filter((pl.col("session") >= demo_bars.bars["session"].min()) & (pl.col("ticker") != "VIX"))
    refuse_outside(DAY_BANDS, medians(real), medians([day_facts(own) for _, own in played.group_by("ticker", maintain_order=True)]))
