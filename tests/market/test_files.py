"""Files to import: what they hold is found out, and what is no file of bars is refused with what to do."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.market import FilePlan, MarketError, UnreadableFile, inspect_file
from lab.market.files import read_bars
from tests.market.conftest import walk

BARS = walk(date(2024, 1, 2), date(2024, 3, 28), minutes=30)
DAYS = walk(date(2024, 1, 2), date(2024, 3, 28), minutes=1440)
NEW_YORK = pl.col("timestamp").dt.convert_time_zone("America/New_York")
UTC = pl.col("timestamp")


def written(path: Path, frame: pl.DataFrame, time: pl.Expr, header: dict[str, str] | None = None, separator: str = ",") -> Path:
    frame.with_columns(time.alias("timestamp")).rename(header or {}).write_csv(path, separator=separator)
    return path


def check_same_bars(plan: FilePlan, bars: pl.DataFrame = BARS) -> None:
    read = read_bars(plan)
    assert read["timestamp"].to_list() == bars["timestamp"].to_list()
    for name in ("open", "high", "low", "close", "volume"):
        assert read[name].to_list() == bars[name].to_list()


@pytest.mark.parametrize(
    ("form", "zone"),
    [
        (NEW_YORK.dt.strftime("%Y-%m-%d %H:%M:%S"), "America/New_York"),
        (NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"), "America/New_York"),
        (UTC.dt.strftime("%Y-%m-%d %H:%M:%S"), "UTC"),
        (UTC.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), "UTC"),
        (UTC.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), "UTC"),
        (NEW_YORK.dt.strftime("%Y-%m-%d %H:%M:%S%:z"), "UTC"),
        (NEW_YORK.dt.strftime("%m/%d/%Y %I:%M %p"), "America/New_York"),
        (NEW_YORK.dt.strftime("%d.%m.%Y %H:%M"), "America/New_York"),
        (NEW_YORK.dt.strftime("%Y%m%d %H:%M:%S"), "America/New_York"),
        (NEW_YORK.dt.strftime("%Y%m%d  %H:%M:%S"), "America/New_York"),
        (NEW_YORK.dt.strftime("%Y%m%d%H%M%S"), "America/New_York"),
        (UTC.dt.epoch("s"), "UTC"),
        (UTC.dt.epoch("ms"), "UTC"),
        (UTC.dt.epoch("ns"), "UTC"),
        (UTC.dt.convert_time_zone("Europe/Berlin").dt.strftime("%Y-%m-%d %H:%M"), "Europe/Berlin"),
    ],
)
def test_times_are_read_in_every_common_form(tmp_path: Path, form: pl.Expr, zone: str) -> None:
    plan = inspect_file(written(tmp_path / "aapl.csv", BARS, form))
    assert plan.time_zone == zone
    assert plan.timeframe == "30m"
    assert plan.tickers == ("AAPL",)
    assert plan.rows == BARS.height
    check_same_bars(plan)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "header",
    [
        {"timestamp": "Date", "open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"},
        {"timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"},
        {"timestamp": "<DATE>", "open": "<OPEN>", "high": "<HIGH>", "low": "<LOW>", "close": "<CLOSE>", "volume": "<VOL>"},
    ],
)
def test_names_and_separators_of_common_vendors_are_recognised(tmp_path: Path, separator: str, header: dict[str, str]) -> None:
    plan = inspect_file(written(tmp_path / "spy.csv", BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"), header, separator))
    assert plan.separator == separator
    assert {ours: plan.columns[ours] for ours in header} == header
    check_same_bars(plan)


def test_date_and_time_in_columns_of_their_own(tmp_path: Path) -> None:
    frame = BARS.with_columns(NEW_YORK.dt.strftime("%Y-%m-%d").alias("Date"), NEW_YORK.dt.strftime("%H:%M").alias("Time"))
    frame.drop("timestamp").write_csv(tmp_path / "ibm.csv")
    plan = inspect_file(tmp_path / "ibm.csv")
    assert (plan.columns["timestamp"], plan.columns["time"]) == ("Date", "Time")
    check_same_bars(plan)


def test_prices_with_decimal_commas(tmp_path: Path) -> None:
    commas = BARS.with_columns(pl.col("open", "high", "low", "close").cast(pl.String).str.replace(".", ",", literal=True))
    check_same_bars(inspect_file(written(tmp_path / "sap.csv", commas, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"), separator=";")))


def test_volumes_with_thousands_separators(tmp_path: Path) -> None:
    thousands = BARS.with_columns(pl.col("volume").map_elements(lambda shares: f"{shares:,.0f}", return_dtype=pl.String))
    assert thousands["volume"].str.contains(",").any()
    check_same_bars(inspect_file(written(tmp_path / "ge.csv", thousands, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"))))


def test_a_file_of_many_tickers(tmp_path: Path) -> None:
    both = pl.concat([BARS.with_columns(Symbol=pl.lit("MSFT")), BARS.with_columns(Symbol=pl.lit("BRK.B"))])
    plan = inspect_file(written(tmp_path / "all.csv", both, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M")))
    assert plan.tickers == ("BRK.B", "MSFT")
    assert plan.timeframe == "30m"


@pytest.mark.parametrize(
    ("name", "ticker"),
    [("aapl_1h.csv", "AAPL"), ("SPY.csv", "SPY"), ("brk.b-daily.csv", "BRK.B"), ("^vix.csv", "^VIX"), ("msft-2024.csv", "MSFT")],
)
def test_a_file_without_a_ticker_column_is_named_after_its_stock(tmp_path: Path, name: str, ticker: str) -> None:
    assert inspect_file(written(tmp_path / name, BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"))).tickers == (ticker,)


@pytest.mark.parametrize(
    "times",
    [
        UTC,
        NEW_YORK,
        UTC.dt.replace_time_zone(None),
        NEW_YORK.dt.replace_time_zone(None).dt.cast_time_unit("ns"),
        UTC.dt.epoch("ms"),
        NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"),
    ],
)
def test_parquet_files_of_every_type_of_time(tmp_path: Path, times: pl.Expr) -> None:
    BARS.with_columns(times.alias("timestamp"), ticker=pl.lit("AAPL").cast(pl.Categorical)).write_parquet(tmp_path / "bars.parquet")
    plan = inspect_file(tmp_path / "bars.parquet")
    assert (plan.timeframe, plan.tickers) == ("30m", ("AAPL",))
    check_same_bars(plan)


@pytest.mark.parametrize(
    "times",
    [
        NEW_YORK.dt.strftime("%Y-%m-%d"),
        NEW_YORK.dt.strftime("%m/%d/%Y"),
        NEW_YORK.dt.strftime("%d-%b-%Y"),
        NEW_YORK.dt.strftime("%Y%m%d"),
        NEW_YORK.dt.date().cast(pl.Datetime("us")).dt.epoch("s"),
        NEW_YORK.dt.truncate("1d").dt.epoch("s"),
    ],
)
def test_daily_bars_keep_their_dates(tmp_path: Path, times: pl.Expr) -> None:
    plan = inspect_file(written(tmp_path / "spy.csv", DAYS, times))
    assert plan.timeframe == "1d"
    read = read_bars(plan)
    assert read.select(NEW_YORK.dt.date())["timestamp"].to_list() == DAYS.select(NEW_YORK.dt.date())["timestamp"].to_list()


@pytest.mark.parametrize(("minutes", "timeframe"), [(1, "1m"), (5, "5m"), (15, "15m"), (60, "1h"), (120, "2h"), (1440, "1d")])
def test_the_timeframe_is_found_even_where_most_bars_are_missing(tmp_path: Path, minutes: int, timeframe: str) -> None:
    bars = walk(date(2024, 1, 2), date(2024, 2, 29), minutes=minutes).sample(fraction=0.6, seed=4).sort("timestamp")
    assert inspect_file(written(tmp_path / "x.csv", bars, UTC.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))).timeframe == timeframe


def test_the_zone_is_given_with_its_reason_and_can_be_corrected(tmp_path: Path) -> None:
    path = written(tmp_path / "aapl.csv", BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"))
    assert "100% of the volume falls into New York's trading hours" in inspect_file(path).time_zone_reason
    corrected = inspect_file(path, time_zone="UTC")
    assert (corrected.time_zone, corrected.time_zone_reason) == ("UTC", "chosen by you")
    assert read_bars(corrected)["timestamp"][0] != BARS["timestamp"][0]


def test_columns_can_be_corrected(tmp_path: Path) -> None:
    odd = {"open": "aa", "high": "bb", "low": "cc", "close": "dd", "volume": "ee"}
    path = written(tmp_path / "aapl.csv", BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"), odd)
    with pytest.raises(UnreadableFile, match="no column with prices; its columns are timestamp, aa, bb, cc, dd, ee"):
        inspect_file(path)
    check_same_bars(inspect_file(path, columns={"timestamp": "timestamp", **odd}))
    with pytest.raises(UnreadableFile, match="no column “nope”"):
        inspect_file(path, columns={"timestamp": "timestamp", **odd, "open": "nope"})


def german(folder: Path, frame: pl.DataFrame, header: str, encoding: str = "utf-8-sig") -> Path:
    local = frame.with_columns(NEW_YORK)
    lines = [header]
    for at, *values in local.iter_rows():
        prices = ";".join(f"{value:.2f}".replace(".", ",") for value in values[:4])
        lines.append(f"{at:%d.%m.%Y};{at:%H:%M};{prices};{f'{values[4]:,.0f}'.replace(',', '.')}")
    path = folder / "sap.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize(
    "header",
    [
        "Datum;Zeit;Eröffnung;Hoch;Tief;Schluss;Volumen",
        "Date;Heure;Ouverture;Plus haut;Plus bas;Clôture;Volume",
        "Fecha;Hora;Apertura;Máximo;Mínimo;Cierre;Volumen",
    ],
)
def test_german_french_and_spanish_files_are_read(tmp_path: Path, header: str, encoding: str) -> None:
    plan = inspect_file(german(tmp_path, BARS, header, encoding))
    assert [plan.columns[name] for name in ("timestamp", "time", "open", "high", "low", "close", "volume")] == header.split(";")
    check_same_bars(plan)
    assert "Decimals: prices such as 101,25 are read as 101.25." in plan.assumptions


def test_a_byte_of_no_code_page_far_down_is_no_obstacle(tmp_path: Path) -> None:
    path = german(tmp_path, BARS, "Datum;Zeit;Eröffnung;Hoch;Tief;Schluss;Volumen", "cp1252")
    path.write_bytes(path.read_bytes() + b"\r\n02.04.2024;09:30;\x801,00;\x802,00;1,00;1,50;\x81\x8d\r\n")
    read = read_bars(inspect_file(path))
    assert read.row(-1)[2:] == (1.0, 2.0, 1.0, 1.5, None)


def test_columns_with_names_of_another_language_can_be_given(tmp_path: Path) -> None:
    path = german(tmp_path, BARS, "Päivä;Kello;Avaus;Ylin;Alin;Päätös;Vaihto")
    with pytest.raises(UnreadableFile, match=r"no column with prices; its columns are Päivä, Kello, .*--column close=NAME"):
        inspect_file(path)
    names = {"timestamp": "Päivä", "time": "Kello", "open": "Avaus", "high": "ylin", "low": " Alin ", "close": "Päätös", "volume": "Vaihto"}
    check_same_bars(inspect_file(path, columns=names))
    with pytest.raises(UnreadableFile, match="“closing” is not a column of bars"):
        inspect_file(path, columns={"closing": "Päätös"})


def test_a_correction_of_one_column_leaves_the_others_recognised(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", BARS.with_columns(Adj=pl.col("close") * 2), NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"))
    plan = inspect_file(path, columns={"close": "Adj", "volume": ""})
    assert plan.columns == {"timestamp": "timestamp", "open": "open", "high": "high", "low": "low", "close": "Adj"}
    assert read_bars(plan)["volume"].sum() == 0


def test_what_was_assumed_is_said_with_the_reason(tmp_path: Path) -> None:
    early = DAYS.filter(NEW_YORK.dt.day() <= 12)
    day, *rest = inspect_file(written(tmp_path / "a.csv", early, NEW_YORK.dt.strftime("%d/%m/%Y"))).assumptions
    assert day == (
        "Dates: “02/01/2024” is read with the day first, as 2 January 2024, because so read, "
        "the bars stand in order of time, on weekdays and closest together. Check this: it is not sure."
    )
    assert rest == [
        "Time zone: America/New_York (daily bars carry dates alone).",
        "Timeframe: 1d (most days have one bar).",
        "Ticker: A, after the file's name, since no column names the stock.",
    ]
    month = inspect_file(written(tmp_path / "b.csv", DAYS, NEW_YORK.dt.strftime("%m/%d/%Y"))).assumptions[0]
    assert month.startswith("Dates: “01/02/2024” is read with the month first, as 2 January 2024, because “01/16/2024” can't be read")
    hours = inspect_file(written(tmp_path / "c.csv", BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"))).assumptions
    assert hours[0].startswith("Time zone: America/New_York (read so, 100% of the volume")
    assert hours[1] == "Timeframe: 30m (the usual step between bars)."
    chosen = inspect_file(tmp_path / "c.csv", time_zone="UTC", timeframe="15m").assumptions
    assert chosen[:2] == ("Time zone: UTC (chosen by you).", "Timeframe: 15m (chosen by you).")


def test_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M"))
    for name in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(UnreadableFile, match="is not a time zone"):
            inspect_file(path, time_zone=name)


def test_the_sample_shows_the_first_rows_as_they_stand(tmp_path: Path) -> None:
    plan = inspect_file(written(tmp_path / "aapl.csv", BARS, NEW_YORK.dt.strftime("%Y-%m-%d %H:%M")))
    assert len(plan.sample) == 5
    assert plan.sample[0][0] == "2024-01-02 09:30"
    assert len(plan.sample[0]) == len(plan.file_columns)


HEAD = "ticker,timestamp,open,high,low,close,volume\n"
ROW = "AAPL,2024-01-02 09:30,1,2,0.5,1.5,100\nAAPL,2024-01-02 09:31,1,2,0.5,1.5,100\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (HEAD.encode(), "column names but no rows"),
        (b"date,headline\n2024-01-02,Up\n2024-01-03,Down\n", "no column with prices; its columns are date, headline"),
        (b"date,close\n2024-01-02,1\n2024-01-03,2\n", "no column for open and high and low"),
        (b"open,high,low,close\n1,2,0.5,1\n1,2,0.5,1\n", "no column with the time of the bars"),
        (
            (HEAD + ROW + "AAPL,01/03/2024 09:30,1,2,0.5,1.5,100\n").encode(),
            "dates in two formats: “2024-01-02 09:30” in row 2 and “01/03/2024 09:30” in row 4",
        ),
        ((HEAD + ROW + "AAPL,soon,1,2,0.5,1.5,100\n").encode(), "“soon” in row 4 where a time should be"),
        ((HEAD + "AAPL,yesterday,1,2,0.5,1.5,100\n").encode(), "times that can't be read, such as “yesterday” in row 2"),
        ((HEAD + "AAPL,05/06/2024,1,2,0.5,1.5,100\nMSFT,05/06/2024,1,2,0.5,1.5,100\n").encode(), "day and month can't be told apart"),
        ((HEAD + ROW.splitlines()[0] + "\n").encode(), "too little to tell how long a bar is"),
        (b"2024-01-02,1,2,0.5,1.5,100\n2024-01-03,1,2,0.5,1.5,100\n", "no column names in its first line"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "neither a CSV nor a whole Parquet file"),
        (b"<html><body>Not found</body></html>\n<p>x</p>\n", "not a CSV or Parquet file with bars"),
        (b'{"results": [1, 2, 3]}\n', "not a CSV or Parquet file with bars"),
        (b"Dear reader,\nthis is a letter, and no table, of prices.\nYours\n", "not a CSV or Parquet file with bars"),
        (b"\x1f\x8b\x08\x00rest", "is not a whole compressed file"),
        (b"PAR1 and then nothing that makes sense", "not a whole Parquet file"),
        ((HEAD + "".join(f"AAPL,2024-01-{day:02} 00:00,1,2,0.5,1,5\n" for day in (1, 8, 15, 22, 29))).encode(), "a bar every 7 days"),
        ((HEAD + "".join(f"AAPL,2024-01-02 10:{m:02},1,2,0.5,1,5\n" for m in range(0, 56, 7))).encode(), "a bar every 7 minutes"),
    ],
)
def test_what_is_no_file_of_bars_is_refused_with_what_is_wrong(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        inspect_file(path)
    assert sentence in str(caught.value)
    assert "prices.csv" in str(caught.value)
    assert str(caught.value).endswith(".")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="There is no file"):
        inspect_file(tmp_path / "nothing.csv")
    with pytest.raises(UnreadableFile, match="holds no file of bars"):
        inspect_file(tmp_path)


def test_dates_with_the_day_first_are_told_from_those_with_the_month_first(tmp_path: Path) -> None:
    for name, form in (("a", "%d/%m/%Y"), ("b", "%m/%d/%Y")):
        early = DAYS.filter(NEW_YORK.dt.day() <= 12)
        plan = inspect_file(written(tmp_path / f"{name}.csv", early, NEW_YORK.dt.strftime(form)))
        assert plan.time_format == form, "no day above 12, yet only one reading puts the bars in order on weekdays"


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_read_or_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    with suppress(MarketError):
        read_bars(inspect_file(path))


times = ["2024-01-02", "2024-01-02 10:00", "1704205800", "01/02/24"]
cell = st.sampled_from(["", "1", "2.5", "-3", "abc", "1e999", "NaN", "“x”", '"', *times])


@given(st.lists(st.lists(cell, min_size=7, max_size=7), min_size=1, max_size=6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_cells_are_read_or_refused_in_a_sentence(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "some.csv"
    path.write_text(HEAD + "\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
    with suppress(MarketError):
        read_bars(inspect_file(path))
