"""The bars cache: what is written is read back, damage is never read, a failed write changes nothing."""

from __future__ import annotations

import errno
import os
import pickle
import re
import stat
import subprocess
import sys
import textwrap
from contextlib import suppress
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lab.market import BarsCache, CacheUnwritable, DamagedBars, MarketError, MissingBars, MixedBars
from lab.market.manifest import NAME
from tests.market.conftest import walk

SPAN = (date(2023, 12, 1), date(2024, 1, 31))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_bars_are_read_back_as_they_were_written(cache: BarsCache) -> None:
    bars = walk(*SPAN)
    cache.write("AAPL", "1h", bars, "test")
    read = cache.read(["AAPL"], "1h")
    assert read.select(bars.columns).equals(bars)
    assert read["ticker"].unique().to_list() == ["AAPL"]
    assert read["session"].to_list()[0] == date(2023, 12, 1)
    assert set(read["minute"].unique()) == {570, 630, 690, 750, 810, 870, 930}


def test_any_order_of_rows_is_sorted_by_ticker_and_time(cache: BarsCache) -> None:
    bars = walk(*SPAN)
    with cache.batch() as batch:
        batch.write("MSFT", "1h", bars.sample(fraction=1.0, shuffle=True, seed=3), "test")
        batch.write("AAPL", "1h", bars.reverse(), "test")
    read = cache.read(["MSFT", "AAPL"], "1h")
    assert read.select("ticker", "timestamp").equals(read.select("ticker", "timestamp").sort("ticker", "timestamp"))
    assert read.height == 2 * bars.height


