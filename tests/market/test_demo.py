"""The demo market: what it looks like, that it is the same each time, and what is said about it is so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import (
    DEMO_EDGES,
    BarsCache,
    DemoOutcome,
    EdgeStrength,
    MarketError,
    MarketFrames,
    make_demo_market,
    make_market_frames,
)
from lab.market.demo import DEMO_STOCKS, DEMO_VERSION, EdgeSettings, edge_settings
from lab.market.demo.edges import planted
from lab.market.demo.play import simulate
from lab.market.manifest import load_manifest
from lab.market.news import Sentiment
from tests.market.conftest import Making

pytestmark = pytest.mark.xdist_group("demo market")

BY_SESSION = ("ticker", "session")
LONG = 300
"""Sessions on which what is rare is looked for."""


@pytest.fixture(scope="module")
def quiet_market() -> MarketFrames:
    """A longer market of ten stocks in which nothing is planted."""
    return make_market_frames(seed=3, sessions=LONG, tickers=10, edges=EdgeStrength.NONE)


def test_it_is_twelve_stocks_and_the_market_over_200_sessions(demo: tuple[BarsCache, DemoOutcome], demo_frame: pl.DataFrame) -> None:
    cache, made = demo
    assert len(made.tickers) == 12
    assert (made.first_session, made.last_session) == (date(2024, 4, 16), date(2025, 1, 31))
    assert demo_frame["session"].n_unique() == 200
    halted = {(halt.ticker, halt.begin_at.date()) for halt in made.halts}
    lengths = demo_frame.group_by(*BY_SESSION).agg(pl.len(), pl.col("close_minute").first())
    whole = lengths.filter([row not in halted for row in lengths.select(BY_SESSION).iter_rows()])
    assert whole.filter(close_minute=960)["len"].unique().to_list() == [390]
    half = whole.filter(close_minute=780)
    assert half["len"].unique().to_list() == [210]
    assert sorted(half["session"].unique()) == [date(2024, 7, 3), date(2024, 11, 29), date(2024, 12, 24)]
    frames: dict[str, set[str]] = {}
    for row in cache.coverage():
        frames.setdefault(row.ticker, set()).add(row.timeframe)
        assert row.source == "demo"
    assert frames.pop("VIX") == {"1d"}
    assert set(map(frozenset, frames.values())) == {frozenset({"1m", "1d"})}


def test_every_context_value_is_known_once_there_is_a_day_before(demo_frame: pl.DataFrame) -> None:
    later = demo_frame.filter(pl.col("session") > demo_frame["session"].min()).select("market.trend", "market.vix", "prev_day.close")
    assert sum(later.null_count().row(0)) == 0
    assert demo_frame["market.trend"].null_count() == 0


def test_bars_are_whole(demo_frame: pl.DataFrame, demo: tuple[BarsCache, DemoOutcome]) -> None:
    cache, made = demo
    daily = cache.read([*made.tickers, "SPY"], "1d")
    for bars in (demo_frame, daily):
        assert bars.filter(pl.col("high") < pl.max_horizontal("open", "close", "low")).is_empty()
        assert bars.filter(pl.col("low") > pl.min_horizontal("open", "close")).is_empty()
        assert bars.filter(pl.min_horizontal("low", "volume") <= 0).is_empty()


def test_daily_bars_are_what_the_minutes_add_up_to(quiet_market: MarketFrames) -> None:
    days = quiet_market.bars.group_by(*BY_SESSION, maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum()
    )
    daily = quiet_market.daily.join(days, on=BY_SESSION, how="semi").select(days.columns)
    assert daily.equals(days)


def test_the_same_choice_gives_the_same_bytes_and_another_a_different_market(tmp_path: Path) -> None:
    folders = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        make_demo_market(BarsCache(tmp_path / name), seed=seed, sessions=15, tickers=3)
        folders.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")})
    assert folders[0] == folders[1]
    assert folders[0].keys() != folders[2].keys()


def test_the_bars_of_this_version_never_change_unnoticed() -> None:
    """Where this fails the generator makes other bars: count `DEMO_VERSION` up and write the new sums down."""
    made = make_market_frames(seed=7, sessions=25, tickers=6)
    closes = made.bars.group_by("ticker", maintain_order=True).agg(pl.col("close").last())
    assert (DEMO_VERSION, dict(closes.iter_rows())) == (3, KNOWN_CLOSES)


def test_in_memory_it_is_what_is_written(tmp_path: Path) -> None:
    cache = BarsCache(tmp_path / "bars")
    made = make_demo_market(cache, seed=4, sessions=30, tickers=5, edges=EdgeStrength.STRONG)
    frames = make_market_frames(seed=4, sessions=30, tickers=5, edges=EdgeStrength.STRONG)
    assert frames.outcome == made
    assert cache.read([*made.tickers, "SPY"], "1m").equals(frames.bars)
    assert cache.read([*made.tickers, "SPY", "VIX"], "1d").equals(frames.daily)


def test_a_stock_is_the_same_in_a_larger_market() -> None:
    small, large = (make_market_frames(seed=9, sessions=20, tickers=count, edges=EdgeStrength.NONE) for count in (2, 6))
    assert large.bars.filter(pl.col("ticker").is_in([*small.outcome.tickers, "SPY"])).equals(small.bars)


def test_version_seed_and_strength_stand_in_the_manifest(tmp_path: Path) -> None:
    made = make_demo_market(BarsCache(tmp_path / "bars"), seed=8, sessions=25, tickers=5, edges=EdgeStrength.WEAK)
    assert made.recipe == f"demo {DEMO_VERSION}, seed 8, weak edges"
    series = load_manifest(tmp_path / "bars").series
    assert {span.source for one in series.values() for span in one.spans} == {made.recipe}
    assert series["EMBR", "1m"].splits == series["EMBR", "1d"].splits == (made.splits[0][1],)
    assert not series["ALTO", "1m"].splits


@pytest.mark.parametrize(("sessions", "tickers", "said"), [(0, 12, "1 to 2,500 sessions"), (10, 41, "1 to 40 tickers"), (10, 0, "0 were")])
def test_what_can_not_be_made_is_refused_in_a_sentence(sessions: int, tickers: int, said: str) -> None:
    with pytest.raises(MarketError, match=said):
        make_market_frames(sessions=sessions, tickers=tickers)


def test_it_is_made_in_seconds(demo: tuple[BarsCache, DemoOutcome], demo_making: Making) -> None:
    assert demo_making.cpu_seconds < 12, f"{demo_making.cpu_seconds:.1f} s of processor time"
    shares = [share for share, _ in demo_making.notes]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any("LUMA" in note for _, note in demo_making.notes)


def test_the_market_rises_falls_and_rests_for_a_good_part_each(demo_frame: pl.DataFrame) -> None:
    trend = demo_frame.group_by("session").agg(pl.col("market.trend").first())["market.trend"].value_counts()
    assert {row[0] for row in trend.iter_rows()} == {-1, 0, 1}
    assert trend["count"].min() > 20


def test_volatility_has_states_that_last(quiet_market: MarketFrames) -> None:
    """A wild session is followed by a wild one, and the wildest sessions are several times as wild as the calmest."""
    spy = quiet_market.bars.filter(ticker="SPY").with_columns(size=(pl.col("close") / pl.col("open")).log() ** 2)
    days = spy.group_by("session", maintain_order=True).agg(pl.col("size").sum().sqrt())["size"].log().to_numpy()
    assert np.corrcoef(days[1:], days[:-1])[0, 1] > 0.6
    assert np.quantile(days, 0.95) - np.quantile(days, 0.05) > np.log(2)
    vix = quiet_market.daily.filter(ticker="VIX")["close"]
    assert 8 < vix.to_numpy().mean() < 35


def test_stocks_of_a_sector_move_together_beyond_the_market(quiet_market: MarketFrames) -> None:
    made = quiet_market.outcome
    returns = quiet_market.bars.with_columns(own=pl.col("close").log().diff().over("ticker"))
    wide = returns.pivot(on="ticker", index="timestamp", values="own").drop_nulls()
    spy = wide["SPY"].to_numpy()
    beyond = {}
    for stock in DEMO_STOCKS[: len(made.tickers)]:
        own = wide[stock.ticker].to_numpy()
        beta = np.cov(own, spy)[0, 1] / spy.var()
        assert abs(beta - stock.beta) < 0.25, stock.ticker
        beyond[stock.ticker] = own - beta * spy
    sector = dict(made.sectors)
    pairs = [(a, b) for a in made.tickers for b in made.tickers if a < b]
    same = [np.corrcoef(beyond[a], beyond[b])[0, 1] for a, b in pairs if sector[a] is sector[b]]
    other = [np.corrcoef(beyond[a], beyond[b])[0, 1] for a, b in pairs if sector[a] is not sector[b]]
    assert min(same) > 0.05
    assert max(other) < 0.05


def test_earnings_come_with_news_before_the_gap(quiet_market: MarketFrames) -> None:
    made, daily = quiet_market.outcome, quiet_market.daily
    gaps = daily.select("ticker", "session", "timestamp", gap=(pl.col("open") / pl.col("close").shift(1).over("ticker") - 1).abs())
    results = [item for item in made.news if "-earnings-" in item.source_id]
    assert 3 * len(made.tickers) <= len(results) <= 6 * len(made.tickers), "once a quarter"
    opened = []
    for item in results:
        (ticker,) = item.tickers
        next_open = gaps.filter((pl.col("ticker") == ticker) & (pl.col("timestamp") > item.published_at)).row(0, named=True)
        assert next_open["timestamp"] - item.published_at < timedelta(days=5)
        opened.append(next_open["gap"])
    usual = np.nanmedian(gaps.filter(pl.col("ticker").is_in(list(made.tickers)))["gap"].drop_nulls().to_numpy())
    assert np.median(opened) > 4 * usual


def test_news_is_in_order_of_time_and_within_the_span(quiet_market: MarketFrames) -> None:
    made = quiet_market.outcome
    times = [item.published_at for item in made.news]
    assert times == sorted(times)
    assert all(moment.tzinfo is UTC for moment in times)
    assert len({item.source_id for item in made.news}) == len(made.news)
    assert datetime(2000, 1, 1, tzinfo=UTC) < times[0]
    assert times[-1].date() <= made.last_session
    assert {sentiment for item in made.news for _, sentiment in item.sentiments} == set(Sentiment)


def test_a_halted_stock_has_no_bars_and_trades_on_after(quiet_market: MarketFrames) -> None:
    halts = quiet_market.outcome.halts
    assert 3 <= len(halts) <= 40
    for halt in halts:
        own = quiet_market.bars.filter(ticker=halt.ticker)
        assert own.filter(pl.col("timestamp").is_between(halt.begin_at, halt.end_at, closed="left")).is_empty()
        assert own.filter(pl.col("timestamp").is_in([halt.begin_at - timedelta(minutes=1), halt.end_at])).height == 2


def test_the_split_is_on_record_and_adjusted_for(quiet_market: MarketFrames) -> None:
    ((ticker, split),) = quiet_market.outcome.splits
    own = quiet_market.daily.filter(ticker=ticker)
    before, after = own.filter(pl.col("session") < split.session), own.filter(pl.col("session") >= split.session)
    assert abs(after["open"][0] / before["close"][-1] - 1) < 0.15, "no jump is left in the prices"
    cents = (before["close"] * 100).round(6)
    assert (cents % 1 != 0).any(), "half cents, as of shares that were halved since"
    assert ((cents * split.ratio) % 1 == 0).all()
    assert ((after["close"] * 100).round(6) % 1 == 0).all()


def test_edges_act_on_stocks_never_on_the_market_and_without_them_it_is_the_same_draw() -> None:
    with_edges, without = (simulate(DEMO_STOCKS[:4], [390] * 30, 60, 5, settings) for settings in (TRENDLESS, NOTHING))
    assert not np.array_equal(with_edges.stocks.close, without.stocks.close)
    assert np.array_equal(with_edges.market.close, without.market.close)
    assert np.abs(np.log(with_edges.stocks.close[:, -1] / without.stocks.close[:, -1])).max() < 0.1


def test_the_documented_edges_are_the_ones_planted() -> None:
    assert not planted(EdgeStrength.NONE)
    assert edge_settings(EdgeStrength.NONE).silent
    for strength in (EdgeStrength.WEAK, EdgeStrength.MEDIUM, EdgeStrength.STRONG):
        text = " ".join(f"{edge.rule} {edge.strength}" for edge in planted(strength))
        size = edge_settings(strength)
        for number in (size.bounce_bps, size.break_bps, size.lukewarm_bps, size.gap_strong_bps, size.gap_weak_bps, size.level_bps):
            assert f"{abs(number):g}" in text
        for number in (size.bounce_volume, size.level_rsi, 100 - size.level_rsi):
            assert f"{number:g}" in text
    assert planted(EdgeStrength.MEDIUM) == DEMO_EDGES


NOTHING = edge_settings(EdgeStrength.NONE)
TRENDLESS = EdgeSettings(trend_bps=0.0)
KNOWN_CLOSES = {
    "ALTO": 182.87,
    "BRIX": 85.25,
    "CIRQ": 225.04,
    "DELV": 70.42,
    "EMBR": 129.67,
    "FJRD": 298.48,
    "SPY": 554.35,
}
