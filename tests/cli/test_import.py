"""Importing a file from the command line and from a screen: corrections, chosen tickers, assumptions, and nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lab.agents.service import Lab
from lab.cli import listing
from lab.errors import LabError
from tests.market.conftest import walk

BARS = walk(date(2024, 1, 2), date(2024, 3, 28), minutes=30)
NEW_YORK = pl.col("timestamp").dt.convert_time_zone("America/New_York")
FINNISH = "Päivä;Kello;Avaus;Ylin;Alin;Päätös;Vaihto"
FINNISH_COLUMNS = ["timestamp=Päivä", "time=Kello", "open=Avaus", "high=Ylin", "low=Alin", "close=Päätös", "volume=Vaihto"]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "home")


def quiet(share: float, note: str) -> None:
    return None


def imported(lab: Lab, file: Path, columns: list[str] | None = None, tickers: str | None = None, zone: str | None = None) -> None:
    listing.import_file(lab, file, None, zone, None, columns or [], tickers, look=False, as_json=False)


def local_file(folder: Path, header: str) -> Path:
    lines = [header]
    for at, *values in BARS.with_columns(NEW_YORK).iter_rows():
        prices = ";".join(f"{value:.2f}".replace(".", ",") for value in values[:4])
        lines.append(f"{at:%d.%m.%Y};{at:%H:%M};{prices};{values[4]:.0f}")
    path = folder / "nokia.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def two_tickers(folder: Path) -> Path:
    path = folder / "two.csv"
    both = pl.concat([BARS.with_columns(ticker=pl.lit(name)) for name in ("aapl", "MSFT")])
    both.with_columns(NEW_YORK.dt.strftime("%Y-%m-%d %H:%M").alias("timestamp")).write_csv(path)
    return path


def test_only_the_tickers_asked_for_are_imported(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(lab, two_tickers(tmp_path), tickers="Aapl")
    assert [row.ticker for row in lab.coverage()] == ["AAPL"]
    assert lab.state().universes[0].tickers == ("AAPL",)
    assert "bars of 1 tickers" in capsys.readouterr().out
    with pytest.raises(LabError, match="no bars of IBM"):
        imported(lab, two_tickers(tmp_path), tickers="IBM")
    with pytest.raises(LabError, match="names no ticker"):
        imported(lab, two_tickers(tmp_path), tickers=" , ")


def test_a_file_in_a_language_the_lab_does_not_know_is_imported_with_its_columns_named(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = local_file(tmp_path, FINNISH)
    with pytest.raises(LabError, match=r"no column with prices; its columns are Päivä, Kello, .* --column close=NAME"):
        imported(lab, path)
    imported(lab, path, FINNISH_COLUMNS)
    (row,) = lab.coverage()
    assert (row.ticker, row.rows, row.timeframe) == ("NOKIA", BARS.height, "30m")
    printed = capsys.readouterr().out
    assert "Time zone: America/New_York (read so, 100% of the volume" in printed
    assert "Timeframe: 30m" in printed
    assert "prices such as 101,25 are read as 101.25" in printed


def test_a_screen_that_does_not_show_the_clock_column_keeps_it(lab: Lab, tmp_path: Path) -> None:
    preview = lab.preview_import(str(local_file(tmp_path, "Datum;Zeit;Eröffnung;Hoch;Tief;Schluss;Volumen")))
    shown = {ours: theirs for ours, theirs in preview.columns.items() if ours != "time"}
    report = lab.import_bars(replace(preview, columns=shown, time_zone="Europe/Berlin"), "moved", quiet)
    assert report.rows == BARS.height
    assert "Time zone: Europe/Berlin (chosen by you)." in report.assumptions


def test_a_ticker_column_named_later_brings_its_tickers(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    two_tickers(tmp_path).rename(path)
    path.write_text(path.read_text().replace("ticker", "paper"), encoding="utf-8")
    with pytest.raises(LabError):
        lab.preview_import(str(path), {"paper": "ticker"})
    preview = lab.preview_import(str(path))
    report = lab.import_bars(replace(preview, columns={**preview.columns, "ticker": "paper"}), "both", quiet)
    assert report.tickers == ("AAPL", "MSFT")


def test_a_file_without_a_trading_session_makes_no_universe_and_no_bars(lab: Lab, tmp_path: Path) -> None:
    sundays = BARS.filter(NEW_YORK.dt.weekday() == 5).with_columns(pl.col("timestamp") + pl.duration(days=2))
    sundays.write_parquet(tmp_path / "AAPL.parquet")
    with pytest.raises(LabError, match="None of its bars lies in a trading session"):
        imported(lab, tmp_path / "AAPL.parquet")
    assert lab.coverage() == []
    assert lab.state().universes == ()


def test_a_zone_that_is_none_is_a_sentence(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="“Moon” is not a time zone"):
        imported(lab, two_tickers(tmp_path), zone="Moon")
