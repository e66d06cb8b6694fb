"""A series that grows: bars added, splits applied once, longer bars made of it, several writers at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.market import BarsCache, DamagedBars, MarketError, MissingBars
from lab.market.manifest import load_manifest
from tests.market.conftest import walk

SPAN = (date(2023, 11, 1), date(2024, 2, 29))
SPLIT = date(2024, 1, 16)
BARS = walk(*SPAN, minutes=30)
DAY = pl.col("timestamp").dt.date()
PRICES = ("open", "high", "low", "close")


def unadjusted(bars: pl.DataFrame, ratio: float, session: date = SPLIT) -> pl.DataFrame:
    factor = pl.when(session > DAY).then(ratio).otherwise(1.0)
    return bars.with_columns(pl.col(*PRICES) * factor, pl.col("volume") / factor)


def raw(cache: BarsCache, timeframe: str = "30m") -> pl.DataFrame:
    return cache.read(["AAPL"], timeframe).select(BARS.columns)


def files(cache: BarsCache) -> set[str]:
    return {path.name for path in cache.folder.rglob("*.parquet")}


def test_added_bars_join_those_there_and_only_their_year_is_written(cache: BarsCache) -> None:
    cache.write("AAPL", "30m", BARS.filter(date(2024, 2, 1) > DAY), "polygon")
    before = files(cache)
    cache.append("AAPL", "30m", BARS.filter(date(2024, 1, 30) <= DAY), "polygon")
    assert raw(cache).equals(BARS)
    assert {name for name in before if name.startswith("2023")} <= files(cache)
    assert len(files(cache)) == 2, "what was replaced is gone"
    (row,) = cache.coverage()
    assert len(row.spans) == 1


def test_at_a_time_both_have_the_new_bar_counts_and_no_other_is_lost(cache: BarsCache) -> None:
    odd = pl.int_range(pl.len()) % 2 == 1
    cache.write("AAPL", "30m", BARS.filter(odd), "one.csv", ["An old finding."])
    corrected = BARS.filter(~odd | (DAY == SPLIT)).with_columns(volume=pl.lit(7.0))
    cache.append("AAPL", "30m", corrected, "two.csv", ["A new finding.", "An old finding."])
    read = raw(cache)
    assert read["timestamp"].to_list() == BARS["timestamp"].to_list()
    assert read.filter(DAY == SPLIT)["volume"].unique().to_list() == [7.0]
    (row,) = cache.coverage()
    assert row.problems == ("An old finding.", "A new finding.")
    assert {span.source for span in row.spans} == {"one.csv", "two.csv"}


def test_bars_on_another_share_count_are_refused(cache: BarsCache) -> None:
    cache.write("AAPL", "30m", BARS, "polygon")
    with pytest.raises(MarketError, match=r"cost 0.25 times what the cached ones do .* a split lies between"):
        cache.append("AAPL", "30m", BARS.tail(40).with_columns(pl.col(*PRICES) / 4), "polygon")
    assert raw(cache).equals(BARS)


def test_a_later_split_is_applied_to_every_timeframe_exactly_once(cache: BarsCache) -> None:
    daily = walk(*SPAN, minutes=1440)
    old = DAY < SPLIT
    with cache.batch() as batch:
        batch.write("AAPL", "30m", BARS.filter(old), "polygon", adjusted_until=date(2024, 1, 12))
        batch.write("AAPL", "1d", daily.filter(old), "polygon", adjusted_until=date(2024, 1, 12))
        batch.write("MSFT", "1d", daily, "polygon")
    for _ in range(3):
        changed = cache.apply_split("AAPL", SPLIT, 4.0)
        read = raw(cache)
        assert (read["close"] * 4).to_list() == pytest.approx(BARS.filter(old)["close"].to_list())
        assert (read["volume"] / 4).to_list() == pytest.approx(BARS.filter(old)["volume"].to_list())
    assert changed == ()
    assert cache.read(["MSFT"], "1d")["close"].to_list() == daily["close"].to_list()
    assert [(split.session, split.ratio) for split in cache.coverage()[0].splits] == [(SPLIT, 4.0)]
    cache.append("AAPL", "30m", BARS.filter(~old).with_columns(pl.col(*PRICES) / 4), "polygon")
    assert (raw(cache)["close"] * 4).to_list() == pytest.approx(BARS["close"].to_list())


def test_bars_whose_source_had_adjusted_them_are_left_alone(cache: BarsCache) -> None:
    with cache.batch() as batch:
        batch.write("AAPL", "30m", BARS.filter(DAY < SPLIT), "polygon", adjusted_until=SPLIT)
    assert cache.apply_split("AAPL", SPLIT, 4.0) == ()
    assert raw(cache)["close"].to_list() == BARS.filter(DAY < SPLIT)["close"].to_list()


@given(
    ratio=st.sampled_from([4.0, 2.0, 1.5, 7.0, 0.1, 0.05]), adjusted=st.booleans(), session=st.dates(date(2023, 11, 20), date(2024, 2, 20))
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whether_bars_around_a_split_know_of_it_is_seen_in_them(
    tmp_path_factory: pytest.TempPathFactory, ratio: float, adjusted: bool, session: date
) -> None:
    cache = BarsCache(tmp_path_factory.mktemp("bars"))
    cache.write("AAPL", "30m", BARS if adjusted else unadjusted(BARS, ratio, session), "prices.csv")
    assert cache.apply_split("AAPL", session, ratio) == (() if adjusted else ("30m",))
    assert raw(cache)["close"].to_list() == pytest.approx(BARS["close"].to_list())
    assert cache.apply_split("AAPL", session, ratio) == ()


def test_a_split_and_the_bars_after_it_come_together_or_not_at_all(cache: BarsCache) -> None:
    with cache.batch() as batch:
        batch.write("AAPL", "30m", BARS.filter(DAY < SPLIT).with_columns(pl.col(*PRICES) * 4), "polygon", adjusted_until=date(2024, 1, 2))
    before = raw(cache)
    with suppress(KeyboardInterrupt), cache.batch() as batch:
        batch.apply_split("AAPL", SPLIT, 4.0)
        batch.append("AAPL", "30m", BARS.filter(DAY >= SPLIT), "polygon", adjusted_until=SPLIT)
        raise KeyboardInterrupt
    assert raw(cache).equals(before)
    with cache.batch() as batch:
        batch.apply_split("AAPL", SPLIT, 4.0)
        batch.append("AAPL", "30m", BARS.filter(DAY >= SPLIT), "polygon", adjusted_until=SPLIT)
    assert raw(cache)["close"].to_list() == pytest.approx(BARS["close"].to_list())
    assert cache.coverage()[0].adjusted_until == SPLIT
    assert cache.apply_split("AAPL", SPLIT, 4.0) == ()


@pytest.mark.parametrize("ratio", [0.0, -2.0, 1.0, float("nan"), 1e9])
def test_a_ratio_that_is_none_is_refused(cache: BarsCache, ratio: float) -> None:
    with pytest.raises(MarketError, match="A split of AAPL can't give"):
        cache.apply_split("AAPL", SPLIT, ratio)


def test_nothing_is_added_to_a_damaged_year(cache: BarsCache) -> None:
    cache.write("AAPL", "30m", BARS, "polygon")
    (path,) = cache.folder.glob("30m/AAPL/2024-*.parquet")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedBars, match=r"2024 are damaged\. Nothing was changed"):
        cache.append("AAPL", "30m", BARS.tail(10), "polygon")
    with cache.batch() as batch:
        batch.replace_sessions("AAPL", "30m", BARS.filter(DAY.dt.year() == 2024), "polygon", date(2024, 1, 1), date(2024, 12, 31))
    assert raw(cache).equals(BARS)


WRITER = """
    import sys
    from datetime import date
    from pathlib import Path
    import polars as pl
    from lab.market import BarsCache
    from tests.market.conftest import walk
    bars = walk(date(2023, 12, 1), date(2024, 1, 31), minutes=30)
    part = int(sys.argv[2])
    cache = BarsCache(Path(sys.argv[1]))
    for turn in range(6):
        cache.append("AAPL", "30m", bars.filter(pl.int_range(pl.len()) % 12 == part + 2 * turn), f"part {part}")
