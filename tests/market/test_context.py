"""The context around every bar: what it says, and that it is never known before it could be."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import CONTEXT_SCHEMA, BarsCache, DemoOutcome, MissingBars, load_market
from lab.market.bars import BARS_SCHEMA, CONTEXT_DAYS
from lab.market.context import calendar_days
from lab.market.levels import level_rule
from lab.market.regime import PAST_SESSIONS, TREND_SESSIONS, VOLATILITY_SESSIONS, market_regime, vix_state
from lab.market.timeframes import MINUTES
from tests.market.conftest import walk

SPAN = (date(2023, 9, 1), date(2024, 3, 28))


@pytest.fixture
def small(cache: BarsCache) -> BarsCache:
    """Two stocks, the market and a daily VIX, on half-hour bars."""
    with cache.batch() as batch:
        for seed, ticker in enumerate(("AAA", "BBB", "SPY")):
            batch.write(ticker, "30m", walk(*SPAN, seed=seed, minutes=30), "test")
        batch.write("VIX", "1d", walk(*SPAN, seed=9, minutes=1440, price=16, spread=0.05), "test")
    return cache


def load(cache: BarsCache, timeframe: str = "30m", **span: date) -> pl.DataFrame:
    return load_market(cache, ["AAA", "BBB"], timeframe, market_ticker="SPY", vix_ticker="VIX", **span)


def test_the_frame_has_the_columns_every_other_part_counts_on(small: BarsCache) -> None:
    frame = load(small)
    assert dict(frame.schema) == {**BARS_SCHEMA, **CONTEXT_SCHEMA}
    assert frame.equals(frame.sort("ticker", "timestamp"))
    assert frame["ticker"].unique(maintain_order=True).to_list() == ["AAA", "BBB"]


@pytest.mark.parametrize(
    "cut",
    [
        datetime(2023, 9, 5, 15, 0),
        datetime(2023, 11, 24, 15, 30),
        datetime(2024, 1, 16, 14, 30),
        datetime(2024, 2, 20, 18, 0),
        datetime(2024, 3, 27, 19, 30),
    ],
)
def test_no_context_knows_what_comes_after_its_bar(small: BarsCache, tmp_path: Path, cut: datetime) -> None:
    whole = load(small)
    shorter = BarsCache(tmp_path / "shorter")
    until = pl.lit(cut).dt.replace_time_zone("UTC")
    with shorter.batch() as batch:
        for ticker in ("AAA", "BBB", "SPY"):
            batch.write(ticker, "30m", small.read_undamaged(ticker, "30m")[0].filter(pl.col("timestamp") <= until), "test")
        # The day's own VIX bar is not finished at the cut: it must not matter whether it is there.
        batch.write("VIX", "1d", small.read_undamaged("VIX", "1d")[0].filter(pl.col("session") < cut.date()), "test")
    truncated = load(shorter)
    assert truncated.height > 0
    assert truncated.equals(whole.filter(pl.col("timestamp") <= until))


@pytest.mark.parametrize("timeframe", ["1d", "1h"])
def test_daily_and_hourly_context_is_causal_too(cache: BarsCache, tmp_path: Path, timeframe: str) -> None:
    minutes = 1440 if timeframe == "1d" else 60
    frames = {ticker: walk(date(2021, 1, 4), date(2023, 6, 30), seed=seed, minutes=minutes) for seed, ticker in enumerate(("AAA", "BBB"))}
    for ticker, frame in frames.items():
        cache.write(ticker, timeframe, frame, "test")
    whole = load_market(cache, ["AAA", "BBB"], timeframe, market_ticker="BBB")
    shorter = BarsCache(tmp_path / "shorter")
    cut = frames["AAA"]["timestamp"][frames["AAA"].height * 2 // 3]
    for ticker, frame in frames.items():
        shorter.write(ticker, timeframe, frame.filter(pl.col("timestamp") <= cut), "test")
    truncated = load_market(shorter, ["AAA", "BBB"], timeframe, market_ticker="BBB")
    assert truncated.equals(whole.filter(pl.col("timestamp") <= cut))
    assert whole["levels.support"].null_count() < whole.height / 2


@pytest.mark.xdist_group("demo market")
def test_demo_context_is_causal(demo: tuple[BarsCache, DemoOutcome], demo_frame: pl.DataFrame) -> None:
    cache, made = demo
    last = date(2024, 11, 29)
    shorter = load_market(cache, made.tickers[:3], "1m", last=last, market_ticker="SPY", vix_ticker="VIX")
    whole = demo_frame.filter((pl.col("session") <= last) & pl.col("ticker").is_in(made.tickers[:3]))
    assert shorter.drop("market.breadth").equals(whole.drop("market.breadth")), "breadth is that of the tickers at hand"
    assert shorter["market.breadth"].null_count() == shorter.height
    assert whole["market.breadth"].drop_nulls().is_between(0, 100).all()


def test_a_later_start_changes_nothing_of_what_follows(small: BarsCache) -> None:
    first = date(2024, 2, 1)
    later = load(small, first=first)
    whole = load(small).filter(pl.col("session") >= first)
    columns = [name for name in later.columns if name not in ("levels.support", "levels.resistance")]
    assert later.select(columns).equals(whole.select(columns))
    close = later.select((pl.col("levels.support") - whole["levels.support"]).abs().max()).item()
    assert close < 1e-9, "levels look back over a fixed number of sessions, which are read even when they lie before the span"


def test_the_day_before_is_the_previous_session_of_the_same_ticker(small: BarsCache) -> None:
    frame = load(small)
    days = frame.group_by("ticker", "session", maintain_order=True).agg(
        pl.col("high").max(),
        pl.col("close").last(),
        pl.col("volume").sum(),
        *(pl.col(f"prev_day.{name}").first() for name in ("high", "close", "volume")),
    )
    one = days.filter(ticker="BBB")
    assert one["prev_day.high"].to_list()[1:] == one["high"].to_list()[:-1]
    assert one["prev_day.close"].to_list() == [None, *one["close"].to_list()[:-1]]
    assert one["prev_day.volume"].to_list()[1:] == one["volume"].to_list()[:-1]


def test_pivots_are_the_classic_ones(small: BarsCache) -> None:
    row = load(small).filter(pl.col("levels.pivot").is_not_null()).row(0, named=True)
    high, low, close = row["prev_day.high"], row["prev_day.low"], row["prev_day.close"]
    pivot = (high + low + close) / 3
    assert row["levels.pivot"] == pytest.approx(pivot)
    assert row["levels.r1"] == pytest.approx(2 * pivot - low)
    assert row["levels.s1"] == pytest.approx(2 * pivot - high)
    assert row["levels.r2"] == pytest.approx(pivot + high - low)
    assert row["levels.s2"] == pytest.approx(pivot - high + low)


def test_support_lies_below_and_resistance_above_the_close(small: BarsCache) -> None:
    frame = load(small)
    assert frame.filter(pl.col("levels.support") > pl.col("close")).is_empty()
    assert frame.filter(pl.col("levels.resistance") <= pl.col("close")).is_empty()
    assert frame["levels.support"].null_count() < frame.height / 3


def test_the_market_change_is_of_the_same_moment(small: BarsCache) -> None:
    frame = load(small).filter(ticker="AAA")
    spy = small.read(["SPY"], "30m")
    closes = spy.group_by("session", maintain_order=True).agg(pl.col("close").last()).with_columns(before=pl.col("close").shift(1))
    expected = spy.join(closes.select("session", "before"), on="session").select((pl.col("close") / pl.col("before") - 1) * 100)
    assert np.allclose(frame["market.change"].to_numpy(), expected["close"].to_numpy(), equal_nan=True)


def test_a_minute_without_a_market_bar_takes_the_last_one_before_it(cache: BarsCache) -> None:
    bars = walk(date(2024, 1, 2), date(2024, 1, 5), minutes=30)
    cache.write("AAA", "30m", bars, "test")
    holes = bars.filter(pl.col("timestamp").dt.hour() != 17)
    cache.write("SPY", "30m", holes, "test")
    frame = load_market(cache, ["AAA"], "30m", market_ticker="SPY").filter(session=date(2024, 1, 4))
    change = dict(zip(frame["minute"], frame["market.change"], strict=True))
    assert change[720] == change[690] == change[750]
    assert change[780] != change[750]


def test_the_vix_is_that_of_the_evening_before(small: BarsCache) -> None:
    frame = load(small)
    vix = small.read(["VIX"], "1d").select("session", "close")
    seen = frame.group_by("session", maintain_order=True).agg(pl.col("market.vix").first(), pl.col("market.vix_change").first())
    assert seen["market.vix"].to_list() == [None, *vix["close"].to_list()[:-1]]
    third = (vix["close"][1] / vix["close"][0] - 1) * 100
    assert seen["market.vix_change"][2] == pytest.approx(third)


def test_without_market_and_vix_their_columns_are_null(small: BarsCache) -> None:
    frame = load_market(small, ["AAA"], "30m")
    for name in CONTEXT_SCHEMA:
        if name.startswith("market."):
            assert frame[name].null_count() == frame.height
    with pytest.raises(MissingBars, match="Neither 30m nor 1d bars of QQQ are cached"):
        load_market(small, ["AAA"], "30m", market_ticker="QQQ")


def test_market_context_that_is_too_old_is_unknown(cache: BarsCache) -> None:
    cache.write("AAA", "1d", walk(date(2024, 1, 2), date(2024, 3, 28), minutes=1440), "test")
    cache.write("VIX", "1d", walk(date(2023, 10, 2), date(2024, 1, 31), minutes=1440), "test")
    frame = load_market(cache, ["AAA"], "1d", vix_ticker="VIX")
    assert frame.filter(pl.col("session") <= date(2024, 2, 7))["market.vix"].null_count() == 0
    assert frame.filter(pl.col("session") > date(2024, 2, 7))["market.vix"].null_count() > 30


def test_the_market_itself_can_be_traded(small: BarsCache) -> None:
    frame = load_market(small, ["AAA", "SPY"], "30m", market_ticker="SPY")
    assert frame["ticker"].n_unique() == 2
    assert frame.filter(ticker="SPY")["market.trend"].null_count() < frame.height / 4


def test_a_real_market_does_not_go_on_in_an_invented_one(cache: BarsCache) -> None:
    bars = walk(*SPAN, minutes=30)
    cache.write("SPY", "30m", bars.filter(pl.col("timestamp").dt.date() >= date(2024, 1, 2)), "prices.csv")
    cache.write("SPY", "1d", walk(*SPAN, minutes=1440), "prices.csv")
    assert load_market(cache, ["SPY"], "30m", market_ticker="SPY")["market.trend"][0] is not None
    other = BarsCache(cache.folder.parent / "other")
    other.write("SPY", "30m", bars.filter(pl.col("timestamp").dt.date() >= date(2024, 1, 2)), "prices.csv")
    other.write("SPY", "1d", walk(*SPAN, minutes=1440), "demo")
    assert load_market(other, ["SPY"], "30m", market_ticker="SPY")["market.trend"][0] is None


def test_the_fingerprint_covers_all_that_the_context_is_made_of(small: BarsCache) -> None:
    assert calendar_days(PAST_SESSIONS + TREND_SESSIONS + VOLATILITY_SESSIONS) <= CONTEXT_DAYS
    assert all(calendar_days(level_rule(name).sessions) <= CONTEXT_DAYS for name in MINUTES)
    span = date(2024, 2, 1), date(2024, 2, 29)
    before = small.fingerprint(["AAA", "SPY"], "30m", *span)
    small.write("SPY", "1d", walk(*SPAN, minutes=1440), "test")
    assert small.fingerprint(["AAA", "SPY"], "30m", *span) != before, "daily bars of the market decide its trend"


def test_an_empty_span_gives_an_empty_frame_of_the_right_shape(small: BarsCache) -> None:
    frame = load(small, first=date(2030, 1, 1))
    assert frame.is_empty()
    assert dict(frame.schema) == {**BARS_SCHEMA, **CONTEXT_SCHEMA}


def daily(closes: list[float]) -> pl.DataFrame:
    return pl.DataFrame({"session": [date(2020, 1, 1) + timedelta(days=number) for number in range(len(closes))], "close": closes})


def test_the_trend_is_up_in_a_rise_down_in_a_fall_and_flat_between() -> None:
    rise = [100.0 + step for step in range(40)]
    regime = market_regime(daily(rise + rise[::-1]))["market.trend"].to_list()
    assert regime[:24] == [None] * 24, "a mean of 20 and a slope over 5 sessions need 25 closes"
    assert set(regime[25:40]) == {1}
    assert regime[-1] == -1
    assert 0 in regime[40:60]


def test_volatility_is_ranked_against_its_own_past() -> None:
    rng = np.random.default_rng(5)
    calm, wild = rng.standard_normal(150) * 0.004, rng.standard_normal(40) * 0.03
    closes = (100 * np.exp(np.cumsum(np.concatenate([calm, wild])))).tolist()
    ranked = market_regime(daily(closes))["market.volatility"].to_list()
    assert ranked[:79] == [None] * 79
    assert ranked[-1] == 2
    assert {0, 1, 2} >= set(ranked[80:150])


def test_low_and_high_volatility_are_the_outer_thirds_of_the_last_year() -> None:
    rng = np.random.default_rng(11)
    closes = 100 * np.exp(np.cumsum(rng.standard_normal(400) * (0.005 + 0.01 * np.abs(np.sin(np.arange(400) / 30)))))
    ranked = market_regime(daily(closes.tolist()))["market.volatility"].to_list()
    moves = np.diff(np.log(closes))
    spread = np.array([moves[end - 20 : end].std(ddof=1) for end in range(20, moves.size + 1)])
    for place in range(100, spread.size):
        past = spread[max(place - 251, 0) : place + 1]
        low, high = np.quantile(past, [1 / 3, 2 / 3])
        assert ranked[place + 20] == (0 if spread[place] <= low else 2 if spread[place] > high else 1)


def test_vix_change_is_in_percent() -> None:
    assert vix_state(daily([20.0, 22.0]))["market.vix_change"].to_list() == [None, pytest.approx(10.0)]
