"""News, breadth and the strength of levels beside bars: what they count, and that none is known before it happened."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.market import CONTEXT_SCHEMA, BarsCache, load_market, trading_sessions
from lab.market.bars import TIMESTAMP
from lab.market.context import KNOWN_AT, TRADED, USUAL_CONTEXT
from lab.market.levels import level_rule, level_table
from lab.market.news import NewsFiles
from lab.market.news_columns import NEWS_COLUMNS, bar_ends
from lab.market.sessions import session_context
from tests.market.conftest import walk

SPAN = (date(2024, 1, 2), date(2024, 4, 30))
TICKERS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
FIRST, LAST = datetime(2024, 1, 10, tzinfo=UTC), datetime(2024, 4, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[BarsCache, NewsFiles]:
    """Six stocks, SPY and the VIX, with news of three of the stocks."""
    folder = tmp_path_factory.mktemp("news")
    cache, files = BarsCache(folder / "bars"), NewsFiles(folder / "news")
    with cache.batch() as batch:
        for seed, ticker in enumerate((*TICKERS, "SPY", "QQQ")):
            batch.write(ticker, "30m", walk(*SPAN, seed=seed, minutes=30), "test")
        batch.write("VIX", "1d", walk(date(2023, 6, 1), SPAN[1], seed=77, minutes=1440, price=16, spread=0.04), "test")
        batch.write("SPY", "1d", walk(date(2022, 6, 1), SPAN[1], seed=78, minutes=1440), "test")
    rng = np.random.default_rng(4)
    for ticker in TICKERS[:3]:
        times = [FIRST + timedelta(minutes=int(m)) for m in np.sort(rng.integers(0, (LAST - FIRST).days * 1440, 150))]
        files.write(ticker, times, [[None, 1, 0, -1][n] for n in rng.integers(0, 4, 150)])
    files.write_coverage([(ticker, FIRST, LAST) for ticker in TICKERS[:3]])
    return cache, files


def load(cache: BarsCache, news: NewsFiles | None, timeframe: str = "30m", **more: object) -> pl.DataFrame:
    columns = [*CONTEXT_SCHEMA, *KNOWN_AT]
    return load_market(cache, TICKERS, timeframe, market_ticker="SPY", vix_ticker="VIX", news=news, columns=columns, **more)


@pytest.fixture(scope="module")
def frame(market: tuple[BarsCache, NewsFiles]) -> pl.DataFrame:
    return load(*market)


@pytest.mark.parametrize("ticker", TICKERS[:3])
def test_articles_are_counted_from_the_bar_that_closes_at_their_publication(
    market: tuple[BarsCache, NewsFiles], frame: pl.DataFrame, ticker: str
) -> None:
    articles = market[1].read(ticker).rows()
    opens = dict(trading_sessions(date(2023, 12, 1), SPAN[1]).select("session", "open_at").iter_rows())
    sessions = list(opens)
    seen = frame.filter(ticker=ticker).select("session", "timestamp", "known_at.bar", *NEWS_COLUMNS, "known_at.news")
    for row in seen.sample(150, seed=2).iter_rows(named=True):
        end = row["known_at.bar"]
        assert end == min(row["timestamp"] + timedelta(minutes=30), end)
        number = sessions.index(row["session"])
        starts = [end - opens[row["session"]] + opens[sessions[number - back]] for back in (1, 3)]
        for name, start in zip(("news.count_1d", "news.count_3d"), starts, strict=True):
            known = start >= FIRST and end <= LAST
            expected = sum(start < at <= end for at, _ in articles) if known else None
            assert row[name] == expected
        signs = [sign for at, sign in articles if starts[0] < at <= end and sign is not None]
        if signs and starts[0] >= FIRST and end <= LAST:
            assert row["news.sentiment"] == pytest.approx(sum(signs) / len(signs))
        else:
            assert row["news.sentiment"] is None
        before = [at for at, _ in articles if at <= end]
        if before and FIRST <= end <= LAST:
            assert row["news.hours_since"] == pytest.approx((end - before[-1]).total_seconds() / 3600)
            assert row["known_at.news"] == before[-1]
        else:
            assert row["news.hours_since"] is None


def test_no_news_is_zero_where_news_is_kept_and_unknown_where_it_is_not(frame: pl.DataFrame) -> None:
    for ticker in TICKERS[3:]:
        assert frame.filter(ticker=ticker).select(pl.col(NEWS_COLUMNS).null_count()).row(0) == (frame.filter(ticker=ticker).height,) * 4
    inside = frame.filter(pl.col("ticker").is_in(TICKERS[:3]) & pl.col("session").is_between(date(2024, 1, 16), date(2024, 4, 18)))
    assert inside["news.count_1d"].null_count() == inside["news.count_3d"].null_count() == 0
    assert {0.0, 1.0, 2.0} <= set(inside["news.count_1d"])
    outside = frame.filter((pl.col("session") <= date(2024, 1, 10)) | (pl.col("session") > date(2024, 4, 19)))
    assert outside["news.count_1d"].null_count() == outside.height


def test_mondays_count_holds_the_weekend(market: tuple[BarsCache, NewsFiles], tmp_path: Path) -> None:
    files = NewsFiles(tmp_path)
    files.write("AAA", [datetime(2024, 2, 3, 12, 0, tzinfo=UTC)], [-1])
    files.write_coverage([("AAA", FIRST, LAST)])
    days = load(market[0], files).filter(ticker="AAA").group_by("session", maintain_order=True).agg(pl.col("news.count_1d").max())
    assert days.filter(pl.col("news.count_1d") > 0)["session"].to_list() == [date(2024, 2, 5)]


def test_a_published_second_matters(market: tuple[BarsCache, NewsFiles], tmp_path: Path) -> None:
    files = NewsFiles(tmp_path)
    closes = datetime(2024, 2, 6, 15, 30, tzinfo=UTC)
    files.write_coverage([("AAA", FIRST, LAST)])
    for late, first in ((0, closes - timedelta(minutes=30)), (1, closes)):
        files.write("AAA", [closes + timedelta(microseconds=late)], [1])
        seen = load(market[0], files).filter(pl.col("news.count_1d") > 0)
        assert seen["timestamp"][0] == first


@pytest.mark.parametrize("cut", [datetime(2024, 2, 5, 16, 0), datetime(2024, 3, 11, 13, 30), datetime(2024, 4, 19, 19, 30)])
@pytest.mark.parametrize("timeframe", ["30m", "1h"])
def test_nothing_of_it_knows_what_comes_after_its_bar(
    market: tuple[BarsCache, NewsFiles], tmp_path: Path, cut: datetime, timeframe: str
) -> None:
    cache, files = market
    if timeframe == "1h":
        hourly = BarsCache(tmp_path / "hourly")
        with hourly.batch() as batch:
            for seed, ticker in enumerate((*TICKERS, "SPY")):
                batch.write(ticker, "1h", walk(*SPAN, seed=seed, minutes=60), "test")
            batch.write("VIX", "1d", cache.read_undamaged("VIX", "1d")[0], "test")
        cache = hourly
    whole = load(cache, files, timeframe)
    until = pl.lit(cut).dt.replace_time_zone("UTC")
    shorter, told = BarsCache(tmp_path / "shorter"), NewsFiles(tmp_path / "news")
    end = pl.Series([cut + timedelta(minutes=60 if timeframe == "1h" else 30)]).dt.replace_time_zone("UTC").cast(TIMESTAMP)[0]
    with shorter.batch() as batch:
        for ticker in (*TICKERS, "SPY"):
            batch.write(ticker, timeframe, cache.read_undamaged(ticker, timeframe)[0].filter(pl.col("timestamp") <= until), "test")
            if ticker == "SPY" and timeframe == "30m":
                days = cache.read_undamaged(ticker, "1d")[0].filter(pl.col("session") < cut.date())
                batch.write(ticker, "1d", days, "test")
        batch.write("VIX", "1d", cache.read_undamaged("VIX", "1d")[0].filter(pl.col("session") < cut.date()), "test")
    for ticker in TICKERS[:3]:
        known = files.read(ticker).filter(pl.col("published_at") <= end)
        told.write(ticker, known["published_at"].to_list(), known["sentiment"].to_list())
    told.write_coverage(files.coverage().rows())
    truncated = load(shorter, told, timeframe)
    assert truncated.height > 0
    assert truncated.equals(whole.filter(pl.col("timestamp") <= until))


def test_every_time_of_knowledge_lies_before_the_bars_close_and_stands_beside_every_value(frame: pl.DataFrame) -> None:
    for known, columns in KNOWN_AT.items():
        assert frame.filter(pl.col(known) > pl.col("known_at.bar")).is_empty(), known
        for name in columns:
            assert frame.filter(pl.col(name).is_not_null() & pl.col(known).is_null()).is_empty(), name
    morning = frame.filter(minute=570)
    for known in ("known_at.market", "known_at.vix", "known_at.levels", "known_at.breadth"):
        assert morning.filter(pl.col(known) > pl.col("timestamp")).is_empty(), "all of it from the evening before"


def test_breadth_is_the_share_above_its_mean_the_evening_before_and_looked_at_tickers_count_for_nothing(
    market: tuple[BarsCache, NewsFiles], frame: pl.DataFrame
) -> None:
    cache, _ = market
    days = cache.read(TICKERS, "30m").group_by("ticker", "session", maintain_order=True).agg(pl.col("close").last())
    sessions = days["session"].unique().sort().to_list()
    for number in (25, 40, 60):
        above = 0
        for ticker in TICKERS:
            closes = days.filter((pl.col("ticker") == ticker) & (pl.col("session") < sessions[number]))["close"].tail(20).to_list()
            above += closes[-1] > sum(closes) / 20
        seen = frame.filter(session=sessions[number])["market.breadth"]
        assert seen.n_unique() == 1
        assert seen[0] == pytest.approx(100 * above / len(TICKERS))
    more = load(*market, others=["QQQ", "AAA"])
    own = more.filter(TRADED)
    assert own.drop(TRADED).equals(frame), "what is looked at changes nothing for what is traded"
    assert more.filter(~pl.col(TRADED))["ticker"].unique().to_list() == ["QQQ"]


def test_of_four_tickers_there_is_no_breadth(market: tuple[BarsCache, NewsFiles]) -> None:
    few = load_market(market[0], TICKERS[:4], "30m", columns=["market.breadth"])
    assert few["market.breadth"].null_count() == few.height


def test_columns_are_made_only_where_they_are_wanted(market: tuple[BarsCache, NewsFiles], frame: pl.DataFrame) -> None:
    for wanted in (("levels.support_age", "news.sentiment"), ("market.breadth",), ("known_at.vix",), USUAL_CONTEXT, ()):
        part = load_market(market[0], TICKERS, "30m", market_ticker="SPY", vix_ticker="VIX", news=market[1], columns=wanted)
        assert set(wanted) == {name for name in part.columns if "." in name}
        assert part.equals(frame.select(part.columns))


def test_a_level_tells_how_often_how_lately_and_for_how_long_it_was_touched(
    market: tuple[BarsCache, NewsFiles], frame: pl.DataFrame
) -> None:
    rule = level_rule("30m")
    for side in ("support", "resistance"):
        known = frame.filter(pl.col(f"levels.{side}").is_not_null())
        touches, age, strength = (known[f"levels.{side}_{what}"] for what in ("touches", "age", "strength"))
        assert touches.null_count() == age.null_count() == strength.null_count() == 0
        assert touches.min() >= 2
        assert age.is_between(1, rule.sessions).all()
        # Each touch counts for at most 1, and the oldest for what is left of it.
        oldest = 1 - (age - 1) / rule.sessions
        assert (strength <= touches - 1 + oldest + 1e-9).all()
        assert (strength >= touches * oldest - 1e-9).all()
        assert frame.filter(pl.col(f"levels.{side}").is_null())[f"levels.{side}_touches"].null_count() == frame.height - known.height


def test_a_level_fades_and_is_forgotten(cache: BarsCache) -> None:
    bars = walk(date(2024, 1, 2), date(2024, 3, 28), minutes=30, spread=0.0)
    path = np.concatenate([np.linspace(104, 100, 20), np.linspace(100, 105, 20), np.linspace(105, 100, 20)])
    path = np.concatenate([path, np.linspace(100, 160, bars.height - path.size)])
    bars = bars.with_columns(open=path, high=path + 0.05, low=path - 0.05, close=path)
    cache.write("AAA", "30m", bars, "test")
    days = (
        load_market(
            cache, ["AAA"], "30m", columns=["levels.support", *(f"levels.support_{what}" for what in ("touches", "age", "strength"))]
        )
        .group_by("session", maintain_order=True)
        .last()
    )
    there = days.filter(pl.col("levels.support").is_between(99, 101))
    assert there.height == 17, "it is a level while two touches are remembered: 20 sessions after the first but one was confirmed"
    assert set(there["levels.support_touches"]) == {2.0}
    assert there["levels.support_age"].diff().drop_nulls().unique().to_list() == [1.0]
    assert (there["levels.support_strength"].diff().drop_nulls() < 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 60))
def test_the_table_of_levels_holds_every_nearest_level(seed: int, sessions: int) -> None:
    days = trading_sessions(date(2024, 1, 2), date(2024, 4, 30)).head(sessions)
    bars = walk(days["session"][0], days["session"][-1], seed=seed, minutes=30)
    from lab.market.bars import place_in_sessions

    placed = place_in_sessions(bars, "30m").with_columns(ticker=pl.lit("AAA"))
    table = level_table(placed, "30m")
    shapes = {values.shape for values in (table.price, table.touches, table.age, table.strength)}
    assert len(shapes) == 1
    known = np.isfinite(table.price)
    for values in (table.touches, table.age, table.strength):
        assert (np.isfinite(values) == known).all()
    assert (table.touches[known] >= 2).all()
    assert (table.strength[known] <= table.touches[known] + 1e-9).all()


def test_a_bar_ends_after_its_length_or_with_its_session(cache: BarsCache) -> None:
    cache.write("AAA", "2h", walk(date(2024, 7, 2), date(2024, 7, 5), minutes=120), "test")
    cache.write("AAA", "1d", walk(date(2024, 7, 2), date(2024, 7, 5), minutes=1440), "test")
    for timeframe in ("2h", "1d"):
        bars = cache.read(["AAA"], timeframe)
        ends = pl.Series(bar_ends(bars, timeframe)).cast(TIMESTAMP)
        half_day = bars.with_columns(end=ends).filter(session=date(2024, 7, 3))
        assert half_day["end"][-1] == datetime(2024, 7, 3, 17, 0, tzinfo=UTC)


def by_clock(hours: pl.DataFrame) -> pl.DataFrame:
    """Half hours put together as vendors cut hours: 09:30 to 10:00, then 10:00 to 11:00 and so on."""
    hour = pl.col("timestamp").dt.truncate("1h")
    longer = hours.group_by(hour.alias("#hour"), maintain_order=True).agg(
        pl.col("timestamp", "open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum()
    )
    return longer.drop("#hour")


def test_hours_cut_by_the_clock_begin_with_half_an_hour(cache: BarsCache, tmp_path: Path) -> None:
    days = date(2024, 3, 7), date(2024, 3, 13)  # over the change of clocks
    halves = walk(*days, minutes=30)
    for ticker, bars in (("CUT", by_clock(halves)), ("OPENED", walk(*days, minutes=60, seed=2)), ("SPY", walk(*days, minutes=60, seed=3))):
        cache.write(ticker, "1h", bars, "test")
    files = NewsFiles(tmp_path / "news")
    published = datetime(2024, 3, 12, 14, 15, tzinfo=UTC)  # 10:15 in New York
    for ticker in ("CUT", "OPENED"):
        files.write(ticker, [published], [1])
    files.write_coverage([(ticker, datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 20, tzinfo=UTC)) for ticker in ("CUT", "OPENED")])
    columns = [*CONTEXT_SCHEMA, *KNOWN_AT]
    for market in ("SPY", "CUT"):
        seen = load_market(cache, ["CUT", "OPENED"], "1h", market_ticker=market, news=files, columns=columns)
        assert seen.filter(pl.col("known_at.change") > pl.col("known_at.bar")).is_empty()
        day = seen.filter((pl.col("session") == date(2024, 3, 12)) & (pl.col("news.count_1d") > 0))
        first = {row["ticker"]: (row["minute"], row["known_at.bar"]) for row in day.reverse().iter_rows(named=True)}
        assert first == {"CUT": (600, published.replace(hour=15, minute=0)), "OPENED": (570, published.replace(minute=30))}
        openings = seen.filter((pl.col("minute") == 570) & (pl.col("ticker") == "CUT"))
        assert (openings["known_at.bar"] - openings["timestamp"]).unique().to_list() == [timedelta(minutes=30)]


def test_the_rows_of_sessions_are_what_bars_of_them_know(market: tuple[BarsCache, NewsFiles], frame: pl.DataFrame) -> None:
    first, last = date(2024, 3, 1), date(2024, 4, 12)
    part = frame.filter(pl.col("session").is_between(first, last))
    wanted = {"AAA": part["session"].unique().to_list(), "BBB": [date(2024, 3, 5)]}
    levels, regimes = session_context(market[0], TICKERS, "30m", (first, last), "SPY", "VIX", wanted)
    assert set(levels["ticker"]) == {"AAA", "BBB"}
    opening = part.filter((pl.col("ticker") == "AAA") & (pl.col("minute") == 570))
    for row in opening.iter_rows(named=True):
        own = levels.filter((pl.col("ticker") == "AAA") & (pl.col("session") == row["session"]))
        assert (own["known_at"] <= row["timestamp"]).all()
        for side in ("support", "resistance"):
            if row[f"levels.{side}"] is not None and abs(row[f"levels.{side}"] / row["prev_day.close"] - 1) < 0.01:
                found = own.filter((pl.col("price") - row[f"levels.{side}"]).abs() < 1e-9)
                assert found.height == 1
                assert found["touches"][0] == row[f"levels.{side}_touches"]
                assert found["age_sessions"][0] == row[f"levels.{side}_age"]
    # A session's opening bar knows the regime after the session before.
    after = dict(zip(regimes["session"], regimes.drop("session").iter_rows(named=True), strict=True))
    pairs = list(zip(opening["session"].to_list(), opening["session"].to_list()[1:], strict=False))
    for before, session in pairs:
        row = opening.filter(session=session).row(0, named=True)
        assert after[before]["trend"] == row["market.trend"]
        assert after[before]["vix"] == row["market.vix"]
        assert after[before]["breadth_percent"] == pytest.approx(row["market.breadth"])
        assert after[before]["known_at"] == row["known_at.market"] == row["known_at.breadth"]