"""


def test_two_programs_that_add_to_one_series_lose_no_bars(cache: BarsCache) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(cache.folder)]
    writers = [subprocess.Popen([*command, str(part)]) for part in (0, 1)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert raw(cache).equals(walk(date(2023, 12, 1), date(2024, 1, 31), minutes=30))


def test_longer_bars_are_made_of_cached_ones_session_by_session(cache: BarsCache) -> None:
    minutes = walk(date(2023, 11, 20), date(2023, 11, 27), minutes=1)
    cache.write("AAPL", "1m", minutes, "test")
    hours = cache.read(["AAPL"], "1h")
    half_day = hours.filter(session=date(2023, 11, 24))
    assert half_day["minute"].to_list() == [570, 630, 690, 750], "the half day after Thanksgiving ends at 13:00"
    assert hours.filter(session=date(2023, 11, 21))["minute"].to_list() == [570, 630, 690, 750, 810, 870, 930]
    last = minutes.filter(date(2023, 11, 24) == DAY).tail(30)
    expected = (last["open"][0], last["high"].max(), last["low"].min(), last["close"][-1], last["volume"].sum())
    assert half_day.row(-1)[2:7] == expected
    days = cache.read(["AAPL"], "1d")
    assert days["session"].to_list() == [date(2023, 11, day) for day in (20, 21, 22, 24, 27)]
    assert days["volume"].sum() == minutes["volume"].sum()
    assert cache.readable("AAPL") == {name: name == "1m" for name in ("1m", "2m", "3m", "5m", "10m", "15m", "30m", "1h", "2h", "4h", "1d")}


def test_a_bar_whose_first_minutes_had_no_trade_starts_where_its_part_of_the_session_does(cache: BarsCache) -> None:
    minutes = walk(date(2024, 3, 8), date(2024, 3, 12), minutes=1)
    thin = minutes.filter(pl.int_range(pl.len()) % 60 >= 7)
    cache.write("AAPL", "1m", thin, "test")
    read = cache.read(["AAPL"], "30m")
    whole = pl.datetime_range(minutes["timestamp"][0], minutes["timestamp"][389], "30m", time_unit="us", eager=True)
    assert read.filter(session=date(2024, 3, 8))["timestamp"].to_list() == whole.to_list()
    assert read.filter(session=date(2024, 3, 11))["timestamp"][0].hour == 13, "the clocks have been turned"


def test_cached_longer_bars_count_before_ones_made(cache: BarsCache) -> None:
    cache.write("AAPL", "1m", walk(*SPAN, minutes=1)[:5000], "test")
    own = walk(*SPAN, minutes=1440, seed=9)
    cache.write("AAPL", "1d", own, "test")
    assert raw(cache, "1d").equals(own)
    assert cache.readable("AAPL")["1d"]
    assert [row.timeframe for row in cache.coverage()] == ["1d", "1m"], "what is made on reading is not listed as cached"


def test_hours_by_the_clock_make_days_but_no_longer_hours(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    assert cache.has("AAPL", "1d")
    with pytest.raises(MissingBars, match="No 2h bars of AAPL are cached; cached are 1h"):
        cache.read(["AAPL"], "2h")


def test_hours_counted_from_the_opening_are_never_read_beside_hours_cut_by_the_clock(cache: BarsCache) -> None:
    """Beside a bar from 09:30 to 10:00 one from 09:30 to 10:30 would tell of half an hour that has not been yet."""
    cache.write("SPY", "1m", walk(date(2024, 1, 2), date(2024, 1, 5), minutes=1), "test")
    assert cache.has("SPY", "1h")
    clock = walk(date(2024, 1, 2), date(2024, 1, 5)).with_columns(pl.col("timestamp") - pl.duration(minutes=30))
    cache.write("AAPL", "1h", clock, "test")
    assert not cache.has("SPY", "1h")
    assert "1h" not in cache.readable("SPY")
    with pytest.raises(MissingBars, match="No 1h bars of SPY are cached; cached are 1m"):
        cache.read(["SPY"], "1h")
    assert cache.has("SPY", "30m")
    assert cache.has("SPY", "1d")


def test_extended_hours_are_read_only_when_asked_for_and_never_mixed_in(cache: BarsCache) -> None:
    minutes = walk(date(2024, 7, 1), date(2024, 7, 5), minutes=1)
    early = minutes.filter(pl.col("timestamp").dt.hour() == 14).with_columns(pl.col("timestamp") - pl.duration(hours=4), volume=pl.lit(1.0))
    late = minutes.filter(pl.col("timestamp").dt.hour() == 14).with_columns(pl.col("timestamp") + pl.duration(hours=7), volume=pl.lit(1.0))
    cache.write("AAPL", "1m", pl.concat([minutes, early, late]), "test")
    for timeframe in ("1m", "5m", "30m", "1h", "1d"):
        read = cache.read(["AAPL"], timeframe)
        assert read["volume"].sum() == minutes["volume"].sum(), timeframe
    every = cache.read(["AAPL"], "30m", extended=True)
    assert every["volume"].sum() == minutes["volume"].sum() + early.height + late.height
    assert every.filter("regular").drop("regular").equals(cache.read(["AAPL"], "30m"))
    assert every.select("session", "timestamp").equals(every.select("session", "timestamp").sort("timestamp"))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_longer_bars_hold_exactly_what_the_shorter_ones_did(data: st.DataObject) -> None:
    from lab.market.bars import place_in_sessions
    from lab.market.resampling import resample

    minutes = walk(date(2023, 7, 3), date(2023, 7, 5), minutes=1, seed=data.draw(st.integers(0, 5)))
    kept = minutes.sample(n=data.draw(st.integers(2, 300)), seed=data.draw(st.integers(0, 99))).sort("timestamp")
    bars = place_in_sessions(kept, "1m").filter("regular").drop("regular").insert_column(0, pl.Series("ticker", ["A"] * kept.height))
    name, length = data.draw(st.sampled_from([("5m", 5), ("15m", 15), ("1h", 60), ("4h", 240)]))
    longer = resample(bars, name)
    assert longer["volume"].sum() == pytest.approx(bars["volume"].sum())
    for bar in longer.iter_rows(named=True):
        end = bar["timestamp"] + timedelta(minutes=length)
        own = bars.filter((pl.col("timestamp") >= bar["timestamp"]) & (pl.col("timestamp") < end) & (pl.col("session") == bar["session"]))
        assert (own["open"][0], own["high"].max(), own["low"].min(), own["close"][-1]) == tuple(bar[one] for one in PRICES)
        assert (bar["minute"] - 570) % length == 0


def test_a_manifest_of_an_earlier_version_is_read(cache: BarsCache) -> None:
    import hashlib
    import json

    cache.write("AAPL", "30m", BARS, "test", ["One thing was wrong."])
    path = cache.folder / "manifest.json"
    document = json.loads(path.read_bytes().partition(b"\n")[2])
    (series,) = document["series"]
    series["problems"] = ["One thing was wrong."]
    del series["splits"], series["adjusted_until"]
    for file in series["files"]:
        del file["regular_rows"]
    body = json.dumps(document).encode()
    path.write_bytes(b"sha256:" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert raw(cache).equals(BARS)
    assert cache.coverage()[0].problems == ("One thing was wrong.",)
    assert load_manifest(Path(cache.folder)).series["AAPL", "30m"].adjusted_until is None
