"""Importing files: what is cached afterwards, what is said about it, and that it is all or nothing."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lab.market import BarsCache, CacheUnwritable, MarketError, ProblemKind, UnreadableFile, import_file, inspect_file, load_market
from tests.market.conftest import walk

SPAN = (date(2023, 1, 3), date(2023, 12, 29))
SPLIT = date(2023, 7, 3)


def saved(path: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(path)
    return path


def unadjusted(bars: pl.DataFrame, ratio: float) -> pl.DataFrame:
    factor = pl.when(pl.col("timestamp").dt.date() < SPLIT).then(ratio).otherwise(1.0)
    return bars.with_columns(pl.col("open", "high", "low", "close") * factor, pl.col("volume") / factor)


def closes(cache: BarsCache, ticker: str = "AAPL") -> list[float]:
    return cache.read([ticker], "1h")["close"].to_list()


def test_what_was_in_the_file_is_cached(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN)
    notes: list[tuple[float, str]] = []
    outcome = import_file(cache, inspect_file(saved(tmp_path / "AAPL.parquet", bars)), lambda share, note: notes.append((share, note)))
    assert cache.read(["AAPL"], "1h").select(bars.columns).equals(bars)
    assert (outcome.rows, outcome.tickers, outcome.timeframe) == (bars.height, ("AAPL",), "1h")
    assert (outcome.first_session, outcome.last_session) == SPAN
    assert outcome.quality == {"AAPL": ()}
    assert notes[-1][0] == 1.0
    assert [share for share, _ in notes] == sorted(share for share, _ in notes)
    assert cache.coverage()[0].source == "AAPL.parquet"


def test_problems_are_told_and_kept_with_the_bars(cache: BarsCache, tmp_path: Path) -> None:
    bars = unadjusted(walk(*SPAN), 4.0)
    outcome = import_file(cache, inspect_file(saved(tmp_path / "AAPL.parquet", pl.concat([bars, bars[:2]]))))
    assert [problem.kind for problem in outcome.quality["AAPL"]] == [ProblemKind.DUPLICATE, ProblemKind.SPLIT]
    assert cache.coverage()[0].problems == tuple(problem.sentence for problem in outcome.quality["AAPL"])
    assert closes(cache) == pytest.approx(walk(*SPAN)["close"].to_list())


def test_importing_the_same_file_twice_changes_nothing(cache: BarsCache, tmp_path: Path) -> None:
    plan = inspect_file(saved(tmp_path / "AAPL.parquet", unadjusted(walk(*SPAN), 2.0)))
    import_file(cache, plan)
    before = cache.fingerprint(["AAPL"], "1h")
    import_file(cache, plan)
    assert cache.fingerprint(["AAPL"], "1h") == before


@pytest.mark.parametrize("first_half_first", [True, False])
@pytest.mark.parametrize("cut", [date(2023, 3, 1), SPLIT, date(2023, 10, 2)])
def test_a_series_in_two_files_becomes_one(cache: BarsCache, tmp_path: Path, first_half_first: bool, cut: date) -> None:
    bars = walk(*SPAN)
    raw = unadjusted(bars, 4.0)
    day = pl.col("timestamp").dt.date()
    halves = [saved(tmp_path / "AAPL_1.parquet", raw.filter(day < cut)), saved(tmp_path / "AAPL_2.parquet", raw.filter(day >= cut))]
    for path in halves if first_half_first else halves[::-1]:
        import_file(cache, inspect_file(path))
    assert closes(cache) == pytest.approx(bars["close"].to_list())


@pytest.mark.parametrize("older_first", [True, False])
def test_overlapping_files_from_before_and_after_a_split_fit_together(cache: BarsCache, tmp_path: Path, older_first: bool) -> None:
    bars = walk(*SPAN)
    day = pl.col("timestamp").dt.date()
    # The older file ends before the split and knows nothing of it; the newer one was adjusted by its vendor.
    older = unadjusted(bars, 4.0).filter(day < date(2023, 6, 15))
    newer = bars.filter(day >= date(2023, 5, 1))
    files = [saved(tmp_path / "AAPL_old.parquet", older), saved(tmp_path / "AAPL_new.parquet", newer)]
    for path in files if older_first else files[::-1]:
        import_file(cache, inspect_file(path))
    assert closes(cache) == pytest.approx(bars["close"].to_list())


def test_a_ticker_without_one_good_bar_does_not_spoil_the_rest(cache: BarsCache, tmp_path: Path) -> None:
    good = walk(*SPAN).with_columns(ticker=pl.lit("AAPL"))
    bad = walk(*SPAN).with_columns(ticker=pl.lit("ZZZ"), close=pl.lit(0.0))
    nameless = walk(*SPAN).with_columns(ticker=pl.lit(""))[:3]
    outcome = import_file(cache, inspect_file(saved(tmp_path / "all.parquet", pl.concat([good, bad, nameless]))))
    assert outcome.tickers == ("AAPL",)
    assert outcome.quality["ZZZ"][-1].sentence == "No bar of it can be used."
    assert outcome.quality["AAPL"][-1].sentence == "3 rows name no ticker: left out."
    assert not cache.has("ZZZ", "1h")


def test_only_the_tickers_of_the_plan_are_imported(cache: BarsCache, tmp_path: Path) -> None:
    both = pl.concat([walk(*SPAN, seed=seed).with_columns(ticker=pl.lit(name)) for seed, name in enumerate(("AAPL", "MSFT"))])
    plan = inspect_file(saved(tmp_path / "all.parquet", both))
    outcome = import_file(cache, replace(plan, tickers=("MSFT", "NOPE")))
    assert outcome.tickers == ("MSFT",)
    assert [row.ticker for row in cache.coverage()] == ["MSFT"]
    assert [problem.sentence for problem in outcome.quality["NOPE"]] == ["all.parquet has no bars of it."]
    with pytest.raises(UnreadableFile, match=r"NOPE: all\.parquet has no bars of it"):
        import_file(cache, replace(plan, tickers=("NOPE",)))


def test_tickers_are_told_apart_whatever_stands_around_them(cache: BarsCache, tmp_path: Path) -> None:
    names = ["\ufeffaapl", " AAPL ", "AAPL\u00a0", "Aapl", "BACpB", "brk.b"]
    bars = walk(*SPAN)
    parts = [bars[n * 100 : (n + 1) * 100].with_columns(ticker=pl.lit(name)) for n, name in enumerate(names)]
    plan = inspect_file(saved(tmp_path / "all.parquet", pl.concat(parts)))
    assert plan.tickers == ("AAPL", "BACpB", "BRK.B")
    assert import_file(cache, plan).rows == 600
    assert cache.read(["AAPL"], "1h").height == 400


@pytest.mark.parametrize("minutes", [60, 1440])
def test_bars_on_days_without_trading_are_refused_and_leave_nothing(cache: BarsCache, tmp_path: Path, minutes: int) -> None:
    weekends = (
        walk(*SPAN, minutes=minutes).filter(pl.col("timestamp").dt.weekday() == 5).with_columns(pl.col("timestamp") + pl.duration(days=1))
    )
    path = saved(tmp_path / "AAPL.parquet", weekends)
    plan = inspect_file(path, timeframe="1d") if minutes == 1440 else inspect_file(path)
    with pytest.raises(UnreadableFile, match="None of its bars lies in a trading session of New York"):
        import_file(cache, plan)
    assert cache.coverage() == []
    assert not list(cache.folder.rglob("*.parquet"))


def test_bars_at_the_ends_on_days_without_trading_do_not_count_as_sessions(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN)
    stray = pl.concat([bars[:1].with_columns(pl.col("timestamp") - pl.duration(days=2)), bars])
    outcome = import_file(cache, inspect_file(saved(tmp_path / "AAPL.parquet", stray)))
    assert (outcome.first_session, outcome.last_session) == SPAN


def test_prices_beyond_reason_are_refused(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN).with_columns(pl.col("open", "high", "low", "close") * 1e300)
    with pytest.raises(UnreadableFile, match="with a price that no share has"):
        import_file(cache, inspect_file(saved(tmp_path / "AAPL.parquet", bars)))
    assert cache.coverage() == []


def test_what_is_joined_is_told_with_its_sources_and_the_problems_of_both(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN)
    day = pl.col("timestamp").dt.date()
    first = bars.filter(day <= date(2023, 6, 30))
    import_file(cache, inspect_file(saved(tmp_path / "one.parquet", pl.concat([first, first[:2]]).with_columns(ticker=pl.lit("AAPL")))))
    dearer = bars.filter(day >= date(2023, 6, 1)).with_columns(pl.col("open", "high", "low", "close") * 1.001, ticker=pl.lit("AAPL"))
    outcome = import_file(cache, inspect_file(saved(tmp_path / "two.parquet", dearer)))
    sentences = [problem.sentence for problem in outcome.quality["AAPL"]]
    overlap = bars.filter(day.is_between(date(2023, 6, 1), date(2023, 6, 30))).height
    assert sentences[0] == (
        "Joined with bars cached before: 2023-01-03 to 2023-05-31 from “one.parquet”, 2023-06-01 to 2023-12-29 from “two.parquet”."
    )
    assert sentences[1].startswith(
        f"From 2023-06-01 to 2023-06-30 both had bars and those of “two.parquet” won: of the cached bars {overlap} changed."
    )
    assert sentences[2].startswith("2 bars at a time that already had one")
    assert sentences[2].endswith("(in “one.parquet”)")
    (row,) = cache.coverage()
    assert row.source == "one.parquet, two.parquet"
    assert [span.source for span in row.spans] == ["one.parquet", "two.parquet"]
    assert row.problems == tuple(sentences)


def test_bars_replaced_by_another_source_are_told(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN).with_columns(ticker=pl.lit("AAPL"))
    import_file(cache, inspect_file(saved(tmp_path / "one.parquet", bars)))
    same = import_file(cache, inspect_file(saved(tmp_path / "two.parquet", bars)))
    assert [problem.sentence for problem in same.quality["AAPL"]] == [
        f"The {bars.height:,} bars cached before from “one.parquet” were replaced by those of “two.parquet”.",
        "From 2023-01-03 to 2023-12-29 both have the same bars.",
    ]
    holes = bars.filter(pl.int_range(pl.len()).is_between(1, 4).not_() & (pl.int_range(pl.len()) != 500))
    told = [problem.sentence for problem in import_file(cache, inspect_file(saved(tmp_path / "two.parquet", holes))).quality["AAPL"]]
    assert any("those of “two.parquet” won: of the cached bars 5 left out." in sentence for sentence in told)


def test_a_middle_piece_leaves_its_neighbours_with_their_source(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN).with_columns(ticker=pl.lit("AAPL"))
    import_file(cache, inspect_file(saved(tmp_path / "one.parquet", bars)))
    day = pl.col("timestamp").dt.date()
    middle = bars.filter(day.is_between(date(2023, 5, 1), date(2023, 5, 31)))
    import_file(cache, inspect_file(saved(tmp_path / "two.parquet", middle)))
    (row,) = cache.coverage()
    assert [span.source for span in row.spans] == ["one.parquet", "two.parquet", "one.parquet"]
    assert closes(cache) == bars["close"].to_list()


def test_a_file_without_one_good_bar_is_refused(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(*SPAN).with_columns(close=pl.lit(-1.0))
    with pytest.raises(UnreadableFile, match=r"AAPL.parquet has no bar that can be used: AAPL: .* zero or negative price"):
        import_file(cache, inspect_file(saved(tmp_path / "AAPL.parquet", bars)))
    assert cache.coverage() == []


def test_a_ticker_that_is_none_is_refused_before_anything_is_written(cache: BarsCache, tmp_path: Path) -> None:
    both = pl.concat([walk(*SPAN).with_columns(ticker=pl.lit(name)) for name in ("AAPL", "../x")])
    with pytest.raises(MarketError, match="can't be a ticker"):
        import_file(cache, inspect_file(saved(tmp_path / "all.parquet", both)))
    assert cache.coverage() == []


def test_a_full_disk_in_the_middle_leaves_the_cache_as_it_was(cache: BarsCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_file(cache, inspect_file(saved(tmp_path / "AAPL.parquet", walk(*SPAN, seed=1))))
    before = {path: path.read_bytes() for path in cache.folder.rglob("*") if path.is_file()}
    many = pl.concat([walk(*SPAN, seed=seed).with_columns(ticker=pl.lit(name)) for seed, name in enumerate(("AAPL", "BBB", "CCC"))])
    plan = inspect_file(saved(tmp_path / "many.parquet", many))
    real, left = os.write, [2]

    def nearly_full(descriptor: int, data: memoryview) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(CacheUnwritable, match=r"full: free some space and try again\. The bars cached before are unchanged"):
        import_file(cache, plan)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in cache.folder.rglob("*") if path.is_file()} == before


def test_importing_again_heals_a_damaged_year(cache: BarsCache, tmp_path: Path) -> None:
    bars = walk(date(2022, 6, 1), date(2023, 6, 30))
    plan = inspect_file(saved(tmp_path / "AAPL.parquet", bars))
    import_file(cache, plan)
    (path,) = cache.folder.glob("1h/AAPL/2022-*.parquet")
    path.write_bytes(b"rubbish")
    outcome = import_file(cache, plan)
    assert outcome.quality == {"AAPL": ()}
    assert cache.read(["AAPL"], "1h").height == bars.height
    (path,) = cache.folder.glob("1h/AAPL/2022-*.parquet")
    path.write_bytes(b"rubbish")
    later = saved(tmp_path / "AAPL_2023.parquet", bars.filter(pl.col("timestamp").dt.year() == 2023))
    outcome = import_file(cache, inspect_file(later))
    assert outcome.quality["AAPL"][-1].sentence == "The cached bars of 2022 were damaged and are not in this file: they are missing."


def test_the_real_hourly_bars_become_a_market_to_trade(cache: BarsCache, shared_data: Path) -> None:
    bars = pl.scan_parquet(shared_data / "hour" / "lean_1h.parquet").filter(pl.col("ticker").is_in(["SPY", "AAPL", "IBM", "BAC"])).collect()
    path = saved(cache.folder.parent / "hourly.parquet", bars)
    outcome = import_file(cache, inspect_file(path))
    splits = [problem.sentence for problems in outcome.quality.values() for problem in problems if problem.kind is ProblemKind.SPLIT]
    assert len(splits) == 6
    frame = load_market(cache, outcome.tickers, "1h", market_ticker="SPY")
    assert frame["minute"].unique().sort().to_list() == [570, 600, 660, 720, 780, 840, 900]
    per_session = frame.group_by("ticker", "session").len()["len"]
    assert per_session.max() == 7
    overnight = frame.group_by("ticker", "session", maintain_order=True).agg(pl.col("open").first(), pl.col("prev_day.close").first())
    gaps = overnight.select("ticker", "session", gap=(pl.col("open") / pl.col("prev_day.close") - 1))
    worst = gaps.filter(pl.col("gap").abs() > 0.3)
    assert worst.rows() == [("AAPL", date(2000, 9, 29), pytest.approx(-0.474, abs=0.01))], "no split is left to be traded as a crash"


def test_the_real_vix_gives_the_market_its_fear(cache: BarsCache, shared_data: Path) -> None:
    for name in ("daily/lean_daily", "vix/vix_daily"):
        import_file(cache, inspect_file(shared_data / f"{name}.parquet"))
    frame = load_market(cache, ["AAPL", "IBM"], "1d", date(2008, 1, 2), date(2009, 12, 31), market_ticker="SPY", vix_ticker="I:VIX")
    assert frame["market.vix"].null_count() == 0
    crash = frame.filter(pl.col("session").is_between(date(2008, 10, 15), date(2008, 11, 26)))
    calm = frame.filter(pl.col("session").is_between(date(2009, 9, 1), date(2009, 12, 31)))
    assert crash.filter(pl.col("market.vix") < 40).is_empty()
    assert calm.filter(pl.col("market.vix") > 40).is_empty()
    assert crash["market.volatility"].unique().to_list() == [2]
    assert crash.filter(pl.col("market.trend") == 1).is_empty()