def test_a_span_is_cut_by_session_over_the_turn_of_the_year(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    read = cache.read(["AAPL"], "1h", date(2023, 12, 29), date(2024, 1, 2))
    assert read["session"].unique(maintain_order=True).to_list() == [date(2023, 12, 29), date(2024, 1, 2)]


def test_extended_hours_are_kept_but_not_read(cache: BarsCache) -> None:
    bars = walk(*SPAN, minutes=30)
    early = bars.with_columns(pl.col("timestamp") - pl.duration(hours=7))
    cache.write("AAPL", "30m", pl.concat([bars, early]).unique("timestamp", keep="first"), "test")
    assert cache.read(["AAPL"], "30m").height == bars.height
    assert cache.read_undamaged("AAPL", "30m")[0].height > bars.height


def test_an_hourly_bar_named_for_nine_is_traded_from_half_past_nine(cache: BarsCache) -> None:
    named = walk(*SPAN).with_columns(pl.col("timestamp") - pl.duration(minutes=30))
    cache.write("AAPL", "1h", named, "test")
    read = cache.read(["AAPL"], "1h", date(2024, 1, 2), date(2024, 1, 2))
    assert read["minute"].to_list() == [570, 600, 660, 720, 780, 840, 900]
    assert read["timestamp"].dt.strftime("%H:%M").to_list()[:2] == ["14:30", "15:00"]


def test_daily_bars_start_at_the_open_whatever_hour_they_were_stamped_with(cache: BarsCache) -> None:
    days = walk(date(2024, 10, 28), date(2024, 11, 8), minutes=1440)
    midnight = days.with_columns(pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.truncate("1d").dt.convert_time_zone("UTC"))
    cache.write("AAPL", "1d", midnight, "test")
    read = cache.read(["AAPL"], "1d")
    assert read["timestamp"].to_list() == days["timestamp"].to_list()
    assert read["minute"].unique().to_list() == [570]


def test_coverage_says_what_is_there(cache: BarsCache) -> None:
    bars = walk(*SPAN)
    cache.write("AAPL", "1h", bars, "prices.csv", ("One thing was wrong.",))
    (row,) = cache.coverage()
    assert (row.ticker, row.timeframe, row.source, row.rows) == ("AAPL", "1h", "prices.csv", bars.height)
    assert (row.first_at, row.last_at) == (bars["timestamp"][0], bars["timestamp"][-1])
    assert row.problems == ("One thing was wrong.",)


def test_missing_bars_are_named_with_what_is_there(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    with pytest.raises(MissingBars, match="No 1m bars of AAPL are cached; cached are 1h"):
        cache.read(["AAPL"], "1m")
    with pytest.raises(MissingBars, match="No 1h bars of TSLA are cached"):
        cache.read(["TSLA"], "1h")


@pytest.mark.parametrize("ticker", ["", "../../etc/passwd", "A B", "x" * 40, "A\n"])
def test_what_is_no_ticker_is_refused(cache: BarsCache, ticker: str) -> None:
    with pytest.raises(MarketError, match="can't be a ticker"):
        cache.write(ticker, "1h", walk(*SPAN), "test")
    assert cache.coverage() == []


@pytest.mark.parametrize("ticker", ["BRK.B", "I:VIX", "^GSPC", "BTC/USD"])
def test_tickers_with_signs_in_them_stay_inside_the_folder(cache: BarsCache, ticker: str) -> None:
    bars = walk(*SPAN)
    cache.write(ticker, "1h", bars, "test")
    assert cache.read([ticker], "1h").height == bars.height
    assert {path.parent.parent.name for path in cache.folder.rglob("*.parquet")} == {"1h"}


def test_writing_again_replaces_the_series_and_removes_the_old_files(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN, seed=1), "old")
    newer = walk(*SPAN, seed=2)
    cache.write("AAPL", "1h", newer, "new")
    assert cache.read(["AAPL"], "1h").select(newer.columns).equals(newer)
    assert len(list(cache.folder.rglob("*.parquet"))) == 2


def test_the_fingerprint_follows_the_values_alone(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN)
    other = BarsCache(tmp_path / "other")
    cache.write("AAPL", "1h", bars, "one")
    other.write("AAPL", "1h", bars.reverse(), "another")
    assert cache.fingerprint(["AAPL"], "1h") == other.fingerprint(["AAPL"], "1h")
    part = cache.fingerprint(["AAPL"], "1h", last=date(2024, 1, 10))
    other.write("AAPL", "1h", bars.filter(pl.col("timestamp").dt.date() <= date(2024, 1, 10)), "shorter")
    assert other.fingerprint(["AAPL"], "1h", last=date(2024, 1, 10)) == part, "later bars don't matter to an earlier span"
    assert other.fingerprint(["AAPL"], "1h") != cache.fingerprint(["AAPL"], "1h")
    nudged = bars.with_columns(pl.when(pl.int_range(pl.len()) == 100).then(pl.col("close") + 0.01).otherwise("close").alias("close"))
    cache.write("AAPL", "1h", nudged, "one")
    assert cache.fingerprint(["AAPL"], "1h", last=date(2024, 1, 10)) != part


def test_files_are_for_the_owner_alone(cache: BarsCache) -> None:
    old = os.umask(0)
    try:
        cache.write("AAPL", "1h", walk(*SPAN), "test")
    finally:
        os.umask(old)
    for path in (cache.folder, *cache.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_no_damage_is_ever_read(cache: BarsCache) -> None:
    bars = walk(*SPAN)
    cache.write("AAPL", "1h", bars, "test")
    good = cache.read(["AAPL"], "1h")
    manifest = (cache.folder / NAME).read_bytes()
    (path,) = cache.folder.glob("1h/AAPL/2024-*.parquet")
    content = path.read_bytes()
    rng = np.random.default_rng(7)
    for number in range(400):
        broken = bytearray(content)
        if number % 2:
            broken[int(rng.integers(len(broken)))] ^= 1 << int(rng.integers(8))
        else:
            del broken[int(rng.integers(len(broken))) :]
        path.write_bytes(bytes(broken))
        with pytest.raises(DamagedBars, match="The cached 1h bars of AAPL for 2024 are damaged"):
            cache.read(["AAPL"], "1h")
        assert not path.exists(), "the file was set aside"
        path.write_bytes(content)
        (cache.folder / NAME).write_bytes(manifest)
    assert cache.read(["AAPL"], "1h").equals(good)


def test_damage_is_reported_until_the_bars_are_written_again(cache: BarsCache) -> None:
    bars = walk(*SPAN)
    cache.write("AAPL", "1h", bars, "test")
    (path,) = cache.folder.glob("1h/AAPL/2024-*.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    (damage,) = cache.verify()
    assert (damage.ticker, damage.timeframe, damage.year, damage.sources) == ("AAPL", "1h", 2024, ("test",))
    assert "set aside" in damage.sentence
    assert "Import them again" in damage.sentence
    for _ in range(2):
        with pytest.raises(DamagedBars, match="2024"):
            cache.read(["AAPL"], "1h")
    assert cache.read(["AAPL"], "1h", last=date(2023, 12, 31)).height > 0, "the other year is untouched"
    cache.write("AAPL", "1h", bars, "test")
    assert cache.read(["AAPL"], "1h").height == bars.height
    assert cache.verify() == ()


def test_a_lost_file_is_reported(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    (path,) = cache.folder.glob("1h/AAPL/2024-*.parquet")
    path.unlink()
    with pytest.raises(DamagedBars, match="are missing"):
        cache.read(["AAPL"], "1h")


def test_a_damaged_manifest_is_found(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    path = cache.folder / NAME
    content = path.read_bytes()
    for place in range(0, len(content), 37):
        broken = bytearray(content)
        broken[place] ^= 0x04
        path.write_bytes(bytes(broken))
        with pytest.raises(DamagedBars, match=r"list of cached bars .* is damaged"):
            cache.read(["AAPL"], "1h")


FAULTS = {
    "The disk of .* is full": OSError(errno.ENOSPC, "No space left on device"),
    "can't be written .it is read-only": OSError(errno.EROFS, "Read-only file system"),
}


class FailingCall:
    """Stands for a function of `os` and fails at its n-th call."""

    def __init__(self, function: str, number: int, error: OSError) -> None:
        self.real = getattr(os, function)
        self.left = number
        self.error = error

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.real(*args, **kwargs)


def write_two(cache: BarsCache) -> str | None:
    """What the cache says when it can't write two series, None when it can."""
    try:
        with cache.batch() as batch:
            batch.write("AAPL", "1h", walk(*SPAN, seed=2), "new")
            batch.write("MSFT", "1h", walk(*SPAN, seed=3), "new")
    except CacheUnwritable as error:
        return str(error)
    return None


@pytest.mark.parametrize("function", ["open", "write", "fsync", "rename"])
@pytest.mark.parametrize("sentence", FAULTS)
def test_a_write_that_fails_anywhere_changes_nothing(
    cache: BarsCache, monkeypatch: pytest.MonkeyPatch, function: str, sentence: str
) -> None:
    cache.write("AAPL", "1h", walk(*SPAN, seed=1), "old")
    before, good = snapshot(cache.folder), cache.read(["AAPL"], "1h")
    for number in range(1, 40):
        call = FailingCall(function, number, FAULTS[sentence])
        monkeypatch.setattr(os, function, call)
        said = write_two(cache)
        monkeypatch.undo()
        assert said is None or re.search(sentence, said)
        if said is None or (cache.folder / NAME).read_bytes() != before[NAME]:
            # Once the new manifest is in place all of the new is there, even if making its name durable failed.
            assert cache.verify() == ()
            assert cache.has("MSFT", "1h")
            break
        assert snapshot(cache.folder) == before
        assert cache.read(["AAPL"], "1h").equals(good)
    assert number > 3, "the fault struck several times before the write went through"


def test_a_batch_that_is_given_up_leaves_nothing(cache: BarsCache) -> None:
    with suppress(KeyboardInterrupt), cache.batch() as batch:
        batch.write("AAPL", "1h", walk(*SPAN), "test")
        raise KeyboardInterrupt
    assert cache.coverage() == []
    assert list(cache.folder.rglob("*.parquet")) == []


def test_what_a_killed_writer_left_is_swept_by_the_next(cache: BarsCache) -> None:
    script = """
        import os, signal, sys
        from datetime import date
        from pathlib import Path
        from lab.market import BarsCache
        from tests.market.conftest import walk
        with BarsCache(Path(sys.argv[1])).batch() as batch:
            batch.write("AAPL", "1h", walk(date(2024, 1, 2), date(2024, 1, 9)), "test")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(cache.folder)], check=False)
    assert len(list(cache.folder.rglob("*.parquet"))) == 1
    assert cache.coverage() == []
    cache.write("MSFT", "1h", walk(*SPAN), "test")
    assert {path.parent.name for path in cache.folder.rglob("*.parquet")} == {"MSFT"}


def test_damage_found_while_writing_does_not_block_the_writer(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    (path,) = cache.folder.glob("1h/AAPL/2024-*.parquet")
    path.write_bytes(b"rubbish")
    with cache.batch() as batch:
        with pytest.raises(DamagedBars):
            cache.read(["AAPL"], "1h")
        batch.write("MSFT", "1h", walk(*SPAN), "test")
    assert cache.has("MSFT", "1h")


def test_a_cache_can_be_handed_to_another_process(cache: BarsCache) -> None:
    cache.write("AAPL", "1h", walk(*SPAN), "test")
    assert pickle.loads(pickle.dumps(cache)).coverage() == cache.coverage()


def write_both(cache: BarsCache, bars: pl.DataFrame) -> None:
    with cache.batch() as batch:
        batch.write("AAPL", "1d", bars, "prices.csv")
        batch.write("SPY", "1d", bars, "prices.csv")


def test_real_and_synthetic_bars_of_one_name_never_mix(cache: BarsCache) -> None:
    cache.write("SPY", "1d", walk(*SPAN, minutes=1440), "demo")
    bars = walk(*SPAN, minutes=1440)
    with pytest.raises(MixedBars, match="holds the demo market's synthetic 1d bars of SPY"):
        write_both(cache, bars)
    assert not cache.has("AAPL", "1d")
    cache.write("SPY", "1h", walk(*SPAN), "prices.csv")
    with pytest.raises(MixedBars, match="holds your own 1h bars of SPY"):
        cache.write("SPY", "1h", walk(*SPAN), "demo")
    assert cache.source("SPY", "1h") == "prices.csv"
