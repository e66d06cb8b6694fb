"""Files as vendors write them, packed and in folders: recognised, read whole, and put on the market's clock."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lab.market import BarsCache, UnreadableFile, import_file, inspect_file
from lab.market.files import read_bars
from lab.market.layouts import Layout
from tests.market.conftest import walk

MINUTES = walk(date(2024, 1, 2), date(2024, 1, 12), minutes=1)
DAYS = walk(date(2024, 1, 2), date(2024, 3, 28), minutes=1440)
NEW_YORK = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt
PRICES = ("open", "high", "low", "close")


def same_bars(path: Path, bars: pl.DataFrame, layout: Layout, timeframe: str, ticker: str = "AAPL") -> None:
    """The file is recognised, its bars are cached under their ticker with these values."""
    plan = inspect_file(path)
    assert (plan.layout, plan.timeframe, plan.tickers) == (layout, timeframe, (ticker,))
    assert plan.rows == bars.height
    cache = BarsCache(path.parent / "the cache")
    import_file(cache, plan)
    read = cache.read([ticker], timeframe)
    assert read["timestamp"].to_list() == bars["timestamp"].to_list()
    for name in (*PRICES, "volume"):
        assert read[name].to_list() == pytest.approx(bars[name].to_list()), name


def polygon(path: Path, bars: pl.DataFrame) -> Path:
    rows = bars.select(
        pl.lit("AAPL").alias("ticker"),
        "volume",
        "open",
        "close",
        "high",
        "low",
        (pl.col("timestamp").dt.epoch("us") * 1000).alias("window_start"),
        pl.lit(7).alias("transactions"),
    )
    path.write_bytes(gzip.compress(rows.write_csv().encode()))
    return path


def test_a_flat_file_of_polygon_is_read_as_it_was_downloaded(tmp_path: Path) -> None:
    same_bars(polygon(tmp_path / "2024-01.csv.gz", MINUTES), MINUTES, Layout.POLYGON, "1m")


def test_a_folder_of_flat_files_with_a_day_each_is_one_import(tmp_path: Path) -> None:
    folder = tmp_path / "day_aggs_v1" / "2024"
    folder.mkdir(parents=True)
    midnight = pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.truncate("1d").dt.convert_time_zone("UTC")
    for row in range(10):
        one = DAYS[row : row + 1].with_columns(midnight)
        polygon(folder / f"2024-01-{row:02}.csv.gz", one)
    same_bars(tmp_path / "day_aggs_v1", DAYS[:10], Layout.POLYGON, "1d")
    assert inspect_file(folder / "2024-01-03.csv.gz").timeframe == "1d", "one file has one bar a ticker"


def test_a_file_of_yahoo(tmp_path: Path) -> None:
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    for at, o, h, low, c, v in DAYS.iter_rows():
        lines.append(f"{at:%Y-%m-%d},{o},{h},{low},{c},{c * 0.97},{v:.0f}")
    path = tmp_path / "AAPL.csv"
    path.write_text("\n".join(lines))
    same_bars(path, DAYS, Layout.YAHOO, "1d")


def test_a_file_written_by_yfinance_names_its_ticker_in_the_second_line(tmp_path: Path) -> None:
    lines = ["Price,Close,High,Low,Open,Volume", "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL", "Date,,,,,"]
    lines += [f"{at:%Y-%m-%d},{c},{h},{low},{o},{v:.0f}" for at, o, h, low, c, v in DAYS.iter_rows()]
    path = tmp_path / "download.csv"
    path.write_text("\n".join(lines))
    same_bars(path, DAYS, Layout.YFINANCE, "1d")
    path.write_text("\n".join([lines[0], "Ticker,AAPL,AAPL,MSFT,MSFT,MSFT", *lines[2:]]))
    with pytest.raises(UnreadableFile, match="has the prices of 2 stocks side by side"):
        inspect_file(path)


@pytest.mark.parametrize("intraday", [True, False])
def test_a_file_of_stooq_in_its_own_time(tmp_path: Path, intraday: bool) -> None:
    bars = MINUTES.filter(pl.col("timestamp").dt.minute() % 5 == 0) if intraday else DAYS
    lines = ["<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"]
    for at, o, h, low, c, v in bars.with_columns(pl.col("timestamp").dt.convert_time_zone("Europe/Warsaw")).iter_rows():
        lines.append(f"AAPL.US,{5 if intraday else 'D'},{at:%Y%m%d},{at:%H%M%S},{o},{h},{low},{c},{v:.0f},0")
        lines[-1] = lines[-1] if intraday else lines[-1].replace(f"{at:%H%M%S}", "000000")
    path = tmp_path / "aapl.us.txt"
    path.write_text("\r\n".join(lines))
    same_bars(path, bars, Layout.STOOQ, "5m" if intraday else "1d")


@pytest.mark.parametrize("zone", [" US/Eastern", " America/New_York", ""])
def test_a_file_of_interactive_brokers_with_and_without_its_zone(tmp_path: Path, zone: str) -> None:
    lines = ["date,open,high,low,close,volume,average,barCount"]
    for at, o, h, low, c, v in MINUTES.with_columns(pl.col("timestamp").dt.convert_time_zone("America/New_York")).iter_rows():
        lines.append(f"{at:%Y%m%d %H:%M:%S}{zone},{o},{h},{low},{c},{v:.0f},{c},12")
    path = tmp_path / "AAPL.csv"
    path.write_text("\n".join(lines))
    same_bars(path, MINUTES, Layout.IBKR, "1m")
    if zone:
        assert inspect_file(path).time_zone_reason == "named in the file's times"


def zipped(path: Path, member: str, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, text)


def lean_row(time: object, values: tuple[float, ...]) -> str:
    return ",".join([str(time), *(str(round(price * 10_000)) for price in values[:4]), f"{values[4]:.0f}"])


def test_the_folders_of_lean_with_milliseconds_and_ten_thousandths(tmp_path: Path) -> None:
    folder = tmp_path / "equity" / "usa" / "minute" / "aapl"
    local = MINUTES.with_columns(pl.col("timestamp").dt.convert_time_zone("America/New_York"))
    for (day,), part in local.group_by(pl.col("timestamp").dt.date(), maintain_order=True):
        rows = [lean_row((at.hour * 60 + at.minute) * 60_000, tuple(values)) for at, *values in part.iter_rows()]
        zipped(folder / f"{day:%Y%m%d}_trade.zip", f"{day:%Y%m%d}_aapl_minute_trade.csv", "\n".join(rows) + "\n")
    same_bars(tmp_path / "equity", MINUTES, Layout.LEAN, "1m")


def test_lean_s_days_in_one_archive_a_stock(tmp_path: Path) -> None:
    rows = [lean_row(f"{at:%Y%m%d} 00:00", tuple(values)) for at, *values in DAYS.iter_rows()]
    zipped(tmp_path / "daily" / "aapl.zip", "aapl.csv", "\n".join(rows))
    same_bars(tmp_path / "daily", DAYS, Layout.LEAN, "1d")


def test_a_folder_of_one_file_a_stock_is_named_after_them(tmp_path: Path) -> None:
    for name in ("AAPL", "msft"):
        MINUTES.with_columns(NEW_YORK.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv(tmp_path / f"{name}.csv")
    plan = inspect_file(tmp_path)
    assert plan.tickers == ("AAPL", "MSFT")
    assert plan.rows == 2 * MINUTES.height
    outcome = import_file(BarsCache(tmp_path / "cache"), plan)
    assert outcome.tickers == ("AAPL", "MSFT")
    assert any("each file's stock is its name's first word" in sentence for sentence in plan.assumptions)


def test_a_folder_of_parquet_files_is_read_as_one_table(tmp_path: Path) -> None:
    for part in range(3):
        MINUTES[part * 900 : (part + 1) * 900].with_columns(ticker=pl.lit("AAPL")).write_parquet(tmp_path / f"part-{part}.parquet")
    assert read_bars(inspect_file(tmp_path))["close"].to_list() == MINUTES["close"].to_list()[:2700]


def test_a_folder_with_two_kinds_of_files_is_refused_naming_both(tmp_path: Path) -> None:
    MINUTES.with_columns(NEW_YORK.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv(tmp_path / "AAPL.csv")
    polygon(tmp_path / "flat.csv.gz", MINUTES)
    with pytest.raises(UnreadableFile, match=r"AAPL\.csv and flat\.csv\.gz have different columns"):
        inspect_file(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_texts_beside_the_bars_are_left_out_and_named_and_broken_files_are_refused(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    MINUTES.with_columns(NEW_YORK.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv(folder / "AAPL.csv")
    (folder / "notes.txt").write_text("Dear reader,\nno prices, here, at all\nbye\n")
    (folder / "names.csv").write_text("ticker,name\nAAPL,Apple\n")
    path = tmp_path / "bars.zip" if packed else folder
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, file.name)
    plan = inspect_file(path)
    assert plan.tickers == ("AAPL",)
    assert read_bars(plan).height == MINUTES.height
    left = [guess for guess in plan.guesses if guess.what == "Left out"]
    assert sorted(word for guess in left for word in ("notes.txt", "names.csv") if word in guess.sentence) == ["names.csv", "notes.txt"]
    assert not any(guess.sure for guess in left), "shown with the others to check"
    if not packed:
        (folder / "MSFT.csv").write_text("2024-01-02,1,2,3,4,5\n2024-01-03,1,2,3,4,5\n")
        with pytest.raises(UnreadableFile, match=r"holds files that are no bars: MSFT\.csv"):
            inspect_file(path)


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_packed_files_are_read_and_broken_ones_refused(tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]) -> None:
    text = MINUTES.with_columns(NEW_YORK.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv().encode()
    path = tmp_path / f"AAPL.csv{ending}"
    path.write_bytes(pack(text))
    same_bars(path, MINUTES, Layout.PLAIN, "1m")
    path.write_bytes(pack(text)[:-2000])
    with pytest.raises(UnreadableFile, match="is not a whole compressed file"):
        inspect_file(path)


def test_what_is_not_sure_is_said_to_be(tmp_path: Path) -> None:
    early = DAYS.filter(NEW_YORK.day() <= 12)
    early.with_columns(NEW_YORK.strftime("%d/%m/%Y").alias("timestamp")).write_csv(tmp_path / "AAPL.csv")
    confidence = {guess.what: guess.confidence for guess in inspect_file(tmp_path / "AAPL.csv").guesses}
    assert confidence["Dates"] < 0.9 <= confidence["Timeframe"]
    assert confidence["Time zone"] == 1.0, "dates alone have no zone to be wrong about"


def test_a_file_of_many_pieces_is_read_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few thousand bytes instead of megabytes, spilled to the disk, give what one piece in memory gives."""
    both = pl.concat([MINUTES.with_columns(ticker=pl.lit(name)) for name in ("AAPL", "MSFT", "IBM")])
    path = tmp_path / "all.csv"
    both.with_columns(NEW_YORK.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv(path)
    whole, pieces = BarsCache(tmp_path / "whole"), BarsCache(tmp_path / "pieces")
    import_file(whole, inspect_file(path))
    monkeypatch.setattr("lab.market.tables._PIECE_BYTES", 5_000)
    monkeypatch.setattr("lab.market.files._WHOLE_ROWS", 1_000)
    monkeypatch.setattr("lab.market.files._PIECE_ROWS", 50)
    monkeypatch.setattr("lab.market.importing._MEMORY_ROWS", 500)
    monkeypatch.setattr("lab.market.importing._GROUP_ROWS", 4_000)
    plan = inspect_file(path)
    outcome = import_file(pieces, plan)
    assert outcome.rows == plan.rows == both.height
    tickers = ["AAPL", "IBM", "MSFT"]
    assert pieces.fingerprint(tickers, "1m") == whole.fingerprint(tickers, "1m")
    assert [entry.name for entry in pieces.folder.iterdir() if entry.name.startswith(".import")] == [], "what was spilled is gone"


def test_a_time_that_cannot_be_read_far_down_is_named_with_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = MINUTES.with_columns(NEW_YORK.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv().splitlines()
    lines[2500] = lines[2500].replace("2024-01-10", "10.01.2024")
    path = tmp_path / "AAPL.csv"
    path.write_text("\n".join(lines))
    monkeypatch.setattr("lab.market.tables._PIECE_BYTES", 5_000)
    monkeypatch.setattr("lab.market.files._WHOLE_ROWS", 1_000)
    with pytest.raises(UnreadableFile, match=r"AAPL.csv has “10\.01\.2024 .*” in row 2501"):
        inspect_file(path)
