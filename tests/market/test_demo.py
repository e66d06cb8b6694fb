"""The demo market: what it looks like, that it is the same each time, and that its edges are there and nothing else is."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import DEMO_EDGES, BarsCache, DemoOutcome, load_market, make_demo_market
from lab.market.demo import DEMO_STOCKS, SEED
from lab.market.synthetic import EdgeSettings, simulate

pytestmark = pytest.mark.xdist_group("demo market")

COSTS_BPS = 3.0
"""A round trip at 1.5 bps a side."""
BY_SESSION = ("ticker", "session")


@pytest.fixture(scope="module")
def studied(demo_frame: pl.DataFrame) -> pl.DataFrame:
    """The demo frame with what the edges are about, and the return in bps from the next bar's open over the next 30 and 55 bars."""
    return study(demo_frame)


def study(frame: pl.DataFrame) -> pl.DataFrame:
    typical = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    change = pl.col("close").diff()
    entry = pl.col("open").shift(-1)

    def wilder(x: pl.Expr) -> pl.Expr:
        return x.ewm_mean(alpha=1 / 14, adjust=False).over("ticker")

    def later(bars: int) -> pl.Expr:
        return ((pl.col("close").shift(-bars) / entry - 1) * 1e4).over(BY_SESSION)

    return frame.with_columns(
        vwap=((typical * pl.col("volume")).cum_sum() / pl.col("volume").cum_sum()).over(BY_SESSION),
        loud=(pl.col("volume") / pl.col("volume").rolling_mean(20)).over("ticker"),
        rsi=100 * wilder(change.clip(lower_bound=0)) / (wilder(change.clip(lower_bound=0)) + wilder((-change).clip(lower_bound=0))),
        gap=(pl.col("open").first().over(BY_SESSION) / pl.col("prev_day.close") - 1) * 100,
        so_far=pl.col("volume").cum_sum().over(BY_SESSION),
        bar=pl.col("minute") - 570,
        later=later(30),
        hour=later(55),
    ).with_columns(
        rush=(pl.col("so_far") / pl.col("so_far").shift(1).rolling_mean(20, min_samples=5)).over("ticker", "minute"),
        support=(pl.col("close") / pl.col("levels.support") - 1) * 100,
        resistance=(pl.col("levels.resistance") / pl.col("close") - 1) * 100,
        middle=(pl.col("bar") >= 20) & (pl.col("bar") <= 340),
    )


def mean_and_error(returns: pl.Series) -> tuple[float, float, int]:
    values = returns.drop_nulls().to_numpy()
    return float(values.mean()), float(values.std() / np.sqrt(values.size)), values.size


DIP = pl.col("middle") & (pl.col("low") <= pl.col("vwap") * 1.001) & (pl.col("close") > pl.col("vwap"))
LOUD = pl.col("loud") >= 2.5
NOT_FALLING = pl.col("market.trend") >= 0
GAP_UP = (pl.col("bar") == 5) & (pl.col("gap") > 2)
SOLD_OFF = pl.col("middle") & (pl.col("rsi") < 24)
NEAR = pl.col("support") <= 0.2


def test_it_is_twenty_stocks_and_the_market_over_120_sessions(demo: tuple[BarsCache, DemoOutcome], demo_frame: pl.DataFrame) -> None:
    cache, made = demo
    assert len(made.tickers) == 20
    assert (made.first_session, made.last_session) == (date(2024, 8, 9), date(2025, 1, 31))
    assert demo_frame["session"].n_unique() == 120
    lengths = demo_frame.group_by("ticker", "session").agg(pl.len(), pl.col("close_minute").first())
    assert lengths.filter(pl.col("close_minute") == 960)["len"].unique().to_list() == [390]
    half = lengths.filter(pl.col("close_minute") == 780)
    assert half["len"].unique().to_list() == [210]
    assert sorted(half["session"].unique()) == [date(2024, 11, 29), date(2024, 12, 24)]
    assert {row.ticker: row.timeframe for row in cache.coverage() if row.ticker == "VIX"} == {"VIX": "1d"}
    assert {row.source for row in cache.coverage()} == {"demo"}


def test_every_context_value_is_known_once_there_is_a_day_before(demo_frame: pl.DataFrame) -> None:
    later = demo_frame.filter(pl.col("session") > date(2024, 8, 9))
    nulls = {name: count for name, count in later.null_count().row(0, named=True).items() if count}
    assert set(nulls) <= {"levels.support", "levels.resistance"}
    assert max(nulls.values()) < 0.25 * later.height, "only at the extremes of a month there is no level beyond the price"
    assert demo_frame["market.trend"].null_count() == 0


def test_bars_are_whole(demo_frame: pl.DataFrame) -> None:
    assert demo_frame.filter(pl.col("high") < pl.max_horizontal("open", "close", "low")).is_empty()
    assert demo_frame.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
    assert demo_frame.filter(pl.min_horizontal("low", "volume") <= 0).is_empty()


def test_the_same_seed_gives_the_same_bytes_and_another_a_different_market(tmp_path: Path) -> None:
    folders = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        make_demo_market(BarsCache(tmp_path / name), seed=seed, sessions=15)
        folders.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")})
    assert folders[0] == folders[1]
    assert folders[0].keys() != folders[2].keys()


def test_it_is_made_and_loaded_in_seconds(tmp_path: Path) -> None:
    cache = BarsCache(tmp_path / "bars")
    notes: list[tuple[float, str]] = []
    begin = time.process_time()
    made = make_demo_market(cache, lambda share, note: notes.append((share, note)))
    making = time.process_time() - begin
    load_market(cache, made.tickers, made.timeframe, market_ticker="SPY", vix_ticker="VIX")
    assert making < 12, f"{making:.1f} s of processor time"
    shares = [share for share, _ in notes]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any("TIDE" in note for _, note in notes)


def test_the_market_rises_falls_and_rests_for_a_good_part_each(demo_frame: pl.DataFrame) -> None:
    trend = demo_frame.group_by("session").agg(pl.col("market.trend").first())["market.trend"].value_counts()
    assert {row[0]: row[1] for row in trend.iter_rows()}.keys() == {-1, 0, 1}
    assert trend["count"].min() > 20


def test_volume_is_a_u_and_volatility_comes_in_spells(demo_frame: pl.DataFrame) -> None:
    by_minute = demo_frame.group_by("minute").agg(pl.col("volume").mean()).sort("minute")["volume"].to_numpy()
    assert by_minute[:15].mean() > 2 * by_minute[150:250].mean()
    assert by_minute[-15:].mean() > 1.7 * by_minute[150:250].mean()
    size = (demo_frame["close"] / demo_frame["open"]).log().abs()
    busy = demo_frame.with_columns(size=size).group_by("ticker", "session", maintain_order=True).agg(pl.col("size").mean())
    again = busy.select(pl.corr("size", pl.col("size").shift(1).over("ticker"))).item()
    assert again > 0.3
    moves = (demo_frame.filter(ticker="KITE")["close"].log().diff()).drop_nulls()
    kurtosis = moves.kurtosis()
    assert kurtosis is not None
    assert kurtosis > 3, "tails are fat"


def test_stocks_follow_the_market_by_their_beta(demo: tuple[BarsCache, DemoOutcome], demo_frame: pl.DataFrame) -> None:
    cache, _ = demo
    spy = cache.read(["SPY"], "1m").select("timestamp", spy=pl.col("close").log().diff())
    joined = demo_frame.with_columns(own=pl.col("close").log().diff().over("ticker")).join(spy, on="timestamp")
    beta = joined.group_by("ticker").agg(beta=pl.cov("own", "spy") / pl.col("spy").var())
    wanted = pl.DataFrame({"ticker": [stock.ticker for stock in DEMO_STOCKS], "wanted": [stock.beta for stock in DEMO_STOCKS]})
    assert wanted.join(beta, on="ticker").select(pl.corr("beta", "wanted")).item() > 0.9


def test_the_vwap_bounce_is_there_under_its_conditions_only(studied: pl.DataFrame) -> None:
    edge, error, count = mean_and_error(studied.filter(DIP & LOUD & NOT_FALLING)["later"])
    assert count > 200
    assert edge - 3 * error > COSTS_BPS
    quiet, _, _ = mean_and_error(studied.filter(DIP & ~(pl.col("loud") > 2.0))["later"])
    assert abs(quiet) < COSTS_BPS
    falling, error, _ = mean_and_error(studied.filter(DIP & LOUD & ~NOT_FALLING)["later"])
    assert falling + 2 * error < 0


def test_the_gap_continuation_is_there_under_its_conditions_only(studied: pl.DataFrame) -> None:
    edge, error, count = mean_and_error(studied.filter(GAP_UP & (pl.col("rush") > 2))["hour"])
    assert count > 50
    assert edge - 3 * error > COSTS_BPS
    weak, error, _ = mean_and_error(studied.filter(GAP_UP & (pl.col("rush") < 1.5))["hour"])
    assert weak + 3 * error < 0
    small, error, _ = mean_and_error(studied.filter((pl.col("bar") == 5) & pl.col("gap").is_between(0.5, 1.9))["hour"])
    assert abs(small) < COSTS_BPS + 2.5 * error
    down, error, _ = mean_and_error(studied.filter((pl.col("bar") == 5) & (pl.col("gap") < -2))["hour"])
    assert abs(down) < COSTS_BPS + 2.5 * error


def test_the_reversal_at_a_level_is_there_under_its_conditions_only(studied: pl.DataFrame) -> None:
    edge, error, count = mean_and_error(studied.filter(SOLD_OFF & NEAR)["later"])
    assert count > 200
    assert edge - 3 * error > COSTS_BPS
    nothing_below, _, _ = mean_and_error(studied.filter(SOLD_OFF & (pl.col("support") > 0.6))["later"])
    assert abs(nothing_below) < COSTS_BPS
    mirrored, error, _ = mean_and_error(studied.filter(pl.col("middle") & (pl.col("rsi") > 76) & (pl.col("resistance") <= 0.2))["later"])
    assert mirrored + 3 * error < -COSTS_BPS


def test_filters_turn_what_loses_into_what_wins(studied: pl.DataFrame) -> None:
    steps = [DIP, DIP & LOUD, DIP & LOUD & NOT_FALLING]
    means = [mean_and_error(studied.filter(step)["later"])[0] - COSTS_BPS for step in steps]
    assert means[0] < 0
    assert means[0] < means[1] < means[2]


def test_nothing_else_is_worth_its_costs(studied: pl.DataFrame) -> None:
    every = studied.filter(pl.col("middle"))
    for name, rule in {
        "any bar": pl.lit(True),
        "after a rise": pl.col("close") > pl.col("open"),
        "above the VWAP": pl.col("close") > pl.col("vwap"),
        "loud": pl.col("loud") > 2,
        "Mondays": pl.col("session").dt.weekday() == 1,
        "mornings": pl.col("bar") < 90,
        "afternoons": pl.col("bar") > 240,
        "market up today": pl.col("market.change") > 0.5,
        "market down today": pl.col("market.change") < -0.5,
        "wild market": pl.col("market.volatility") == 2,
        "trend up": pl.col("market.trend") == 1,
        "trend down": pl.col("market.trend") == -1,
    }.items():
        mean, _, count = mean_and_error(every.filter(rule)["later"])
        assert count > 1000
        assert abs(mean) < COSTS_BPS, f"{name}: {mean:.1f} bps"


def test_without_edges_there_is_none() -> None:
    silent = EdgeSettings(bounce_bps=0, break_bps=0, gap_strong_bps=0, gap_weak_bps=0, level_bps=0)
    lengths = [390] * 30
    with_edges = simulate(list(DEMO_STOCKS[:4]), lengths, 60, SEED, EdgeSettings())
    without = simulate(list(DEMO_STOCKS[:4]), lengths, 60, SEED, silent)
    assert not np.array_equal(with_edges.stocks.close, without.stocks.close)
    assert np.array_equal(with_edges.market.close, without.market.close), "edges act on stocks, never on the market"
    growth = np.log(without.stocks.close[:, -1] / without.stocks.open[:, 0])
    assert np.abs(growth).max() < 0.5


def test_the_documented_edges_are_the_ones_planted() -> None:
    text = " ".join(f"{edge.rule} {edge.strength}" for edge in DEMO_EDGES)
    settings = EdgeSettings()
    for number in (settings.bounce_bps, settings.break_bps, settings.gap_strong_bps, settings.gap_weak_bps, settings.level_bps):
        assert f"{abs(number):.0f}" in text
    for number in (settings.bounce_volume, settings.level_rsi, 100 - settings.level_rsi):
        assert f"{number:g}" in text
